"""Opt-outs: the chats that have said STOP to a clinic's bot. Only the chat's own Start undoes one
(patients/consent.py).

The key is a keyed hash of the chat's Telegram ID, so that an opt-out survives the number. It begins with the id of
its secret key and a full stop (hashes from before there were ids are 64 digits and nothing else). The number stands
beside the hash while the clinic knows it, because the statement that finds the facts about a Message can't make hashes.
"""

import datetime as dt
from collections.abc import Collection
from typing import Final

from django.db.models import QuerySet

from companion.clinics.models import Clinic, FormerBot, OptOut
from companion.journal import writing
from companion.journal.entries import Heard
from companion.service.key_ring import keyed_hash, keyed_hashes, ring

CAME_ALONG: Final = "bot: moved here"
"""The source of an opt-out that came from another clinic."""
_PURPOSE: Final = "opt-out"


def stop(clinic: Clinic, telegram_id: int, *, source: str, now: dt.datetime) -> None:
    """Opt the chat out; a second STOP changes nothing."""
    if not has_stopped(clinic, telegram_id):
        row = OptOut(clinic=clinic, chat=chat_of(telegram_id), telegram_id=telegram_id, at=now, source=source)
        # Another process may handle a STOP of this chat at the same moment.
        OptOut.objects.bulk_create([row], ignore_conflicts=True)
        writing.note(Heard(now, clinic.pk, telegram_id, "stop"))


def lift(clinic: Clinic, telegram_id: int, *, now: dt.datetime) -> None:
    """Undo the chat's opt-out, after its own Start."""
    lifted, _ = OptOut.objects.filter(clinic=clinic, chat__in=_all_of(telegram_id)).delete()
    if lifted:
        writing.note(Heard(now, clinic.pk, telegram_id, "start"))


def has_stopped(clinic: Clinic, telegram_id: int | None) -> bool:
    """Return whether this chat has opted out."""
    return telegram_id is not None and bool(stopped_among(clinic, [telegram_id]))


def stopped_among(clinic: Clinic, telegram_ids: Collection[int]) -> frozenset[int]:
    """The chats among these that have opted out; for at most a few hundred chats.

    An opt-out that has lost its number gets it back, since the clinic knows it again.
    """
    by_chat = {chat: telegram_id for telegram_id in telegram_ids for chat in _all_of(telegram_id)}
    found = list(OptOut.objects.filter(clinic=clinic, chat__in=by_chat))
    for one in found:
        if one.telegram_id is None:
            OptOut.objects.filter(pk=one.pk).update(telegram_id=by_chat[one.chat])
    return frozenset(by_chat[one.chat] for one in found)


def of_chat(clinic: Clinic, telegram_id: int) -> OptOut | None:
    """The chat's opt-out; None if it has not opted out."""
    return OptOut.objects.filter(clinic=clinic, chat__in=_all_of(telegram_id)).first()


def newest_first(clinic: Clinic) -> QuerySet[OptOut]:
    """All opt-outs of the clinic, the newest first."""
    return OptOut.objects.filter(clinic=clinic).order_by("-at", "-id")


def release(clinic: Clinic, bot: int, *, now: dt.datetime) -> None:
    """Note that the clinic gives up this bot, by the bot's Telegram ID."""
    FormerBot.objects.update_or_create(clinic=clinic, telegram_id=bot, defaults={"left_at": now})


def bring_along(clinic: Clinic, bot: int) -> None:
    """Copy the opt-outs of the bot's former clinic to the clinic that connects it now, by the bot's Telegram ID."""
    before = FormerBot.objects.filter(telegram_id=bot).exclude(clinic=clinic).order_by("-left_at").first()
    if before is None:
        return
    said = OptOut.objects.filter(clinic=before.clinic_id, at__lte=before.left_at)
    rows = [
        OptOut(clinic=clinic, chat=chat, telegram_id=telegram_id, at=at, source=CAME_ALONG)
        for chat, telegram_id, at in said.values_list("chat", "telegram_id", "at")
    ]
    OptOut.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)


def chat_of(telegram_id: int) -> str:
    """The keyed hash of a chat, by the key in use."""
    return keyed_hash(_PURPOSE, str(telegram_id))


def _all_of(telegram_id: int) -> list[str]:
    """All hashes under which the chat may lie: by each known key, also as before there were key ids."""
    bare = [key.hashed(_PURPOSE, str(telegram_id)) for key in ring().keys]
    return keyed_hashes(_PURPOSE, str(telegram_id)) + bare
