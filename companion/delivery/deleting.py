"""Messages to be deleted from Telegram chats. An erasure notes them, and the dispatcher deletes them.

For 48 hours, Telegram lets a bot delete messages of a private chat, both its messages and the patient's.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from companion.clinics.models import Clinic
from companion.clinics.sealed import CannotOpen
from companion.schedules.models import Attempt, Deletion
from companion.service.wake import ring
from companion.telegram.limits import DELETABLE_HOURS

DELETABLE_FOR: Final = dt.timedelta(hours=DELETABLE_HOURS)
NO_CHAT: Final = 0
"""The Telegram ID of an Attempt whose chat was erased; no chat has it."""
_AT_ONCE: Final = 20


class Posted(NamedTuple):
    """A message in a chat: the chat's Telegram ID, the message's number, and the time at which it was sent."""

    chat: int
    number: int
    at: dt.datetime


class Due(NamedTuple):
    """A message to be deleted now."""

    id: uuid.UUID
    chat: int
    number: int


def ask(clinic: Clinic, messages: Collection[Posted], *, now: dt.datetime) -> int:
    """Note the messages that Telegram still lets us delete, each once. Return their number."""
    # Keep the earliest time of each number: a tap, or a change of buttons, names a message that was sent earlier.
    latest_first = sorted(messages, key=lambda message: message.at, reverse=True)
    sent_at = {(message.chat, message.number): message.at for message in latest_first}
    rows = [
        Deletion(clinic=clinic, chat=str(chat), telegram_message_id=number, until=at + DELETABLE_FOR, next_try_at=now)
        for (chat, number), at in sent_at.items()
        if at + DELETABLE_FOR > now
    ]
    Deletion.objects.bulk_create(rows, batch_size=500)
    if rows:
        ring()
    return len(rows)


def ask_if_erased(sent: Mapping[uuid.UUID, Posted]) -> None:
    """Note those of these messages, by the ids of their Attempts, whose patient was erased before Telegram's answer
    came.
    """
    late = Attempt.objects.filter(pk__in=sent, telegram_id=NO_CHAT).select_related("message__clinic")
    for attempt in late:
        ask(attempt.message.clinic, [sent[attempt.pk]], now=sent[attempt.pk].at)


def due(clinic: uuid.UUID, *, now: dt.datetime) -> list[Due]:
    """Return some of the clinic's messages that are to be deleted now."""
    # Unseal each chat separately, so that a chat that was sealed with a lost key doesn't stop the others.
    rows = Deletion.objects.filter(clinic=clinic, next_try_at__lte=now).order_by("next_try_at", "id").defer("chat")
    messages = []
    for row in rows[:_AT_ONCE]:
        try:
            messages.append(Due(row.pk, int(row.chat), row.telegram_message_id))
        except CannotOpen:
            again(row.pk, at=row.until)
    return messages


def clinics_with_due(*, now: dt.datetime) -> set[uuid.UUID]:
    """Return the clinics that have messages to be deleted now."""
    return set(Deletion.objects.filter(next_try_at__lte=now).values_list("clinic", flat=True))


def forget_old(*, now: dt.datetime) -> None:
    """Forget the messages of all clinics that Telegram no longer lets a bot delete."""
    Deletion.objects.filter(until__lte=now).delete()


def done(id: uuid.UUID) -> None:
    """Forget a message that was deleted, or that Telegram refuses to delete."""
    Deletion.objects.filter(pk=id).delete()


def again(id: uuid.UUID, *, at: dt.datetime) -> None:
    """Try this message again at this instant."""
    Deletion.objects.filter(pk=id).update(next_try_at=at)
