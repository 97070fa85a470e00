"""Consent: ask for it, give, withdraw and restore it, each with an entry in the history.

The patient's own decision comes through the listener; a member may note a decision that the patient told the clinic.
Whether consent allows a message is decided when the message is sent (delivery/verdict.py).
"""

import datetime as dt
from typing import Final

from django.db import transaction

from companion.clinics import audit, marks, opt_outs
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, MarkKind, OptOut, Role
from companion.clinics.refusals import Conflict
from companion.patients import chats, consent_history, linking
from companion.patients.directory import source_of
from companion.patients.linking import COLUMNS
from companion.patients.models import Consent, ConsentChange, Patient, Withdrawal
from companion.patients.reach import Why
from companion.service.wake import ring

WORDING: Final = "2026-1"
"""The version of the question (listener/words.py); raise it whenever the meaning of the question changes."""

_CHATS_AT_ONCE: Final = 200


def of_chat(clinic: Clinic, telegram_id: int) -> list[Patient]:
    """Lock and return the patients who are reached in this chat, several for a caregiver's chat. Needs a
    transaction.
    """
    return [patient for patient in _everybody(clinic, telegram_id) if patient.left_at is None]


def withdraw(clinic: Clinic, telegram_id: int, *, source: str, now: dt.datetime) -> list[Patient]:
    """Opt out the chat after a STOP, and with it all its patients; each row remembers the consent before.

    Returns the patients who are still in the directory. Patients who have left opt out too, since they may return.
    """
    with transaction.atomic():
        patients = _everybody(clinic, telegram_id)
        opt_outs.stop(clinic, telegram_id, source=source, now=now)
        for patient in patients:
            _withdraw(patient, source=source, now=now)
    return [patient for patient in patients if patient.left_at is None]


def restore(clinic: Clinic, telegram_id: int, *, source: str, now: dt.datetime) -> list[Patient]:
    """End the chat's opt-out after a Start, and give all its patients the consent back that they had before the STOP.

    A patient who had withdrawn before an invitation stays withdrawn until its question is answered. Returns the
    patients who are still in the directory.
    """
    with transaction.atomic():
        patients = _everybody(clinic, telegram_id)
        opt_outs.lift(clinic, telegram_id, source=source, now=now)
        for patient in patients:
            if patient.consent == Consent.WITHDRAWN and patient.consent_before_stop != Consent.WITHDRAWN:
                patient.consent = patient.consent_before_stop or Consent.UNKNOWN
                patient.consent_before_stop, patient.withdrawal = "", Withdrawal.OWN
                if patient.consent == Consent.GIVEN:
                    patient.consent_asked_at = None
                _save(patient, source=source, wording="", now=now)
    return [patient for patient in patients if patient.left_at is None]


def follow_opt_outs(clinic: Clinic, *, now: dt.datetime) -> None:
    """Opt out the patients whose chats have opted out, after many opt-outs came at once with a bot from another
    clinic.
    """
    chats_out = OptOut.objects.filter(clinic=clinic, telegram_id__isnull=False).values("telegram_id")
    with transaction.atomic():
        _recognize(clinic)
        reached = Patient.objects.select_for_update().filter(clinic=clinic, telegram_id__in=chats_out)
        for patient in reached.exclude(consent=Consent.WITHDRAWN).order_by("id"):
            chats.follow_opt_out(patient)
            _save(patient, source=chats.SOURCE, wording="", now=now)


def _recognize(clinic: Clinic) -> None:
    """Recognize chats of patients here in opt-outs that are only a hash, since another clinic erased their patient."""
    if not OptOut.objects.filter(clinic=clinic, telegram_id=None).exists():
        return
    known = list(Patient.objects.filter(clinic=clinic).exclude(telegram_id=None).values_list("telegram_id", flat=True))
    for first in range(0, len(known), _CHATS_AT_ONCE):
        opt_outs.stopped_among(clinic, [chat for chat in known[first : first + _CHATS_AT_ONCE] if chat is not None])


def note_question(patient: Patient, *, now: dt.datetime) -> None:
    """Note that the chat is asked for consent, for the first time or again. A yes then undoes a
    withdrawal.
    """
    patient.consent_asked_at = patient.consent_asked_at or now
    if patient.consent == Consent.WITHDRAWN:
        patient.withdrawal = Withdrawal.BEFORE_QUESTION
    patient.save(update_fields=COLUMNS)


def may_agree(patient: Patient) -> bool:
    """Return whether a yes counts: the patient and the chat have not opted out since the question was asked."""
    return patient.consent != Consent.WITHDRAWN or patient.withdrawal == Withdrawal.BEFORE_QUESTION


