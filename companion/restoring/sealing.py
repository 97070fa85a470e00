"""Encrypt a backup with age, by a passphrase or for recipients, and check that it can be read back.

`age -d` decrypts such a file, too. With a passphrase the whole backup is read into memory, with recipients it isn't.
"""

import hashlib
import io
import time
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
    "The backup can't be opened. Set the COMPANION_BACKUP_PASSPHRASE that it was made with, or name the file of its "
    "age key with --identity. If you did, the backup is damaged."
)
_TOO_SLOW: Final = (
    "The backup wasn't opened: this machine is too slow or too busy to try the passphrase. Try again when less runs "
    "here, or on a faster machine."
)
_TRIES: Final = 20
_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of a backup. The age key of a recipient opens it; if there are no recipients, the passphrase does."""

    recipients: Sequence[str] = ()
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """The key that opens a backup: the file of an age identity, or the passphrase."""

    identity: Path | None = None
    passphrase: str = field(default="", repr=False)


def check(lock: Lock) -> None:
    """Raise Refused if the lock has neither a recipient nor a passphrase, or if a recipient is not an age key."""
    if not lock.recipients and not lock.passphrase:
        raise Refused(Problem("recipient", _NEITHER))
    _recipients(lock)


def seal(plain: Path, sealed: Path, lock: Lock) -> None:
    """Encrypt `plain` into `sealed` and read it back. Raises Conflict if the two differ or it takes too long."""
    if lock.recipients:
        # The recipient's private key isn't here, so a second key is made for reading the file back. It is never stored.
        test_key = pyrage.x25519.Identity.generate()
        with plain.open("rb") as reader, sealed.open("wb") as writer:
            pyrage.encrypt_io(reader, writer, [*_recipients(lock), test_key.to_public()])
        read = _Digest()
        with sealed.open("rb") as reader:
            pyrage.decrypt_io(reader, read, [test_key])
        read_back = read.hexdigest
    else:
        sealed.write_bytes(pyrage.passphrase.encrypt(plain.read_bytes(), lock.passphrase))
        read_back = hashlib.sha256(_opened_by_passphrase(sealed, lock.passphrase)).hexdigest()
    if read_back != digest(plain):
        raise Conflict(
            "The backup was written, but its content was different when it was read back. Check the disk, then make "
            "another backup."
        )


def unseal(sealed: Path, plain: Path, key: Key) -> None:
    """Decrypt `sealed` into `plain`. Raises Conflict if the key is wrong, the file is damaged, or it takes too long."""
    try:
        if key.identity is not None:
            identities = _identities(key.identity)
            with sealed.open("rb") as reader, plain.open("wb") as writer:
                pyrage.decrypt_io(reader, writer, identities)
        else:
            plain.write_bytes(_opened_by_passphrase(sealed, key.passphrase))
    except pyrage.DecryptError:
        raise Conflict(_CANT_OPEN) from None


def _opened_by_passphrase(sealed: Path, passphrase: str) -> bytes:
    """Return the decrypted content. Raises Conflict if age thinks for ten seconds that this machine is too slow.

    A passphrase takes about one second on the machine that makes the backup. To open it, age first measures this
    machine for two milliseconds, and refuses what would take more than 16 seconds. Another process at that moment makes
    a fast machine look slow, so the measurement is repeated.
    """
    content = sealed.read_bytes()
    for _ in range(_TRIES):
        try:
            return pyrage.passphrase.decrypt(content, passphrase)
        except pyrage.DecryptError as error:
            # pyrage has one class for all its refusals.
            if not str(error).startswith("Excessive work"):
                raise
        time.sleep(_PAUSE_SECONDS)
    raise Conflict(_TOO_SLOW)


def digest(file: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with file.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()


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
        return [pyrage.x25519.Recipient.from_str(recipient.strip()) for recipient in lock.recipients]
    except pyrage.RecipientError:
        raise Refused(Problem("recipient", "Give the public part of an age key: it begins with age1.")) from None


def _identities(file: Path) -> list[pyrage.x25519.Identity]:
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
        identities = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError):
        identities = []
    if not identities:
        raise Refused(
            Problem("identity", "This file holds no age key. An age key is a line that begins with AGE-SECRET-KEY-1.")
        )
    return identities
