"""What follows from one update: consent, an enrolment, or a Reply, with what is answered, in one transaction.

The bot's offset moves in the same transaction, so that no crash loses an update or handles it twice. Nothing is sent
here: an answer is a Message, and the acknowledgement of a tap is handed back to service.py.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction

from companion.clinics import opt_outs
from companion.clinics.models import Bot, Clinic
from companion.listener import asking, heard, stop_question, tapping
from companion.listener.asking import Chat
from companion.listener.updates import (
    Meaning,
    Membership,
    Nothing,
    Started,
    Tapped,
    Wrote,
    meaning,
)
from companion.patients import consent
from companion.patients.reach import Why
from companion.telegram.incoming import Incoming, Sender

REPLAYED: Final = 100_000
"""An update this little below the offset has come before. One further below has a new number: after a quiet week
Telegram begins anew at a random one (Bot API, Update)."""


class SomebodyWasFaster(Exception):
    """Another process has moved this bot's offset; nothing of this update was kept."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A tap to be acknowledged, with what is shown over the chat."""

    callback_id: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """The offset as it is now, and the tap to be acknowledged, if it was one."""

    next_update_id: int
    acknowledgement: Acknowledgement | None = None


def take(bot_id: uuid.UUID, incoming: Incoming, *, offset: int, now: dt.datetime) -> Taken:
    """Works one update off; `offset` is the bot's, as the caller knows it. Raises SomebodyWasFaster.

    An update that came before changes nothing; one that is not for us only moves the offset.
    """
    if 0 < offset - incoming.update_id <= REPLAYED:
        return Taken(offset)
    acknowledgement = None
    with transaction.atomic():
        clinic = Clinic.objects.filter(bot=bot_id, bot__next_update_id=offset).first()
        if clinic is None:
            raise SomebodyWasFaster
        said = meaning(incoming, now=now)
        text = _handle(clinic, said, incoming.update_id, now=now)
        if isinstance(said, Tapped) and said.callback_id:
            acknowledgement = Acknowledgement(said.callback_id, text)
        # Last, so that the Bot row, which also paces what is sent, is locked for a moment only.
        moved = Bot.objects.filter(pk=bot_id, next_update_id=offset).update(next_update_id=incoming.update_id + 1)
        if not moved:
            raise SomebodyWasFaster
    return Taken(incoming.update_id + 1, acknowledgement)


def pass_over(bot_id: uuid.UUID, update_id: int, *, offset: int) -> Taken:
    """Moves the offset past an update that can't be worked off. Raises SomebodyWasFaster."""
    if not Bot.objects.filter(pk=bot_id, next_update_id=offset).update(next_update_id=update_id + 1):
        raise SomebodyWasFaster
    return Taken(update_id + 1)


def _handle(clinic: Clinic, said: Meaning, update_id: int, *, now: dt.datetime) -> str:
    """Acts on it. The text is what a tap's acknowledgement shows; mostly nothing."""
    match said:
        case Nothing():
            return ""
        case Membership(sender, blocked):
            trouble = Why.BLOCKED if blocked else None
            consent.mark_trouble(clinic, sender.telegram_id, trouble, now=now)
            return ""
    chat = _chat(clinic, said.sender, now=now)
    # Whoever writes or taps can be reached again.
    consent.mark_trouble(clinic, chat.telegram_id, None, now=now)
    match said:
        case Started(_, payload):
            asking.started(chat, payload)
        case Wrote() if said.edited_at:
            heard.corrected(chat, said, update_id)
        case Wrote():
            heard.wrote(chat, said, update_id)
        case Tapped() if asked := asking.read_tap(said.data):
            return asking.answered(chat, asked)
        case Tapped() if meant := stop_question.read_tap(said.data):
            return stop_question.answered(chat, meant, said, update_id)
        case Tapped():
            return tapping.tapped(chat, said, update_id)
    return ""


def _chat(clinic: Clinic, sender: Sender, *, now: dt.datetime) -> Chat:
    patients = consent.of_chat(clinic, sender.telegram_id)
    opted_out = opt_outs.has_stopped(clinic, sender.telegram_id)
    return Chat(clinic, sender.telegram_id, sender.language, tuple(patients), now, opted_out)
