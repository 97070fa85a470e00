"""Say in one plain sentence for people when a Schedule goes out.

Not here: the next instants themselves (preview); the words of a single rule's errors (rule.py).
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Final

from companion.times.rule import WEEKDAYS, Frequency, MonthEnd, Recurrence, numbered_day
from companion.times.workdays import ANY_DAY, Avoid, WhenAvoided

_WEEKDAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_GROUPS: Final = {frozenset(range(5)): "weekday", frozenset((5, 6)): "weekend day", frozenset(range(7)): "day"}
_UTC: Final = frozenset({"UTC", "UCT", "Zulu", "Universal", "Etc/UTC", "Etc/UCT", "Etc/Zulu", "Etc/Universal"})
_MOST_EXCEPTIONS: Final = 3


def summary(
    starts_at: datetime,
    rule: Recurrence | None,
    timezone: str,
    avoid: Avoid = ANY_DAY,
    when_avoided: WhenAvoided = WhenAvoided.SKIP,
) -> str:
    """Say when a Schedule with this start (naive) and rule goes out; `timezone` is an IANA name or "patient"."""
    days_off = _days_off(avoid, when_avoided)
    if rule is None:
        return ", ".join([f"Once, on {_date(starts_at)} at {_time(starts_at.time())}", _zone(timezone), *days_off])
    times = _listed([_time(hour) for hour in sorted(set(rule.times)) or [starts_at.time()]])
    parts = [f"{_days(starts_at, rule)} at {times}", _zone(timezone), *_ends(rule), *_exceptions(rule), *days_off]
    return ", ".join(parts)


def _days(starts_at: datetime, rule: Recurrence) -> str:
    match rule.frequency:
        case Frequency.DAILY:
            return _daily(rule)
        case Frequency.WEEKLY:
            return _weekly(starts_at, rule)
        case Frequency.MONTHLY:
            return _monthly(starts_at, rule)


def _daily(rule: Recurrence) -> str:
    wanted = _weekdays(rule)
    if not wanted or len(wanted) == len(WEEKDAYS):
        return f"Every {_nth(rule.interval)}day"
    if rule.interval == 1:
        return _every_weekday(wanted)
    return f"Every {_nth(rule.interval)}day, if it is {_listed(_kinds(wanted, 'a '), 'or')},"


def _weekly(starts_at: datetime, rule: Recurrence) -> str:
    wanted = _weekdays(rule) or [starts_at.weekday()]
    if rule.set_position is not None:
        names = _listed([_WEEKDAY_NAMES[day] for day in wanted])
        return f"Every {_nth(rule.interval)}week on the {_ordinal_word(rule.set_position)} of {names}"
    if rule.interval == 1:
        return _every_weekday(wanted)
    if len(wanted) == 1:
        return f"Every {_nth(rule.interval)}{_WEEKDAY_NAMES[wanted[0]]}"
    return f"Every {_nth(rule.interval)}week {_on_weekdays(wanted)}"


def _monthly(starts_at: datetime, rule: Recurrence) -> str:
    of_month = _of_month(starts_at, rule.interval)
    month_days = rule.month_days or (() if rule.weekdays else (starts_at.day,))
    if not month_days:
        return f"On {_monthly_weekdays(rule)} {of_month}"
    days = _listed(_month_days(month_days, rule.month_end))
    condition = f", if it is {_listed(_monthly_kinds(rule), 'or')}," if rule.weekdays else ""
    # 1901 has no 29 February. All other months have the same length in all years.
    shortest = monthrange(1901, starts_at.month)[1] if rule.interval % 12 == 0 else 28
    short = _short_months(month_days, rule.month_end) if max(month_days) > shortest else ""
    if rule.set_position is None:
        return f"On {days} {of_month}{short}{condition}"
    position = _ordinal_word(rule.set_position)
    return f"On the {position} of these days {of_month}: {days}{short}{condition or ','}"


def _of_month(starts_at: datetime, interval: int) -> str:
    years, months = divmod(interval, 12)
    if months == 0:
        return f"of every {_nth(years)}{_MONTH_NAMES[starts_at.month - 1]}"
    return f"of every {_nth(interval)}month"


def _monthly_weekdays(rule: Recurrence) -> str:
    parts = [numbered_day(weekday) for weekday in rule.weekdays]
    if rule.set_position is None:
        if all(number is None for number, _ in parts):
            return _listed(_kinds(_weekdays(rule), "every "))
        return _listed(_monthly_kinds(rule, "every "))
    position = _ordinal_word(rule.set_position)
    if all(number is None for number, _ in parts):
        return f"the {position} {_listed(_kinds(_weekdays(rule), ''), 'or')}"
    return f"the {position} of {_listed(_monthly_kinds(rule, 'every '))}"


def _monthly_kinds(rule: Recurrence, each: str = "a ") -> list[str]:
    parts = [numbered_day(weekday) for weekday in rule.weekdays]
    if all(number is None for number, _ in parts):
        return _kinds(_weekdays(rule), each)
    return [
        f"the {_ordinal_word(number)} {_WEEKDAY_NAMES[day]}" if number else f"{each}{_WEEKDAY_NAMES[day]}"
        for number, day in parts
    ]


def _weekdays(rule: Recurrence) -> list[int]:
    """The rule's weekdays without their numbers, from Monday (0) on."""
    return sorted({numbered_day(weekday).weekday for weekday in rule.weekdays})


