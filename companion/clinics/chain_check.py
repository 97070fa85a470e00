"""Finds any tampering with a clinic's audit trail: entries changed, removed, inserted, reordered or cut off the end.

Cutting off the end leaves a whole, shorter chain, so it is found by the hashes that went out before (KnownHead).
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from companion.clinics import chain, seals
from companion.clinics.chain import Head
from companion.clinics.models import AuditEntry
from companion.clinics.stored_entries import Odd, read
from companion.service.key_ring import ring

RESTORED: Final = "database restored"
"""The act after which a chain may rightly have lost its end."""
TAKEN: Final = "taken"
"""The name in that act's changes for the instant at which the copy was taken."""
_SHOWN: Final = 100
"""The number of characters of a text that are shown."""


class State(StrEnum):
    """The results of a check."""

    WHOLE = "whole"
    TAMPERED = "tampered"
    UNKNOWN = "unknown"
    """An entry names a secret key that is not known here."""


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head of the chain as it was kept outside of it, and by whom."""

    head: Head
    kept_by: str
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that is wrong with the entries `first` to `last` (0: with an entry that has no number)."""

    first: int
    last: int
    words: str
    key: str = ""
    """The id of the unknown secret key without which these entries can't be judged; "": they were tampered with."""

    def __str__(self) -> str:
        if not self.first:
            return self.words
        which = f"Entry {self.first}" if self.first == self.last else f"Entries {self.first} to {self.last}"
        return f"{which}: {self.words}"


@dataclass(slots=True)
class Verdict:
    """The result of a check. The chain is whole if nothing is `wrong`; `notes` explain what is not."""

    entries: int = 0
    head: Head | None = None
    wrong: list[Wrong] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> State:
        """Say if the chain is whole. One entry that somebody tampered with outweighs any that can't be checked."""
        if any(not wrong.key for wrong in self.wrong):
            return State.TAMPERED
        return State.UNKNOWN if self.wrong else State.WHOLE


def check(clinic: uuid.UUID, known: Sequence[KnownHead] = ()) -> Verdict:
    """Check the clinic's whole chain. `known`: heads that went out before."""
    chain.catch_up(clinic)
    verdict = Verdict()
    found: list[Wrong] = []
    hashes = {known_head.head.number: "" for known_head in known}
    for entry, problems in _walk(clinic):
        found += problems
        verdict.entries += 1
        if isinstance(entry, Odd):
            continue
        verdict.head = Head(entry.number or 0, entry.hash)
        if entry.number in hashes:
            hashes[entry.number] = entry.hash
    verdict.wrong = [*_joined(found), *_strangers(clinic)]
    _compare(clinic, known, hashes, verdict)
    return verdict


def _walk(clinic: uuid.UUID) -> Iterator[tuple[AuditEntry | Odd, list[Wrong]]]:
    """Each entry of the chain with what is wrong with it."""
    number, before = 0, seals.BEGINNING
    for entry in read(AuditEntry.objects.filter(clinic=clinic, number__isnull=False).order_by("number")):
        if entry.number is None:
            yield entry, [_stranger(entry)]
            continue
        own = entry.number
        problems = []
        if own > number + 1:
            problems.append(Wrong(number + 1, own - 1, "missing. Somebody removed them."))
        elif own <= number:
            problems.append(Wrong(own, own, "inserted. The chain has more than one entry with this number."))
        if wrong := _judge(entry, own, before if own == number + 1 else None):
            problems.append(wrong)
        number, before = own, entry.hash
        yield entry, problems


def _judge(entry: AuditEntry | Odd, own: int, before: str | None) -> Wrong | None:
    """Return what is wrong with the entry at number `own`. `before`: the hash of the entry before it; None: missing."""
    if isinstance(entry, Odd):
        return Wrong(own, own, f"changed. This is now {_named(entry)}.")
    key = ring().called(entry.key_id)
    if key is None:
        name = printable(entry.key_id)
        return Wrong(own, own, f"sealed by the secret key {name}, which is not known here.", key=name)
    if not seals.same(entry.seal, seals.seal_of(vars(entry), key)):
        return Wrong(own, own, f"changed. This is now {_named(entry)}.")
    if before is None:
        return None
    link = seals.link_of(entry.clinic_id, own, before, entry.seal, key)
    if not seals.same(entry.hash, link):
        return Wrong(own, own, f"not at its place in the chain. This is {_named(entry)}.")
    return None


