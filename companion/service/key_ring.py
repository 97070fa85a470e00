"""The key ring: the secret keys that this process knows. The first key seals and signs; all keys open values.

Only this module reads the secret keys. Other modules ask for a sub-key for a purpose, and store the key's id together
with the value that they sealed or hashed.
"""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import structlog
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from companion.service.clock import database_now
from companion.service.key_file import keys_in
from companion.service.models import UsedKey

log = structlog.stdlib.get_logger(__name__)
ID_DIGITS: Final = 12
"""Hexadecimal digits of a key's id."""
_DOT: Final = "."
_HASH_DIGITS: Final = 48
"""The number of hexadecimal digits of a hash after its key's id: 192 bits, which fit into a column of 64 characters."""
_CLAIM_LOCK: Final = 7_263_416
"""An arbitrary number, the same in every process: PostgreSQL's advisory lock for the first use of a key."""
_Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Key:
    """A secret key and its id, which distinguishes keys and reveals nothing else about them."""

    secret: str = field(repr=False)
    id: str

    def derived(self, purpose: str) -> bytes:
        """The sub-key of 32 bytes for this purpose ("sealed field"). Nobody can compute the secret key from it."""
        return _derived(self.secret, purpose)

    def hashed(self, purpose: str, text: str) -> str:
        """The HMAC-SHA256 of the text under the sub-key for this purpose, in hex."""
        return hmac.digest(self.derived(purpose), text.encode(), "sha256").hex()


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """The known keys, the key in use first. Rings are compared by identity, so that a cache can use them as keys."""

    keys: tuple[Key, ...]

    @property
    def in_use(self) -> Key:
        """The key that seals and signs."""
        return self.keys[0]

    def called(self, id: str) -> Key | None:
        """The key with this id; None if this process doesn't know it."""
        return next((key for key in self.keys if key.id == id), None)

    @property
    def ids(self) -> list[str]:
        """The ids of all known keys, the key in use first."""
        return [key.id for key in self.keys]


class KeysUnreadable(Exception):
    """The file of the keys can't be read, or lacks a key. The text says why and what to do."""


def ring() -> Ring:
    """The keys that this process knows now."""
    return _ring(settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS))


def key_id(secret: str) -> str:
    """The id of a secret key."""
    return salted_hmac("companion.service.fingerprint", "", secret=secret, algorithm="sha256").hexdigest()[:ID_DIGITS]


def keyed_hash(purpose: str, text: str) -> str:
    """A hash by which a row can be found, made by the key in use. Without the key nobody can find a text by trying."""
    return _keyed_hash(ring().in_use, purpose, text)


def keyed_hashes(purpose: str, text: str) -> list[str]:
    """The hashes under which a row may be stored, one for each known key."""
    return [_keyed_hash(key, purpose, text) for key in ring().keys]


def key_of_hash(stored: str) -> str:
    """The id of the key of a keyed hash; "" for a hash from before keys had ids."""
    return stored.partition(_DOT)[0] if _DOT in stored else ""


def missing() -> list[str]:
    """The ids of keys that were used for this database and that this process doesn't know."""
    return _missing_beside(ring().ids)


def claim(known: Sequence[str]) -> list[str]:
    """Record that the first of these keys is in use, and return the ids of the used keys that aren't among them.

    If such a key is missing, nothing is recorded. Of two processes with different keys, which start at the same moment
    on an empty database, only one can record its key.
    """
    lost = _missing_beside(known)
    if lost or UsedKey.objects.filter(pk=known[0]).exists():
        return lost
    with transaction.atomic():
        if connection.vendor == "postgresql":
            # A transaction on SQLite, which has one writer at a time, needs no further lock.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])
        lost = _missing_beside(known)
        if not lost:
            note_use(known[0])
    return lost


def note_use(key: str) -> None:
    """Record the id of a key before the first value is sealed with it, so that each start notices if it is missing."""
    if not UsedKey.objects.filter(pk=key).exists():
        UsedKey.objects.bulk_create([UsedKey(id=key, since=database_now())], ignore_conflicts=True)


class KeyFileWatch:
    """A watch on the file of the secret keys, which adopts changed keys while the process runs."""

    def __init__(self) -> None:
        self._signature = self._read_signature()

    def adopt_changes(self) -> None:
        """Adopt the file's keys if the file has changed. A wrong file is logged once and has no effect.

        Raises django.db.Error if the database can't be asked which keys are needed. The next call tries again.
        """
        signature = self._read_signature()
        if signature == self._signature:
            return
        try:
            adopt(_keys_of_file())
        except KeysUnreadable as why:
            log.warning("the secret keys stay as they were", why=str(why))
        else:
            log.info("the secret keys were read again", in_use=ring().in_use.id, known=len(ring().keys))
        self._signature = signature

    @staticmethod
    def _read_signature() -> _Signature | None:
        file: Path | None = settings.SECRET_KEYS_FILE
        try:
            found = file.stat() if file else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino, found.st_size) if found else None


def adopt(secrets: Iterable[str]) -> None:
    """Use these keys as this process's ring. Raises KeysUnreadable if a key is missing that was used here."""
    given = list(secrets)
    known = [key_id(secret) for secret in given]
    if lacking := claim(known):
        raise KeysUnreadable(f"The key {lacking[0]} is missing, but data here was sealed with it. Add the key again.")
    # Other threads may open values between these lines, so at no moment may a known key be missing.
    settings.SECRET_KEY_FALLBACKS = [*given, *(key.secret for key in ring().keys)]
    settings.SECRET_KEY = given[0]
    settings.SECRET_KEY_FALLBACKS = given[1:]


def _keys_of_file() -> list[str]:
    try:
        found = keys_in(Path(str(settings.SECRET_KEYS_FILE)).read_text())
    except (OSError, UnicodeDecodeError) as wrong:
        raise KeysUnreadable(f"The file of the secret keys can't be read ({type(wrong).__name__}).") from None
    if not found:
        raise KeysUnreadable("The file of the secret keys is empty.")
    return list(dict.fromkeys([*found, *settings.COMPANION.other_keys]))


def _missing_beside(known: Iterable[str]) -> list[str]:
    return sorted(set(UsedKey.objects.values_list("id", flat=True)) - set(known))


def _keyed_hash(key: Key, purpose: str, text: str) -> str:
    return f"{key.id}{_DOT}{key.hashed(purpose, text)[:_HASH_DIGITS]}"


@lru_cache(maxsize=8)
def _ring(secret_key: str, others: tuple[str, ...]) -> Ring:
    return Ring(tuple(Key(secret, key_id(secret)) for secret in dict.fromkeys((secret_key, *others))))


@lru_cache(maxsize=64)
def _derived(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"companion {purpose}".encode()).derive(secret.encode())
