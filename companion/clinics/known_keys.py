"""The API keys that this process has accepted. During an outage of the database they may still read metrics.

All keys are in the database, so an outage would otherwise hide the numbers just when people need them.
"""

import hashlib
from typing import Final

from django.db import Error, connection

from companion.clinics.access import NotAllowed
from companion.clinics.api_keys import caller_of_key, secret_of
from companion.clinics.models import Scope
from companion.service.clock import database_now
from companion.service.outages import is_outage
from companion.service.timeouts import HEALTH_SECONDS, database_within

_MOST: Final = 1000
_known: Final[set[bytes]] = set()
"""Hashes of `Authorization` headers."""


def remember(header: str, address: str) -> None:
    """Remember the header of a key that was accepted from this address. A session has no header."""
    if header and len(_known) < _MOST:
        _known.add(_digest(header, address))


def forget(header: str, address: str) -> None:
    """Drop the header of a key that was refused."""
    _known.discard(_digest(header, address))


def is_known(header: str, address: str) -> bool:
    """Return whether the header's key was accepted from this address at its last use."""
    return _digest(header, address) in _known


def may_read_metrics(header: str, address: str) -> bool:
    """Return whether the header holds an API key for metrics, of any role and clinic.

    It is meant for threads that keep no connection. Raises django.db.Error during an outage of the database, for a key
    that this process hasn't accepted before.
    """
    secret = secret_of(header)
    if not secret:
        return False
    try:
        with database_within(HEALTH_SECONDS):
            known = _reads_metrics(secret, address)
    except Error as error:
        if is_outage(error) and is_known(header, address):
            return True
        raise
    finally:
        connection.close()
    (remember if known else forget)(header, address)
    return known


def _reads_metrics(secret: str, address: str) -> bool:
    try:
        caller = caller_of_key(secret, address, now=database_now())
        if caller:
            caller.needs_scope(Scope.CONTROL)
    except NotAllowed:
        return False
    return caller is not None


def _digest(header: str, address: str) -> bytes:
    return hashlib.sha256(f"{address} {header}".encode(errors="replace")).digest()
