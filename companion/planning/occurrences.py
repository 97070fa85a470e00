"""When a Schedule goes out in one zone: its rule's wall times as instants, moved as the rules of DESIGN.md's Time say.

Pure but for its arguments: it knows neither patients nor a clock.
"""

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic
from companion.planning.drafts import Draft
from companion.schedules.models import Quiet
from companion.times import recurrence, walls
from companion.times.quiet import QuietHours, quiet_until
from companion.times.walls import Moved
from companion.times.workdays import FARTHEST, Calendar, WhenAvoided, is_avoided, working_day

# Daylight saving, a zone's skipped day and quiet hours together move an Occurrence by less than this, and later only.
_FARTHEST_MOVE = dt.timedelta(days=2, hours=4)
# Twice, since the end of quiet hours may lie on a day to avoid again.
_TO_A_WORKING_DAY = dt.timedelta(days=2 * FARTHEST + 1)
_LAST = dt.datetime(2101, 1, 3, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class ClinicTimes:
    """What a clinic's own hours and days do to Occurrences."""

    quiet: QuietHours
    calendar: Calendar


def times_of(clinic: Clinic) -> ClinicTimes:
    """The clinic's quiet hours and days off, as they now are."""
    return ClinicTimes(QuietHours(clinic.quiet_from, clinic.quiet_until), calendar_of(clinic))


@dataclass(frozen=True, slots=True)
class Coming:
    """One Occurrence in one zone: its name, the instant at which it is due, and what moved it there."""

    occurrence: str
    timezone: str
    due_at: dt.datetime
    moved: Moved | None

    @property
    def local(self) -> dt.datetime:
        """The due instant on the zone's clocks."""
        return walls.local(self.due_at, self.timezone)


def coming(
    draft: Draft, zone: str, times: ClinicTimes, *, after: dt.datetime, until: dt.datetime | None = None
) -> Iterator[Coming]:
    """The Occurrences due later than `after` and not later than `until`, about in the order of their due instants.

    Which these are depends on the Occurrence alone: windows that meet give each one once.
    """
    later, sooner = _reach(draft)
    begin = _wall(after - _FARTHEST_MOVE - later, zone)
    end = _wall(until + dt.timedelta(hours=2) + sooner, zone) if until else None
    for wall in recurrence.occurrences(draft.starts_at, draft.recurrence, after=begin):
        if end and wall > end:
            return
        found = placed(draft, wall, zone, times)
        if found and found.due_at > after and (until is None or found.due_at <= until):
            yield found


def gives(draft: Draft, occurrence: str) -> bool:
    """Whether the rule has an Occurrence of this name, which is not among its exceptions."""
    wall = walls.parse_wall(occurrence)
    just_before = wall - dt.timedelta(seconds=1)
    return next(recurrence.occurrences(draft.starts_at, draft.recurrence, after=just_before), None) == wall


def next_few(
    draft: Draft,
    zone: str,
    times: ClinicTimes,
    *,
    after: dt.datetime,
    count: int,
    without: Collection[str] = (),
) -> list[Coming]:
    """The next `count` Occurrences in the order of their due instants; `without` those of these names."""
    # One day's more than asked for: a moved Occurrence may come out before its forerunner.
    a_day = len(draft.recurrence.times) if draft.recurrence and draft.avoid else 1
    wanted = (one for one in coming(draft, zone, times, after=after) if one.occurrence not in without)
    few = list(islice(wanted, count + max(a_day, 1)))
    return sorted(few, key=lambda one: one.due_at)[:count]


def _reach(draft: Draft) -> tuple[dt.timedelta, dt.timedelta]:
    """How far an Occurrence may be moved to a later and to an earlier working day."""
    none = dt.timedelta()
    if not draft.avoid or draft.when_avoided is WhenAvoided.SKIP:
        return none, none
    return (_TO_A_WORKING_DAY, none) if draft.when_avoided is WhenAvoided.NEXT else (none, _TO_A_WORKING_DAY)


def placed(draft: Draft, wall: dt.datetime, zone: str, times: ClinicTimes) -> Coming | None:
    """The Occurrence with this nominal wall time in a zone; None where it is left out."""
    on = _on_a_working_day(draft, wall, times.calendar) if draft.avoid else wall
    if on is None:
        return None
    placed = walls.place(on, zone)
    due_at, moved = placed.at, placed.moved
    if moved is None and recurrence.was_moved_to_month_end(wall, draft.starts_at, draft.recurrence):
        moved = Moved.MONTH_END
    if on != wall:
        moved = Moved.WORKING_DAY
    if draft.quiet_hours == Quiet.WAIT and (quiet_end := quiet_until(due_at, zone, times.quiet)):
        awake = awake_on_a_working_day(draft, quiet_end, zone, times.calendar)
        if awake is None:
            return None
        due_at, moved = awake, Moved.QUIET_HOURS
    return Coming(walls.wall_name(wall), zone, due_at, moved)


def awake_on_a_working_day(draft: Draft, end: dt.datetime, zone: str, calendar: Calendar) -> dt.datetime | None:
    """The end of quiet hours, or where that is on a day to avoid, the same time on the day it is moved to."""
    wall = walls.local(end, zone).replace(tzinfo=None, fold=0)
    day = working_day(wall.date(), draft.avoid, draft.when_avoided, calendar)
    if day is None or day == wall.date():
        return end if day else None
    return walls.place(dt.datetime.combine(day, wall.time()), zone).at


def _on_a_working_day(draft: Draft, wall: dt.datetime, calendar: Calendar) -> dt.datetime | None:
    """The wall time at which this Occurrence goes out; None where it is skipped, or another one stands there already.

    Of a rule's Occurrences that would come to one wall time (a Saturday's, a Sunday's and Monday's own), the one
    nearest to it stays: the patient gets the message once.
    """
    if not is_avoided(wall.date(), draft.avoid, calendar):
        return wall
    day = working_day(wall.date(), draft.avoid, draft.when_avoided, calendar)
    if day is None:
        return None
    on = dt.datetime.combine(day, wall.time())
    first, last = (wall, on) if on > wall else (on - dt.timedelta(seconds=1), wall - dt.timedelta(seconds=1))
    for other in recurrence.occurrences(draft.starts_at, draft.recurrence, after=first):
        if other > last:
            break
        if other.time() == wall.time():
            return None
    return on


def _wall(at: dt.datetime, zone: str) -> dt.datetime:
    return walls.local(min(at, _LAST), zone).replace(tzinfo=None, fold=0)
