"""Which Occurrence is which when the times of a series change: by its day, and by its place among that day's times.

Pure. Not here: the rules of both series (planning/changing.py), the Messages that are renamed (planning/renaming.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby, takewhile

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

    def places(self, walls: Iterable[datetime]) -> dict[datetime, datetime]:
        """What each of these wall times becomes; one for which its day has no place stays what it is.

        They are times of the old rule, and times left over from rules before it.
        """
        if self.old.rule is None and self.new.rule is None:
            # What goes out once is the same Occurrence on whatever day.
            return {wall: self.new.starts_at if wall == self.old.starts_at else wall for wall in walls}
        in_order = sorted(wall for wall in walls if self.since is None or wall >= self.since)
        found: dict[datetime, datetime] = {}
        for day, of_day in groupby(in_order, datetime.date):
            found |= self._of_day(day, list(of_day))
        return {wall: found.get(wall, wall) for wall in walls}

    def _of_day(self, day: date, walls: Sequence[datetime]) -> dict[datetime, datetime]:
        old, new = self.day(day)
        places = _places(self, day)
        left_over = [wall for wall in walls if wall not in old]
        if not left_over:
            return dict(places)
        # A time left over takes a place that is new on its day, so that a skipped one stays skipped. Where another
        # Occurrence has moved to its very time, it gives way, and is left over at that one's former time.
        added = matched(left_over, [wall for wall in new if wall not in places.values()])
        moved_to = {to: was for was, to in places.items()}
        given_way = {wall: moved_to[wall] for wall in left_over if wall not in added and wall in moved_to}
        return given_way | added | dict(places)

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