def _every_weekday(wanted: Sequence[int]) -> str:
    return f"Every {_listed(_kinds(wanted, ''))}"


def _on_weekdays(wanted: Sequence[int]) -> str:
    return f"on {_listed(_kinds(wanted, 'every ') if frozenset(wanted) in _GROUPS else _kinds(wanted, ''))}"


def _kinds(wanted: Sequence[int], each: str) -> list[str]:
    """The word for a group of weekdays ("weekday"), or the name of each day if no word fits."""
    group = _GROUPS.get(frozenset(wanted))
    return [each + group] if group else [each + _WEEKDAY_NAMES[day] for day in wanted]


def _month_days(month_days: Sequence[int], month_end: MonthEnd) -> list[str]:
    forward = sorted({day for day in month_days if day > 0})
    words = [f"the {_ordinal_number(day)}" for day in forward if not _is_last(day, month_end)]
    backward = sorted({day for day in month_days if day < -1})
    words += [f"the {_ordinal_word(day)} day" for day in backward]
    if any(_is_last(day, month_end) for day in month_days):
        words.append("the last day")
    return words


def _is_last(day: int, month_end: MonthEnd) -> bool:
    """The 31st that goes out on the last day of a shorter month is the last day of every month."""
    return day == -1 or (day == 31 and month_end is MonthEnd.LAST_DAY)


def _short_months(month_days: Sequence[int], month_end: MonthEnd) -> str:
    if not any(day > 28 and not _is_last(day, month_end) for day in month_days):
        return ""
    return " (the last day in shorter months)" if month_end is MonthEnd.LAST_DAY else " (not in shorter months)"


def _ends(rule: Recurrence) -> list[str]:
    ends = [f"until {_date(rule.until)}"] if rule.until else []
    if rule.count is not None:
        ends.append("once only" if rule.count == 1 else f"{rule.count} times")
    return ends


def _exceptions(rule: Recurrence) -> list[str]:
    if not rule.except_:
        return []
    if len(rule.except_) > _MOST_EXCEPTIONS:
        return [f"with {len(rule.except_)} exceptions"]
    # A date before the wall times of its day; the two kinds don't compare.
    in_order = sorted(rule.except_, key=lambda day: day.isoformat())
    return [f"except on {_listed([_exception(day) for day in in_order])}"]


def _exception(day: date | datetime) -> str:
    return f"{_date(day)} at {_time(day.time())}" if isinstance(day, datetime) else _date(day)


def _days_off(avoid: Avoid, when_avoided: WhenAvoided) -> list[str]:
    words = (
        ("weekends", avoid.weekends),
        ("public holidays", avoid.holidays),
        ("the clinic's closed days", avoid.closed_days),
    )
    avoided = [word for word, is_avoided in words if is_avoided]
    if not avoided:
        return []
    if when_avoided is WhenAvoided.SKIP:
        return [f"not on {_listed(avoided, 'or')}"]
    return [f"on the {when_avoided.value} working day instead of {_listed(avoided, 'or')}"]


def _zone(timezone: str) -> str:
    if timezone == "patient":
        return "patient's local time"
    if timezone in _UTC:
        return "UTC"
    area, _, place = timezone.rpartition("/")
    # "Etc/GMT+5" is five hours behind GMT: no other words could be as clear as the name.
    if not area or area == "Etc":
        return f"time zone {timezone}"
    return f"{place.replace('_', ' ')} time ({timezone})"


def _listed(words: Sequence[str], conjunction: str = "and") -> str:
    """Words as people list them: "a", "a and b", "a, b and c"."""
    return f" {conjunction} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _nth(interval: int) -> str:
    """The word between "every" and its noun."""
    return "" if interval == 1 else f"{_ordinal_word(interval)} "


def _ordinal_word(number: int) -> str:
    if number == -1:
        return "last"
    if number < 0:
        return f"{_ordinal_word(-number)}-last"
    return _ORDINALS[number - 1] if number <= len(_ORDINALS) else _ordinal_number(number)


def _ordinal_number(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _date(day: date) -> str:
    return f"{day.day} {_MONTH_NAMES[day.month - 1]} {day.year}"


def _time(hour: time) -> str:
    return hour.isoformat("seconds" if hour.second else "minutes")
