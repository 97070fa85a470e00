"""The same Occurrences at other times of day: an Occurrence is its day and its place among that day's times.

Pure. Not here: the Messages that are renamed, and the exceptions of a rule that go along (planning/changing.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

from companion.times.recurrence import occurrences
from companion.times.rule import Recurrence, without_exceptions


def times_of_day(starts_at: datetime, rule: Recurrence | None) -> list[time]:
    """The times at which a day's Occurrences stand, in their order."""
    return sorted(set(rule.times)) if rule and rule.times else [starts_at.time()]


def matched(old: Sequence[time], new: Sequence[time]) -> Mapping[time, time]:
    """The new time of each old one: equal times match first, those that are left match in order.

    An old time without a counterpart is not among the keys.
    """
    equal = set(old) & set(new)
    left = [hour for hour in sorted(set(old)) if hour not in equal]
    free = [hour for hour in sorted(set(new)) if hour not in equal]
    return {hour: hour for hour in equal} | dict(zip(left, free, strict=False))


def is_given(wall: datetime, starts_at: datetime, rule: Recurrence | None) -> bool:
    """Whether the rule gives this wall time, before its exceptions."""
    own = without_exceptions(rule) if rule else None
    return next(occurrences(starts_at, own, after=wall - timedelta(seconds=1)), None) == wall
