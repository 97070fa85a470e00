"""The chats by which patients were reached before. A chat is kept whenever a patient's Telegram ID is removed or
changed.

They have two uses: the clinic is told when such a chat is given to another patient, and the chat itself is told that
it gets no more messages (planning/farewells.py, called through the patient's Mark).
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
    """Store the chats. A chat that a patient leaves for the second time is told again.

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
    invitations = Enrolment.objects.filter(patient__in=[one.patient_id for one in chats], before__isnull=False)
    opened = {
        (one.patient_id, one.before["chat"]): (one.pk, one.before)
        for one in invitations.order_by("used_at", "id")
        if one.before
    }
    found = []
    for chat in chats:
        if (chat.patient_id, chat.telegram_id) not in opened:
            continue
        invitation, before = opened[chat.patient_id, chat.telegram_id]
        Enrolment.objects.filter(pk=invitation).update(before=None)
        if before["telegram_id"] not in (None, chat.patient.telegram_id):
            agreed = before["consent"] == Consent.GIVEN
            found.append(left(chat.patient, before["telegram_id"], agreed=agreed, now=chat.left_at))
    return found


def tell_of_given(patients: Collection[Patient], *, now: dt.datetime) -> None:
    """Tell the clinic which of these patients, who all got a new chat, got a chat that was another patient's."""
    owners: dict[int, set[uuid.UUID]] = {}
    wanted = {one.telegram_id for one in patients if one.telegram_id}
    clinics = {one.clinic_id for one in patients}
    before = FormerChat.objects.filter(clinic__in=clinics, telegram_id__in=wanted)
    for telegram_id, patient_id in before.values_list("telegram_id", "patient_id"):
        owners.setdefault(telegram_id, set()).add(patient_id)
    for one in patients:
        if owners.get(one.telegram_id or 0, set()) - {one.pk}:
            enrolment_notes.tell(one, NoteKind.GIVEN_ON, now=now)


def to_be_told(patients: Collection[uuid.UUID]) -> list[FormerChat]:
    """The chats of these patients, by id, that have not yet been told that they get no more messages."""
    found = FormerChat.objects.filter(patient__in=patients, to_be_told=True)
    return list(found.select_related("patient", "clinic").order_by("left_at", "id"))


def told(chat: FormerChat) -> bool:
    """Mark the chat as told, and return whether this caller must tell it: of two callers at once, one must."""
    return FormerChat.objects.filter(pk=chat.pk, to_be_told=True).update(to_be_told=False) == 1
