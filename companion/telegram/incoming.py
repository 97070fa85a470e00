"""Read the answer to getUpdates leniently into the few parts that we need.

Each part is read by itself, so that a missing, malformed or unknown part costs no other part. What an update means is
decided in listener/updates.py.
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
"""The kinds of update that we ask for. Telegram doesn't send any other kind."""
_PRIVATE: Final = "private"
_LARGEST_UPDATE_ID: Final = 2**62
"""A larger number would leave no room in the database for the offset after it."""
_ENVELOPE: Final = frozenset({"message_id", "date", "edit_date", "chat", "from"})


class Sender(Discreet, frozen=True, gc=False):
    """The private chat that an update came from."""

    telegram_id: int
    language: str
    """The language of the person's Telegram; "" if Telegram doesn't say."""


class MessageIn(Discreet, frozen=True, gc=False):
    """A person's message in a private chat, with a text or a content. A service message has neither."""

    hidden = frozenset({"text", "content"})

    kind: str
    """The kind of the update: MESSAGE or EDITED."""
    sender: Sender
    text: str
    content: Content | None
    message_id: int | None
    replied_to: int | None
    """The message_id of the message that this message answers."""
    date: dt.datetime | None
    edited_at: dt.datetime | None


class TapIn(Discreet, frozen=True, gc=False):
    """A tap on a button in a private chat."""

    hidden = frozenset({"data", "label"})

    sender: Sender
    id: str
    data: str
    label: str
    """The text on the button."""
    message_id: int | None


class MembershipIn(Discreet, frozen=True, gc=False):
    """A change of the bot's membership in a private chat: blocked, unblocked."""

    sender: Sender
    status: str


class Incoming(Discreet, frozen=True, gc=False):
    """An update."""

    update_id: int
    event: MessageIn | TapIn | MembershipIn | None
    """The event; None for an update that is not for us: from a group or a bot, or without the parts that matter."""
    skipped: tuple[str, ...] = ()
    """Names of the parts that could not be read, for the log."""


def updates_of(result: object) -> list[Incoming]:
    """Return the updates of an answer to getUpdates, in their order, without those that have no number."""
    # An update without an update_id can't be confirmed or named. Confirming a later update removes it.
    entries = result if isinstance(result, list) else []
    return sorted(filter(None, map(update_of, entries)), key=lambda incoming: incoming.update_id)


def update_of(raw: object) -> Incoming | None:
    """Read one update; None if it has no number."""
    update = Part(raw)
    update_id = update.whole("update_id")
    if update_id is None or not 0 <= update_id < _LARGEST_UPDATE_ID:
        return None
    event = _event(update)
    return Incoming(update_id, event, tuple(dict.fromkeys(update.skipped)))


def _event(update: Part) -> MessageIn | TapIn | MembershipIn | None:
    if update.has(MESSAGE):
        return _message(update.part(MESSAGE), MESSAGE)
    if update.has(EDITED):
        return _message(update.part(EDITED), EDITED)
    if update.has(TAP):
        return _tap(update.part(TAP))
    if update.has(MEMBERSHIP):
        return _membership(update.part(MEMBERSHIP))
    update.skipped.extend(name for name in update.names() if name != "update_id")
    return None


def _message(message: Part, kind: str) -> MessageIn | None:
    person = message.part("from")
    sender = _sender(message.part("chat"), person)
    if sender is None or person.is_true("is_bot"):
        return None
    text = message.text("text")
    content = None if text else content_of(message)
    if not text and content is None:
        # A service message, or a kind that is newer than this program: the log names its parts.
        message.skipped.extend(f"{kind}.{name}" for name in message.names() if name not in _ENVELOPE)
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
    label = next((button.text("text") for button in buttons if button.text("callback_data") == data), "")
    return TapIn(sender, query.text("id"), data, label or data, message.whole("message_id"))


def _membership(changed: Part) -> MembershipIn | None:
    sender = _sender(changed.part("chat"), changed.part("from"))
    status = changed.part("new_chat_member").text("status")
    return MembershipIn(sender, status) if sender and status else None


def _sender(chat: Part, person: Part) -> Sender | None:
    """Return the person of a private chat; None for another kind of chat."""
    chat_id = chat.whole("id")
    if chat_id is None:
        # A private chat has the same id as the person.
        chat_id = person.whole("id")
    # Groups and channels have ids below zero.
    if chat_id is None or chat_id <= 0 or (chat.text("type") or _PRIVATE) != _PRIVATE:
        return None
    return Sender(chat_id, person.text("language_code"))


def _instant(seconds: int | None) -> dt.datetime | None:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None
