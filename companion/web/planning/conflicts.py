"""Two people edit the same series: compare the planning form's fields, show the differences, and merge them.

Fields that belong together (the rule, the answers) are compared as one part: half of one person's rule and half of
the other person's rule would make no sense together.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Final

from django.urls import reverse

from companion.clinics.access import Caller
from companion.clinics.models import Clinic
from companion.clinics.refusals import Unknown
from companion.clinics.versions import hold
from companion.patients.models import Cohort, Patient
from companion.planning import drafts
from companion.planning.timing import rule_of
from companion.schedules.models import Schedule
from companion.times.rule_json import to_json
from companion.web import conflicts
from companion.web.conflicts import Clash, Value
from companion.web.planning import form
from companion.web.planning.rule import NTH, NTH_DAYS, REPEATS, WEEKDAYS
from companion.web.planning.typed import LABELS, Typed

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "recipients": ("to", "patients", "cohort"),
    "zone": ("zone", "zone_name"),
    "repeat": (
        *("repeat", "interval", "weekdays", "also_at", "monthly_on", "month_days", "month_end", "nth", "nth_day"),
    ),
    "ends": ("ends", "until", "count", "review_on"),
    "avoid": ("avoid", "when_avoided"),
    "answers": ("button", "again", "answer_within"),
}
"""The parts that consist of several fields, or of a field with another name, each with its fields."""
_NOT_THE_SERIES: Final = ("find", "from_occurrence", "shown")
"""Fields of the form that don't describe the series."""
_SINGLE: Final = tuple(
    field.name
    for field in fields(Typed)
    if field.name not in _NOT_THE_SERIES and not any(field.name in names for names in _PARTS.values())
)
"""All other fields: each is a part. A new field of the form is among them without further changes."""


class Clashed(Exception):
    """A conflict: another person changed the series while this form was open. Nothing was saved."""

    def __init__(self, typed: Typed, clash: Clash) -> None:
        super().__init__("somebody else changed the series while this form was open")
        self.typed = typed
        self.clash = clash


def opened(schedule: Schedule, *, now: dt.datetime) -> Typed:
    """Build the form that edits the series. It carries the values that it shows, to be compared when it is sent."""
    typed = form.of_draft(drafts.of(schedule), schedule.clinic, now=now)
    return replace(typed, shown=conflicts.written(_held(schedule, typed), now=now))


def unless_changed(caller: Caller, schedule: Schedule, typed: Typed, *, now: dt.datetime) -> Schedule:
    """Return the series as it is now, locked until the end of the transaction, which the caller has begun.

    Raises Clashed if another person has changed it since the form was opened, and Unknown if the series is gone.
    """
    current = hold(Schedule.objects.filter(clinic=caller.clinic, pk=schedule.pk))
    if current is None:
        raise Unknown
    theirs = form.of_draft(drafts.of(current), caller.clinic, now=now)
    clash = conflicts.clash(
        typed.shown,
        _held(current, theirs),
        _fields(typed),
        LABELS,
        conflicts.changes_of(caller.clinic, [current.pk]),
        again_at=reverse("series_edit", args=[current.pk]),
        now=now,
        say=lambda name, value: _in_words(caller.clinic, name, value),
    )
    if clash:
        raise Clashed(_merged(theirs, typed, clash), clash)
    return current


def _merged(theirs: Typed, typed: Typed, clash: Clash) -> Typed:
    """Build the form from the stored series, with this person's changes on top."""
    mine = {name: getattr(typed, name) for part in clash.touched for name in _PARTS.get(part, (part,))}
    if theirs.to == typed.to == "patients" and "recipients" in clash.touched:
        mine["patients"] = tuple(clash.merged["recipients"])
    return replace(theirs, **mine, from_occurrence=typed.from_occurrence, find=typed.find, shown=clash.shown)


def _held(schedule: Schedule, typed: Typed) -> dict[str, Value]:
    """Read the parts of the stored series, and the facts that its form shows but can't change."""
    rule = rule_of(schedule)
    rule_json = to_json(rule) if rule else {}
    excepted, state = rule_json.get("except"), schedule.get_state_display()
    held = _fields(typed) | {"left_out": [str(wall) for wall in excepted] if isinstance(excepted, list) else []}
    if typed.repeat == form.KEPT:
        # The form has no fields for this rule. Compare its JSON.
        parts = {name: value for name, value in rule_json.items() if value and name not in ("except", "until", "count")}
        held["repeat"] = json.dumps(parts, sort_keys=True)
    if schedule.review_on is None and typed.ends == "never":
        # The form offers a date of review counted from today. It is no change of anybody.
        held["ends"] = ""
    return held | {"state": state}


def _fields(typed: Typed) -> dict[str, Value]:
    single: dict[str, Value] = {
        name: list(value) if isinstance(value := getattr(typed, name), tuple) else value for name in _SINGLE
    }
    answers = [f"{text} ({form.AGAIN.get(again, again)})" for text, again in typed.typed_buttons if text]
    waits = [form.WITHIN.get(typed.answer_within, typed.answer_within)] if typed.answer_within else []
    return single | {
        "recipients": list(typed.patients) if typed.to == "patients" else typed.cohort,
        "zone": "Each patient's own" if typed.zone == "patient" else typed.zone_name,
        "repeat": _repeat(typed),
        "ends": _ends(typed),
        "avoid": "; ".join([*typed.avoid, form.WHEN_AVOIDED.get(typed.when_avoided, "")]) if typed.avoid else "",
        "answers": "; ".join([*answers, *waits]),
    }


def _repeat(typed: Typed) -> str:
    """Write the rule in a few words, with only the fields that matter for this kind of rule."""
    words = [REPEATS.get(typed.repeat, typed.repeat)]
    if not typed.repeat:
        return words[0]
    if typed.interval.strip() not in ("", "1"):
        words.append(f"each {typed.interval.strip()}")
    if typed.repeat == "weekly":
        words += [WEEKDAYS[day] for day in WEEKDAYS if day in typed.weekdays]
    elif typed.repeat == "monthly":
        words.append(_day_of_the_month(typed))
    if also := typed.also_at.replace(",", " ").split():
        words.append(f"also at {' '.join(sorted(also))}")
    return ", ".join(words)


def _day_of_the_month(typed: Typed) -> str:
    match typed.monthly_on:
        case "last":
            return "on the last day"
        case "weekday":
            return f"on the {NTH.get(typed.nth, typed.nth)} {NTH_DAYS.get(typed.nth_day, typed.nth_day)}"
        case "days":
            days = "on the days " + " ".join(typed.month_days.replace(",", " ").split())
        case _:
            days = "on the same day"
    return f"{days} (skipped in shorter months)" if typed.month_end == "skip" else days


def _ends(typed: Typed) -> str:
    if not typed.repeat:
        return ""
    match typed.ends:
        case "on":
            return f"until {typed.until}"
        case "after":
            return f"{typed.count.strip()} times"
        case _:
            return f"no end, review on {typed.review_on}"


def _in_words(clinic: Clinic, name: str, value: Value) -> str:
    """Write a part's value for people. Recipients are written by their names."""
    if name != "recipients":
        return conflicts.in_words(value)
    if isinstance(value, str):
        cohort = Cohort.objects.filter(clinic=clinic, pk=value).first() if value else None
        return f"Cohort {cohort.name}" if cohort else ""
    ids = [id for id in value if form.is_id(id)]
    names = list(Patient.objects.filter(clinic=clinic, pk__in=ids).order_by("name").values_list("name", flat=True)[:6])
    return ", ".join(names[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
