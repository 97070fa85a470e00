"""The Occurrences of a rule: naive wall times in their order, from the rule's start on.

Not here: the instants of these wall times in a zone (walls.py), and the quiet hours that may move them (quiet.py).
"""

from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final

from companion.times.rule import Frequency, MonthEnd, NumberedDay, Recurrence, RuleError, numbered_day
from companion.times.rule_json import from_json, to_json
from companion.times.walls import LAST_YEAR, parse_wall, wall_name

__all__ = [
    "Frequency",
    "MonthEnd",
    "Recurrence",
    "RuleError",
    "from_json",
    "occurrences",
    "parse_wall",
    "to_json",
    "wall_name",
    "was_moved_to_month_end",
]

_LAST_DAY: Final = date(LAST_YEAR, 12, 31).toordinal()
_UNCOUNTED: Final = 10**12  # more than any rule can give until then


@dataclass(frozen=True, slots=True)
class _Periods:
    """The days, weeks or months of a rule, numbered from the period of its start. Days are ordinals."""

    number: Callable[[int], int]  # the number of the last period that begins on or before this day
    begin: Callable[[int], int]
    days: Callable[[int], Sequence[int]]
    always: int | None  # the number of days of each period, if it is the same for all


def occurrences(starts_at: datetime, rule: Recurrence | None, *, after: datetime | None = None) -> Iterator[datetime]:
    """The naive wall times of `rule` from `starts_at` on and later than `after`, in order and without repeats.

    A rule of None gives `starts_at` alone. The wall times end with the rule, at the latest with the year 2100.
    Raises ValueError for an aware `starts_at`.
    """
    if starts_at.tzinfo is not None:
        raise ValueError("A wall time carries no offset.")
    if rule is None:
        if starts_at.year <= LAST_YEAR and (after is None or starts_at > after):
            yield starts_at
        return
    times = sorted(set(rule.times)) or [starts_at.time()]
    dropped = frozenset(rule.except_)
    for wall in _given(starts_at, rule, times, after):
        # A datetime never equals a date: the set can hold both kinds of exceptions.
        if (after is None or wall > after) and wall not in dropped and wall.date() not in dropped:
            yield wall


def was_moved_to_month_end(wall: datetime, starts_at: datetime, rule: Recurrence | None) -> bool:
    """Return whether this Occurrence is on a month's last day because the month is too short for the rule's day."""
    if rule is None or rule.frequency is not Frequency.MONTHLY or rule.month_end is MonthEnd.SKIP:
        return False
    wanted = _month_days(starts_at.date(), rule)
    last = monthrange(wall.year, wall.month)[1]
    meant = {wall.day, wall.day - last - 1}
    return wall.day == last and any(day > last for day in wanted) and meant.isdisjoint(wanted)


def _given(starts_at: datetime, rule: Recurrence, times: list[time], after: datetime | None) -> Iterator[datetime]:
    """The wall times of the rule before exceptions. Most wall times up to `after` are counted, but not computed."""
    periods = _PERIODS[rule.frequency](starts_at.date(), rule)
    first = starts_at.toordinal()
    last = min(rule.until.toordinal(), _LAST_DAY) if rule.until else _LAST_DAY
    skip_to = max(first, after.toordinal()) if after else first
    on_first_day = [hour for hour in times if hour >= starts_at.time()]
    target = periods.number(skip_to)
    left, number = (_UNCOUNTED, target) if rule.count is None else (rule.count, 0)
    while left > 0 and periods.begin(number) <= last:
        for day in periods.days(number):
            if day > last or left <= 0:
                return
            if day < first:
                continue
            hours = times if day > first else on_first_day
            if day == first or day >= skip_to:
                on = date.fromordinal(day)
                yield from (datetime.combine(on, hour) for hour in hours[:left])
            left -= len(hours)
        number += 1
        if number == 1 and target > 1 and periods.always is not None:
            # Only the first period can be cut short by the start. A multiplication counts all others.
            left -= (target - 1) * periods.always * len(times)
            number = target


def _daily(start: date, rule: Recurrence) -> _Periods:
    first, step = start.toordinal(), rule.interval
    wanted = frozenset(numbered_day(weekday).weekday for weekday in rule.weekdays)

    def days(number: int) -> Sequence[int]:
        day = first + number * step
        # Day 1 of the proleptic calendar was a Monday.
        return (day,) if not wanted or (day - 1) % 7 in wanted else ()

    return _Periods(
        number=lambda day: (day - first) // step,
        begin=lambda number: first + number * step,
        days=days,
        always=None if wanted else 1,
    )


def _weekly(start: date, rule: Recurrence) -> _Periods:
    monday, step = start.toordinal() - start.weekday(), 7 * rule.interval
    wanted = {numbered_day(weekday).weekday for weekday in rule.weekdays} or {start.weekday()}
    offsets = _picked(sorted(wanted), rule.set_position)
    return _Periods(
        number=lambda day: (day - monday) // step,
        begin=lambda number: monday + number * step,
        days=lambda number: [monday + number * step + offset for offset in offsets],
        always=len(offsets),
    )


def _monthly(start: date, rule: Recurrence) -> _Periods:
    first, step = start.year * 12 + start.month - 1, rule.interval
    month_days = _month_days(start, rule)
    weekdays = [numbered_day(weekday) for weekday in rule.weekdays]

    def number(day: int) -> int:
        on = date.fromordinal(day)
        return (on.year * 12 + on.month - 1 - first) // step

    def begin(number: int) -> int:
        year, month = divmod(first + number * step, 12)
        return date(year, month + 1, 1).toordinal()

    def days(number: int) -> Sequence[int]:
        year, month = divmod(first + number * step, 12)
        weekday_of_first, length = monthrange(year, month + 1)
        chosen = _days_of_numbers(month_days, length, rule.month_end) if month_days else set(range(1, length + 1))
        if weekdays:
            chosen &= _days_of_weekdays(weekdays, weekday_of_first, length)
        before = date(year, month + 1, 1).toordinal() - 1
        return [before + day for day in _picked(sorted(chosen), rule.set_position)]

    return _Periods(number, begin, days, always=None)


def _month_days(start: date, rule: Recurrence) -> tuple[int, ...]:
    if rule.month_days or rule.weekdays:
        return rule.month_days
    return (start.day,)


def _days_of_numbers(month_days: Sequence[int], length: int, month_end: MonthEnd) -> set[int]:
    """The days of a month with these numbers. A number from the end is skipped if the month is too short for it."""
    days = {day if day > 0 else length + 1 + day for day in month_days}
    if month_end is MonthEnd.LAST_DAY:
        days = {min(day, length) for day in days}
    return {day for day in days if 1 <= day <= length}


def _days_of_weekdays(weekdays: Sequence[NumberedDay], weekday_of_first: int, length: int) -> set[int]:
    days: set[int] = set()
    for number, weekday in weekdays:
        same = range(1 + (weekday - weekday_of_first) % 7, length + 1, 7)
        days.update(_picked(same, number))
    return days


def _picked(days: Sequence[int], position: int | None) -> Sequence[int]:
    """The day at this position (1 is the first, -1 the last), or none if there is no such position.

    Without a position: all days.
    """
    if position is None:
        return days
    if abs(position) > len(days):
        return ()
    return (days[position - 1 if position > 0 else position],)


_PERIODS: Final[dict[Frequency, Callable[[date, Recurrence], _Periods]]] = {
    Frequency.DAILY: _daily,
    Frequency.WEEKLY: _weekly,
    Frequency.MONTHLY: _monthly,
}
