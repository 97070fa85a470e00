"""The keyed hashes of the audit trail: an entry's seal, its link in the chain, and the seal of an evidence packet.

Pure functions of plain values and the secret key, so that a migration, a check of the database and a check of a file
all compute the same.
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
"""The columns that a seal covers. A further column needs a new version of the seal: old entries keep theirs."""
_PURPOSE: Final = "audit trail"
_ENTRY, _LINK, _PACKET = "entry 1\n", "link 1\n", "packet 1\n"
"""The beginnings of hashed values, so that no hash serves for another purpose."""


def seal_of(entry: Mapping[str, object], by: Key) -> str:
    """An entry's seal. `entry` holds the COLUMNS."""
    return by.hashed(_PURPOSE, _ENTRY + _written({column: entry[column] for column in COLUMNS}))


def link_of(clinic: uuid.UUID, number: int, before: str, seal: str, by: Key) -> str:
    """The hash of an entry that stands at `number` after the entry with the hash `before`."""
    return by.hashed(_PURPOSE, _LINK + _written([clinic, number, before, seal]))


def packet_seal(content: str, by: Key) -> str:
    """The seal of an evidence packet's content."""
    return by.hashed(_PURPOSE, _PACKET + content)


def same(one: str, other: str) -> bool:
    """Return whether two hashes are the same; takes equally long for all."""
    return hmac.compare_digest(one.encode(), other.encode())


def _written(value: object) -> str:
    """The one way to write a value down: the same text whichever database kept it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)


def _plain(value: object) -> str:
    match value:
        case uuid.UUID():
            return str(value)
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
        case _:
            raise TypeError(f"a {type(value).__name__} can't be sealed")
