"""When a Schedule goes out in one zone: its rule's wall times as instants, moved as the rules of DESIGN.md's Time say.

Pure but for its arguments: it knows neither patients nor a clock.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from companion.planning.drafts import Draft
from companion.schedules.models import Quiet
from companion.times import recurrence, walls
from companion.times.quiet import QuietHours, quiet_until
from companion.times.walls import Moved

# Daylight saving, a zone's skipped day and quiet hours together move an Occurrence by less than this.
_FARTHEST_MOVE = dt.timedelta(days=2, hours=4)
_LAST = dt.datetime(2101, 1, 3, tzinfo=dt.UTC)


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
    draft: Draft, zone: str, quiet: QuietHours, *, after: dt.datetime, until: dt.datetime | None = None
) -> Iterator[Coming]:
    """The Occurrences due later than `after` and not later than `until`, about in the order of their due instants."""
    begin = _wall(after - _FARTHEST_MOVE, zone)
    end = _wall(until + dt.timedelta(hours=2), zone) if until else None
    for wall in recurrence.occurrences(draft.starts_at, draft.recurrence, after=begin):
        if end and wall > end:
            return
        found = _placed(draft, wall, zone, quiet)
        if found.due_at > after and (until is None or found.due_at <= until):
            yield found


def next_few(draft: Draft, zone: str, quiet: QuietHours, *, after: dt.datetime, count: int) -> list[Coming]:
    """The next `count` Occurrences in the order of their due instants."""
    # One more than asked for: a moved one may come out before its forerunner.
    few = list(islice(coming(draft, zone, quiet, after=after), count + 1))
    return sorted(few, key=lambda one: one.due_at)[:count]


def _placed(draft: Draft, wall: dt.datetime, zone: str, quiet: QuietHours) -> Coming:
    placed = walls.place(wall, zone)
    due_at, moved = placed.at, placed.moved
    if moved is None and recurrence.was_moved_to_month_end(wall, draft.starts_at, draft.recurrence):
        moved = Moved.MONTH_END
    if draft.quiet_hours == Quiet.WAIT and (quiet_end := quiet_until(due_at, zone, quiet)):
        due_at, moved = quiet_end, Moved.QUIET_HOURS
    return Coming(walls.wall_name(wall), zone, due_at, moved)


def _wall(at: dt.datetime, zone: str) -> dt.datetime:
    return walls.local(min(at, _LAST), zone).replace(tzinfo=None, fold=0)
