"""Messages that are to be deleted from Telegram chats: noted with an erasure, and worked off by the dispatcher.

Telegram lets a bot delete messages of a private chat, its own and the other side's, for 48 hours.
"""

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Final, NamedTuple

from companion.clinics.models import Clinic
from companion.clinics.sealed import CannotOpen
from companion.schedules.models import Deletion
from companion.service.wake import ring

DELETABLE_FOR: Final = dt.timedelta(hours=48)
_AT_ONCE: Final = 20


class Posted(NamedTuple):
    """A message in a chat, by its chat's Telegram ID and its number, and when it was sent."""

    chat: int
    number: int
    at: dt.datetime


class Due(NamedTuple):
    """A message to be deleted now."""

    id: uuid.UUID
    chat: int
    number: int


def ask(clinic: Clinic, messages: Collection[Posted], *, now: dt.datetime) -> int:
    """Note the messages that Telegram still lets us delete, each once. Returns how many."""
    # A tap and a change of buttons name a message that is older than they are.
    sent_at = {(one.chat, one.number): one.at for one in sorted(messages, key=lambda one: one.at, reverse=True)}
    rows = [
        Deletion(clinic=clinic, chat=str(chat), telegram_message_id=number, until=at + DELETABLE_FOR, next_try_at=now)
        for (chat, number), at in sent_at.items()
        if at + DELETABLE_FOR > now
    ]
    Deletion.objects.bulk_create(rows, batch_size=500)
    if rows:
        ring()
    return len(rows)


def due(clinic: uuid.UUID, *, now: dt.datetime) -> list[Due]:
    """The clinic's messages that are to be deleted now, some of them."""
    # Each chat is opened by itself, so that one that was sealed with a lost key holds up no other.
    rows = Deletion.objects.filter(clinic=clinic, next_try_at__lte=now).order_by("next_try_at", "id").defer("chat")
    found = []
    for row in rows[:_AT_ONCE]:
        try:
            found.append(Due(row.pk, int(row.chat), row.telegram_message_id))
        except CannotOpen:
            again(row.pk, at=row.until)
    return found


def clinics_with_due(*, now: dt.datetime) -> set[uuid.UUID]:
    """The clinics that have messages to be deleted now."""
    return set(Deletion.objects.filter(next_try_at__lte=now).values_list("clinic", flat=True))


def forget_old(*, now: dt.datetime) -> None:
    """Forget the messages of all clinics that Telegram won't delete any more, also where no bot is left to ask it."""
    Deletion.objects.filter(until__lte=now).delete()


def done(id: uuid.UUID) -> None:
    """Forget a message that is deleted, or that Telegram won't delete."""
    Deletion.objects.filter(pk=id).delete()


def again(id: uuid.UUID, *, at: dt.datetime) -> None:
    """Try this message again at this instant."""
    Deletion.objects.filter(pk=id).update(next_try_at=at)