def agree(patient: Patient, telegram_id: int, *, source: str, now: dt.datetime) -> None:
    """Give consent after a yes in this chat, and end the chat's opt-out.

    The chat's other patients stay opted out, because the question named only this patient.
    """
    with transaction.atomic():
        clinic = patient.clinic
        opt_outs.lift(clinic, telegram_id, source=source, now=now)
        give(patient, source=source, wording=WORDING, now=now)
        linking.confirm(patient, now=now)


def give(patient: Patient, *, source: str, wording: str, now: dt.datetime) -> None:
    """Record that the patient agreed to the words of this version; this answers an open question."""
    patient.consent, patient.consent_before_stop, patient.consent_asked_at = Consent.GIVEN, "", None
    patient.withdrawal = Withdrawal.OWN
    _save(patient, source=source, wording=wording, now=now)


def unlink(patient: Patient, *, source: str, now: dt.datetime) -> None:
    """Unlink a chat that turned out to be somebody else's: restore how the patient was reached before the
    invitation.
    """
    before = linking.chat_before(patient)
    opted_out = opt_outs.has_stopped(patient.clinic, before)
    linking.undo_link(patient, opted_out=opted_out, taken=linking.is_taken(patient, before))
    _save(patient, source=source, wording="", now=now)


def note(caller: Caller, patient: Patient, consent: Consent, *, now: dt.datetime) -> Patient:
    """Record the decision that the patient told a member: given or withdrawn.

    Raises Conflict if the patient opted out (only the patient's own Start undoes that), and NotAllowed.
    """
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        current = Patient.objects.select_for_update().get(clinic=caller.clinic, pk=patient.pk)
        was = audit.columns(current, ("consent",))
        if consent == Consent.WITHDRAWN:
            _withdraw(current, source=source_of(caller), now=now, noted=True)
        elif current.consent == Consent.WITHDRAWN:
            raise Conflict("The patient opted out. Only the patient can undo that, by pressing Start in the chat.")
        else:
            current.consent = consent
            if consent == Consent.GIVEN:
                current.consent_asked_at = None
                linking.confirm(current, now=now)
                marks.leave(caller.clinic, MarkKind.PATIENT, current.id, now=now)
            _save(current, source=source_of(caller), wording="", now=now, noted=True)
        changes = audit.differences(was, audit.columns(current, was), veiled=was)
        audit.record(caller, f"consent noted: {consent.value}", "patient", current.id, now=now, changes=changes)
    return current


def history(patient: Patient) -> list[ConsentChange]:
    """The consent's history, the newest entry first, at most a hundred entries."""
    return list(ConsentChange.objects.filter(patient=patient).order_by("-at", "-id")[:100])


def mark_trouble(clinic: Clinic, telegram_id: int, trouble: Why | None, *, now: dt.datetime) -> None:
    """Record Telegram's refusal of a chat on all its patients; None clears it."""
    code = trouble.value if trouble else ""
    patients = Patient.objects.filter(clinic=clinic, telegram_id=telegram_id).exclude(trouble=code)
    patients.update(trouble=code, trouble_at=now if trouble else None)


def _everybody(clinic: Clinic, telegram_id: int) -> list[Patient]:
    """Lock and return the patients of this chat, including those who have left. Needs a transaction."""
    found = Patient.objects.select_for_update().filter(clinic=clinic, telegram_id=telegram_id)
    return list(found.order_by("id"))


def _withdraw(patient: Patient, *, source: str, now: dt.datetime, noted: bool = False) -> None:
    """Withdraw consent by the patient's own decision.

    `noted`: a member noted it, which adds an entry to the history even if the patient had opted out.
    """
    was_out = patient.consent == Consent.WITHDRAWN
    if not was_out:
        patient.consent_before_stop, patient.consent = patient.consent, Consent.WITHDRAWN
    if noted or not was_out:
        patient.withdrawal = Withdrawal.OWN
        _save(patient, source=source, wording="", now=now, noted=noted)
    elif patient.withdrawal != Withdrawal.OWN:
        patient.withdrawal = Withdrawal.OWN
        patient.save(update_fields=COLUMNS)


def _save(patient: Patient, *, source: str, wording: str, now: dt.datetime, noted: bool = False) -> None:
    """Save the consent with its entry in the history. `noted`: by a member, whose act the audit trail has already."""
    patient.save(update_fields=COLUMNS)
    if not noted:
        by = Caller(patient.clinic, "patient", None, source, Role.VIEWER)
        audit.record(by, "consent changed", "patient", patient.id, now=now, changes={"consent": audit.CHANGED})
    entry = ConsentChange(
        clinic_id=patient.clinic_id,
        patient=patient,
        at=now,
        consent=patient.consent,
        source=source,
        wording=wording,
    )
    consent_history.keep([entry], now=now)
    # Messages may wait for the answer.
    ring()
