"""Patients who are no longer there: erased, or merged into another patient. Their ids are kept, so that an old link
gets an explanation; keyed hashes of their external ids are kept, so that an import doesn't add them again.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from typing import Final

from companion.clinics.models import Clinic
from companion.clinics.refusals import Unknown
from companion.patients.models import FormerPatient, Patient
from companion.service.key_ring import keyed_hashes

ERASED: Final = (
    "external_id: The patient with this id was erased on {day}. Take the id out of the source or the file. "
    "If the person is to be a patient again, add them by hand."
)
MERGED: Final = (
    "external_id: The patient with this id was merged into another ({survivor}) on {day}. "
    "Take this id out of the source or the file."
)


class Merged(Unknown):
    """The patient with this id was merged into another. The API answers 404 with the id of the remaining patient."""

    def __init__(self, into: uuid.UUID, day: str) -> None:
        self.into: Final = into
        super().__init__(f"This patient was merged into another on {day}. That patient's id is {into}.")


def note_gone(patient: Patient, *, into: Patient | None, now: dt.datetime) -> None:
    """Note that the patient's row will be deleted. Patients merged into this patient before lead to `into` now."""
    FormerPatient.objects.filter(clinic=patient.clinic_id, into=patient).update(into=into)
    FormerPatient.objects.create(
        id=patient.pk,
        clinic_id=patient.clinic_id,
        at=now,
        into=into,
        external_id_hash=_hashes(patient.clinic_id, patient.external_id)[0],
    )


def refuse_gone(clinic: Clinic, id: uuid.UUID) -> None:
    """Raise Merged or Unknown, with the reason, if the patient with this id is no longer there."""
    former = FormerPatient.objects.filter(clinic=clinic, pk=id).first()
    if former and former.into_id:
        raise Merged(former.into_id, _day(former.at))
    if former:
        raise Unknown(f"This patient was erased on {_day(former.at)}.")


def ids_before(patient: Patient) -> list[uuid.UUID]:
    """The ids of the patients who were merged into this patient."""
    return list(FormerPatient.objects.filter(into=patient).order_by("at").values_list("id", flat=True))


def external_ids_before(patient: Patient, among: Collection[str]) -> frozenset[str]:
    """Return those of these external ids that belonged to patients who were merged into this patient."""
    merged = FormerPatient.objects.filter(into=patient).exclude(external_id_hash="")
    hashes = frozenset(merged.values_list("external_id_hash", flat=True))
    if not hashes:
        return frozenset()
    return frozenset(id for id in among if not hashes.isdisjoint(_hashes(patient.clinic_id, id)))


def refusals_of(clinic: Clinic, external_ids: Collection[str]) -> Mapping[str, str]:
    """Return, by external id, why an import refuses the ids of patients who are no longer there."""
    by_hash = {hash: external_id for external_id in external_ids for hash in _hashes(clinic.pk, external_id)}
    former = FormerPatient.objects.filter(clinic=clinic, external_id_hash__in=by_hash).select_related("into")
    return {by_hash[row.external_id_hash]: _refusal(row) for row in former.order_by("at")}


def survivor_of(clinic: Clinic, external_id: str) -> Patient | None:
    """The patient into whom the patient with this external id was merged."""
    merged = FormerPatient.objects.filter(clinic=clinic, external_id_hash__in=_hashes(clinic.pk, external_id))
    row = merged.filter(into__isnull=False).select_related("into").order_by("-at").first()
    return row.into if row else None


def forget_erasure(clinic: Clinic, external_id: str) -> None:
    """Forget that a patient with this id was erased: a person has added the patient again by hand."""
    erased = FormerPatient.objects.filter(clinic=clinic, external_id_hash__in=_hashes(clinic.pk, external_id))
    erased.update(external_id_hash="")


def _refusal(former: FormerPatient) -> str:
    if former.into is None:
        return ERASED.format(day=_day(former.at))
    return MERGED.format(day=_day(former.at), survivor=former.into.external_id)


def _day(at: dt.datetime) -> str:
    return f"{at.day} {at:%B %Y}"


def _hashes(clinic: uuid.UUID, external_id: str) -> list[str]:
    """The keyed hashes of an external id, by the secret key in use and by the former keys."""
    return keyed_hashes("former patient", f"{clinic} {external_id}")
