"""A patient linked to the chat in which an invitation was opened, and taken back should that chat say "That's not me".

Until the question is answered, the invitation remembers how the patient was reached before.
"""

import datetime as dt
from typing import Final, TypedDict

from companion.patients import chats, former_chats
from companion.patients.models import Consent, ConsentChange, Enrolment, Patient, Withdrawal

COLUMNS: Final = (
    "consent",
    "consent_before_stop",
    "withdrawal",
    "consent_asked_at",
    "telegram_id",
    "trouble",
    "trouble_at",
)
"""The columns that this module, and consent.py, may change."""


class Before(TypedDict):
    """How a patient was reached before an invitation; `chat` is the one that it was opened in."""

    chat: int
    telegram_id: int | None
    consent: str
    consent_before_stop: str
    withdrawal: str
    consent_asked_at: str | None
    trouble: str
    trouble_at: str | None


def link(patient: Patient, telegram_id: int, *, now: dt.datetime) -> Before:
    """Links and saves. How it was before comes back; consent is asked for, and a withdrawn one stays until the yes."""
    before = Before(
        chat=telegram_id,
        telegram_id=patient.telegram_id,
        consent=patient.consent,
        consent_before_stop=patient.consent_before_stop,
        withdrawal=patient.withdrawal,
        consent_asked_at=_text(patient.consent_asked_at),
        trouble=patient.trouble,
        trouble_at=_text(patient.trouble_at),
    )
    chats.leave(patient)
    patient.telegram_id, patient.consent_asked_at = telegram_id, now
    if patient.consent == Consent.WITHDRAWN:
        patient.withdrawal = Withdrawal.BEFORE_QUESTION
        if before["telegram_id"] != telegram_id:
            # A Start in a chat that may be anybody's must not undo it.
            patient.consent_before_stop = Consent.WITHDRAWN
    patient.save(update_fields=COLUMNS)
    return before


def confirm(patient: Patient, *, now: dt.datetime) -> None:
    """The chat said yes: the one before, where it was another, is the patient's no more."""
    row, before = _open(patient)
    if row and before:
        Enrolment.objects.filter(pk=row.pk).update(before=None)
        former = before["telegram_id"]
        if former is not None and former != patient.telegram_id:
            agreed = before["consent"] == Consent.GIVEN
            former_chats.keep([former_chats.left(patient, former, agreed=agreed, now=now)])


def take_back(patient: Patient, *, opted_out: bool, taken: bool) -> None:
    """The chat is not the patient's: all is as it was before the invitation, not yet saved.

    `opted_out`, `taken`: whether the chat before has opted out by now, or is another patient's. Without an invitation
    to take back, or where it was opened in the very chat of before, the patient has no chat any more.
    """
    row, before = _open(patient)
    noted = row is not None and _noted_since(patient, row)
    wrong = patient.telegram_id
    chats.leave(patient)
    patient.telegram_id = None
    if row is None or before is None:
        return
    Enrolment.objects.filter(pk=row.pk).update(before=None)
    if not noted:
        patient.consent, patient.consent_before_stop = before["consent"], before["consent_before_stop"]
        patient.withdrawal = before["withdrawal"]
    if taken or before["telegram_id"] == wrong:
        chats.leave(patient)
        return
    _reach_as_before(patient, before)
    if opted_out:
        chats.follow_opt_out(patient)


def chat_before(patient: Patient) -> int | None:
    """The chat by which the patient was reached before the invitation whose question is open."""
    _, before = _open(patient)
    return before["telegram_id"] if before else None


def is_taken(patient: Patient, telegram_id: int | None) -> bool:
    """Whether the chat is another patient's, and neither is reached on a caregiver's phone."""
    others = Patient.objects.filter(clinic_id=patient.clinic_id, telegram_id=telegram_id, caregiver="")
    return telegram_id is not None and not patient.caregiver and others.exclude(pk=patient.pk).exists()


def _open(patient: Patient) -> tuple[Enrolment | None, Before | None]:
    """The invitation by which this chat was linked, with how it was before; none once the question was answered."""
    own = Enrolment.objects.filter(patient=patient, before__isnull=False)
    row = own.order_by("-used_at", "-id").first()
    before: Before | None = row.before if row else None
    if row is None or before is None or before["chat"] != patient.telegram_id:
        return None, None
    return row, before


def _reach_as_before(patient: Patient, before: Before) -> None:
    patient.telegram_id = before["telegram_id"]
    patient.consent_asked_at = _instant(before["consent_asked_at"])
    patient.trouble, patient.trouble_at = before["trouble"], _instant(before["trouble_at"])


def _noted_since(patient: Patient, row: Enrolment) -> bool:
    """Whether the patient has told the clinic meanwhile to write no more: no tap in another's chat undoes that."""
    since = ConsentChange.objects.filter(patient=patient, at__gte=row.used_at, consent=Consent.WITHDRAWN)
    return since.exclude(source__startswith="patient:").exists()


def _text(at: dt.datetime | None) -> str | None:
    return at.isoformat() if at else None


def _instant(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
