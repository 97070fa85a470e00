"""A Recurrence as a value that cannot be wrong: its parts are checked when it is made.

Not here: its JSON shape (rule_json.py), the wall times that it gives (recurrence.py), its sentence (summary.py).
"""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final, NamedTuple

from companion.times.walls import FIRST_YEAR, LAST_YEAR

WEEKDAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")
MAX_INTERVAL: Final = 1000
MAX_COUNT: Final = 1_000_000
MAX_TIMES: Final = 1440
MAX_EXCEPTIONS: Final = 1000

_NUMBERED: Final = re.compile(r"(-?[1-5])?(mo|tu|we|th|fr|sa|su)")


class Frequency(StrEnum):
    """The length of a rule's period."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class MonthEnd(StrEnum):
    """The treatment of a day like the 31st in a month that is too short for it."""

    LAST_DAY = "last_day"
    SKIP = "skip"


class RuleError(ValueError):
    """A rule that is refused: the field as the API names it, and a sentence for people."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Recurrence:
    """An RFC 5545 rule (section 3.3.10), in local wall time. Raises RuleError for impossible values.

    Weekdays are "mo" to "su", in a monthly rule also "2tu" or "-1fr". With weekdays and month days, a day must be both.
    `set_position` picks a single day of each period: 1 is the first, -1 the last. Without times, the start's time of
    day counts. A date in `except_` drops a whole day, a wall time drops a single Occurrence. `until` is included.
    `count` counts the Occurrences from the start on, before exceptions. With both, the earlier end counts.
    """

    frequency: Frequency
    interval: int = 1
    weekdays: tuple[str, ...] = ()
    month_days: tuple[int, ...] = ()
    month_end: MonthEnd = MonthEnd.LAST_DAY
    set_position: int | None = None
    times: tuple[time, ...] = ()
    except_: tuple[date | datetime, ...] = ()
    until: date | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_weekdays(self)
        _check_month_days(self)
        _check_set_position(self)
        _check_walls(self)

    @property
    def is_endless(self) -> bool:
        """Return whether the rule goes on until somebody ends it."""
        return self.until is None and self.count is None


def without_exceptions(rule: Recurrence) -> Recurrence:
    """The rule as it was before anything was taken out."""
    return replace(rule, except_=()) if rule.except_ else rule


def with_implied_day(rule: Recurrence, start: date) -> Recurrence:
    """The rule with the day that its start implies written into it, so that another start doesn't move it.

    A monthly rule from the 31st means the 31st, or the last day. After a new start on 28 February it would mean the
    28th.
    """
    if rule.frequency is Frequency.MONTHLY and not rule.month_days and not rule.weekdays:
        return replace(rule, month_days=(start.day,))
    if rule.frequency is Frequency.WEEKLY and not rule.weekdays:
        return replace(rule, weekdays=(WEEKDAYS[start.weekday()],))
    return rule


class NumberedDay(NamedTuple):
    """A day of the week (Monday is 0), and its number in the month: 2 is the second, -1 the last, None is each."""

    number: int | None
    weekday: int


def numbered_day(weekday: str) -> NumberedDay:
    """Read "2tu" or "tu". Raises ValueError for all else."""
    found = _NUMBERED.fullmatch(weekday)
    if not found:
        raise ValueError("Not a weekday.")
    return NumberedDay(int(found[1]) if found[1] else None, WEEKDAYS.index(found[2]))


def wrong(name: str, message: str) -> RuleError:
    """The error for one of the rule's fields, by its JSON key."""
    return RuleError(f"recurrence.{name}", message)


def _check_numbers(rule: Recurrence) -> None:
    if not 1 <= rule.interval <= MAX_INTERVAL:
        raise wrong("interval", f"The interval goes from 1 to {MAX_INTERVAL}.")
    if rule.count is not None and not 1 <= rule.count <= MAX_COUNT:
        raise wrong("count", f"The count goes from 1 to {MAX_COUNT}.")


def _check_weekdays(rule: Recurrence) -> None:
    monthly = rule.frequency is Frequency.MONTHLY
    for weekday in rule.weekdays:
        if weekday in WEEKDAYS:
            continue
        if not _NUMBERED.fullmatch(weekday):
            raise wrong("weekdays", "Weekdays are mo, tu, we, th, fr, sa, su; in a monthly rule also like 2tu or -1fr.")
        if not monthly:
            raise wrong("weekdays", "Numbered weekdays like 2tu or -1fr are for monthly rules only.")


def _check_month_days(rule: Recurrence) -> None:
    if rule.month_days and rule.frequency is not Frequency.MONTHLY:
        raise wrong("month_days", "Days of the month are for monthly rules only.")
    if any(day == 0 or abs(day) > 31 for day in rule.month_days):
        raise wrong("month_days", "Days of the month go from 1 to 31, or from -1 (the last) to -31.")


def _check_set_position(rule: Recurrence) -> None:
    if rule.set_position is None:
        return
    if rule.frequency is Frequency.DAILY:
        raise wrong("set_position", "A position is for weekly and monthly rules only.")
    if not rule.weekdays and not rule.month_days:
        raise wrong("set_position", "A position needs weekdays or days of the month to pick from.")
    most = len(set(rule.weekdays)) if rule.frequency is Frequency.WEEKLY else 31
    if not 1 <= abs(rule.set_position) <= most:
        raise wrong("set_position", f"The position goes from 1 to {most}, or from -1 (the last) to -{most} here.")


def _check_walls(rule: Recurrence) -> None:
    if len(rule.times) > MAX_TIMES:
        raise wrong("times", f"A day has at most {MAX_TIMES} times.")
    if len(rule.except_) > MAX_EXCEPTIONS:
        raise wrong("except", f"A rule has at most {MAX_EXCEPTIONS} exceptions.")
    if any(hour.tzinfo is not None or hour.microsecond for hour in rule.times):
        raise wrong("times", "Times are local, in whole seconds and without an offset.")
    if any(isinstance(day, datetime) and (day.tzinfo is not None or day.microsecond) for day in rule.except_):
        raise wrong("except", "Exceptions are local, in whole seconds and without an offset.")
    if any(not FIRST_YEAR <= day.year <= LAST_YEAR for day in rule.except_):
        raise wrong("except", f"Years go from {FIRST_YEAR} to {LAST_YEAR}.")
    if isinstance(rule.until, datetime):
        raise wrong("until", "The end is a date.")
    if rule.until is not None and not FIRST_YEAR <= rule.until.year <= LAST_YEAR:
        raise wrong("until", f"Years go from {FIRST_YEAR} to {LAST_YEAR}.")
