"""The field for texts, replies and bot tokens: authenticated encryption (AES-256-GCM).

The key is derived from SECRET_KEY. A value sealed for one column can't be opened in another.
"""

import os
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

_NONCE_BYTES = 12
_VERSION = b"\x01"


class CannotOpen(Exception):
    """The stored bytes were not sealed with this SECRET_KEY for this purpose (or were altered)."""


@cache
def _cipher(secret_key: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=b"companion sealed field").derive(secret_key.encode()))


@lru_cache(maxsize=256)
def _context(purpose: str) -> bytes:
    return _VERSION + purpose.encode()


def seal(text: str, purpose: str) -> bytes:
    """Encrypt the text to bytes that only `unseal` with the same purpose can read."""
    return seal_bytes(text.encode(), purpose)


def seal_bytes(data: bytes, purpose: str) -> bytes:
    """Encrypt to bytes that only `unseal_bytes` with the same purpose can read."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + _cipher(settings.SECRET_KEY).encrypt(nonce, data, _context(purpose))


def unseal(stored: bytes | memoryview, purpose: str) -> str:
    """Decrypt the text. Raises CannotOpen, which never quotes anything."""
    return unseal_bytes(stored, purpose).decode()


def unseal_bytes(stored: bytes | memoryview, purpose: str) -> bytes:
    """Decrypt the bytes. Raises CannotOpen, which never quotes anything."""
    data = bytes(stored)
    nonce, body = data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
    try:
        return _cipher(settings.SECRET_KEY).decrypt(nonce, body, _context(purpose))
    except InvalidTag:
        raise CannotOpen(
            f"{purpose} was sealed with another SECRET_KEY: give this service the key that it was stored with"
        ) from None


_Set = TypeVar("_Set", contravariant=True)
_Get = TypeVar("_Get", covariant=True)
if TYPE_CHECKING:

    class _Bytes(models.Field[_Set, _Get]):
        # what django-stubs reads the Python type of a column from
        _pyi_private_set_type: str
        _pyi_private_get_type: str
else:

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
