"""A Schedule's coming Occurrences, from which people choose: to skip an Occurrence, or to change the rest."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from companion.planning.changing import given_before
from companion.planning.occurrences import Coming, next_few, times_of
from companion.planning.timing import PATIENT_ZONE, timing_of
from companion.schedules.models import Schedule
from companion.times import walls
from companion.times.retiming import Times
from companion.times.walls import Moved

SHOWN: Final = 5
MOST_SKIPPED: Final = 20


@dataclass(frozen=True, slots=True)
class Shared:
    """A wall time, and the zones in which an Occurrence goes out at it. `moved` is the same in all these zones."""

    local: dt.datetime
    moved: Moved | None
    zones: list[str]


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of a series' Occurrences, and how many of them are left. Skipped Occurrences are counted, too."""

    left: int
    total: int


def upcoming(schedule: Schedule, *, now: dt.datetime, count: int = SHOWN) -> list[Coming]:
    """List the next Occurrences in the Schedule's zone. For each patient's own zone, the clinic's zone is used."""
    clinic, timing = schedule.clinic, timing_of(schedule)
    zone = clinic.timezone if timing.timezone == PATIENT_ZONE else timing.timezone
    return next_few(timing, zone, times_of(clinic), after=now, count=count)


def together(comings: Sequence[Coming]) -> list[Shared]:
    """Join the Occurrences that have the same wall time in several zones. The earliest wall time comes first."""
    shared: dict[tuple[dt.datetime, str], Shared] = {}
    for coming in sorted(comings, key=lambda coming: (coming.local.replace(tzinfo=None), coming.due_at)):
        key = coming.local.replace(tzinfo=None), coming.moved or ""
        shared.setdefault(key, Shared(coming.local, coming.moved, [])).zones.append(coming.timezone)
    return list(shared.values())


def counted(schedule: Schedule, from_occurrence: str, *, now: dt.datetime) -> Counted | None:
    """Count the Occurrences that are left, from this Occurrence on or from now on.

    Returns None unless the series ends after a number of times.
    """
    timing = timing_of(schedule)
    if timing.recurrence is None or timing.recurrence.count is None:
        return None
    zone = schedule.clinic.timezone if timing.timezone == PATIENT_ZONE else timing.timezone
    since = walls.local(now, zone).replace(tzinfo=None, fold=0)
    if from_occurrence in {coming.occurrence for coming in upcoming(schedule, now=now)}:
        since = walls.parse_wall(from_occurrence)
    total = timing.recurrence.count
    return Counted(max(total - given_before(timing, since), 0), total)


def skipped(schedule: Schedule, *, now: dt.datetime) -> list[dt.datetime]:
    """List the coming wall times that people have skipped, at most MOST_SKIPPED."""
    timing = timing_of(schedule)
    if timing.recurrence is None:
        return []
    zone = schedule.clinic.timezone if timing.timezone == PATIENT_ZONE else timing.timezone
    times = Times(timing.starts_at, timing.recurrence)
    left_out: set[dt.datetime] = set()
    for exception in timing.recurrence.except_:
        whole_day = not isinstance(exception, dt.datetime)
        of_the_day = times.on(exception.date() if isinstance(exception, dt.datetime) else exception)
        left_out.update(wall for wall in of_the_day if whole_day or wall == exception)
    return sorted(wall for wall in left_out if walls.resolve(wall, zone).at > now)[:MOST_SKIPPED]
