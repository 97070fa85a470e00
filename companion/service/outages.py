"""Errors of the database that mean "wait and try again", and their causes. Every service uses this module.

A wrong SQL statement is no outage, and neither is a row that a constraint refuses.
"""

import re
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

import psycopg
import structlog
from django.db import InterfaceError, OperationalError, connection

from companion.journal.writing import JournalGone

log = structlog.stdlib.get_logger(__name__)
_T = TypeVar("_T")
AGAIN_SECONDS: Final = 5
"""The wait after which people and programs may try again during an outage."""
STUCK_SECONDS: Final = 10.0
"""The time after which work without an answer shows that the database hangs: longer than any wait for a lock."""
_START_AGAIN_SECONDS: Final = 1.0


class Trouble(StrEnum):
    """The reason why the database can't be used. The values are the names of health's causes."""

    GONE = "database_gone"
    READ_ONLY = "database_read_only"
    LOCKED = "database_locked"
    CONNECTIONS = "database_connections"
    LOGIN = "database_login"
    CERTIFICATE = "database_certificate"
    POOLER = "database_pooler"
    DISK_FULL = "database_disk_full"

    @property
    def clause(self) -> str:
        """The cause as a clause for sentences, like "the database is read-only"."""
        return _WORDS[self].clause

    @property
    def advice(self) -> str:
        """The advice for the operator."""
        return _WORDS[self].advice

    @property
    def sentences(self) -> str:
        """The cause and the advice, for a command or a log."""
        return f"{self.clause[0].upper()}{self.clause[1:]}. {self.advice}"


class _Words(NamedTuple):
    clause: str
    advice: str


class Hindrance(NamedTuple):
    """The reason why a service can't store its work, as a clause, and the database's trouble if that is the reason."""

    clause: str
    trouble: Trouble | None

    @classmethod
    def of(cls, error: BaseException) -> "Hindrance | None":
        """Return the hindrance that caused the error; None for another error, for which a new try would not help."""
        if isinstance(error, JournalGone):
            return cls("the Journal can't be written (see the disk of COMPANION_JOURNAL_DIR)", None)
        trouble = trouble_of(error)
        return cls(trouble.clause, trouble) if trouble else None

    def health(self, service: str) -> dict[str, object]:
        """The service's answer to GET /health."""
        words = f"The {service} runs, but can't write: {self.clause}. It continues by itself as soon as it can."
        return {"status": "degraded", "detail": words, "cause": self.trouble}


