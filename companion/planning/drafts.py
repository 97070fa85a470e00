"""A Schedule as asked for: the one place that checks what pages, API and command line bring. Stores nothing."""

import datetime as dt
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

from companion.clinics.models import Clinic
from companion.clinics.refusals import Problem, Refused
from companion.patients.models import Cohort, Patient
from companion.schedules import text as texts
from companion.schedules.models import IfUnknown, Lane, Quiet, Recipient, Schedule
from companion.times import recurrence, rule_json, walls
from companion.times.rule import Recurrence, RuleError

PATIENT_ZONE = "patient"
"""Stands for "each patient's own zone" where a zone's name is asked for."""
SHORTEST_LATE_AFTER = dt.timedelta(minutes=1)
LONGEST_LATE_AFTER = dt.timedelta(days=7)
_LATE_AFTER = {Lane.REMINDER: dt.timedelta(hours=1), Lane.BROADCAST: dt.timedelta(hours=12)}
_QUIET = {Lane.REMINDER: Quiet.IGNORE, Lane.BROADCAST: Quiet.WAIT}
_LANES = {"reminder": Lane.REMINDER, "broadcast": Lane.BROADCAST}
_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?", re.ASCII)
MOST_PATIENTS = 10_000
"""Named one by one; a larger set is a cohort."""
FIELDS = frozenset(
    {"patients", "cohort", "text", "starts_at", "timezone", "recurrence", "late_after", "quiet_hours", "if_unknown"}
    | {"lane", "review_on"}
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


def read(clinic: Clinic, values: Mapping[str, object], *, now: dt.datetime) -> Draft:
    """Checks the JSON body of `POST /schedules` (DESIGN.md). Raises Refused with every wrong field at once."""
    problems = [Problem(name, "There is no such field.") for name in values if name not in FIELDS]
    reader = _Reader(clinic, values, problems)
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
    )
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
    }


def rule_of(schedule: Schedule) -> Recurrence | None:
    """The Schedule's rule, None for a one-time one."""
    return rule_json.from_json(schedule.recurrence) if schedule.recurrence else None


