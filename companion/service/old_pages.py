"""Emptying of SQLite's write-ahead log, so that rows that were deleted for good remain in no file of the database.

In the database file SQLite writes zeros over deleted rows (config/databases.py). PostgreSQL keeps deleted rows until
its next VACUUM, for which our transactions don't wait.
"""

from typing import Final

from django.db import connection, transaction

_WAIT_MILLISECONDS: Final = 1000
"""The longest time for which others can't write. If somebody still reads then, SQLite overwrites the log later."""


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
