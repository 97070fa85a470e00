"""Empties SQLite's log of changed pages, so that what was just deleted for good is in no file of the database.

The database file itself needs nothing: SQLite writes zeros over deleted rows (config/environment.py). PostgreSQL keeps
dead rows until its own VACUUM, which no transaction of ours may wait for.
"""

from typing import Final

from django.db import connection, transaction

_WAIT_MILLISECONDS: Final = 1000
"""Others can't write for so long at most. If somebody still reads then, the log is overwritten later, as always."""


def empty_log_after_commit() -> None:
    """Empty the log once the present transaction is committed. Does nothing on PostgreSQL."""
    if connection.vendor == "sqlite":
        transaction.on_commit(_empty_log)


def _empty_log() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        [usual] = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {_WAIT_MILLISECONDS}")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")
