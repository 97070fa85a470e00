"""A Schedule as people or programs ask for it. Pages, API and commands check their values here. It stores nothing."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import islice
from typing import Final

from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic
from companion.clinics.refusals import Problem, Refused
from companion.patients.models import Patient
from companion.planning import lengths, occurrences
from companion.planning.draft_fields import MOST_PATIENTS, FieldReader, duration, duration_text
from companion.planning.timing import PATIENT_ZONE, Timing, rule_of, set_timing, timing_of
from companion.schedules import buttons, wording
from companion.schedules.buttons import Button
from companion.schedules.models import LATE_AFTER, IfUnknown, Lane, Quiet, Recipient, Schedule, Version
from companion.times import recurrence, rule_json, walls
from companion.times.quiet import quiet_until
from companion.times.workdays import WhenAvoided, kept_off, moved_to_working_day, working_day

__all__ = [
    "MOST_PATIENTS",
    "PATIENT_ZONE",
    "REVIEW_AFTER",
    "Draft",
    "buttons_json",
    "duration",
    "duration_text",
    "of",
    "of_many",
    "read",
    "rule_of",
    "set_columns",
    "values_of",
]

_LATE_AFTER: Final = {Lane.REMINDER: LATE_AFTER, Lane.BROADCAST: dt.timedelta(hours=12)}
_QUIET: Final = {Lane.REMINDER: Quiet.IGNORE, Lane.BROADCAST: Quiet.WAIT}
_LANES: Final = {"reminder": Lane.REMINDER, "broadcast": Lane.BROADCAST}
REVIEW_AFTER: Final = dt.timedelta(days=182)
"""A series without an end is reviewed after half a year, unless the person chooses another day."""
_LOOKED_AT: Final = 1000
"""The number of Occurrences that are searched for an Occurrence that may go out."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Values that describe a Schedule. A draft names either `patients` or a `cohort`."""

    text: str
    patients: tuple[uuid.UUID, ...]
    cohort: uuid.UUID | None
    timing: Timing
    late_after: dt.timedelta
    if_unknown: IfUnknown
    lane: Lane
    review_on: dt.date | None
    buttons: tuple[Button, ...] = ()
    answer_within: dt.timedelta | None = None


def read(clinic: Clinic, values: Mapping[str, object], *, now: dt.datetime) -> Draft:
    """Check the JSON body of `POST /schedules`. Raises Refused with every wrong field at once."""
    reader = FieldReader(clinic, values)
    lane = _LANES[reader.choice("lane", tuple(_LANES))]
    cohort = reader.cohort()
    draft = Draft(
        text=reader.text(),
        patients=reader.patients(),
        cohort=cohort,
        timing=_timing(reader, lane),
        late_after=reader.late_after(_LATE_AFTER[lane]),
        if_unknown=IfUnknown(reader.choice("if_unknown", tuple(IfUnknown.values))),
        lane=lane,
        review_on=reader.review_on(),
        buttons=reader.buttons(),
        answer_within=reader.answer_within(),
    )
    rule = draft.timing.recurrence
    if draft.review_on is None and rule and rule.is_endless:
        begins = max(draft.timing.starts_at.date(), walls.local(now, clinic.timezone).date())
        draft = replace(draft, review_on=begins + REVIEW_AFTER)
    problems = reader.problems or _together(clinic, draft, now)
    if problems:
        raise Refused(*problems)
    return draft


def _timing(reader: FieldReader, lane: Lane) -> Timing:
    return Timing(
        starts_at=reader.starts_at(),
        timezone=reader.timezone(),
        recurrence=reader.recurrence(),
        quiet_hours=Quiet(reader.choice("quiet_hours", (_QUIET[lane].value, *Quiet.values))),
        avoid=reader.avoid(),
        when_avoided=WhenAvoided(reader.choice("when_avoided", tuple(WhenAvoided))),
    )


def of(schedule: Schedule) -> Draft:
    """Return a stored Schedule as a draft, from which an edit starts."""
    # Patients who have left get no messages, and must not make an edit fail.
    named = Recipient.objects.filter(clinic_id=schedule.clinic_id, schedule=schedule, patient__left_at=None)
    return _of_rows(
        schedule, wording.newest_version(schedule), named.order_by("id").values_list("patient_id", flat=True)
    )


def of_many(clinic: Clinic, schedules: Sequence[Schedule]) -> dict[uuid.UUID, Draft]:
    """Return many Schedules as drafts by their ids, with two queries. They include patients who have left since."""
    ids = [schedule.id for schedule in schedules]
    newest = wording.newest_versions(clinic, ids)
    named: dict[uuid.UUID, list[uuid.UUID]] = {}
    recipients = Recipient.objects.filter(clinic=clinic, schedule_id__in=ids).order_by("id")
    for schedule_id, patient_id in recipients.values_list("schedule_id", "patient_id"):
        named.setdefault(schedule_id, []).append(patient_id)
    return {
        schedule.id: _of_rows(schedule, newest.get(schedule.id), named.get(schedule.id, ())) for schedule in schedules
    }


