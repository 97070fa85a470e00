"""The fields for texts, replies and bot tokens: authenticated encryption (AES-256-GCM).

Each value names its key of the ring (service/key_ring.py). A value sealed for one column can't be opened in another.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from companion.service.key_ring import ID_DIGITS, Ring, ring

_NONCE_BYTES: Final = 12
WITHOUT_ID: Final = b"\x01"
"""The first byte of a value from before keys had ids; then come the nonce and the ciphertext."""
_WITH_ID: Final = b"\x02"
"""The first byte of a value that names its key; then come the key's id, the nonce and the ciphertext."""
HEAD_BYTES: Final = len(_WITH_ID) + ID_DIGITS // 2


class CannotOpen(Exception):
    """The bytes were sealed with a key that this process doesn't know, or for another purpose, or they were altered."""


@dataclass(frozen=True, slots=True)
class _Ciphers:
    """The ciphers of the ring's keys by the beginning of the values that they seal."""

    head: bytes
    """The head of values that are sealed with the key in use."""
    by_head: dict[bytes, AESGCM]


def seal(text: str, purpose: str) -> bytes:
    """Encrypt the text to bytes that only `unseal` with the same purpose can read."""
    return seal_bytes(text.encode(), purpose)


def seal_all(texts: Iterable[str], purpose: str) -> list[bytes]:
    """Encrypt many texts as `seal` does, and look the key up only once."""
    ciphers = _ciphers()
    return [_sealed(ciphers, text.encode(), purpose) for text in texts]


def seal_bytes(data: bytes, purpose: str) -> bytes:
    """Encrypt to bytes that only `unseal_bytes` with the same purpose can read."""
    return _sealed(_ciphers(), data, purpose)


def unseal(stored: bytes | memoryview, purpose: str) -> str:
    """Decrypt the text. Raises CannotOpen, whose message quotes no value."""
    return unseal_bytes(stored, purpose).decode()


def unseal_bytes(stored: bytes | memoryview, purpose: str) -> bytes:
    """Decrypt the bytes. Raises CannotOpen, whose message quotes no value."""
    data = bytes(stored)
    if data[:1] == WITHOUT_ID:
        return _unseal_without_id(data, purpose)
    head = data[:HEAD_BYTES]
    cipher = _ciphers().by_head.get(head)
    if cipher is None:
        raise CannotOpen(_another_key(purpose, head))
    nonce, body = data[HEAD_BYTES : HEAD_BYTES + _NONCE_BYTES], data[HEAD_BYTES + _NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, body, _context(head, purpose))
    except (InvalidTag, ValueError):
        raise CannotOpen(f"{purpose} was altered or damaged since it was sealed: restore it from a backup") from None


def sealed_now() -> bytes:
    """The head of all values that the key in use has sealed."""
    return _ciphers().head


def reseal(stored: bytes | memoryview, purpose: str) -> bytes:
    """Seal a value again with the key in use. Raises CannotOpen."""
    return seal_bytes(unseal_bytes(stored, purpose), purpose)


def key_of(head: bytes) -> str:
    """The id of the key that sealed a value with this head; "" for a value from before keys had ids."""
    return head[1:HEAD_BYTES].hex() if head[:1] == _WITH_ID else ""


def _unseal_without_id(data: bytes, purpose: str) -> bytes:
    nonce, body = data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
    for cipher in _ciphers().by_head.values():
        try:
            return cipher.decrypt(nonce, body, _context(WITHOUT_ID, purpose))
        except (InvalidTag, ValueError):
            continue
    raise CannotOpen(_another_key(purpose, WITHOUT_ID))


def _another_key(purpose: str, head: bytes) -> str:
    named = f"the SECRET_KEY {key_of(head)}, which this service doesn't have" if key_of(head) else "another SECRET_KEY"
    return f"{purpose} was sealed with {named}: give this service the key that it was stored with"


def _sealed(ciphers: _Ciphers, data: bytes, purpose: str) -> bytes:
    nonce, head = os.urandom(_NONCE_BYTES), ciphers.head
    return head + nonce + ciphers.by_head[head].encrypt(nonce, data, _context(head, purpose))


def _ciphers() -> _Ciphers:
    return _made(ring())


@lru_cache(maxsize=8)
def _made(known: Ring) -> _Ciphers:
    by_head = {_WITH_ID + bytes.fromhex(key.id): AESGCM(key.derived("sealed field")) for key in known.keys}
    return _Ciphers(next(iter(by_head)), by_head)


@lru_cache(maxsize=256)
def _context(head: bytes, purpose: str) -> bytes:
    return head + purpose.encode()


_Set = TypeVar("_Set", contravariant=True)
_Get = TypeVar("_Get", covariant=True)
if TYPE_CHECKING:

    class _Bytes(models.Field[_Set, _Get]):
        # From these, django-stubs learns the Python type of a column.
        _pyi_private_set_type: str
        _pyi_private_get_type: str

    _Characters = models.CharField[str, str]
else:
    _Characters = models.CharField

    class _Bytes(models.BinaryField):
        def __class_getitem__(cls, _: object) -> type:
            return cls


class SealedField(_Bytes[_Set, _Get]):
    """A text that is stored sealed and reads as text in Python. It can't be searched or compared.

    `purpose` names the column ("schedules.Attempt.text"); raw SQL seals with the same purpose.
    """

    def __init__(self, purpose: str, **options: object) -> None:
        self.purpose = purpose
        options["editable"] = False
        super().__init__(**options)  # type: ignore[arg-type]  # Django's own options, passed on as they came

    def deconstruct(self) -> tuple[str, str, list[object], dict[str, object]]:
        name, path, args, options = super().deconstruct()
        options["purpose"] = self.purpose
        return name, path, list(args), options

    def from_db_value(self, value: bytes | None, *_: object) -> str | None:
        return None if value is None else unseal(value, self.purpose)

    def get_db_prep_value(self, value: object, connection: BaseDatabaseWrapper, prepared: bool = False) -> object:
        sealed = seal(value, self.purpose) if isinstance(value, str) else value
        return super().get_db_prep_value(sealed, connection, prepared)


class SealedBytesField(_Bytes[bytes, bytes]):
    """Bytes that are sealed for one row. The code that writes seals them, and the code that reads opens them.

    Both use the purpose of `purpose_of`. `bound_to` names the columns that identify the row.
    """

    def __init__(self, purpose: str, bound_to: tuple[str, ...], **options: object) -> None:
        self.purpose, self.bound_to = purpose, bound_to
        super().__init__(**options)  # type: ignore[arg-type]  # Django's own options, passed on as they came

    def deconstruct(self) -> tuple[str, str, list[object], dict[str, object]]:
        name, path, args, options = super().deconstruct()
        options |= {"purpose": self.purpose, "bound_to": self.bound_to}
        return name, path, list(args), options

    def purpose_of(self, *bound: object) -> str:
        """The purpose for the row with these values of `bound_to`. Bytes of one row can't be opened in another."""
        return " ".join([self.purpose, *map(str, bound)])


class KeyedHashField(_Characters):
    """A hash of the key ring (service/key_ring.py), which names its key. `companion keys list` counts its rows."""

    def __init__(self, **options: object) -> None:
        options.setdefault("max_length", 64)
        super().__init__(**options)  # type: ignore[arg-type]  # Django's own options, passed on as they came
