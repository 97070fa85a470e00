"""Tests of the database's errors that mean "wait and try again", with their causes."""

import psycopg
import pytest
from django.db import DataError, IntegrityError, InterfaceError, InternalError, OperationalError, ProgrammingError
from psycopg import errors

from companion.service.outages import Trouble, is_outage, trouble_of


def of_django(kind: type[Exception], cause: Exception) -> Exception:
    """Django's error, raised from the driver's."""
    error = kind(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "trouble"),
    [
        (errors.ReadOnlySqlTransaction(), Trouble.READ_ONLY),
        (errors.LockNotAvailable(), Trouble.LOCKED),
        (errors.DeadlockDetected(), Trouble.LOCKED),
        (errors.TooManyConnections(), Trouble.CONNECTIONS),
        (errors.InvalidPassword(), Trouble.LOGIN),
        (errors.InsufficientPrivilege(), Trouble.LOGIN),
        (errors.InvalidCatalogName(), Trouble.LOGIN),
        (errors.DiskFull(), Trouble.DISK_FULL),
        (errors.DuplicatePreparedStatement(), Trouble.POOLER),
        (errors.InvalidSqlStatementName(), Trouble.POOLER),
        (errors.IdleInTransactionSessionTimeout(), Trouble.GONE),
        (errors.AdminShutdown(), Trouble.GONE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_postgresqls_errors_are_told_apart_by_their_state(cause: psycopg.Error, trouble: Trouble) -> None:
    kind = OperationalError if isinstance(cause, psycopg.OperationalError) else InternalError

    assert trouble_of(of_django(kind, cause)) is trouble
    assert trouble_of(cause) is trouble


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ('connection failed: FATAL:  password authentication failed for user "too many clients"', Trouble.LOGIN),
        ('FATAL:  role "ana" does not exist', Trouble.LOGIN),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.8"', Trouble.LOGIN),
        ("FATAL:  sorry, too many clients already", Trouble.CONNECTIONS),
        ("FATAL:  remaining connection slots are reserved for superusers", Trouble.CONNECTIONS),
        ("SSL error: certificate verify failed", Trouble.CERTIFICATE),
        ("server does not support SSL, but SSL was required", Trouble.CERTIFICATE),
        ("ERROR:  unsupported startup parameter: options", Trouble.POOLER),
        ("query_wait_timeout", Trouble.POOLER),
        ("session is read-only", Trouble.READ_ONLY),
        ("connection refused", Trouble.GONE),
        ("la conexi\u00f3n fue rechazada", Trouble.GONE),
    ],
)
def test_a_connection_that_failed_is_told_by_its_words(words: str, trouble: Trouble) -> None:
    assert trouble_of(of_django(OperationalError, psycopg.OperationalError(words))) is trouble


@pytest.mark.parametrize(
    "error",
    [
        of_django(ProgrammingError, errors.UndefinedTable()),
        of_django(IntegrityError, errors.UniqueViolation()),
        of_django(DataError, errors.NumericValueOutOfRange()),
        ValueError("no database at all"),
        None,
    ],
    ids=["no such table", "a constraint", "a wrong value", "another error", "none"],
)
def test_a_fault_of_ours_is_no_outage(error: object) -> None:
    assert not is_outage(error)


def test_a_line_that_the_driver_finds_closed_is_an_outage() -> None:
    assert trouble_of(of_django(InterfaceError, psycopg.InterfaceError("the connection is closed"))) is Trouble.GONE


def test_no_advice_is_missing() -> None:
    assert [trouble for trouble in Trouble if not trouble.sentences.endswith(".")] == []
