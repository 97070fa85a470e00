"""Reads from an update what a person meant by it. Pure: it decides nothing about patients (handling.py does)."""

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Final

from companion.telegram.content import Content
from companion.telegram.incoming import EDITED, Incoming, MembershipIn, MessageIn, Sender, TapIn
from companion.telegram.limits import TEXT_UNITS

_START: Final = re.compile(r"/?start(?:@\w+)?", re.IGNORECASE)
_START_WITH: Final = re.compile(r"/start(?:@\w+)?\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_FRESH: Final = dt.timedelta(minutes=1)
_KICKED: Final = "kicked"
_MEMBER: Final = "member"


@dataclass(frozen=True, slots=True)
class Started:
    """/start, with the payload of an invitation's link or without."""

    sender: Sender
    payload: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wrote:
    """A text, or content that is none; `answers` is the message_id that it replies to.

    `edited_at`: when this wording took an earlier one's place; `at` is when the message was first written.
    """

    sender: Sender
    text: str = field(repr=False)
    """The text, or "[photo] my arm": the kind of content, and what can be told of it."""
    words: str = field(repr=False)
    """The person's own words in it: the text, or a caption."""
    content: Content | None
    """None: a text."""
    message_id: int | None
    answers: int | None
    at: dt.datetime
    edited_at: dt.datetime | None = None

    @property
    def is_text(self) -> bool:
        """Whether it is a text and nothing else."""
        return self.content is None


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
    """Not for us: a group's, a bot's, a service message ("pinned a message"), or a kind that we don't ask for."""


Meaning = Started | Wrote | Tapped | Membership | Nothing


def meaning(incoming: Incoming, *, now: dt.datetime) -> Meaning:
    """Tells an update's meaning. `now` stands in for Telegram's whole seconds where the update is fresh."""
    match incoming.event:
        case MessageIn() as message:
            return _of_message(message, now=now)
        case TapIn() as tap:
            return Tapped(tap.sender, tap.id, _cut(tap.data), _cut(tap.label), tap.message_id)
        case MembershipIn(sender=sender, status=status) if status in (_KICKED, _MEMBER):
            return Membership(sender, blocked=status == _KICKED)
    return Nothing()


def _of_message(message: MessageIn, *, now: dt.datetime) -> Meaning:
    text = _cut(message.text)
    edited = message.kind == EDITED
    # Nobody presses Start by editing: least of all in place of a STOP.
    if not edited and _START.fullmatch(text.strip()):
        return Started(message.sender, "")
    if not edited and (invited := _START_WITH.fullmatch(text.strip())):
        return Started(message.sender, invited[1].strip())
    if not message.text and message.content is None:
        return Nothing()
    return Wrote(
        message.sender,
        text if message.content is None else _cut(_in_words(message.content)),
        words=text if message.content is None else _cut(message.content.caption),
        content=message.content,
        message_id=message.message_id,
        answers=message.replied_to,
        at=_instant(message.date, now),
        edited_at=_instant(message.edited_at, now) if edited else None,
    )


def _instant(told: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    # Telegram counts whole seconds: a quick reply would seem to have come before the message that it answers.
    return told if told and now - told >= _FRESH else now


def _in_words(content: Content) -> str:
    """As staff reads it: "[photo] my arm", "[voice] 0:07"."""
    return " ".join(filter(None, (f"[{content.kind}]", content.summary, content.caption)))


def _cut(text: str) -> str:
    # Telegram's own limit; a caption with what is told of its file may be longer.
    return text[:TEXT_UNITS]
