"""Convert the planning form's fields to the JSON of `POST /schedules`, and a schedule to the form's fields.

The checks are in planning.drafts. A refused form is shown again with the typed values unchanged.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic
from companion.clinics.refusals import Problem
from companion.planning.drafts import REVIEW_AFTER, Draft, duration_text
from companion.times.rule_json import to_json
from companion.times.walls import local
from companion.times.workdays import next_working_day
from companion.web.planning.rule import rule_of, with_rule, written
from companion.web.planning.typed import Typed

KEPT: Final = "kept"
"""The choice "As it is": the form has no fields for this rule, which was made over the API, and keeps it unchanged."""
LATE: Final = {
    "PT15M": "15 minutes",
    "PT1H": "1 hour",
    "PT4H": "4 hours",
    "PT12H": "12 hours",
    "PT24H": "1 day",
}
AVOID: Final = {"weekends": "weekends", "holidays": "public holidays", "closed_days": "the clinic's closed days"}
WHEN_AVOIDED: Final = {
    "skip": "Skip it",
    "next": "Move it to the next working day",
    "previous": "Move it to the working day before",
}
OPENING: Final = dt.time(8)
"""The time of day for a message that is sent on the next working day."""
SOON: Final = dt.timedelta(minutes=2)
"""The time from now until the moment that an empty form offers."""
AGAIN: Final = {
    "": "is an answer",
    "PT15M": "asks again after 15 minutes",
    "PT30M": "asks again after 30 minutes",
    "PT1H": "asks again after 1 hour",
    "PT2H": "asks again after 2 hours",
    "PT4H": "asks again after 4 hours",
}
WITHIN: Final = {
    "": "Don't wait for an answer",
    "PT30M": "30 minutes after it was sent",
    "PT1H": "1 hour after it was sent",
    "PT2H": "2 hours after it was sent",
    "PT4H": "4 hours after it was sent",
    "PT12H": "12 hours after it was sent",
    "PT24H": "1 day after it was sent",
}


def blank(clinic: Clinic, *, now: dt.datetime, patients: Sequence[str] = (), cohort: str = "") -> Typed:
    """Build the form for a new message: once, in two minutes, at the clinic's time."""
    begin = local(now + SOON, clinic.timezone)
    return Typed(
        to="cohort" if cohort else "patients",
        patients=tuple(patients),
        cohort=cohort,
        date=f"{begin:%Y-%m-%d}",
        time=f"{begin:%H:%M}",
        review_on=f"{begin.date() + REVIEW_AFTER:%Y-%m-%d}",
        zone="named",
        zone_name=clinic.timezone,
    )


def of_draft(draft: Draft, clinic: Clinic, *, now: dt.datetime) -> Typed:
    """Build the form that edits a schedule."""
    timing = draft.timing
    typed = Typed(
        to="cohort" if draft.cohort else "patients",
        patients=tuple(str(patient) for patient in draft.patients),
        cohort=str(draft.cohort or ""),
        text=draft.text,
        date=f"{timing.starts_at:%Y-%m-%d}",
        time=timing.starts_at.time().isoformat("seconds" if timing.starts_at.second else "minutes"),
        zone="patient" if timing.timezone == "patient" else "named",
        zone_name=clinic.timezone if timing.timezone == "patient" else timing.timezone,
        lane=draft.lane.name.lower(),
        late_after=duration_text(draft.late_after),
        quiet_hours=str(timing.quiet_hours),
        if_unknown=str(draft.if_unknown),
        review_on=(draft.review_on or local(now, clinic.timezone).date() + REVIEW_AFTER).isoformat(),
        avoid=tuple(name for name in AVOID if getattr(timing.avoid, name)),
        when_avoided=str(timing.when_avoided),
        button=tuple(button.text for button in draft.buttons),
        again=tuple(duration_text(button.again_after) if button.again_after else "" for button in draft.buttons),
        answer_within=duration_text(draft.answer_within) if draft.answer_within else "",
    )
    if timing.recurrence is None:
        return typed
    rule = to_json(timing.recurrence)
    if rule["times"] == [typed.time]:
        # The form shows a single time of day in the field of the start's time.
        rule["times"] = []
    shown = with_rule(typed, rule)
    return shown if rule_of(shown) == written(rule) else replace(typed, repeat=KEPT)


def values(typed: Typed, *, kept: Mapping[str, object] | None = None) -> dict[str, object]:
    """Write the JSON of `POST /schedules`. `kept` is the rule of the edited schedule: its exceptions stay."""
    body: dict[str, object] = {
        "text": typed.text,
        "starts_at": f"{typed.date}T{typed.time}" if typed.date and typed.time else "",
        "timezone": "patient" if typed.zone == "patient" else typed.zone_name,
        "lane": typed.lane,
        "if_unknown": typed.if_unknown,
        "avoid": dict.fromkeys(AVOID, False) | dict.fromkeys(typed.avoid, True),
        "when_avoided": typed.when_avoided,
        "buttons": [{"text": text, "again_after": again or None} for text, again in typed.typed_buttons if text]
        or None,
        "answer_within": typed.answer_within or None,
    }
    body |= {"cohort": typed.cohort or None} if typed.to == "cohort" else {"patients": list(typed.patients)}
    body |= {name: value for name in ("late_after", "quiet_hours") if (value := getattr(typed, name))}
    rule = dict(kept) if typed.repeat == KEPT and kept is not None else rule_of(typed)
    body["recurrence"] = rule
    if rule is None:
        return body
    if kept and kept.get("except"):
        rule["except"] = kept["except"]
    if not rule.get("until") and not rule.get("count"):
        body["review_on"] = typed.review_on
    return body


def length_words(within: dt.timedelta | None) -> str:
    """Write how long an answer is waited for: "2 hours after it was sent"; empty if no answer is expected."""
    if within is None:
        return ""
    written = duration_text(within)
    return WITHIN.get(written, f"within {written}")


def on_next_working_day(typed: Typed, clinic: Clinic, *, now: dt.datetime) -> Typed:
    """Set the form's date and time to 08:00 on the clinic's next working day.

    If there is no working day within a fortnight, the form stays unchanged.
    """
    day = next_working_day(local(now, clinic.timezone).date(), calendar_of(clinic))
    return replace(typed, date=day.isoformat(), time=f"{OPENING:%H:%M}") if day else typed


def from_its_date(typed: Typed) -> Typed:
    """Set the form's date to the day from which the change applies, if the typed date is earlier."""
    day = typed.from_occurrence[:10]
    return replace(typed, date=day) if day and typed.date < day else typed


def errors_by_part(problems: Sequence[Problem]) -> dict[str, list[str]]:
    """Sort the error sentences by the part of the form that shows them."""
    by_part: dict[str, list[str]] = {}
    for problem in problems:
        by_part.setdefault(_part(problem.field), []).append(problem.message)
    return by_part


def _part(name: str) -> str:
    top, _, below = name.partition(".")
    if top in ("patients", "cohort"):
        return "recipients"
    if top == "recurrence":
        return "ends" if below in ("until", "count") else "repeat"
    parts = {
        "text": "text",
        "starts_at": "when",
        "timezone": "zone",
        "review_on": "ends",
        "avoid": "avoid",
        "when_avoided": "avoid",
        "buttons": "answers",
        "answer_within": "answers",
        "from": "from",
        "occurrence": "from",
    }
    return parts.get(top, "more")


def is_id(text: str) -> bool:
    """Return whether this text can be a row's id."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
