"""Errors that mean an outage of the database, not a wrong statement."""

from typing import Final

from django.db import InterfaceError, OperationalError

OUTAGES: Final = (OperationalError, InterfaceError)
"""Errors that a service catches while it waits for its database."""
AGAIN_SECONDS: Final = 5
"""The wait after which people and programs may try again during an outage."""
_OUR_FAULT: Final = "SQLITE_ERROR"
"""SQLite's name for a wrong statement. Python counts it among the operational errors."""


def is_outage(error: object) -> bool:
    """Whether the database is gone, restarting, locked for too long or full, so the same call may succeed later."""
    if not isinstance(error, OUTAGES):
        return False
    return getattr(error.__cause__, "sqlite_errorname", "") != _OUR_FAULT
