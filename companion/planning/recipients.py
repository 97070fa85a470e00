"""Who gets a Schedule: the patients named, or those in its cohort at the moment of planning."""

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.patients.pausing import pause_end
from companion.planning.drafts import PATIENT_ZONE, Draft
from companion.schedules.models import Schedule


@dataclass(frozen=True, slots=True)
class Addressee:
    """A patient as planning needs one: whom, in which zone, and the instant up to which the patient is on pause."""

    patient: uuid.UUID
    timezone: str
    paused_until: dt.datetime | None = None

    def gets(self, due_at: dt.datetime) -> bool:
        """Whether what is due then is planned at all."""
        return self.paused_until is None or due_at >= self.paused_until


def of_draft(clinic: Clinic, draft: Draft) -> QuerySet[Patient]:
    """The patients whom a draft would reach as things stand."""
    here = Patient.objects.filter(clinic=clinic, left_at=None)
    return here.filter(places__cohort_id=draft.cohort) if draft.cohort else here.filter(id__in=draft.patients)


def of_schedule(schedule: Schedule) -> QuerySet[Patient]:
    """The patients whom a Schedule reaches as things stand."""
    here = Patient.objects.filter(clinic_id=schedule.clinic_id, left_at=None)
    if schedule.cohort_id:
        return here.filter(places__cohort_id=schedule.cohort_id)
    return here.filter(recipient_rows__schedule=schedule)


def zones(people: QuerySet[Patient], timezone: str, fallback: str) -> list[str]:
    """The zones in which it goes out; `fallback` stands for a cohort that has nobody yet."""
    if timezone != PATIENT_ZONE:
        return [timezone]
    return sorted(people.order_by().values_list("timezone", flat=True).distinct()) or [fallback]


def batches(people: QuerySet[Patient], timezone: str, size: int) -> Iterator[list[Addressee]]:
    """The people in batches, in the order of their ids, read afresh batch by batch."""
    last: uuid.UUID | None = None
    while True:
        rest = people.filter(id__gt=last) if last else people
        rows = rest.order_by("id").values_list("id", "timezone", "paused_until")[:size]
        batch = [
            Addressee(patient, own if timezone == PATIENT_ZONE else timezone, pause_end(paused, own))
            for patient, own, paused in rows
        ]
        if batch:
            yield batch
        if len(batch) < size:
            return
        last = batch[-1].patient