def duration(text: str) -> dt.timedelta:
    """Reads an ISO 8601 duration of days, hours, minutes and seconds ("PT1H"). Raises ValueError for all else."""
    found = _DURATION.fullmatch(text)
    if not found or text.endswith(("P", "T")):
        raise ValueError("Write a duration like PT1H (one hour), PT90M or P1D.")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def duration_text(length: dt.timedelta) -> str:
    """The duration in ISO 8601, in hours where it is whole hours."""
    seconds = int(length.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    parts = [(hours, "H"), (minutes, "M"), (seconds % 60, "S")]
    return "PT" + ("".join(f"{number}{unit}" for number, unit in parts if number) or "0S")


class _Reader:
    """Reads one field after the other and collects what is wrong, so that people hear of everything at once."""

    def __init__(self, clinic: Clinic, values: Mapping[str, object], problems: list[Problem]) -> None:
        self.clinic, self.values, self.problems = clinic, values, problems

    def wrong(self, field: str, message: str) -> None:
        self.problems.append(Problem(field, message))

    def choice(self, field: str, choices: tuple[str, ...]) -> str:
        value = self.values.get(field) or choices[0]
        if isinstance(value, str) and value in choices:
            return value
        self.wrong(field, f"Choose one of {', '.join(dict.fromkeys(choices))}.")
        return choices[0]

    def string(self, field: str, missing: str) -> str:
        value = self.values.get(field)
        if isinstance(value, str) and value.strip():
            return value
        self.wrong(field, missing)
        return ""

    def text(self) -> str:
        value = self.values.get("text")
        if not isinstance(value, str):
            self.wrong("text", "Write what the patient is to read.")
            return ""
        for sentence in texts.problems_of(value):
            self.wrong("text", sentence)
        return value

    def patients(self) -> tuple[uuid.UUID, ...]:
        asked = self.values.get("patients")
        if asked is None or (asked == [] and self.values.get("cohort")):
            return ()
        if not isinstance(asked, list) or not asked:
            self.wrong("patients", "Choose at least one patient, or a cohort.")
            return ()
        if len(asked) > MOST_PATIENTS:
            self.wrong("patients", f"Name at most {MOST_PATIENTS} patients one by one; make a cohort of more.")
            return ()
        wanted = list(dict.fromkeys(as_id(item) for item in asked))
        known = set(
            Patient.objects.filter(clinic=self.clinic, id__in=[i for i in wanted if i], left_at=None).values_list(
                "id", flat=True
            )
        )
        for index, one in enumerate(wanted):
            if one not in known:
                self.wrong(f"patients.{index}", "There is no such patient in this clinic.")
        return tuple(one for one in wanted if one in known)

    def cohort(self) -> uuid.UUID | None:
        asked = self.values.get("cohort")
        if asked is None:
            if self.values.get("patients") is None:
                self.wrong("patients", "Choose at least one patient, or a cohort.")
            return None
        if self.values.get("patients"):
            self.wrong("cohort", "Choose patients or a cohort, not both.")
        wanted = as_id(asked)
        if wanted is None or not Cohort.objects.filter(clinic=self.clinic, id=wanted).exists():
            self.wrong("cohort", "There is no such cohort in this clinic.")
        return wanted

    def starts_at(self) -> dt.datetime:
        try:
            return walls.parse_wall(self.string("starts_at", "Say when it starts, like 2026-12-01T09:00."))
        except ValueError as problem:
            if self.values.get("starts_at"):
                self.wrong("starts_at", str(problem))
            return dt.datetime(2000, 1, 1)  # noqa: DTZ001  (a wall time, and only until the problem is told)

    def timezone(self) -> str:
        zone = self.string("timezone", 'Name a time zone like Europe/Berlin, or "patient" for each patient\'s own.')
        if zone and zone != PATIENT_ZONE and not walls.is_zone(zone):
            self.wrong("timezone", 'This is no IANA time zone. Name one like Europe/Berlin, or "patient".')
        return zone

    def recurrence(self) -> Recurrence | None:
        asked = self.values.get("recurrence")
        if asked is None:
            return None
        if not isinstance(asked, dict):
            self.wrong("recurrence", "Give a rule with its frequency, or null for once.")
            return None
        try:
            return rule_json.from_json(asked)
        except RuleError as problem:
            self.wrong(problem.field, problem.message)
            return None

    def late_after(self, default: dt.timedelta) -> dt.timedelta:
        asked = self.values.get("late_after")
        if asked is None:
            return default
        try:
            length = duration(asked if isinstance(asked, str) else "")
        except (ValueError, OverflowError) as problem:
            self.wrong("late_after", str(problem))
            return default
        if not SHORTEST_LATE_AFTER <= length <= LONGEST_LATE_AFTER:
            self.wrong("late_after", "Late is still good for a minute at least and for seven days at most.")
        return length

    def review_on(self) -> dt.date | None:
        asked = self.values.get("review_on")
        if asked is None:
            return None
        try:
            return dt.date.fromisoformat(asked if isinstance(asked, str) else "")
        except ValueError:
            self.wrong("review_on", "Write the date of the next look at it like 2027-05-01.")
            return None


def as_id(value: object) -> uuid.UUID | None:
    """The UUID that this is, None where it is none."""
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _together(clinic: Clinic, draft: Draft, now: dt.datetime) -> list[Problem]:
    """What is wrong only when the fields are seen together."""
    problems = []
    if sentence := _longest(clinic, draft, now):
        problems.append(Problem("text", sentence))
    if draft.recurrence is None:
        # The zone in which this wall time comes last decides: while it isn't too late there, somebody gets it.
        zone = "Etc/GMT+12" if draft.timezone == PATIENT_ZONE else draft.timezone
        if walls.place(draft.starts_at, zone).at + draft.late_after <= now:
            problems.append(Problem("starts_at", "This time is over. Choose one in the future."))
    elif next(recurrence.occurrences(draft.starts_at, draft.recurrence), None) is None:
        problems.append(Problem("recurrence", "This rule never comes true: no day fits it before its end."))
    return problems


def _longest(clinic: Clinic, draft: Draft, now: dt.datetime) -> str | None:
    """Whether the text is too long for the recipient with the longest name."""
    people = Patient.objects.filter(clinic=clinic)
    people = people.filter(places__cohort_id=draft.cohort) if draft.cohort else people.filter(id__in=draft.patients)
    longest = max(people.values_list("name", "language"), key=lambda row: len(row[0]), default=("", "en"))
    filled = texts.fill(
        draft.text,
        patient_name=longest[0],
        clinic_name=clinic.name,
        language=longest[1],
        at=now,
        timezone="UTC",
        caregiver=people.exclude(caregiver="").exists(),
    )
    return texts.too_long(filled)


def without(draft: Draft, dropped: dt.date | dt.datetime) -> Draft:
    """The draft with one day or Occurrence less. Raises ValueError for a one-time one."""
    if draft.recurrence is None:
        raise ValueError("A one-time schedule has no series to skip in.")
    return replace(draft, recurrence=replace(draft.recurrence, except_=(*draft.recurrence.except_, dropped)))
