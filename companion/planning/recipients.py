"""Recipients of a Schedule: the named patients, or those in its cohort at the moment of planning."""

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.patients.pausing import pause_end
from companion.planning.drafts import Draft
from companion.planning.timing import PATIENT_ZONE
from companion.schedules.models import Schedule


@dataclass(frozen=True, slots=True)
class Addressee:
    """A patient as planning needs one: whom, in which zone, and the instant up to which the patient is on pause."""

    patient: uuid.UUID
    timezone: str
    paused_until: dt.datetime | None = None

    def gets(self, due_at: dt.datetime) -> bool:
        """Return whether what is due then is planned at all."""
        return self.paused_until is None or due_at >= self.paused_until


def of_draft(clinic: Clinic, draft: Draft) -> QuerySet[Patient]:
    """The patients whom a draft would reach as things stand."""
    here = Patient.objects.filter(clinic=clinic, left_at=None)
    return here.filter(memberships__cohort_id=draft.cohort) if draft.cohort else here.filter(id__in=draft.patients)


def count_of(clinic: Clinic, patients: Sequence[uuid.UUID], cohort: uuid.UUID | None) -> int:
    """Return how many patients these are as things stand: the members of the cohort, or those that are named."""
    here = Patient.objects.filter(clinic=clinic, left_at=None).order_by()
    return (here.filter(memberships__cohort_id=cohort) if cohort else here.filter(id__in=patients)).count()


def of_schedule(schedule: Schedule, *, after: uuid.UUID | None = None) -> QuerySet[Patient]:
    """The patients whom a Schedule reaches as things stand; with `after`, those whose ids come after that one."""
    return expected(schedule, after=after).filter(left_at=None)


def expected(schedule: Schedule, *, after: uuid.UUID | None = None) -> QuerySet[Patient]:
    """The patients whom a Schedule reaches, and those who have left and may come back."""
    own = Patient.objects.filter(clinic_id=schedule.clinic_id)
    rows = "memberships" if schedule.cohort_id else "recipient_rows"
    whose = {f"{rows}__cohort_id": schedule.cohort_id} if schedule.cohort_id else {f"{rows}__schedule": schedule}
    # Asked of the row that ties the patient to it, so that its index leads to the next batch without reading the rest.
    beyond = {f"{rows}__patient_id__gt": after} if after else {}
    return own.filter(**whose, **beyond)


def zones(people: QuerySet[Patient], timezone: str, fallback: str) -> list[str]:
    """The zones in which it goes out; `fallback` stands for a cohort that has nobody yet."""
    if timezone != PATIENT_ZONE:
        return [timezone]
    return sorted(people.order_by().values_list("timezone", flat=True).distinct()) or [fallback]


def addressees(people: QuerySet[Patient], timezone: str, most: int) -> list[Addressee]:
    """The first of these people, in the order of their ids."""
    rows = people.order_by("id").values_list("id", "timezone", "paused_until")[:most]
    return [
        Addressee(patient, own if timezone == PATIENT_ZONE else timezone, pause_end(paused, own) if paused else None)
        for patient, own, paused in rows
    ]


def batches(schedule: Schedule, size: int) -> Iterator[list[Addressee]]:
    """Yield a Schedule's recipients in batches, ordered by id. Each batch is read when it is needed."""
    last: uuid.UUID | None = None
    while batch := addressees(of_schedule(schedule, after=last), schedule.timezone, size):
        yield batch
        if len(batch) < size:
            return
        last = batch[-1].patient
