"""The keyed hashes of the audit trail: an entry's seal, its link in the chain, and the seal of an evidence packet.

These are pure functions of plain values and the secret key: a migration, a check of the database and a check of a file
compute the same hashes.
"""

import datetime as dt
import hmac
import json
import uuid
from collections.abc import Mapping
from typing import Final

from companion.service.key_ring import Key

BEGINNING: Final = ""
"""The hash before a chain's first entry."""
COLUMNS: Final = (
    "id",
    "clinic_id",
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "on_behalf_of",
    "address",
    "action",
    "reading",
    "subject_kind",
    "subject_id",
    "changes",
)
"""The columns that a seal covers. To add a column, make a new version of the seal: old entries keep the old version."""
_PURPOSE: Final = "audit trail"
_ENTRY, _LINK, _PACKET = "entry 1\n", "link 1\n", "packet 1\n"
"""The beginnings of the hashed texts, so that no hash can be used for another purpose."""


def seal_of(entry: Mapping[str, object], by: Key) -> str:
    """An entry's seal. `entry` holds the COLUMNS."""
    return by.hashed(_PURPOSE, _ENTRY + _written({column: entry[column] for column in COLUMNS}))


def link_of(clinic: uuid.UUID, number: int, before: str, seal: str, by: Key) -> str:
    """The hash of an entry that stands at `number` after the entry with the hash `before`."""
    return by.hashed(_PURPOSE, _LINK + _written([clinic, number, before, seal]))


def packet_seal(content: str, by: Key) -> str:
    """The seal of an evidence packet's content."""
    return by.hashed(_PURPOSE, _PACKET + content)


def same(first: str, second: str) -> bool:
    """Return whether two hashes are the same. The comparison takes the same time for all values."""
    return hmac.compare_digest(first.encode(), second.encode())


def _written(value: object) -> str:
    """Write a value as JSON text. The text is the same for values from both databases."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)


def _plain(value: object) -> str:
    match value:
        case uuid.UUID():
            return str(value)
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
        case _:
            raise TypeError(f"a {type(value).__name__} can't be sealed")
