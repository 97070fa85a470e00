"""Read the meaning of an update. Pure functions: handling.py decides what follows for patients."""

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
    """/start, with or without the payload of an invitation's link."""

    sender: Sender
    payload: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wrote:
    """A text, or content without text.

    `at` is the time of the first wording. `edited_at` is the time of this wording if the message was edited.
    """

    sender: Sender
    text: str = field(repr=False)
    """The text; for other content its kind and a few words about it: "[photo] my arm"."""
    words: str = field(repr=False)
    """The words that the person wrote: the text, or a caption."""
    content: Content | None
    """The content that is not text, a photo for example; None for a text."""
    message_id: int | None
    answers: int | None
    """The message_id of the message to which this message replies."""
    at: dt.datetime
    edited_at: dt.datetime | None = None

    @property
    def is_text(self) -> bool:
        """Return whether the message is a text and nothing else."""
        return self.content is None


@dataclass(frozen=True, slots=True)
class Tapped:
    """A tap on a button of the message `message_id`, with the button's data and text."""

    sender: Sender
    callback_id: str
    data: str = field(repr=False)
    label: str = field(repr=False)
    message_id: int | None


@dataclass(frozen=True, slots=True)
class Membership:
    """The person has blocked the bot, or unblocked it."""

    sender: Sender
    blocked: bool


@dataclass(frozen=True, slots=True)
class Nothing:
    """An update that is not for us: from a group or a bot, a service message, or a kind that we don't ask for."""


Meaning = Started | Wrote | Tapped | Membership | Nothing


def meaning(incoming: Incoming, *, now: dt.datetime) -> Meaning:
    """Return the meaning of an update. If the update is fresh, `now` replaces Telegram's time (see _instant)."""
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
    # An edit is never a Start: the first wording may have been a STOP.
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


def _instant(date: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    # Telegram's time has whole seconds only: a quick reply would seem to be older than the message that it answers.
    return date if date and now - date >= _FRESH else now


def _in_words(content: Content) -> str:
    """Return the words that staff reads: "[photo] my arm", "[voice] 0:07"."""
    return " ".join(filter(None, (f"[{content.kind}]", content.summary, content.caption)))


def _cut(text: str) -> str:
    # Cut at Telegram's limit for a text: a caption and the words about its file may be longer together.
    return text[:TEXT_UNITS]
