"""Whether an error means that the database can't be used just now, rather than that our statement was wrong."""

from typing import Final

from django.db import InterfaceError, OperationalError

AWAY: Final = (OperationalError, InterfaceError)
"""What a service that waits for its database catches, and tries again."""
AGAIN_SECONDS: Final = 5
"""After which a person or a program that was turned away for it may try again."""
_OUR_FAULT: Final = "SQLITE_ERROR"
"""SQLite's name for a statement it can't carry out, which Python counts among the operational errors."""


def is_away(error: object) -> bool:
    """It is gone, restarting, locked for too long or full: the same call may well succeed later."""
    if not isinstance(error, AWAY):
        return False
    return getattr(error.__cause__, "sqlite_errorname", "") != _OUR_FAULT
