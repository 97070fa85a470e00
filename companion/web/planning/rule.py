"""Convert the planning form's fields for the rule to the JSON of a recurrence, and back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from companion.web.numbers import whole_number
from companion.web.planning.typed import Typed

WEEKDAYS: Final = {"mo": "Mon", "tu": "Tue", "we": "Wed", "th": "Thu", "fr": "Fri", "sa": "Sat", "su": "Sun"}
ANY_WEEKDAY: Final = "mo-fr"
"""Stands for Monday to Friday together, as in "the last weekday"."""
NTH_DAYS: Final = WEEKDAYS | {ANY_WEEKDAY: "weekday (Mon to Fri)"}
MONTH_END: Final = {"last_day": "send on its last day", "skip": "skip that month"}
NTH: Final = {"1": "first", "2": "second", "3": "third", "4": "fourth", "-1": "last"}
REPEATS: Final = {"": "Once", "daily": "Every day", "weekly": "Every week", "monthly": "Every month"}


def rule_of(typed: Typed) -> dict[str, object] | None:
    """Read the form's rule as the JSON of a recurrence; None for a message that is sent once."""
    if typed.repeat not in ("daily", "weekly", "monthly"):
        return None
    rule: dict[str, object] = {"frequency": typed.repeat, "interval": _number(typed.interval)}
    if typed.repeat == "weekly":
        rule["weekdays"] = list(typed.weekdays)
    elif typed.repeat == "monthly":
        rule |= _days_of_the_month(typed)
    if also := _listed(typed.also_at):
        rule["times"] = sorted([typed.time, *also])
    if typed.ends == "on":
        rule["until"] = typed.until
    elif typed.ends == "after":
        rule["count"] = _number(typed.count)
    return rule


def _days_of_the_month(typed: Typed) -> dict[str, object]:
    if typed.monthly_on == "last":
        return {"month_days": [-1]}
    if typed.monthly_on == "weekday" and typed.nth_day == ANY_WEEKDAY:
        return {"weekdays": list(WEEKDAYS)[:5], "set_position": _number(typed.nth)}
    if typed.monthly_on == "weekday":
        return {"weekdays": [f"{typed.nth}{typed.nth_day}"]}
    days = [_number(day) for day in _listed(typed.month_days)] if typed.monthly_on == "days" else []
    end = {"month_end": typed.month_end} if typed.month_end not in ("", "last_day") else {}
    return end | ({"month_days": days} if days else {})


def with_rule(typed: Typed, rule: Mapping[str, object]) -> Typed:
    """Fill the form's fields from this rule. The form can't express every rule, so the caller compares the result."""
    until, count = rule.get("until"), rule.get("count")
    typed = replace(
        typed,
        repeat=str(rule["frequency"]),
        interval=str(rule["interval"]),
        ends="on" if until else "after" if count else "never",
        until=str(until or ""),
        count=str(count or "10"),
        also_at=", ".join(time for time in _texts(rule.get("times")) if time != typed.time),
    )
    if typed.repeat == "monthly":
        return _with_days_of_the_month(typed, rule)
    return replace(typed, weekdays=tuple(_texts(rule.get("weekdays"))))


def _with_days_of_the_month(typed: Typed, rule: Mapping[str, object]) -> Typed:
    weekdays, month_days = _texts(rule.get("weekdays")), _texts(rule.get("month_days"))
    if rule.get("set_position") is not None and weekdays == list(WEEKDAYS)[:5]:
        return replace(typed, monthly_on="weekday", nth=str(rule["set_position"]), nth_day=ANY_WEEKDAY)
    if len(weekdays) == 1:
        return replace(typed, monthly_on="weekday", nth=weekdays[0][:-2], nth_day=weekdays[0][-2:])
    if month_days == ["-1"]:
        return replace(typed, monthly_on="last")
    typed = replace(typed, month_end=str(rule["month_end"]))
    return replace(typed, monthly_on="days", month_days=", ".join(month_days)) if month_days else typed


def written(rule: Mapping[str, object]) -> dict[str, object]:
    """Reduce a rule to the form in which two rules are compared: without empty values, defaults and exceptions.

    Exceptions are left out because an edit keeps them in any case.
    """
    left_out = {"month_end": "last_day", "except": rule.get("except")}
    parts = {key: value for key, value in rule.items() if value not in (None, [], "") and left_out.get(key) != value}
    return parts | ({"times": sorted(_texts(parts["times"]))} if "times" in parts else {})


def _listed(text: str) -> list[str]:
    """Split a text at commas and spaces."""
    return text.replace(",", " ").split()


def _texts(values: object) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list) else []


def _number(text: str) -> int | str:
    """Read a whole number. Other text is returned as typed: the check that follows refuses it and names the field."""
    typed = text.strip()
    number = whole_number(typed.removeprefix("-"), digits=9)
    if number is None:
        return text
    return -number if typed.startswith("-") else number
