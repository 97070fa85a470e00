"""The recipients of a Schedule: the named patients, or the patients who are in its cohort when it is planned."""

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
    """A patient with the values that planning needs: the zone, and the end of the pause, if there is one."""

    patient: uuid.UUID
    timezone: str
    paused_until: dt.datetime | None = None

    def gets(self, due_at: dt.datetime) -> bool:
        """Return whether a message that is due then is planned for this patient."""
        return self.paused_until is None or due_at >= self.paused_until


def of_draft(clinic: Clinic, draft: Draft) -> QuerySet[Patient]:
    """The patients whom a draft would reach now."""
    here = Patient.objects.filter(clinic=clinic, left_at=None)
    return here.filter(memberships__cohort_id=draft.cohort) if draft.cohort else here.filter(id__in=draft.patients)


def count_of(clinic: Clinic, patients: Sequence[uuid.UUID], cohort: uuid.UUID | None) -> int:
    """Return the present number of patients in the cohort, or of the named patients."""
    here = Patient.objects.filter(clinic=clinic, left_at=None).order_by()
    return (here.filter(memberships__cohort_id=cohort) if cohort else here.filter(id__in=patients)).count()


def of_schedule(schedule: Schedule, *, after: uuid.UUID | None = None) -> QuerySet[Patient]:
    """The patients whom a Schedule reaches now; with `after`, those whose ids come after this id."""
    return expected(schedule, after=after).filter(left_at=None)


def expected(schedule: Schedule, *, after: uuid.UUID | None = None) -> QuerySet[Patient]:
    """The patients whom a Schedule reaches, and those who have left and may come back."""
    own = Patient.objects.filter(clinic_id=schedule.clinic_id)
    rows = "memberships" if schedule.cohort_id else "recipient_rows"
    whose = {f"{rows}__cohort_id": schedule.cohort_id} if schedule.cohort_id else {f"{rows}__schedule": schedule}
    # The condition is on the row that connects patient and Schedule, so that its index finds the next batch directly.
    beyond = {f"{rows}__patient_id__gt": after} if after else {}
    return own.filter(**whose, **beyond)


def zones(people: QuerySet[Patient], timezone: str, fallback: str) -> list[str]:
    """The zones in which a Schedule goes out; `fallback` if its cohort is still empty."""
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
