"""The coming Occurrences of a Schedule, for people to choose from: to skip an Occurrence, or to change the rest."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from companion.planning.changing import given_before
from companion.planning.occurrences import Coming, next_few, times_of
from companion.planning.timing import PATIENT_ZONE, timing_of
from companion.schedules.models import Schedule
from companion.times import walls
from companion.times.retiming import Times
from companion.times.walls import Moved

SHOWN = 5
MOST_SKIPPED = 20


@dataclass(frozen=True, slots=True)
class Shared:
    """A wall time at which an Occurrence goes out in these zones. `moved` is equal in all of them."""

    local: dt.datetime
    moved: Moved | None
    zones: list[str]


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of a series' Occurrences, and the number that are left, both before exceptions."""

    left: int
    total: int


def upcoming(schedule: Schedule, *, now: dt.datetime, count: int = SHOWN) -> list[Coming]:
    """List the next Occurrences in the Schedule's zone; for "patient", as the clinic's clocks show them."""
    clinic, timing = schedule.clinic, timing_of(schedule)
    zone = clinic.timezone if timing.timezone == PATIENT_ZONE else timing.timezone
    return next_few(timing, zone, times_of(clinic), after=now, count=count)


def together(comings: Sequence[Coming]) -> list[Shared]:
    """Join Occurrences at the same wall time into a line, in the order of these wall times."""
    shared: dict[tuple[dt.datetime, str], Shared] = {}
    for one in sorted(comings, key=lambda one: (one.local.replace(tzinfo=None), one.due_at)):
        key = one.local.replace(tzinfo=None), one.moved or ""
        shared.setdefault(key, Shared(one.local, one.moved, [])).zones.append(one.timezone)
    return list(shared.values())


def counted(schedule: Schedule, from_occurrence: str, *, now: dt.datetime) -> Counted | None:
    """Count what is left of a series that ends after a number of times: from this Occurrence on, or from now on."""
    timing = timing_of(schedule)
    if timing.recurrence is None or timing.recurrence.count is None:
        return None
    zone = schedule.clinic.timezone if timing.timezone == PATIENT_ZONE else timing.timezone
    since = walls.local(now, zone).replace(tzinfo=None, fold=0)
    if from_occurrence in {one.occurrence for one in upcoming(schedule, now=now)}:
        since = walls.parse_wall(from_occurrence)
    total = timing.recurrence.count
    return Counted(max(total - given_before(timing, since), 0), total)


def skipped(schedule: Schedule, *, now: dt.datetime) -> list[dt.datetime]:
    """List the coming wall times that a person took out of the series, at most MOST_SKIPPED."""
    timing = timing_of(schedule)
    if timing.recurrence is None:
        return []
    zone = schedule.clinic.timezone if timing.timezone == PATIENT_ZONE else timing.timezone
    times = Times(timing.starts_at, timing.recurrence)
    taken_out: set[dt.datetime] = set()
    for one in timing.recurrence.except_:
        whole_day = not isinstance(one, dt.datetime)
        of_the_day = times.on(one.date() if isinstance(one, dt.datetime) else one)
        taken_out.update(wall for wall in of_the_day if whole_day or wall == one)
    return sorted(wall for wall in taken_out if walls.resolve(wall, zone).at > now)[:MOST_SKIPPED]
