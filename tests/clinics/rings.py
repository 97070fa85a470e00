"""Key rings for tests: the key of this run, a newer key, and values as versions before key ids stored them."""

import os
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection
from pytest_django import Settings

from companion.service.key_ring import key_id, ring

NEWER = "a newer key, only for tests"
NEWER_ID = key_id(NEWER)


def use_newer(settings: Settings) -> str:
    """Put a newer key in use, in front of the present keys. Return the id of the key before."""
    before = ring().in_use.id
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    settings.SECRET_KEY = NEWER
    return before


def forget_older(settings: Settings) -> None:
    """Know the key in use alone."""
    settings.SECRET_KEY_FALLBACKS = []


def sealed_without_id(text: str, purpose: str) -> bytes:
    """The text as the first version sealed it, with the key in use."""
    nonce, cipher = os.urandom(12), AESGCM(ring().in_use.derived("sealed field"))
    return b"\x01" + nonce + cipher.encrypt(nonce, text.encode(), b"\x01" + purpose.encode())


def stored(table: str, column: str) -> list[bytes]:
    """A sealed column as it lies in the database."""
    quote: Callable[[str], str] = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {quote(column)} FROM {table} ORDER BY id")
        return [bytes(value) for (value,) in cursor.fetchall() if value is not None]
