"""Link a patient to the chat in which an invitation was opened, and undo this if the chat says "That's not me".

Until the question is answered, the invitation remembers how the patient was reached before.
"""

import datetime as dt
from typing import Final, NamedTuple, TypedDict

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
"""The columns that this module and consent.py may change."""


class Before(TypedDict):
    """The way in which a patient was reached before an invitation, which was opened in `chat`."""

    chat: int
    telegram_id: int | None
    consent: str
    consent_before_stop: str
    withdrawal: str
    consent_asked_at: str | None
    trouble: str
    trouble_at: str | None


def link(patient: Patient, telegram_id: int, *, now: dt.datetime) -> Before:
    """Link the chat, save, and return the state before. Consent must be asked for; a withdrawal stays until the
    yes.
    """
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
            # The chat may be a stranger's, so a Start there must not undo the withdrawal.
            patient.consent_before_stop = Consent.WITHDRAWN
    patient.save(update_fields=COLUMNS)
    return before


def confirm(patient: Patient, *, now: dt.datetime) -> None:
    """Accept the chat's yes. If the patient was reached in another chat before, that becomes a former chat."""
    question = _open_question(patient)
    if question is None:
        return
    Enrolment.objects.filter(pk=question.enrolment.pk).update(before=None)
    former = question.before["telegram_id"]
    if former is not None and former != patient.telegram_id:
        agreed = question.before["consent"] == Consent.GIVEN
        former_chats.keep([former_chats.left(patient, former, agreed=agreed, now=now)])


def undo_link(patient: Patient, *, opted_out: bool, taken: bool) -> None:
    """Undo the link of the chat, because the chat is not the patient's. Sets columns without saving.

    `opted_out`, `taken`: whether the chat before has opted out meanwhile, or belongs to another patient. The patient
    has no chat afterwards if there is no invitation to undo, or if it was opened in the chat that was linked before.
    """
    question = _open_question(patient)
    wrong = patient.telegram_id
    chats.leave(patient)
    patient.telegram_id = None
    if question is None:
        return
    before = question.before
    Enrolment.objects.filter(pk=question.enrolment.pk).update(before=None)
    if not _noted_since(patient, question.enrolment):
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
    question = _open_question(patient)
    return question.before["telegram_id"] if question else None


def is_taken(patient: Patient, telegram_id: int | None) -> bool:
    """Return whether the chat belongs to another patient, and neither of them has a caregiver."""
    others = Patient.objects.filter(clinic_id=patient.clinic_id, telegram_id=telegram_id, caregiver="")
    return telegram_id is not None and not patient.caregiver and others.exclude(pk=patient.pk).exists()


class _OpenQuestion(NamedTuple):
    """The invitation that linked a chat and whose question is not answered yet, with the state before."""

    enrolment: Enrolment
    before: Before


def _open_question(patient: Patient) -> _OpenQuestion | None:
    """The open question of the patient's present chat."""
    own = Enrolment.objects.filter(patient=patient, before__isnull=False)
    row = own.order_by("-used_at", "-id").first()
    before: Before | None = row.before if row else None
    if row is None or before is None or before["chat"] != patient.telegram_id:
        return None
    return _OpenQuestion(row, before)


def _reach_as_before(patient: Patient, before: Before) -> None:
    patient.telegram_id = before["telegram_id"]
    patient.consent_asked_at = _instant(before["consent_asked_at"])
    patient.trouble, patient.trouble_at = before["trouble"], _instant(before["trouble_at"])


def _noted_since(patient: Patient, row: Enrolment) -> bool:
    """Return whether the patient has told the clinic meanwhile to stop writing. A tap in another chat can't undo
    that.
    """
    since = ConsentChange.objects.filter(patient=patient, at__gte=row.used_at, consent=Consent.WITHDRAWN)
    return since.exclude(source__startswith="patient:").exists()


def _text(at: dt.datetime | None) -> str | None:
    return at.isoformat() if at else None


def _instant(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
