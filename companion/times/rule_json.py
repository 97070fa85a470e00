"""A Recurrence from and to the JSON of DESIGN.md's `POST /schedules`: shapes and types.

Not here: which values go together. rule.py checks that for every Recurrence.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final, TypeVar

from companion.times.rule import MAX_EXCEPTIONS, MAX_TIMES, Frequency, MonthEnd, Recurrence, wrong
from companion.times.walls import parse_wall, wall_name

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME: Final = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_KEYS: Final = (
    "frequency",
    "interval",
    "weekdays",
    "month_days",
    "month_end",
    "set_position",
    "times",
    "except",
    "until",
    "count",
)
_MAX_LIST: Final = max(MAX_TIMES, MAX_EXCEPTIONS)

_Item = TypeVar("_Item")
_Choice = TypeVar("_Choice", bound=StrEnum)


def from_json(value: Mapping[str, object]) -> Recurrence:
    """Read a rule. Only `frequency` is required. Keys that to_json() writes as null may also be absent.

    Raises RuleError for the first mistake: an unknown key, a wrong type, a value outside its limits.
    """
    for key in value:
        if key not in _KEYS:
            raise wrong(key[:40], f"A recurrence has no such field. It has {', '.join(_KEYS)}.")
    if "frequency" not in value:
        raise wrong("frequency", "A recurrence needs a frequency: daily, weekly or monthly.")
    return Recurrence(
        frequency=_choice(value, "frequency", Frequency),
        interval=_whole(value.get("interval", 1), "interval"),
        weekdays=_several(value, "weekdays", _text),
        month_days=_several(value, "month_days", _whole),
        month_end=_choice(value, "month_end", MonthEnd) if "month_end" in value else MonthEnd.LAST_DAY,
        set_position=_maybe(value, "set_position", _whole),
        times=_several(value, "times", _time),
        except_=_several(value, "except", _exception),
        until=_maybe(value, "until", _date),
        count=_maybe(value, "count", _whole),
    )


def to_json(rule: Recurrence) -> dict[str, object]:
    """The rule with all its keys; from_json() reads the same rule back."""
    return {
        "frequency": rule.frequency.value,
        "interval": rule.interval,
        "weekdays": list(rule.weekdays),
        "month_days": list(rule.month_days),
        "month_end": rule.month_end.value,
        "set_position": rule.set_position,
        "times": [hour.isoformat("seconds" if hour.second else "minutes") for hour in rule.times],
        "except": [wall_name(day) if isinstance(day, datetime) else day.isoformat() for day in rule.except_],
        "until": rule.until.isoformat() if rule.until else None,
        "count": rule.count,
    }


def _choice(value: Mapping[str, object], key: str, choices: type[_Choice]) -> _Choice:
    names = [choice.value for choice in choices]
    if value[key] not in names:
        raise wrong(key, f"Choose one of {', '.join(names)}.")
    return choices(_text(value[key], key))


def _maybe(value: Mapping[str, object], key: str, read: Callable[[object, str], _Item]) -> _Item | None:
    return None if value.get(key) is None else read(value[key], key)


def _several(value: Mapping[str, object], key: str, read: Callable[[object, str], _Item]) -> tuple[_Item, ...]:
    """A list in its order, with duplicates left out."""
    items = value.get(key, [])
    if not isinstance(items, list | tuple):
        raise wrong(key, "Write a list.")
    if len(items) > _MAX_LIST:
        raise wrong(key, f"The list has more than {_MAX_LIST} entries.")
    return tuple(dict.fromkeys(read(item, key) for item in items))


def _text(item: object, key: str) -> str:
    if not isinstance(item, str):
        raise wrong(key, "Write text.")
    return item


def _whole(item: object, key: str) -> int:
    # A bool is an int in Python, not in JSON.
    if not isinstance(item, int) or isinstance(item, bool):
        raise wrong(key, "Write a whole number.")
    return item


def _time(item: object, key: str) -> time:
    found = _TIME.fullmatch(_text(item, key))
    if not found:
        raise wrong(key, "Write a time of day like 09:00.")
    try:
        return time(int(found[1]), int(found[2]), int(found[3] or 0))
    except ValueError as impossible:
        raise wrong(key, "There is no such time of day.") from impossible


def _date(item: object, key: str) -> date:
    text = _text(item, key)
    if not _DATE.fullmatch(text):
        raise wrong(key, "Write a date like 2026-12-25.")
    try:
        return date.fromisoformat(text)
    except ValueError as impossible:
        raise wrong(key, "There is no such date.") from impossible


def _exception(item: object, key: str) -> date | datetime:
    text = _text(item, key)
    if "T" not in text:
        return _date(text, key)
    try:
        return parse_wall(text)
    except ValueError as unreadable:
        raise wrong(key, str(unreadable)) from unreadable
