"""What a bot is told by getUpdates, read leniently into the few parts that we need.

Each part is read by itself: what is missing, of another type or unknown costs no other part. It decides nothing about
what an update means (listener/updates.py does).
"""

import datetime as dt
from typing import Final

from companion.telegram.content import Content, content_of
from companion.telegram.discreet import Discreet
from companion.telegram.lenient import Part

MESSAGE: Final = "message"
EDITED: Final = "edited_message"
TAP: Final = "callback_query"
MEMBERSHIP: Final = "my_chat_member"
ALLOWED_UPDATES: Final = [MESSAGE, EDITED, TAP, MEMBERSHIP]
"""All that we ask for; Telegram keeps the rest to itself."""
_PRIVATE: Final = "private"
_LARGEST_UPDATE_ID: Final = 2**62
"""Room for the offset behind it in the database."""
_ENVELOPE: Final = frozenset({"message_id", "date", "edit_date", "chat", "from"})


class Sender(Discreet, frozen=True, gc=False):
    """The private chat that an update came from; `language` is what the person's Telegram speaks, as far as it says."""

    telegram_id: int
    language: str


class MessageIn(Discreet, frozen=True, gc=False):
    """A message of a person in a private chat: its text, or else its content; neither in a service message."""

    hidden = frozenset({"text", "content"})

    kind: str
    """The kind of update that it came with."""
    sender: Sender
    text: str
    content: Content | None
    message_id: int | None
    replied_to: int | None
    """The message_id that it replies to."""
    date: dt.datetime | None
    edited_at: dt.datetime | None


class TapIn(Discreet, frozen=True, gc=False):
    """A tap on a button in a private chat. `label` is what stands on the button."""

    hidden = frozenset({"data", "label"})

    sender: Sender
    id: str
    data: str
    label: str
    message_id: int | None


class MembershipIn(Discreet, frozen=True, gc=False):
    """The bot's own standing in a private chat has become this."""

    sender: Sender
    status: str


class Incoming(Discreet, frozen=True, gc=False):
    """One update, by its number. `said` is None where it is not for us: a group's, a bot's, or without what matters."""

    update_id: int
    said: MessageIn | TapIn | MembershipIn | None
    aside: tuple[str, ...] = ()
    """Names of the parts that were left aside, for the log."""


def updates_of(result: object) -> list[Incoming]:
    """The updates of an answer to getUpdates, in their order. An entry without a number is left out."""
    # What has no update_id can't be confirmed or named; the ids of the others lead past it.
    entries = result if isinstance(result, list) else []
    return sorted(filter(None, map(update_of, entries)), key=lambda incoming: incoming.update_id)


def update_of(raw: object) -> Incoming | None:
    """One update; None where it has no number."""
    update = Part(raw)
    update_id = update.whole("update_id")
    if update_id is None or not 0 <= update_id < _LARGEST_UPDATE_ID:
        return None
    said = _said(update)
    return Incoming(update_id, said, tuple(dict.fromkeys(update.aside)))


def _said(update: Part) -> MessageIn | TapIn | MembershipIn | None:
    if update.has(MESSAGE):
        return _message(update.part(MESSAGE), MESSAGE)
    if update.has(EDITED):
        return _message(update.part(EDITED), EDITED)
    if update.has(TAP):
        return _tap(update.part(TAP))
    if update.has(MEMBERSHIP):
        return _membership(update.part(MEMBERSHIP))
    update.aside.extend(name for name in update.names() if name != "update_id")
    return None


def _message(message: Part, kind: str) -> MessageIn | None:
    person = message.part("from")
    sender = _sender(message.part("chat"), person)
    if sender is None or person.is_true("is_bot"):
        return None
    text = message.text("text")
    content = None if text else content_of(message)
    if not text and content is None:
        # A service message, or a kind that is newer than this program: the log tells which.
        message.aside.extend(f"{kind}.{name}" for name in message.names() if name not in _ENVELOPE)
    return MessageIn(
        kind,
        sender,
        text,
        content,
        message.whole("message_id"),
        message.part("reply_to_message").whole("message_id"),
        _instant(message.whole("date")),
        _instant(message.whole("edit_date")),
    )


def _tap(query: Part) -> TapIn | None:
    message, person = query.part("message"), query.part("from")
    sender, data = _sender(message.part("chat"), person), query.text("data")
    if sender is None or not data:
        return None
    buttons = message.part("reply_markup").lists("inline_keyboard")
    label = next((one.text("text") for one in buttons if one.text("callback_data") == data), "")
    return TapIn(sender, query.text("id"), data, label or data, message.whole("message_id"))


def _membership(changed: Part) -> MembershipIn | None:
    sender = _sender(changed.part("chat"), changed.part("from"))
    status = changed.part("new_chat_member").text("status")
    return MembershipIn(sender, status) if sender and status else None


def _sender(chat: Part, person: Part) -> Sender | None:
    """Whose private chat it is; None where it is another kind of chat."""
    chat_id = chat.whole("id")
    if chat_id is None:
        # A person's private chat has the person's own number.
        chat_id = person.whole("id")
    # Groups and channels have numbers below zero.
    if chat_id is None or chat_id <= 0 or (chat.text("type") or _PRIVATE) != _PRIVATE:
        return None
    return Sender(chat_id, person.text("language_code"))


def _instant(seconds: int | None) -> dt.datetime | None:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None
