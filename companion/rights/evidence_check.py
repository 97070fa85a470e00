"""Check an evidence packet: its seal, whether its page and its values agree, and its entries against the database."""

import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Final, NamedTuple

from companion.clinics import seals
from companion.clinics.models import AuditEntry
from companion.clinics.refusals import Conflict
from companion.clinics.stored_entries import readable
from companion.rights.evidence import written
from companion.rights.evidence_page import BEGIN, END, page_of
from companion.service.key_ring import Key, ring

_LARGEST: Final = 50 * 2**20
_NO_PACKET: Final = "This file is not an evidence packet, or it was changed so much that it can't be read."

_NO_KEY: Final = (
    ", which this installation doesn't know. It comes from another installation, or the key was changed. If so, add "
    "the former key to COMPANION_OTHER_SECRET_KEYS."
)


def check(file: Path) -> list[str]:
    """Return sentences about what is wrong with the packet in this file.

    Raises Conflict if the file is no packet, or if nothing is wrong as far as the secret keys here can tell.
    """
    page = _read(file)
    content, name, seal = _sealed(page)
    key = ring().called(name)
    if key is None:
        raise Conflict(f"The packet was sealed with the secret key {name}{_NO_KEY}")
    if not seals.same(seal, seals.packet_seal(written(content), key)):
        return ["The values in the packet were changed: their seal is wrong."]
    if page != page_of(content, name, seal):
        return ["The page was changed: it doesn't say what the sealed values say."]
    return _entries(content)


def _read(file: Path) -> str:
    # A pipe has no size, so the size of what is read counts.
    with file.open("rb") as source:
        data = source.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise Conflict(_NO_PACKET)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Conflict(_NO_PACKET) from None


class _Sealed(NamedTuple):
    """The values of a packet, the name of the key, and the seal."""

    content: dict[str, object]
    key: str
    seal: str


def _sealed(page: str) -> _Sealed:
    """Find the sealed values in the file."""
    _, begin, rest = page.partition(BEGIN)
    try:
        inside = json.loads(rest.partition(END)[0]) if begin else None
    except (ValueError, RecursionError):
        inside = None
    match inside:
        case {"content": dict(content), "key": str(key), "seal": str(seal)} if seal.isascii() and key.isalnum():
            return _Sealed(content, key, seal)
        case _:
            raise Conflict(_NO_PACKET)


def _entries(content: dict[str, object]) -> list[str]:
    """Return sentences about what is wrong with the entries themselves, or compared with the chain in the database."""
    clinic, entries = content.get("clinic"), content.get("audit")
    if not isinstance(clinic, dict) or not isinstance(entries, list):
        raise Conflict(_NO_PACKET)
    id = uuid.UUID(str(clinic["id"]))
    numbers = [entry["number"] for entry in entries]
    here = {row.number: row.hash for row in readable(AuditEntry.objects.filter(clinic=id, number__in=numbers))}
    wrong, lacking = [], ""
    for entry in entries:
        number, key = entry["number"], ring().called(str(entry["key_id"]))
        if key is None:
            lacking = str(entry["key_id"])
        elif not _is_linked(id, entry, key):
            wrong.append(f"Entry {number}: its hash doesn't follow from its values.")
        elif not seals.same(here.get(number, ""), entry["hash"]):
            wrong.append(f"Entry {number}: the audit trail in the database has another entry, or none.")
    if lacking and not wrong:
        raise Conflict(f"Entries in the packet were sealed with the secret key {lacking}{_NO_KEY}")
    return wrong


def _is_linked(clinic: uuid.UUID, entry: dict[str, object], key: Key) -> bool:
    values = entry | {"clinic_id": clinic, "at": dt.datetime.fromisoformat(str(entry["at"]))}
    if not seals.same(str(entry["seal"]), seals.seal_of(values, key)):
        return False
    link = seals.link_of(clinic, int(str(entry["number"])), str(entry["before"]), str(entry["seal"]), key)
    return seals.same(str(entry["hash"]), link)
