"""Acts on many patients at once: add them to a cohort, remove them, pause them. One transaction, one Mark each."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from companion.clinics import audit, marks
from companion.clinics.access import Caller
from companion.clinics.models import MarkKind, Role
from companion.clinics.refusals import Refused
from companion.patients import pausing
from companion.patients.models import Cohort, CohortMember, Patient
from companion.service.wake import ring

MOST: Final = 500
"""The largest number of patients in one act."""


def add_to_cohort(caller: Caller, cohort: Cohort, patients: Sequence[Patient], *, now: dt.datetime) -> int:
    """Add the patients and return how many are new in the cohort. Raises NotAllowed for a viewer."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        wanted = {patient.id for patient in _in_turn(caller, patients)}
        held = set(cohort.memberships.filter(patient__in=wanted).values_list("patient_id", flat=True))
        moved = wanted - held
        CohortMember.objects.bulk_create(
            # A patient whom somebody else adds at the same moment is added once.
            [CohortMember(clinic=caller.clinic, cohort=cohort, patient_id=patient) for patient in moved],
            ignore_conflicts=True,
        )
        _note(caller, cohort, "patients added to cohort", [patient for patient in patients if patient.id in moved], now)
    return len(moved)


def remove_from_cohort(caller: Caller, cohort: Cohort, patients: Sequence[Patient], *, now: dt.datetime) -> int:
    """Remove the patients and return how many were in the cohort. Raises NotAllowed for a viewer."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        memberships = cohort.memberships.filter(patient__in=_in_turn(caller, patients))
        moved = set(memberships.values_list("patient_id", flat=True))
        memberships.delete()
        _note(
            caller,
            cohort,
            "patients taken out of cohort",
            [patient for patient in patients if patient.id in moved],
            now,
        )
    return len(moved)


@dataclass(frozen=True, slots=True)
class NotPaused:
    """A patient who wasn't paused, for example because the day has already passed in the patient's zone."""

    patient: Patient
    why: Refused


def pause(
    caller: Caller, patients: Sequence[Patient], until: dt.date, reason: str, *, now: dt.datetime
) -> list[NotPaused]:
    """Pause each patient as pausing.pause does, and return the refusals. Raises NotAllowed for a viewer."""
    left = []
    for patient in patients:
        try:
            pausing.pause(caller, patient, until, reason, now=now)
        except Refused as why:
            left.append(NotPaused(patient, why))
    return left


def _in_turn(caller: Caller, patients: Sequence[Patient]) -> list[Patient]:
    """Lock the patients, so that a change of cohorts on a patient's form waits until this act is done.

    The locks are taken in the order of the ids, as everywhere.
    """
    ids = [patient.pk for patient in patients]
    rows = Patient.objects.select_for_update(no_key=True).filter(clinic=caller.clinic, pk__in=ids)
    return list(rows.order_by("id"))


def _note(caller: Caller, cohort: Cohort, action: str, moved: Sequence[Patient], now: dt.datetime) -> None:
    if moved:
        ids = [patient.id for patient in moved]
        audit.record(caller, action, "cohort", cohort.id, now=now, changes={"patients": audit.CHANGED})
        changes = {"cohorts": audit.CHANGED}
        audit.record_many(caller, "cohorts changed", "patient", dict.fromkeys(ids, changes), now=now)
        marks.leave_many(caller.clinic, MarkKind.PATIENT, ids, now=now)
        ring()
