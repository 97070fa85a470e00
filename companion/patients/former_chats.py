"""The chats by which patients were reached before. A chat is kept whenever a patient's Telegram ID is removed or
changed.

They have two uses: the clinic is informed when such a chat is given to another patient, and the chat is told that it
gets no more messages (planning/farewells.py, called through the patient's Mark).
"""

import datetime as dt
import uuid
from collections.abc import Collection, Sequence

from companion.patients import enrolment_notes
from companion.patients.models import Consent, Enrolment, FormerChat, NoteKind, Patient


def left(patient: Patient, telegram_id: int, *, agreed: bool, now: dt.datetime) -> FormerChat:
    """Make the row for a chat that the patient leaves. Not stored yet."""
    return FormerChat(clinic_id=patient.clinic_id, patient=patient, telegram_id=telegram_id, agreed=agreed, left_at=now)


def keep(chats: Sequence[FormerChat]) -> None:
    """Store the chats. If a patient leaves a chat for the second time, the chat is told again.

    If the chat's question is still open, the chat before its invitation is stored too: no yes will come that would
    tell it.
    """
    while chats:
        FormerChat.objects.bulk_create(
            chats,
            update_conflicts=True,
            unique_fields=["patient", "telegram_id"],
            update_fields=["left_at", "agreed", "to_be_told"],
        )
        chats = _before_invitations(chats)


def _before_invitations(chats: Sequence[FormerChat]) -> list[FormerChat]:
    """End the open questions of these chats, and return the chats that the patients had before the invitations."""
    invitations = Enrolment.objects.filter(patient__in=[chat.patient_id for chat in chats], before__isnull=False)
    opened = {
        (invitation.patient_id, invitation.before["chat"]): (invitation.pk, invitation.before)
        for invitation in invitations.order_by("used_at", "id")
        if invitation.before
    }
    former = []
    for chat in chats:
        if (chat.patient_id, chat.telegram_id) not in opened:
            continue
        invitation, before = opened[chat.patient_id, chat.telegram_id]
        Enrolment.objects.filter(pk=invitation).update(before=None)
        if before["telegram_id"] not in (None, chat.patient.telegram_id):
            agreed = before["consent"] == Consent.GIVEN
            former.append(left(chat.patient, before["telegram_id"], agreed=agreed, now=chat.left_at))
    return former


def tell_of_given(patients: Collection[Patient], *, now: dt.datetime) -> None:
    """Tell the clinic which of these patients, who all got a new chat, got a chat that was another patient's."""
    owners: dict[int, set[uuid.UUID]] = {}
    wanted = {patient.telegram_id for patient in patients if patient.telegram_id}
    clinics = {patient.clinic_id for patient in patients}
    before = FormerChat.objects.filter(clinic__in=clinics, telegram_id__in=wanted)
    for telegram_id, patient_id in before.values_list("telegram_id", "patient_id"):
        owners.setdefault(telegram_id, set()).add(patient_id)
    for patient in patients:
        if owners.get(patient.telegram_id or 0, set()) - {patient.pk}:
            enrolment_notes.tell(patient, NoteKind.GIVEN_ON, now=now)


def to_be_told(patients: Collection[uuid.UUID]) -> list[FormerChat]:
    """The chats of these patients, by id, that have not yet been told that they get no more messages."""
    found = FormerChat.objects.filter(patient__in=patients, to_be_told=True)
    return list(found.select_related("patient", "clinic").order_by("left_at", "id"))


def claim_telling(chat: FormerChat) -> bool:
    """Mark the chat as told. Return True to one caller only, even if two call at once: this caller tells the chat."""
    return FormerChat.objects.filter(pk=chat.pk, to_be_told=True).update(to_be_told=False) == 1
