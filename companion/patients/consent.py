"""Consent: asking for it, giving, withdrawing and restoring it, each with a line of history.

The patient's own word comes through the listener; a member may note what was said elsewhere. What consent lets pass is
decided at the time of sending (delivery/verdict.py).
"""

import datetime as dt
from typing import Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict
from companion.patients.directory import source_of
from companion.patients.models import Consent, ConsentChange, Patient, Trouble
from companion.service.wake import ring

WORDING: Final = "2026-1"
"""The version of the question (listener/words.py); to be raised whenever its meaning changes."""

_COLUMNS: Final = (
    "consent",
    "consent_before_stop",
    "consent_asked_at",
    "telegram_id",
    "trouble",
    "trouble_at",
)


def of_chat(clinic: Clinic, telegram_id: int) -> list[Patient]:
    """The patients who are reached in this chat, locked; several where it is a caregiver's. Needs a transaction."""
    found = Patient.objects.select_for_update().filter(clinic=clinic, telegram_id=telegram_id, left_at__isnull=True)
    return list(found.order_by("id"))


def withdraw(clinic: Clinic, telegram_id: int, *, source: str, now: dt.datetime) -> list[Patient]:
    """STOP: every patient of the chat opts out, and keeps in mind which consent was held. All of them come back."""
    with transaction.atomic():
        patients = of_chat(clinic, telegram_id)
        for patient in patients:
            _withdraw(patient, source=source, now=now)
    return patients


def restore(clinic: Clinic, telegram_id: int, *, source: str, now: dt.datetime) -> list[Patient]:
    """Start: every patient of the chat has the consent back that was held before STOP. All of them come back."""
    with transaction.atomic():
        patients = of_chat(clinic, telegram_id)
        for patient in patients:
            if patient.consent == Consent.WITHDRAWN:
                patient.consent = patient.consent_before_stop or Consent.UNKNOWN
                patient.consent_before_stop = ""
                _save(patient, source=source, wording="", now=now)
    return patients


def give(patient: Patient, *, source: str, wording: str, now: dt.datetime) -> None:
    """The patient agreed, to the words of this version; an open question is answered by it."""
    patient.consent, patient.consent_before_stop, patient.consent_asked_at = Consent.GIVEN, "", None
    _save(patient, source=source, wording=wording, now=now)


def unlink(patient: Patient, *, source: str, now: dt.datetime) -> None:
    """The chat turned out to be somebody else's: the patient has no Telegram ID any more, nor a consent from it."""
    patient.telegram_id, patient.consent_asked_at = None, None
    patient.consent, patient.consent_before_stop = Consent.UNKNOWN, ""
    patient.trouble, patient.trouble_at = Trouble.NONE, None
    _save(patient, source=source, wording="", now=now)


def note(caller: Caller, patient: Patient, consent: Consent, *, now: dt.datetime) -> Patient:
    """What the patient told a member: given or withdrawn.

    Raises Conflict where the patient opted out, which only the patient's own Start undoes, and NotAllowed.
    """
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        current = Patient.objects.select_for_update().get(clinic=caller.clinic, pk=patient.pk)
        if consent == Consent.WITHDRAWN:
            _withdraw(current, source=source_of(caller), now=now)
        elif current.consent == Consent.WITHDRAWN:
            raise Conflict("The patient opted out. Only the patient can undo that, by pressing Start in the chat.")
        else:
            current.consent = consent
            if consent == Consent.GIVEN:
                current.consent_asked_at = None
            _save(current, source=source_of(caller), wording="", now=now)
        audit.record(caller, f"consent noted: {consent.value}", "patient", current.id, now=now)
    return current


def history(patient: Patient) -> list[ConsentChange]:
    """What the consent was, the newest first; a hundred lines at most."""
    return list(ConsentChange.objects.filter(patient=patient).order_by("-at", "-id")[:100])


def mark_trouble(clinic: Clinic, telegram_id: int, trouble: Trouble, *, now: dt.datetime) -> None:
    """What Telegram says of a chat, noted with all its patients; NONE clears it."""
    patients = Patient.objects.filter(clinic=clinic, telegram_id=telegram_id).exclude(trouble=trouble)
    patients.update(trouble=trouble, trouble_at=None if trouble == Trouble.NONE else now)


def _withdraw(patient: Patient, *, source: str, now: dt.datetime) -> None:
    if patient.consent != Consent.WITHDRAWN:
        patient.consent_before_stop, patient.consent = patient.consent, Consent.WITHDRAWN
        _save(patient, source=source, wording="", now=now)


def _save(patient: Patient, *, source: str, wording: str, now: dt.datetime) -> None:
    patient.save(update_fields=_COLUMNS)
    ConsentChange.objects.create(
        clinic_id=patient.clinic_id,
        patient=patient,
        at=now,
        consent=patient.consent,
        source=source,
        wording=wording,
    )
    # Messages may wait for the answer.
    ring()