def _named(entry: AuditEntry | Odd) -> str:
    if isinstance(entry, Odd):
        return f"an entry in a form in which this product stores none, id {printable(entry.id)}"
    return f"“{printable(entry.action)}” of {entry.at:%Y-%m-%d %H:%M:%S} UTC, id {entry.id}"


def printable(text: str) -> str:
    """Return a text from an untrusted trail so that it fits on a line and can't change what a terminal shows."""
    shown = text if text.isprintable() else ascii(text)
    return f"{shown[:_SHOWN]}…" if len(shown) > _SHOWN else shown


def _strangers(clinic: uuid.UUID) -> list[Wrong]:
    """Entries that can't get into the chain, because the product did not make them as they are."""
    return [_stranger(entry) for entry in read(AuditEntry.objects.filter(clinic=clinic, number=None).order_by("id"))]


def _stranger(entry: AuditEntry | Odd) -> Wrong:
    if isinstance(entry, Odd):
        return Wrong(0, 0, f"Not made by this product: {_named(entry)}.")
    if chain.key_of(entry):
        return Wrong(0, 0, f"Not in the chain, since a forged entry has taken the last number: {_named(entry)}.")
    return Wrong(0, 0, f"Not made by this product: {_named(entry)}. {_why(entry)}", key=_unknown_key(entry))


def _unknown_key(entry: AuditEntry) -> str:
    return printable(entry.key_id) if entry.seal and not ring().called(entry.key_id) else ""


def _why(entry: AuditEntry) -> str:
    if not entry.seal:
        return (
            "It has no seal. Somebody inserted it, or a service of an older version was still running after "
            "`companion migrate`."
        )
    if key := _unknown_key(entry):
        return f"It names the secret key {key}, which is not known here."
    return "Its seal is wrong: somebody inserted or changed it."


def _compare(clinic: uuid.UUID, known: Sequence[KnownHead], hashes: dict[int, str], verdict: Verdict) -> None:
    """Compare the chain with the heads that went out before."""
    restores = _restores(clinic) if known else []
    end = verdict.head.number if verdict.head else 0
    beyond: KnownHead | None = None
    for known_head in known:
        number = known_head.head.number
        if hashes[number] and seals.same(hashes[number], known_head.head.hash):
            continue
        restored = next((at for taken, at in restores if known_head.at and taken <= known_head.at <= at), None)
        if restored:
            verdict.notes.append(
                f"Entry {number}, known from {known_head.kept_by}, was lost when the database was restored at "
                f"{restored:%Y-%m-%d %H:%M} UTC."
            )
        elif number <= end:
            words = f"not the entry that {known_head.kept_by} knows. The chain was cut off and went on anew."
            verdict.wrong.append(Wrong(number, number, words))
        elif beyond is None or number > beyond.head.number:
            beyond = known_head
    if beyond:
        words = f"cut off the end. {_capital(beyond.kept_by)} knows entry {beyond.head.number}."
        verdict.wrong.append(Wrong(end + 1, beyond.head.number, words))


class _Restore(NamedTuple):
    """A restore: the instants of the copy and of the restore."""

    taken_at: dt.datetime
    restored_at: dt.datetime


def _restores(clinic: uuid.UUID) -> list[_Restore]:
    """List the restores that sealed entries record."""
    found = read(AuditEntry.objects.filter(clinic=clinic, action=RESTORED).order_by("id"))
    sealed = [entry for entry in found if isinstance(entry, AuditEntry) and chain.key_of(entry)]
    ours = [entry for entry in sealed if TAKEN in entry.changes]
    return [_Restore(dt.datetime.fromisoformat(str(entry.changes[TAKEN][1])), entry.at) for entry in ours]


def _joined(found: Iterable[Wrong]) -> list[Wrong]:
    """Join neighbours that share their kind of trouble: a removed entry displaces all entries that follow."""
    joined: list[Wrong] = []
    for wrong in found:
        last = joined[-1] if joined else None
        if last and last.last + 1 == wrong.first and _kind(last) == _kind(wrong):
            joined[-1] = Wrong(last.first, wrong.last, last.words, last.key)
        else:
            joined.append(wrong)
    return joined


def _kind(wrong: Wrong) -> str:
    return wrong.words.partition(". ")[0]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
