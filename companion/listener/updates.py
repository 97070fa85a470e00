"""What an update of Telegram's means to us. Pure: it reads, and decides nothing about patients (handling.py does)."""

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Final

from aiogram.enums import ChatMemberStatus, ChatType, ContentType
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message, Update

from companion.telegram.limits import TEXT_UNITS

_START: Final = re.compile(r"/?start(?:@\w+)?", re.IGNORECASE)
_START_WITH: Final = re.compile(r"/start(?:@\w+)?\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_STOP: Final = re.compile(r"/stop(?:@\w+)?", re.IGNORECASE)
_FRESH: Final = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose private chat it came from; `language` is what their Telegram speaks, as far as it says so."""

    telegram_id: int
    language: str


@dataclass(frozen=True, slots=True)
class Started:
    """/start, with the payload of an invitation's link or without."""

    sender: Sender
    payload: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stopped:
    """/stop. (STOP and its like are words of a language, and come as Wrote.)"""

    sender: Sender


@dataclass(frozen=True, slots=True)
class Wrote:
    """A text, or something that is none (`is_text`); `answers` is the message_id that it replies to."""

    sender: Sender
    text: str = field(repr=False)
    is_text: bool
    message_id: int
    answers: int | None
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Tapped:
    """A button of the message `message_id`, by its data and by what it says."""

    sender: Sender
    callback_id: str
    data: str = field(repr=False)
    label: str = field(repr=False)
    message_id: int | None


@dataclass(frozen=True, slots=True)
class Membership:
    """The person has blocked the bot, or opened it again."""

    sender: Sender
    blocked: bool


@dataclass(frozen=True, slots=True)
class Nothing:
    """Not for us: a group's, a bot's, or a kind that we don't ask for."""


Meaning = Started | Stopped | Wrote | Tapped | Membership | Nothing


def meaning(update: Update, *, now: dt.datetime) -> Meaning:
    """What it means. `now` stands in for Telegram's whole seconds where the update is fresh."""
    if update.message:
        return _of_message(update.message, now=now)
    if update.callback_query:
        return _of_tap(update.callback_query)
    if update.my_chat_member:
        return _of_membership(update.my_chat_member)
    return Nothing()


def _of_message(message: Message, *, now: dt.datetime) -> Meaning:
    person = message.from_user
    if message.chat.type != ChatType.PRIVATE or person is None or person.is_bot:
        return Nothing()
    sender = Sender(message.chat.id, person.language_code or "")
    text = _clean(message.text or "")
    if _START.fullmatch(text.strip()):
        return Started(sender, "")
    if invited := _START_WITH.fullmatch(text.strip()):
        return Started(sender, invited[1].strip())
    if _STOP.fullmatch(text.strip()):
        return Stopped(sender)
    replied = message.reply_to_message
    return Wrote(
        sender,
        text
        if message.text
        else f"[{ContentType(message.content_type).value}] {_clean(message.caption or '')}".strip(),
        is_text=bool(message.text),
        message_id=message.message_id,
        answers=replied.message_id if replied else None,
        # Telegram counts whole seconds: a quick reply would seem to have come before what it answers.
        at=now if now - message.date < _FRESH else message.date,
    )


def _of_tap(query: CallbackQuery) -> Meaning:
    message = query.message
    if message is None or message.chat.type != ChatType.PRIVATE or query.data is None:
        return Nothing()
    sender = Sender(message.chat.id, query.from_user.language_code or "")
    data = _clean(query.data)
    return Tapped(sender, query.id, data, _label(query) or data, message.message_id)


def _label(query: CallbackQuery) -> str:
    markup = query.message.reply_markup if isinstance(query.message, Message) else None
    rows = markup.inline_keyboard if markup else []
    return next((_clean(button.text) for row in rows for button in row if button.callback_data == query.data), "")


def _of_membership(changed: ChatMemberUpdated) -> Meaning:
    status = changed.new_chat_member.status
    if changed.chat.type != ChatType.PRIVATE or status not in (ChatMemberStatus.KICKED, ChatMemberStatus.MEMBER):
        return Nothing()
    sender = Sender(changed.chat.id, changed.from_user.language_code or "")
    return Membership(sender, blocked=status == ChatMemberStatus.KICKED)


def _clean(text: str) -> str:
    # Half of a surrogate pair, which JSON can carry and UTF-8 can't; Telegram's own limit bounds the length.
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:TEXT_UNITS]
