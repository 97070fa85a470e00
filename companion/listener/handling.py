"""Handle one update in one transaction: change consent, enrol a patient, or store a Reply, and queue the answer.

The bot's offset moves in the same transaction, so that no crash loses an update or handles it twice. Nothing is sent
here: an answer is a Message, and the poller acknowledges taps.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction

from companion.clinics import numbers, opt_outs
from companion.clinics.models import Bot, Clinic
from companion.journal import writing
from companion.journal.entries import Updated
from companion.listener import patient_messages, start_and_stop, stop_question, tapping
from companion.listener.chat import Chat
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
from companion.telegram.incoming import Incoming, MessageIn, Sender

REPLAYED: Final = 100_000
"""An update whose number is at most this far below the offset has come before. An update with a still lower number is
new: after a week without updates, Telegram goes on from a random number (Bot API, Update)."""


class SomebodyWasFaster(Exception):
    """Another process has moved this bot's offset; nothing of this update was stored."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A tap to acknowledge, with the text to show over the chat."""

    callback_id: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Handled:
    """The result of an update: the new offset, and a tap to acknowledge if the update was a tap."""

    next_update_id: int
    acknowledgement: Acknowledgement | None = None


def handle(bot_id: uuid.UUID, incoming: Incoming, *, offset: int, now: dt.datetime) -> Handled:
    """Handle one update. `offset` is the bot's offset as the caller knows it. Raises SomebodyWasFaster.

    An update that has come before changes nothing. An update that is not for us only moves the offset.
    """
    if 0 < offset - incoming.update_id <= REPLAYED:
        return Handled(offset)
    acknowledgement = None
    with transaction.atomic():
        clinic = Clinic.objects.filter(bot=bot_id, bot__next_update_id=offset).first()
        if clinic is None:
            raise SomebodyWasFaster
        if isinstance(incoming.event, MessageIn) and incoming.event.message_id is not None:
            numbers.heard(bot_id, incoming.event.message_id, given_at=incoming.event.date, now=now)
        meant = meaning(incoming, now=now)
        text = _act(clinic, meant, incoming.update_id, now=now)
        if isinstance(meant, Tapped) and meant.callback_id:
            acknowledgement = Acknowledgement(meant.callback_id, text)
        # Change the Bot row last, so that it is locked only for a moment: sending needs it for its slots.
        moved = Bot.objects.filter(pk=bot_id, next_update_id=offset).update(next_update_id=incoming.update_id + 1)
        if not moved:
            raise SomebodyWasFaster
        # Write the Journal before the commit: it then has every STOP that was handled, even if the database is lost.
        writing.sync()
    writing.note(Updated(now, bot_id, incoming.update_id + 1))
    return Handled(incoming.update_id + 1, acknowledgement)


def skip(bot_id: uuid.UUID, update_id: int, *, offset: int) -> Handled:
    """Move the offset past an update that can't be handled. Raises SomebodyWasFaster."""
    if not Bot.objects.filter(pk=bot_id, next_update_id=offset).update(next_update_id=update_id + 1):
        raise SomebodyWasFaster
    return Handled(update_id + 1)


def _act(clinic: Clinic, meant: Meaning, update_id: int, *, now: dt.datetime) -> str:
    """Act on an update. Return the text to show over the chat after a tap; mostly "", which shows nothing."""
    match meant:
        case Nothing():
            return ""
        case Membership(sender, blocked):
            trouble = Why.BLOCKED if blocked else None
            consent.mark_trouble(clinic, sender.telegram_id, trouble, now=now)
            return ""
    chat = _chat(clinic, meant.sender, now=now)
    # A person who writes or taps can be reached again.
    consent.mark_trouble(clinic, chat.telegram_id, None, now=now)
    match meant:
        case Started(_, payload):
            start_and_stop.started(chat, payload)
        case Wrote() if meant.edited_at:
            patient_messages.corrected(chat, meant, update_id)
        case Wrote():
            patient_messages.wrote(chat, meant, update_id)
        case Tapped() if consent_tap := start_and_stop.read_tap(meant.data):
            return start_and_stop.answered(chat, consent_tap)
        case Tapped() if stop_tap := stop_question.read_tap(meant.data):
            return stop_question.answered(chat, stop_tap, meant, update_id)
        case Tapped():
            return tapping.tapped(chat, meant, update_id)
    return ""


def _chat(clinic: Clinic, sender: Sender, *, now: dt.datetime) -> Chat:
    patients = consent.of_chat(clinic, sender.telegram_id)
    opted_out = opt_outs.has_stopped(clinic, sender.telegram_id)
    return Chat(clinic, sender.telegram_id, sender.language, tuple(patients), now, opted_out)
