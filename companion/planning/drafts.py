"""A Schedule as asked for: the one place that checks what pages, API and command line bring. Stores nothing."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice

from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic
from companion.clinics.refusals import Problem, Refused
from companion.patients.models import Patient
from companion.planning import lengths
from companion.planning.draft_fields import MOST_PATIENTS, PATIENT_ZONE, Reader, duration, duration_text
from companion.schedules import buttons
from companion.schedules.buttons import Button
from companion.schedules.models import IfUnknown, Lane, Quiet, Recipient, Schedule
from companion.times import recurrence, rule_json, walls
from companion.times.rule import Recurrence
from companion.times.workdays import ANY_DAY, Avoid, WhenAvoided, working_day

__all__ = [
    "MOST_PATIENTS",
    "PATIENT_ZONE",
    "REVIEW_AFTER",
    "Draft",
    "avoid_of",
    "buttons_json",
    "duration",
    "duration_text",
    "of",
    "read",
    "rule_of",
    "values_of",
]

_LATE_AFTER = {Lane.REMINDER: dt.timedelta(hours=1), Lane.BROADCAST: dt.timedelta(hours=12)}
_QUIET = {Lane.REMINDER: Quiet.IGNORE, Lane.BROADCAST: Quiet.WAIT}
_LANES = {"reminder": Lane.REMINDER, "broadcast": Lane.BROADCAST}
REVIEW_AFTER = dt.timedelta(days=182)
"""After half a year a person looks at a series without an end again, unless another day is named."""
_LOOKED_AT = 1000
"""Occurrences looked at for one that may go out."""
FIELDS = frozenset(
    {"patients", "cohort", "text", "starts_at", "timezone", "recurrence", "late_after", "quiet_hours", "if_unknown"}
    | {"lane", "review_on", "avoid", "when_avoided", "buttons", "answer_within"}
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A Schedule that can be taken. Either `patients` or `cohort`; `starts_at` is a naive wall time in `timezone`."""

    text: str
    patients: tuple[uuid.UUID, ...]
    cohort: uuid.UUID | None
    starts_at: dt.datetime
    timezone: str
    recurrence: Recurrence | None
    late_after: dt.timedelta
    quiet_hours: Quiet
    if_unknown: IfUnknown
    lane: Lane
    review_on: dt.date | None
    avoid: Avoid = ANY_DAY
    when_avoided: WhenAvoided = WhenAvoided.SKIP
    buttons: tuple[Button, ...] = ()
    answer_within: dt.timedelta | None = None


def read(clinic: Clinic, values: Mapping[str, object], *, now: dt.datetime) -> Draft:
    """Checks the JSON body of `POST /schedules` (DESIGN.md). Raises Refused with every wrong field at once."""
    problems = [Problem(name, "There is no such field.") for name in values if name not in FIELDS]
    reader = Reader(clinic, values, problems)
    lane = _LANES[reader.choice("lane", tuple(_LANES))]
    cohort = reader.cohort()
    draft = Draft(
        text=reader.text(),
        patients=reader.patients(),
        cohort=cohort,
        starts_at=reader.starts_at(),
        timezone=reader.timezone(),
        recurrence=reader.recurrence(),
        late_after=reader.late_after(_LATE_AFTER[lane]),
        quiet_hours=Quiet(reader.choice("quiet_hours", (_QUIET[lane].value, *Quiet.values))),
        if_unknown=IfUnknown(reader.choice("if_unknown", tuple(IfUnknown.values))),
        lane=lane,
        review_on=reader.review_on(),
        avoid=reader.avoid(),
        when_avoided=WhenAvoided(reader.choice("when_avoided", tuple(WhenAvoided))),
        buttons=reader.buttons(),
        answer_within=reader.answer_within(),
    )
    if draft.review_on is None and draft.recurrence and draft.recurrence.is_endless:
        begins = max(draft.starts_at.date(), walls.local(now, clinic.timezone).date())
        draft = replace(draft, review_on=begins + REVIEW_AFTER)
    if not problems:
        problems += _together(clinic, draft, now)
    if problems:
        raise Refused(*problems)
    return draft


