"""Which Occurrence is which when the times of a series change: by its day, and by its place among that day's times.

Pure. Not here: the rules of both series (planning/changing.py), the Messages that are renamed (planning/renaming.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import takewhile

from companion.times.recurrence import occurrences
from companion.times.rule import Recurrence, without_exceptions

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Times:
    """A start and a rule: the wall times that a series has."""

    starts_at: datetime
    rule: Recurrence | None

    def on(self, day: date) -> tuple[datetime, ...]:
        """The wall times of one day, before exceptions."""
        return _on(self.starts_at, without_exceptions(self.rule) if self.rule else None, day)


@dataclass(frozen=True, slots=True)
class Retiming:
    """Old times and new ones. In a split, `since` is the first old one that changes, and `others` are the new times
    whose places belong to what the old series keeps of that day."""

    old: Times
    new: Times
    since: datetime | None = None
    others: frozenset[datetime] = frozenset()

    def day(self, day: date) -> tuple[Sequence[datetime], Sequence[datetime]]:
        """The times of one day that change, and what they become."""
        old = [wall for wall in self.old.on(day) if self.since is None or wall >= self.since]
        return old, [wall for wall in self.new.on(day) if wall not in self.others]

    def place_of(self, wall: datetime) -> datetime | None:
        """The new wall time of this Occurrence; None where its day has no place for it."""
        if self.old.rule is None and self.new.rule is None:
            # What goes out once is the same Occurrence on whatever day.
            return self.new.starts_at if wall == self.old.starts_at else None
        return _places(self, wall.date()).get(wall)

    def origin_of(self, wall: datetime) -> datetime | None:
        """The old wall time of the Occurrence that stands at this new one; None where it is a new Occurrence."""
        if self.old.rule is None and self.new.rule is None:
            return self.old.starts_at if wall == self.new.starts_at else None
        return next((old for old, new in _places(self, wall.date()).items() if new == wall), None)


def matched(old: Sequence[datetime], new: Sequence[datetime]) -> dict[datetime, datetime]:
    """What each time of a day becomes: equal ones match first, what is left matches in order."""
    same = set(old) & set(new)
    left = zip((wall for wall in old if wall not in same), (wall for wall in new if wall not in same), strict=False)
    return {wall: wall for wall in same} | dict(left)


@lru_cache(maxsize=256)
def _places(retiming: Retiming, day: date) -> Mapping[datetime, datetime]:
    return matched(*retiming.day(day))


@lru_cache(maxsize=256)
def _on(starts_at: datetime, rule: Recurrence | None, day: date) -> tuple[datetime, ...]:
    last_night = datetime.combine(day, time()) - _INSTANT
    return tuple(takewhile(lambda wall: wall.date() == day, occurrences(starts_at, rule, after=last_night)))
