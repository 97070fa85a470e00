"""Cohorts: named sets of patients. Adds them, and puts patients into them.

Not here: reading them (queries.py), and changes of many patients at once (group_acts.py).
"""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Role
from companion.clinics.refusals import Problem, Refused
from companion.patients.fields import Wrong, read_cohort_name
from companion.patients.models import Cohort, CohortMember, Patient

_NEW_COHORT: Final[audit.Changes] = {"name": audit.CHANGED}
"""Some clinics name a cohort after an illness."""


def add(caller: Caller, name: str, *, now: dt.datetime) -> Cohort:
    """Add an empty cohort. Raises Refused, also if the clinic has a cohort of this name, and NotAllowed for a
    viewer.
    """
    caller.needs(Role.PROVIDER)
    try:
        read = read_cohort_name(name)
    except Wrong as wrong:
        raise Refused(Problem("name", str(wrong))) from None
    with transaction.atomic():
        cohort, made = Cohort.objects.get_or_create(clinic=caller.clinic, name=read, defaults={"created_at": now})
        if not made:
            raise Refused(Problem("name", "There is a cohort of this name already."))
        audit.record(caller, "cohort added", "cohort", cohort.id, now=now, changes=_NEW_COHORT)
    return cohort


def named(caller: Caller, names: Iterable[str], *, now: dt.datetime) -> list[Cohort]:
    """The clinic's cohorts of these names; missing cohorts are made."""
    wanted = set(names)
    known = set(Cohort.objects.filter(clinic=caller.clinic, name__in=wanted).values_list("name", flat=True))
    for name in sorted(wanted - known):
        cohort, made = Cohort.objects.get_or_create(clinic=caller.clinic, name=name, defaults={"created_at": now})
        if made:
            audit.record(caller, "cohort added", "cohort", cohort.id, now=now, changes=_NEW_COHORT)
    return list(Cohort.objects.filter(clinic=caller.clinic, name__in=wanted))


def set_cohorts(patient: Patient, cohorts: Iterable[Cohort]) -> None:
    """Put the patient into exactly these cohorts."""
    wanted = {cohort.id for cohort in cohorts}
    held = set(patient.memberships.values_list("cohort_id", flat=True))
    patient.memberships.filter(cohort_id__in=held - wanted).delete()
    CohortMember.objects.bulk_create(
        [CohortMember(clinic_id=patient.clinic_id, cohort_id=cohort, patient=patient) for cohort in wanted - held]
    )