def of(schedule: Schedule) -> Draft:
    """The Schedule as it was asked for: what an edit starts from."""
    newest = schedule.versions.order_by("-number").first()
    # Who has left the clinic gets nothing more of it, and must not stand in the way of an edit.
    named = Recipient.objects.filter(clinic_id=schedule.clinic_id, schedule=schedule, patient__left_at=None).order_by(
        "id"
    )
    return Draft(
        text=newest.text if newest else "",
        patients=tuple(named.values_list("patient_id", flat=True)),
        cohort=schedule.cohort_id,
        starts_at=walls.parse_wall(schedule.starts_at),
        timezone=schedule.timezone,
        recurrence=rule_of(schedule),
        late_after=schedule.late_after,
        quiet_hours=Quiet(schedule.quiet_hours),
        if_unknown=IfUnknown(schedule.if_unknown),
        lane=Lane(schedule.lane),
        review_on=schedule.review_on,
        avoid=avoid_of(schedule),
        when_avoided=WhenAvoided(schedule.when_avoided),
        buttons=buttons.read(newest.buttons) if newest else (),
        answer_within=schedule.answer_within,
    )


def values_of(draft: Draft) -> dict[str, object]:
    """The draft as the JSON that `read` takes: a PATCH is this, overlaid with what changes."""
    return {
        "text": draft.text,
        "patients": [str(patient) for patient in draft.patients] if not draft.cohort else None,
        "cohort": str(draft.cohort) if draft.cohort else None,
        "starts_at": walls.wall_name(draft.starts_at),
        "timezone": draft.timezone,
        "recurrence": rule_json.to_json(draft.recurrence) if draft.recurrence else None,
        "late_after": duration_text(draft.late_after),
        "quiet_hours": draft.quiet_hours.value,
        "if_unknown": draft.if_unknown.value,
        "lane": Lane(draft.lane).label,
        "review_on": draft.review_on.isoformat() if draft.review_on else None,
        "avoid": asdict(draft.avoid),
        "when_avoided": draft.when_avoided.value,
        "buttons": buttons_json(draft.buttons),
        "answer_within": duration_text(draft.answer_within) if draft.answer_within else None,
    }


def buttons_json(of: tuple[Button, ...]) -> list[dict[str, str | None]] | None:
    """Answer buttons as the JSON that `read` takes; None for none."""
    rows = [
        {"text": one.text, "again_after": duration_text(one.again_after) if one.again_after else None} for one in of
    ]
    return rows or None


def rule_of(schedule: Schedule) -> Recurrence | None:
    """The Schedule's rule, None for a one-time one."""
    return rule_json.from_json(schedule.recurrence) if schedule.recurrence else None


def avoid_of(schedule: Schedule) -> Avoid:
    """The days that the Schedule avoids."""
    return Avoid(schedule.avoid_weekends, schedule.avoid_holidays, schedule.avoid_closed_days)


def _together(clinic: Clinic, draft: Draft, now: dt.datetime) -> list[Problem]:
    """What is wrong only when the fields are seen together."""
    problems = []
    day = _first_working_day(clinic, draft)
    if sentence := _too_long(clinic, draft, day):
        problems.append(Problem("text", sentence))
    if next(recurrence.occurrences(draft.starts_at, draft.recurrence), None) is None:
        problems.append(Problem("recurrence", "This rule never comes true: no day fits it before its end."))
    elif day is None:
        problems.append(Problem("avoid", "It would never go out: each of its days is one to avoid."))
    elif draft.recurrence is None:
        # The zone in which this wall time comes last decides: while it isn't too late there, somebody gets it.
        zone = "Etc/GMT+12" if draft.timezone == PATIENT_ZONE else draft.timezone
        if walls.place(dt.datetime.combine(day, draft.starts_at.time()), zone).at + draft.late_after <= now:
            problems.append(Problem("starts_at", "This time is over. Choose one in the future."))
    return problems


def _too_long(clinic: Clinic, draft: Draft, day: dt.date | None) -> str | None:
    """Whether the text is too long for one of its recipients; `day` is the first on which it goes out."""
    here = Patient.objects.filter(clinic=clinic, left_at=None)
    people = here.filter(places__cohort_id=draft.cohort) if draft.cohort else here.filter(id__in=draft.patients)
    wall = dt.datetime.combine(day or draft.starts_at.date(), draft.starts_at.time())

    def once(zone: str) -> dt.datetime:
        return walls.place(wall, zone if draft.timezone == PATIENT_ZONE else draft.timezone).at

    text = lengths.with_room(draft.text, reminds=draft.answer_within is not None)
    return lengths.too_long(clinic, text, people, None if draft.recurrence else once)


def _first_working_day(clinic: Clinic, draft: Draft) -> dt.date | None:
    """The first day on which it goes out; None where none of its first days is, or moves to, one not to avoid."""
    calendar = calendar_of(clinic)
    for wall in islice(recurrence.occurrences(draft.starts_at, draft.recurrence), _LOOKED_AT):
        if day := working_day(wall.date(), draft.avoid, draft.when_avoided, calendar):
            return day
    return None
