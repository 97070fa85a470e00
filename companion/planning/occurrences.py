"""The Occurrences of a Schedule in one zone: the rule's wall times as instants.

Daylight saving, days to avoid and quiet hours move them. These are pure functions; they read neither patients nor a
clock.
"""

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice
from typing import Final, NamedTuple

from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic
from companion.planning.timing import Timing
from companion.schedules.models import Quiet
from companion.times import recurrence, walls
from companion.times.quiet import QuietHours, quiet_until
from companion.times.walls import Moved
from companion.times.workdays import (
    FARTHEST,
    Calendar,
    WhenAvoided,
    is_avoided,
    kept_off,
    moved_to_working_day,
    working_day,
)

# Daylight saving, a zone's skipped day and quiet hours together move an Occurrence by less than this, and only to
# later.
_FARTHEST_MOVE: Final = dt.timedelta(days=2, hours=4)
# Twice the distance, since the end of quiet hours may be on a day to avoid again.
_TO_A_WORKING_DAY: Final = dt.timedelta(days=2 * FARTHEST + 1)
FARTHEST_MOVE: Final = _FARTHEST_MOVE + _TO_A_WORKING_DAY
"""The age of a wall time from which its Occurrence is past in every zone, even if it was moved."""
_LAST: Final = dt.datetime(2101, 1, 3, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class ClinicTimes:
    """Quiet hours and days off of a clinic, which move Occurrences."""

    quiet: QuietHours
    calendar: Calendar


def times_of(clinic: Clinic) -> ClinicTimes:
    """The clinic's present quiet hours and days off."""
    return ClinicTimes(QuietHours(clinic.quiet_from, clinic.quiet_until), calendar_of(clinic))


@dataclass(frozen=True, slots=True)
class Coming:
    """An Occurrence in one zone: its name, the instant at which it is due, and why it was moved, if it was."""

    occurrence: str
    timezone: str
    due_at: dt.datetime
    moved: Moved | None

    @property
    def local(self) -> dt.datetime:
        """The due instant in the zone's local time."""
        return walls.local(self.due_at, self.timezone)


class _Step(NamedTuple):
    """A wall time of the rule, with its Occurrence if it is due in the window."""

    wall: dt.datetime
    coming: Coming | None


def coming(
    timing: Timing, zone: str, times: ClinicTimes, *, after: dt.datetime, until: dt.datetime | None = None
) -> Iterator[Coming]:
    """Yield the Occurrences due later than `after` and not later than `until`, in the order of their due instants.

    The due instant depends only on the Occurrence's wall time, so adjacent windows together give each Occurrence once.
    """
    # A moved Occurrence may be due before or after its neighbours in the rule, so Occurrences are sorted in this heap.
    found: list[tuple[dt.datetime, str, Coming]] = []
    earlier = _reach(timing).earlier + _FARTHEST_MOVE
    for wall, due in _in_window(timing, zone, times, after, until):
        while found and found[0][0] < walls.resolve(wall, zone).at - earlier:
            yield heappop(found)[2]
        if due:
            heappush(found, (due.due_at, due.occurrence, due))
    while found:
        yield heappop(found)[2]


def _in_window(
    timing: Timing, zone: str, times: ClinicTimes, after: dt.datetime, until: dt.datetime | None
) -> Iterator[_Step]:
    """The rule's wall times around this window, each with its Occurrence if it is due in the window."""
    reach = _reach(timing)
    begin = _wall(after - _FARTHEST_MOVE - reach.later, zone)
    end = _wall(until + dt.timedelta(hours=2) + reach.earlier, zone) if until else None
    for wall in recurrence.occurrences(timing.starts_at, timing.recurrence, after=begin):
        if end and wall > end:
            return
        due = occurrence_at(timing, wall, zone, times)
        inside = due and due.due_at > after and (until is None or due.due_at <= until)
        yield _Step(wall, due if inside else None)


def first_name_after(instant: dt.datetime) -> str:
    """A lower bound for the names of all Occurrences that are due after this instant, in any zone, moved or not."""
    # One day more, since a name is a wall time, which may be ahead of the instant in UTC.
    return f"{instant - FARTHEST_MOVE - dt.timedelta(days=1):%Y-%m-%d}"


def gives(timing: Timing, occurrence: str) -> bool:
    """Return whether the rule gives an Occurrence of this name, and it is no exception."""
    wall = walls.parse_wall(occurrence)
    just_before = wall - dt.timedelta(seconds=1)
    return next(recurrence.occurrences(timing.starts_at, timing.recurrence, after=just_before), None) == wall


def next_few(
    timing: Timing,
    zone: str,
    times: ClinicTimes,
    *,
    after: dt.datetime,
    count: int,
    without: Collection[str] = (),
) -> list[Coming]:
    """The next `count` Occurrences in the order of their due instants; `without` those of these names."""
    wanted = (due for due in coming(timing, zone, times, after=after) if due.occurrence not in without)
    return list(islice(wanted, count))


class _Reach(NamedTuple):
    """The largest distances by which an Occurrence may be moved, to a later and to an earlier working day."""

    later: dt.timedelta
    earlier: dt.timedelta


def _reach(timing: Timing) -> _Reach:
    none = dt.timedelta()
    if not timing.avoid or timing.when_avoided is WhenAvoided.SKIP:
        return _Reach(none, none)
    if timing.when_avoided is WhenAvoided.NEXT:
        return _Reach(_TO_A_WORKING_DAY, none)
    return _Reach(none, _TO_A_WORKING_DAY)


def occurrence_at(timing: Timing, wall: dt.datetime, zone: str, times: ClinicTimes) -> Coming | None:
    """The Occurrence with this nominal wall time in a zone; None if it is left out because of a day to avoid."""
    on = _on_a_working_day(timing, wall, times.calendar) if timing.avoid else wall
    if on is None:
        return None
    resolved = walls.resolve(on, zone)
    due_at, moved = resolved.at, resolved.moved
    if moved is None and recurrence.was_moved_to_month_end(wall, timing.starts_at, timing.recurrence):
        moved = Moved.MONTH_END
    if on != wall:
        moved = Moved.WORKING_DAY
    if timing.quiet_hours == Quiet.WAIT and (quiet_end := quiet_until(due_at, zone, times.quiet)):
        avoid = kept_off(wall.date(), timing.avoid, times.calendar)
        awake = moved_to_working_day(quiet_end, zone, avoid, timing.when_avoided, times.calendar)
        if awake is None:
            return None
        due_at, moved = awake, Moved.QUIET_HOURS
    return Coming(walls.wall_name(wall), zone, due_at, moved)


def _on_a_working_day(timing: Timing, wall: dt.datetime, calendar: Calendar) -> dt.datetime | None:
    """The wall time at which this Occurrence goes out; None if it is skipped, or another Occurrence goes out then.

    Several Occurrences may move to the same wall time (those of Saturday and Sunday to Monday's own Occurrence).
    The nearest Occurrence stays, so that the patient gets the message once.
    """
    if not is_avoided(wall.date(), timing.avoid, calendar):
        return wall
    day = working_day(wall.date(), timing.avoid, timing.when_avoided, calendar)
    if day is None:
        return None
    on = dt.datetime.combine(day, wall.time())
    first, last = (wall, on) if on > wall else (on - dt.timedelta(seconds=1), wall - dt.timedelta(seconds=1))
    for other in recurrence.occurrences(timing.starts_at, timing.recurrence, after=first):
        if other > last:
            break
        # An Occurrence in between that need not move (Sunday's, if only holidays are avoided) doesn't count.
        if other.time() == wall.time() and (other == on or is_avoided(other.date(), timing.avoid, calendar)):
            return None
    return on


def _wall(at: dt.datetime, zone: str) -> dt.datetime:
    return walls.local(min(at, _LAST), zone).replace(tzinfo=None, fold=0)
