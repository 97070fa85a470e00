"""The Journal's entries: sent Messages, STOPs and updates, by ids and instants. Never a text, a name or a token.

Each entry is a line of JSON with its `kind`. A line's checksum continues the checksum of the line before it.
"""

import datetime as dt
import uuid
import zlib
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

Instant = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class Begun(msgspec.Struct, frozen=True, tag="begun", tag_field="kind", gc=False):
    """An Attempt was begun: its request may leave at any moment."""

    at: Instant
    attempt: uuid.UUID
    message: uuid.UUID
    clinic: uuid.UUID
    chat: int
    schedule: uuid.UUID | None = None
    patient: uuid.UUID | None = None
    occurrence: str = ""


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="kind", gc=False):
    """An Attempt ended, with its outcome (schedules' AttemptOutcome)."""

    at: Instant
    attempt: uuid.UUID
    outcome: str
    telegram_message_id: int | None = None


class Heard(msgspec.Struct, frozen=True, tag="heard", tag_field="kind", gc=False):
    """A chat said STOP, or took its STOP back by Start."""

    at: Instant
    clinic: uuid.UUID
    chat: int
    what: Literal["stop", "start"]


class Updated(msgspec.Struct, frozen=True, tag="updated", tag_field="kind", gc=False):
    """A bot's updates before this update were worked off and confirmed to Telegram."""

    at: Instant
    bot: uuid.UUID
    next_update_id: int


class Peers(msgspec.Struct, frozen=True, tag="peers", tag_field="kind", gc=False):
    """A service is at work, and these are the Journals, by their ids, of all services that were at work.

    Each service writes it at its start, whenever the list changes, and every minute.
    """

    at: Instant
    folders: list[str]


class Chained(msgspec.Struct, frozen=True, tag="chained", tag_field="kind", gc=False):
    """The newest entry of a clinic's audit trail: it stands for all entries before it."""

    at: Instant
    clinic: uuid.UUID
    number: int
    hash: str


Entry = Begun | Ended | Heard | Updated | Peers | Chained
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Entry)


class JournalLine(NamedTuple):
    """An entry's line, and its checksum, with which the checksum of the next line begins."""

    line: bytes
    checksum: int


def line_of(entry: Entry, before: int) -> JournalLine:
    """Return the entry's line. `before` is the checksum of the line before it."""
    body = _encoder.encode(entry)
    checksum = zlib.crc32(body, before)
    return JournalLine(b"%08x %b\n" % (checksum, body), checksum)


class Content(NamedTuple):
    """The entries of a file up to the first damaged line, and whether the whole file is undamaged."""

    entries: list[Entry]
    undamaged: bool


def entries_in(content: bytes) -> Content:
    """Read the content of a file."""
    found: list[Entry] = []
    checksum = 0
    for line in content.splitlines(keepends=True):
        stated, _, body = line.removesuffix(b"\n").partition(b" ")
        checksum = zlib.crc32(body, checksum)
        if not line.endswith(b"\n") or stated != b"%08x" % checksum:
            return Content(found, undamaged=False)
        try:
            found.append(_decoder.decode(body))
        except msgspec.DecodeError:
            return Content(found, undamaged=False)
    return Content(found, undamaged=True)
