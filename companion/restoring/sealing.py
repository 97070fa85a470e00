"""Encrypts a backup with age, to a passphrase or to recipients, and proves that it can be read again.

`age -d` opens such a file, too. A passphrase needs the whole backup in memory; a recipient doesn't.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyrage

from companion.clinics.refusals import Conflict, Problem, Refused

if TYPE_CHECKING:
    from typing_extensions import Buffer

_NEITHER: Final = (
    "A backup holds patients' names and phone numbers, so it is never written in the clear. Set "
    "COMPANION_BACKUP_PASSPHRASE, or give an age key with --recipient."
)
_CANT_OPEN: Final = (
    "The backup can't be opened. Give the COMPANION_BACKUP_PASSPHRASE that it was made with, or with --identity the "
    "file of the age key that it was made for; or the file is damaged."
)


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of a backup. A recipient's age key opens it or, without recipients, the passphrase."""

    recipients: Sequence[str] = ()
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """The key to a backup: the file of an age identity, or the passphrase."""

    identity: Path | None = None
    passphrase: str = field(default="", repr=False)


def check(lock: Lock) -> None:
    """Raises Refused if nobody could open the backup, or a recipient is no age key."""
    if not lock.recipients and not lock.passphrase:
        raise Refused(Problem("recipient", _NEITHER))
    _recipients(lock)


def seal(plain: Path, sealed: Path, lock: Lock) -> None:
    """Encrypts `plain` into `sealed` and reads it back. Raises Conflict if the two differ."""
    if lock.recipients:
        # Nobody has the recipient's own key here, so a second key reads the file back, and is then forgotten.
        own = pyrage.x25519.Identity.generate()
        with plain.open("rb") as reader, sealed.open("wb") as writer:
            pyrage.encrypt_io(reader, writer, [*_recipients(lock), own.to_public()])
        read = _Digest()
        with sealed.open("rb") as reader:
            pyrage.decrypt_io(reader, read, [own])
        back = read.hexdigest
    else:
        sealed.write_bytes(pyrage.passphrase.encrypt(plain.read_bytes(), lock.passphrase))
        back = hashlib.sha256(pyrage.passphrase.decrypt(sealed.read_bytes(), lock.passphrase)).hexdigest()
    if back != digest(plain):
        raise Conflict("The backup was written but reads differently. Look at the disk, then make another.")


def unseal(sealed: Path, plain: Path, key: Key) -> None:
    """Decrypts `sealed` into `plain`. Raises Conflict where the key doesn't fit or the file is damaged."""
    try:
        if key.identity is not None:
            identities = _identities(key.identity)
            with sealed.open("rb") as reader, plain.open("wb") as writer:
                pyrage.decrypt_io(reader, writer, identities)
        else:
            plain.write_bytes(pyrage.passphrase.decrypt(sealed.read_bytes(), key.passphrase))
    except pyrage.DecryptError:
        raise Conflict(_CANT_OPEN) from None


def digest(file: Path) -> str:
    """The file's SHA-256, in hex."""
    with file.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()


class _Digest(io.BufferedIOBase):
    """A file that keeps only the digest of the data written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def write(self, data: "Buffer", /) -> int:
        self._hash.update(data)
        return memoryview(data).nbytes

    @property
    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _recipients(lock: Lock) -> list[pyrage.x25519.Recipient]:
    try:
        return [pyrage.x25519.Recipient.from_str(one.strip()) for one in lock.recipients]
    except pyrage.RecipientError:
        raise Refused(Problem("recipient", "Give the public part of an age key: it begins with age1.")) from None


def _identities(file: Path) -> list[pyrage.x25519.Identity]:
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError):
        found = []
    if not found:
        raise Refused(
            Problem("identity", "This file holds no age key: it has a line that begins with AGE-SECRET-KEY-1.")
        )
    return found
