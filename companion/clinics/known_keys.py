"""API keys that this process has let in. While the database is away, which knows all keys, these may go on reading
metrics: an outage is when the numbers are wanted.
"""

import hashlib
from typing import Final

from django.db import Error, connection

from companion.clinics.api_keys import caller_of_key, secret_of
from companion.service.clock import database_now
from companion.service.outages import is_outage
from companion.service.timeouts import database_within

_DATABASE_SECONDS: Final = 3.0
_MOST: Final = 1000
_known: Final[set[bytes]] = set()
"""Hashes of `Authorization` headers."""


def remember(header: str) -> None:
    """Keep the header of a key that was let in. A session has no header."""
    if header and len(_known) < _MOST:
        _known.add(_digest(header))


def forget(header: str) -> None:
    """Drop the header of a key that was refused."""
    _known.discard(_digest(header))


def is_known(header: str) -> bool:
    """Return whether the header's key was let in when it was last seen."""
    return _digest(header) in _known


def may_read_metrics(header: str) -> bool:
    """Return whether the header holds an API key, of any role and clinic. For threads that keep no connection.

    Raises django.db.Error while the database is away, for a key that was not let in before.
    """
    secret = secret_of(header)
    if not secret:
        return False
    try:
        with database_within(_DATABASE_SECONDS):
            known = caller_of_key(secret, now=database_now()) is not None
    except Error as error:
        if is_outage(error) and is_known(header):
            return True
        raise
    finally:
        connection.close()
    (remember if known else forget)(header)
    return known


def _digest(header: str) -> bytes:
    return hashlib.sha256(header.encode(errors="replace")).digest()