def _of_rows(schedule: Schedule, newest: Version | None, patients: Iterable[uuid.UUID]) -> Draft:
    return Draft(
        text=newest.text if newest else "",
        patients=tuple(patients),
        cohort=schedule.cohort_id,
        timing=timing_of(schedule),
        late_after=schedule.late_after,
        if_unknown=IfUnknown(schedule.if_unknown),
        lane=Lane(schedule.lane),
        review_on=schedule.review_on,
        buttons=buttons.read(newest.buttons) if newest else (),
        answer_within=schedule.answer_within,
    )


def set_columns(schedule: Schedule, draft: Draft) -> None:
    """Write the draft into the Schedule's columns, without saving the row. Text and patients are in other tables."""
    set_timing(schedule, draft.timing)
    schedule.cohort_id = draft.cohort
    schedule.late_after = draft.late_after
    schedule.if_unknown = draft.if_unknown
    schedule.lane = draft.lane
    schedule.review_on = draft.review_on
    schedule.answer_within = draft.answer_within


def values_of(draft: Draft) -> dict[str, object]:
    """Return the draft as the JSON that `read` accepts. A PATCH replaces some of these values."""
    timing = draft.timing
    return {
        "text": draft.text,
        "patients": [str(patient) for patient in draft.patients] if not draft.cohort else None,
        "cohort": str(draft.cohort) if draft.cohort else None,
        "starts_at": walls.wall_name(timing.starts_at),
        "timezone": timing.timezone,
        "recurrence": rule_json.to_json(timing.recurrence) if timing.recurrence else None,
        "late_after": duration_text(draft.late_after),
        "quiet_hours": timing.quiet_hours.value,
        "if_unknown": draft.if_unknown.value,
        "lane": Lane(draft.lane).label,
        "review_on": draft.review_on.isoformat() if draft.review_on else None,
        "avoid": asdict(timing.avoid),
        "when_avoided": timing.when_avoided.value,
        "buttons": buttons_json(draft.buttons),
        "answer_within": duration_text(draft.answer_within) if draft.answer_within else None,
    }


def buttons_json(of: tuple[Button, ...]) -> list[dict[str, str | None]] | None:
    """Return answer buttons as the JSON that `read` accepts; None if there are no buttons."""
    rows = [
        {"text": button.text, "again_after": duration_text(button.again_after) if button.again_after else None}
        for button in of
    ]
    return rows or None


def _together(clinic: Clinic, draft: Draft, now: dt.datetime) -> list[Problem]:
    """List the errors that only show when fields are compared."""
    problems, timing = [], draft.timing
    day = _first_working_day(clinic, timing)
    if sentence := _too_long(clinic, draft):
        problems.append(Problem("text", sentence))
    if next(recurrence.occurrences(timing.starts_at, timing.recurrence), None) is None:
        problems.append(
            Problem("recurrence", "No day before the end of this rule fits it. Change the rule or the end.")
        )
    elif day is None:
        problems.append(Problem("avoid", "No message would go out, because each day of the rule is a day to avoid."))
    elif timing.recurrence is None:
        # If patients have different zones, the zone in which this wall time comes last decides.
        zone = "Etc/GMT+12" if timing.timezone == PATIENT_ZONE else timing.timezone
        if walls.resolve(dt.datetime.combine(day, timing.starts_at.time()), zone).at + draft.late_after <= now:
            problems.append(Problem("starts_at", "This time is over. Choose one in the future."))
    return problems


def _too_long(clinic: Clinic, draft: Draft) -> str | None:
    """Return a sentence if the text is too long for one of the recipients, else None."""
    here = Patient.objects.filter(clinic=clinic, left_at=None)
    people = here.filter(memberships__cohort_id=draft.cohort) if draft.cohort else here.filter(id__in=draft.patients)
    text = lengths.with_room(draft.text, reminds=draft.answer_within is not None)
    return lengths.too_long(clinic, text, people, None if draft.timing.recurrence else _sent_at(clinic, draft.timing))


def _sent_at(clinic: Clinic, timing: Timing) -> Callable[[str], dt.datetime]:
    """Return a function from a zone to the instant at which a one-time Schedule is sent there."""
    times = occurrences.times_of(clinic)

    @cache
    def sent_at(zone: str) -> dt.datetime:
        planned_in = zone if timing.timezone == PATIENT_ZONE else timing.timezone
        due = occurrences.occurrence_at(timing, timing.starts_at, planned_in, times)
        at = due.due_at if due else walls.resolve(timing.starts_at, planned_in).at
        # As delivery/verdict.py does: wait for the end of quiet hours in the patient's zone, then for a working day.
        end = quiet_until(at, zone, times.quiet) if timing.quiet_hours == Quiet.WAIT else None
        if end is None:
            return at
        avoid = kept_off(timing.starts_at.date(), timing.avoid, times.calendar)
        return moved_to_working_day(end, zone, avoid, timing.when_avoided, times.calendar) or end

    return sent_at


def _first_working_day(clinic: Clinic, timing: Timing) -> dt.date | None:
    """The first day on which a message goes out; None if all of the first Occurrences are skipped as days to avoid."""
    calendar = calendar_of(clinic)
    for wall in islice(recurrence.occurrences(timing.starts_at, timing.recurrence), _LOOKED_AT):
        if day := working_day(wall.date(), timing.avoid, timing.when_avoided, calendar):
            return day
    return None
