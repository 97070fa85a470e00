"""What would happen: the next instants in each zone, the text as each patient gets it, the year at a glance, warnings.

Stores nothing.
"""

import datetime as dt
from dataclasses import dataclass

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.planning import recipients, warnings
from companion.planning.drafts import Draft
from companion.planning.occurrences import Coming, next_few, times_of
from companion.planning.warnings import Warning
from companion.planning.year import Year, year_of
from companion.schedules import text

SHOWN_TEXTS = 20
SHOWN_ZONES = 40


@dataclass(frozen=True, slots=True)
class PatientText:
    """The text as this patient gets it the first time."""

    patient: Patient
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What the draft comes to."""

    occurrences: tuple[Coming, ...]
    texts: tuple[PatientText, ...]
    warnings: tuple[Warning, ...]
    year: Year | None
    """The year at a glance; a one-time schedule has none."""


def preview(clinic: Clinic, draft: Draft, *, now: dt.datetime, count: int = 5) -> Preview:
    """The next `count` instants of each zone among the recipients, and what to know of them."""
    people = recipients.of_draft(clinic, draft)
    zones = recipients.zones(people, draft.timezone, clinic.timezone)
    times = times_of(clinic)
    floor = now if draft.recurrence else now - draft.late_after
    by_zone = {zone: next_few(draft, zone, times, after=floor, count=count) for zone in zones[:SHOWN_ZONES]}
    first = [few[0] for few in by_zone.values() if few]
    found = [
        *warnings.of_times(clinic, draft, first, list(by_zone), now=now),
        *warnings.of_size(draft, people.order_by().count()),
        *warnings.of_people(clinic, people, now=now),
    ]
    drawn = year_of(clinic, draft, now=now) if draft.recurrence else None
    texts = tuple(_text(clinic, draft, one, by_zone, now) for one in people.order_by("name", "id")[:SHOWN_TEXTS])
    return Preview(tuple(one for few in by_zone.values() for one in few), texts, tuple(found), drawn)


def _text(
    clinic: Clinic, draft: Draft, patient: Patient, by_zone: dict[str, list[Coming]], now: dt.datetime
) -> PatientText:
    few = by_zone.get(patient.timezone) or next(iter(by_zone.values()), [])
    filled = text.fill(
        draft.text,
        patient_name=patient.name,
        clinic_name=clinic.name,
        language=patient.language,
        at=few[0].due_at if few else now,
        timezone=patient.timezone,
        caregiver=bool(patient.caregiver),
    )
    return PatientText(patient, filled)
