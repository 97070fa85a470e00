"""Matching of old and new Occurrences when the times of a series change: by day, and by position within the day.

Pure. Not here: the rules of both series (planning/changing.py), the Messages that are renamed (planning/renaming.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby, takewhile
from typing import Final, NamedTuple

from companion.times.recurrence import occurrences
from companion.times.rule import Recurrence, without_exceptions

_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Times:
    """A start and a rule: the wall times that a series has."""

    starts_at: datetime
    rule: Recurrence | None

    def on(self, day: date) -> tuple[datetime, ...]:
        """The wall times of one day, before exceptions."""
        return _on(self.starts_at, without_exceptions(self.rule) if self.rule else None, day)


class RetimedDay(NamedTuple):
    """The old wall times of a day that change, and the new wall times of that day."""

    old: Sequence[datetime]
    new: Sequence[datetime]


@dataclass(frozen=True, slots=True)
class Retiming:
    """Old times and new times.

    In a split, `since` is the first old wall time that changes. `others` are the new wall times of that day that match
    the times which the old series keeps.
    """

    old: Times
    new: Times
    since: datetime | None = None
    others: frozenset[datetime] = frozenset()

    def day(self, day: date) -> RetimedDay:
        old = [wall for wall in self.old.on(day) if self.since is None or wall >= self.since]
        return RetimedDay(old, [wall for wall in self.new.on(day) if wall not in self.others])

    def new_walls(self, walls: Iterable[datetime]) -> dict[datetime, datetime]:
        """The new wall time of each of these Occurrences. It stays the same if its day has no match.

        Some Occurrences are times of the old rule, others are left over from earlier rules.
        """
        if self.old.rule is None and self.new.rule is None:
            # A one-time message stays the same Occurrence, on any day.
            return {wall: self.new.starts_at if wall == self.old.starts_at else wall for wall in walls}
        in_order = sorted(wall for wall in walls if self.since is None or wall >= self.since)
        found: dict[datetime, datetime] = {}
        for day, of_day in groupby(in_order, datetime.date):
            found |= self._of_day(day, list(of_day))
        return {wall: found.get(wall, wall) for wall in walls}

    def _of_day(self, day: date, walls: Sequence[datetime]) -> dict[datetime, datetime]:
        old, new = self.day(day)
        new_of = _new_of(self, day)
        left_over = [wall for wall in walls if wall not in old]
        if not left_over:
            return dict(new_of)
        # A time that is left over gets a new time of its day, so that a skipped Occurrence stays skipped. If another
        # Occurrence has moved to exactly this time, the time left over becomes that Occurrence's old time.
        added = matched(left_over, [wall for wall in new if wall not in new_of.values()])
        moved_to = {to: was for was, to in new_of.items()}
        given_way = {wall: moved_to[wall] for wall in left_over if wall not in added and wall in moved_to}
        return given_way | added | dict(new_of)

    def old_wall(self, wall: datetime) -> datetime | None:
        """The old wall time of the Occurrence at this new wall time; None for a new Occurrence."""
        if self.old.rule is None and self.new.rule is None:
            return self.old.starts_at if wall == self.new.starts_at else None
        return next((old for old, new in _new_of(self, wall.date()).items() if new == wall), None)


def matched(old: Sequence[datetime], new: Sequence[datetime]) -> dict[datetime, datetime]:
    """The new time of each old time of a day: equal times match first, the others match in order."""
    same = set(old) & set(new)
    left = zip((wall for wall in old if wall not in same), (wall for wall in new if wall not in same), strict=False)
    return {wall: wall for wall in same} | dict(left)


@lru_cache(maxsize=256)
def _new_of(retiming: Retiming, day: date) -> Mapping[datetime, datetime]:
    return matched(*retiming.day(day))


@lru_cache(maxsize=256)
def _on(starts_at: datetime, rule: Recurrence | None, day: date) -> tuple[datetime, ...]:
    last_night = datetime.combine(day, time()) - _INSTANT
    return tuple(takewhile(lambda wall: wall.date() == day, occurrences(starts_at, rule, after=last_night)))
