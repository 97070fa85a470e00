"""Opt-outs: the chats that sent STOP to a clinic's bot. Only Start in the same chat undoes it (patients/consent.py).

A row is found by a keyed hash of the chat's Telegram ID, so that the opt-out stays when the ID itself is erased. The
hash begins with the id of its secret key and a full stop; a hash from before keys had ids is only 64 digits. While the
clinic knows the Telegram ID, the row holds it, too, because the SQL statement with the facts about a Message can't
compute hashes.
"""

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Final

from django.db.models import QuerySet

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, FormerBot, OptOut, Role
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
        if OptOut.objects.filter(pk=row.pk).exists():
            _record(clinic, row.pk, source, now, opted_out=True)
        writing.note(Heard(now, clinic.pk, telegram_id, "stop"))


def lift(clinic: Clinic, telegram_id: int, *, source: str, now: dt.datetime) -> None:
    """Undo the chat's opt-out, after Start in the same chat."""
    rows = OptOut.objects.filter(clinic=clinic, chat__in=_all_of(telegram_id))
    lifted = list(rows.values_list("pk", flat=True))
    rows.delete()
    for row in lifted:
        _record(clinic, row, source, now, opted_out=False)
    if lifted:
        writing.note(Heard(now, clinic.pk, telegram_id, "start"))


def has_stopped(clinic: Clinic, telegram_id: int | None) -> bool:
    """Return whether this chat has opted out."""
    return telegram_id is not None and bool(stopped_among(clinic, [telegram_id]))


def stopped_among(clinic: Clinic, telegram_ids: Collection[int]) -> frozenset[int]:
    """Return those of these chats that have opted out. Call it for a few hundred chats at most.

    A row without Telegram ID gets the ID back, since the clinic knows it again.
    """
    by_chat = {chat: telegram_id for telegram_id in telegram_ids for chat in _all_of(telegram_id)}
    rows = list(OptOut.objects.filter(clinic=clinic, chat__in=by_chat))
    for row in rows:
        if row.telegram_id is None:
            OptOut.objects.filter(pk=row.pk).update(telegram_id=by_chat[row.chat])
    return frozenset(by_chat[row.chat] for row in rows)


def of_chat(clinic: Clinic, telegram_id: int) -> OptOut | None:
    """The chat's opt-out; None if it has not opted out."""
    return OptOut.objects.filter(clinic=clinic, chat__in=_all_of(telegram_id)).first()


def newest_first(clinic: Clinic) -> QuerySet[OptOut]:
    """All opt-outs of the clinic, the newest first."""
    return OptOut.objects.filter(clinic=clinic).order_by("-at", "-id")


def release(clinic: Clinic, bot: int, *, now: dt.datetime) -> None:
    """Record that the clinic gives up this bot. `bot` is the bot's Telegram ID."""
    FormerBot.objects.update_or_create(clinic=clinic, telegram_id=bot, defaults={"left_at": now})


def bring_along(clinic: Clinic, bot: int) -> None:
    """Copy the opt-outs of the bot's former clinic to the clinic that connects it now. `bot` is its Telegram ID."""
    before = FormerBot.objects.filter(telegram_id=bot).exclude(clinic=clinic).order_by("-left_at").first()
    if before is None:
        return
    opted_out = OptOut.objects.filter(clinic=before.clinic_id, at__lte=before.left_at)
    rows = [
        OptOut(clinic=clinic, chat=chat, telegram_id=telegram_id, at=at, source=CAME_ALONG)
        for chat, telegram_id, at in opted_out.values_list("chat", "telegram_id", "at")
    ]
    OptOut.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)


def chat_of(telegram_id: int) -> str:
    """The keyed hash of a chat, by the key in use."""
    return keyed_hash(_PURPOSE, str(telegram_id))


def _record(clinic: Clinic, row: uuid.UUID, source: str, now: dt.datetime, *, opted_out: bool) -> None:
    """Record the chat's own act, also if no patient of the clinic is reached there. The trail names no chat."""
    by = Caller(clinic, "patient", None, source, Role.VIEWER)
    action = "chat opted out" if opted_out else "chat's opt-out undone"
    changes = audit.differences({"opted_out": not opted_out}, {"opted_out": opted_out})
    audit.record(by, action, "opt_out", row, now=now, changes=changes)


def _all_of(telegram_id: int) -> list[str]:
    """All hashes under which the chat may be stored: by each known key, with and without the key's id."""
    bare = [key.hashed(_PURPOSE, str(telegram_id)) for key in ring().keys]
    return keyed_hashes(_PURPOSE, str(telegram_id)) + bare