NO_ANSWER: Final = Hindrance("the database gives no answer", Trouble.GONE)
"""The hindrance of a service that waits for an answer of the database in vain."""
_WORDS: Final = {
    Trouble.GONE: _Words(
        "the database can't be reached", "Check that the database runs, and that COMPANION_DATABASE_URL is right."
    ),
    Trouble.READ_ONLY: _Words(
        "the database is read-only",
        "Is this PostgreSQL a standby, as after a failover? Name the primary in COMPANION_DATABASE_URL, or end "
        "`default_transaction_read_only`. With SQLite, let the services' user write to the data folder.",
    ),
    Trouble.LOCKED: _Words(
        "another session locks the database",
        "Find the session with `pg_blocking_pids` and end it: a migration, a backup, or somebody's open transaction. "
        "With SQLite, end the other program that has the file open.",
    ),
    Trouble.CONNECTIONS: _Words(
        "the database takes no more connections",
        "Look in `pg_stat_activity` for sessions that nobody needs, and end them, or raise `max_connections`.",
    ),
    Trouble.LOGIN: _Words(
        "the database refuses our login",
        "Check the user, the password and the database's name in COMPANION_DATABASE_URL, the user's rights, and the "
        "server's `pg_hba.conf`.",
    ),
    Trouble.CERTIFICATE: _Words(
        "the encrypted connection to the database fails",
        "Check whether the server's certificate has expired, `sslmode` and `sslrootcert` in COMPANION_DATABASE_URL.",
    ),
    Trouble.POOLER: _Words(
        "the pooler in front of the database doesn't fit",
        "Set `pool_mode = session` and `ignore_startup_parameters = options` in PgBouncer, or connect to PostgreSQL "
        "itself.",
    ),
    Trouble.DISK_FULL: _Words("the database's disk is full", "Make room on the disk that the database is on."),
}
_BY_STATE: Final = {
    "25006": Trouble.READ_ONLY,  # read_only_sql_transaction: a standby, or default_transaction_read_only
    "25P03": Trouble.GONE,  # idle_in_transaction_session_timeout: we were frozen, and the server hung up
    "26000": Trouble.POOLER,  # invalid_sql_statement_name: a prepared statement stayed on another server connection
    "28000": Trouble.LOGIN,
    "28P01": Trouble.LOGIN,
    "3D000": Trouble.LOGIN,  # invalid_catalog_name: no such database
    "40001": Trouble.LOCKED,
    "40P01": Trouble.LOCKED,
    "42501": Trouble.LOGIN,  # insufficient_privilege
    "42P05": Trouble.POOLER,  # duplicate_prepared_statement: as 26000
    "53100": Trouble.DISK_FULL,
    "53300": Trouble.CONNECTIONS,
    "55P03": Trouble.LOCKED,
}
"""The causes by SQLSTATE (PostgreSQL manual, appendix A)."""
_BY_WORDS: Final = (
    (Trouble.CONNECTIONS, ("too many clients", "too many connections", "connection slots", "no more connections")),
    (
        Trouble.LOGIN,
        (
            "password authentication failed",
            "no password supplied",
            "authentication failed",
            "pg_hba.conf",
            "is not permitted to log in",
            "permission denied",
            "user  does not exist",
            "role  does not exist",
            "database  does not exist",
            "is not currently accepting connections",
            "no such user",
            "no such database",
        ),
    ),
    (Trouble.READ_ONLY, ("session is read-only", "hot standby mode", "readonly database")),
    (Trouble.DISK_FULL, ("no space left on device",)),
    (
        Trouble.POOLER,
        ("unsupported startup parameter", "query_wait_timeout", "server_login_retry", "pgbouncer", "pooler"),
    ),
    (Trouble.CERTIFICATE, ("certificate", "ssl error", "does not support ssl")),
)
"""The causes by words in the message of a failed connection, for which libpq gives no SQLSTATE.

If the server's messages are not in English, the cause is "can't be reached".
"""
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
"""Names of hosts, users and databases in such a message."""
_PROTOCOL_VIOLATION: Final = "08P01"
"""The SQLSTATE of errors that PgBouncer itself raises."""
_BY_SQLITE: Final = (
    ("SQLITE_READONLY", Trouble.READ_ONLY),
    ("SQLITE_BUSY", Trouble.LOCKED),
    ("SQLITE_LOCKED", Trouble.LOCKED),
    ("SQLITE_FULL", Trouble.DISK_FULL),
)
"""The causes by the beginning of SQLite's name for the error."""
_WRONG_STATEMENT: Final = "SQLITE_ERROR"
"""SQLite's name for a wrong statement, which Python raises as an OperationalError."""


def patiently(work: Callable[[], _T]) -> _T:
    """Run a part of a service's start. During an outage of the database it tries again until the outage is over."""
    reported: Hindrance | None = None
    while True:
        try:
            return work()
        except Exception as error:
            hindered = Hindrance.of(error)
            if hindered is None:
                raise
            if hindered != reported:
                advice = hindered.trouble.advice if hindered.trouble else ""
                log.warning("the start waits", why=hindered.clause, advice=advice, error=type(error).__name__)
            reported = hindered
            connection.close()
            time.sleep(_START_AGAIN_SECONDS)


def is_outage(error: object) -> bool:
    """Return whether the database can't be used just now, so that the same call may succeed later."""
    return trouble_of(error) is not None


def trouble_of(error: object) -> Trouble | None:
    """Return why the database can't be used now; None if the error has another cause.

    The error may come from psycopg or from Django.
    """
    cause = error.__cause__ if isinstance(error, Exception) and error.__cause__ is not None else error
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    if known := _BY_STATE.get(state or ""):
        return known
    if not isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError):
        return None
    if (name := getattr(cause, "sqlite_errorname", "")) == _WRONG_STATEMENT:
        return None
    by_name = (trouble for begin, trouble in _BY_SQLITE if name.startswith(begin))
    has_words = not name and state in (None, _PROTOCOL_VIOLATION)
    return next(by_name, None) or (_by_words(str(error)) if has_words else Trouble.GONE)


def _by_words(message: str) -> Trouble:
    lower = _QUOTED.sub("", message).lower()
    return next((trouble for trouble, words in _BY_WORDS if any(each in lower for each in words)), Trouble.GONE)
