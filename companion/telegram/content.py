"""Describe a message without text in a few words: a sticker's emoji, a place, the length of a voice note.

A message of none of these kinds is a service message ("pinned a message"), or its kind is newer than this table.
"""

import math
from collections.abc import Callable
from typing import Final

from companion.telegram.discreet import Discreet
from companion.telegram.lenient import Part
from companion.telegram.limits import FILE_BYTES

SEPARATOR: Final = " · "
_DEEPEST: Final = 32
_RICH: Final = "rich_message"
_RICH_WORDS: Final = ("text", "summary", "caption", "credit", "expression", "alternative_text")
_RICH_LISTS: Final = ("blocks", "items", "cells")


class FileIn(Discreet, frozen=True, gc=False):
    """A file that was sent to a bot. Only that bot can fetch it, by its `file_id`."""

    hidden = frozenset({"file_id", "name"})

    file_id: str
    size: int | None
    """Bytes; None if Telegram doesn't say."""
    name: str


class Content(Discreet, frozen=True, gc=False):
    """The content of a message without text."""

    hidden = frozenset({"summary", "caption", "file"})

    kind: str
    """The Bot API's name for this kind of content."""
    summary: str
    """A few words about the content, for staff."""
    caption: str
    """The person's own words beside the content."""
    file: FileIn | None = None


def content_of(message: Part) -> Content | None:
    """Return the content of a message without text; None for a service message."""
    caption = message.text("caption")
    if message.has(_RICH):
        # A rich message holds the person's own words, as a caption does.
        return Content(_RICH, "", _rich_words(message.part(_RICH).raw("blocks"), "\n", 0) or caption)
    for kind, summarize in _SUMMARIES.items():
        if message.has(kind):
            part = _largest(message.parts(kind)) if kind == "photo" else message.part(kind)
            return Content(kind, summarize(part), caption, _file(part))
    if newer := _newer_file(message):
        return Content(newer, "", caption, _file(message.part(newer)))
    return Content("unknown", "", caption) if caption else None


def _largest(sizes: list[Part]) -> Part:
    """Return the largest of a photo's sizes that a bot can fetch. Telegram lists them from small to large."""
    fetchable = [size for size in sizes if (size.whole("file_size") or 0) <= FILE_BYTES and size.text("file_id")]
    return fetchable[-1] if fetchable else Part(None)


def _newer_file(message: Part) -> str:
    """Return the name of a part that is missing in the table and holds a file; "" if there is none."""
    return next((name for name in message.names() if _holds_file(message.raw(name))), "")


def _holds_file(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("file_id"), str)


def _file(part: Part) -> FileIn | None:
    if not (file_id := part.text("file_id")):
        return None
    size = part.whole("file_size")
    return FileIn(file_id, size if size and size > 0 else None, part.text("file_name"))


def _nothing(_: Part) -> str:
    return ""


def _emoji(sticker: Part) -> str:
    return sticker.text("emoji")


def _length(part: Part) -> str:
    """Return the length of a recording, as in 1:07."""
    seconds = part.whole("duration")
    if seconds is None or not 0 <= seconds < 24 * 3600:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}:{rest:02}"


def _named(part: Part) -> str:
    return _joined(part.text("file_name"), _length(part) if part.has("duration") else "")


def _audio(audio: Part) -> str:
    title = " – ".join(filter(None, (audio.text("performer"), audio.text("title"))))
    return _joined(title or audio.text("file_name"), _length(audio))


def _coordinates(location: Part) -> str:
    """Return latitude and longitude in degrees."""
    latitude, longitude = location.real("latitude"), location.real("longitude")
    if latitude is None or longitude is None or math.isnan(latitude) or math.isnan(longitude):
        return ""
    if abs(latitude) > 90 or abs(longitude) > 180:
        return ""
    return f"{latitude:.6f}, {longitude:.6f}"


def _venue(venue: Part) -> str:
    return _joined(_coordinates(venue.part("location")), venue.text("title"), venue.text("address"))


def _contact(contact: Part) -> str:
    name = " ".join(filter(None, (contact.text("first_name"), contact.text("last_name"))))
    return _joined(name, contact.text("phone_number"))


def _dice(dice: Part) -> str:
    value = dice.whole("value")
    return " ".join(filter(None, (dice.text("emoji"), "" if value is None else str(value))))


def _poll(poll: Part) -> str:
    return _joined(poll.text("question"), *(option.text("text") for option in poll.parts("options")))


def _checklist(checklist: Part) -> str:
    return _joined(checklist.text("title"), *(task.text("text") for task in checklist.parts("tasks")))


def _title(part: Part) -> str:
    return part.text("title")


def _rich_words(value: object, between: str, depth: int) -> str:
    """Return the words of a rich text, which is a text, a list, or an object with texts in it, nested in any way."""
    if depth > _DEEPEST:
        return ""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "")
    if isinstance(value, list):
        return between.join(filter(None, (_rich_words(item, between, depth + 1) for item in value)))
    if not isinstance(value, dict):
        return ""
    words = [_rich_words(value.get(name), "", depth + 1) for name in _RICH_WORDS]
    blocks = [_rich_words(value.get(name), "\n", depth + 1) for name in _RICH_LISTS]
    return "\n".join(filter(None, [*words, *blocks]))


def _joined(*parts: str) -> str:
    return SEPARATOR.join(filter(None, parts))


# The order matters: an animation comes with a document beside it, a venue with a location.
_SUMMARIES: Final[dict[str, Callable[[Part], str]]] = {
    "animation": _named,
    "audio": _audio,
    "document": _named,
    "live_photo": _nothing,
    "paid_media": _nothing,
    "photo": _nothing,
    "sticker": _emoji,
    "story": _nothing,
    "video": _named,
    "video_note": _length,
    "voice": _length,
    "checklist": _checklist,
    "contact": _contact,
    "dice": _dice,
    "game": _title,
    "poll": _poll,
    "venue": _venue,
    "location": _coordinates,
    "invoice": _title,
}
