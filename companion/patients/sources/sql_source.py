"""A database as a source, by SQLAlchemy. The clinic names a table or a query, and the columns for our fields.

Rows are read in one transaction, which is read-only where the database knows this, and rolled back at the end.
"""

import datetime as dt
import decimal
import errno
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from companion.clinics.refusals import Problem, Refused
from companion.patients.importing import COLUMNS, NEEDED, split_cohorts
from companion.patients.sources.source import Found, Point, SourceDown, before
from companion.service import verified

_AT_ONCE: Final = 500
_DOWN: Final = "The patient database could not be read completely ({error}). Nothing was changed."
_LARGEST: Final = 10**40
_STAYS: Final = {"", "0", "f", "false", "n", "no"}
"""Values of the column `left` that mean that the patient has not left."""


@dataclass(frozen=True, slots=True)
class SqlSettings:
    """The content of a mapping file: `table` or `query`; `columns`, from our fields to columns of the database; and if
    wanted, the columns `changed_at` and `left` (a date or a yes).
    """

    url: str = field(repr=False)
    columns: Mapping[str, str]
    table: str = ""
    query: str = ""
    changed_at: str = ""
    left: str = ""


def read_settings(url: str, mapping: Mapping[str, object]) -> SqlSettings:
    """Check the settings. Raises Refused with what is wrong in the address or the mapping."""
    try:
        sa.make_url(url).get_dialect()
    except (ArgumentError, NoSuchModuleError):
        sentence = "Give the database as SQLAlchemy's URL, like postgresql+psycopg://user:password@host/hospital."
        raise Refused(Problem("url", sentence)) from None
    texts = {name: str(mapping.get(name, "")) for name in ("table", "query", "changed_at", "left")}
    columns = mapping.get("columns")
    problems = []
    named = columns.values() if isinstance(columns, dict) else ()
    if not all(isinstance(setting, str) for setting in (*named, *(mapping[name] for name in texts if name in mapping))):
        problems.append(Problem("mapping", "Write the names of tables and columns in quotes."))
    if bool(texts["table"]) == bool(texts["query"]):
        problems.append(Problem("mapping", "Name either a table or a query."))
    if unknown := sorted(set(mapping) - {*texts, "columns"}):
        problems.append(Problem("mapping", f"A mapping has no such settings: {', '.join(unknown)}."))
    if not isinstance(columns, dict) or not set(NEEDED) <= set(columns):
        problems.append(Problem("mapping", "[columns] must say which columns are external_id and name."))
    elif strange := sorted(set(columns) - set(COLUMNS)):
        problems.append(Problem("mapping", f"[columns] names fields that no patient has: {', '.join(strange)}."))
    if problems or not isinstance(columns, dict):
        raise Refused(*problems)
    return SqlSettings(url, {ours: str(theirs) for ours, theirs in columns.items()}, **texts)


def shown_address(url: str) -> str:
    """The database's kind, machine and name; no user, no password."""
    parts = sa.make_url(url)
    name = (parts.database or "").rpartition("/")[2]
    return f"{parts.get_backend_name()} {name}" + (f" on {parts.host}" if parts.host else "")


def is_safe(url: str) -> bool:
    """Return whether the database is on this machine, or its connection is encrypted and checked.

    Of databases other than PostgreSQL, MariaDB and MySQL we can't tell: those on other machines count as unsafe.
    """
    parts = sa.make_url(url)
    host, options = str(parts.query.get("host") or parts.host or ""), dict(parts.query)
    match parts.get_backend_name():
        case "postgresql":
            return verified.postgresql(host, options, os.environ)
        case "mysql" | "mariadb":
            return verified.mysql(host, options)
        case _:
            return verified.is_here(host)


class SqlSource:
    """A database that opens one connection for each reading, and closes it."""

    def __init__(self, settings: SqlSettings) -> None:
        self._settings: Final = settings

    def read_all(self) -> Iterator[Found]:
        """Every row."""
        return self._read(None)

    def read_changed_since(self, point: Point) -> Iterator[Found]:
        """The rows whose `changed_at` is not before the point; every row if no such column is named."""
        if isinstance(point, dt.datetime):
            point = before(point)
        return self._read(point if self._settings.changed_at else None)

    def _read(self, since: Point | None) -> Iterator[Found]:
        try:
            with open_read_only(self._settings.url) as connection:
                options = {"stream_results": True, "yield_per": _AT_ONCE}
                rows = connection.execute(self._statement(since), execution_options=options).mappings()
                for number, row in enumerate(rows, 1):
                    yield found_in(self._settings, number, {str(name): value for name, value in row.items()})
        except (SQLAlchemyError, ImportError, OSError) as error:
            # Only the error's type: a driver's message quotes addresses, statements and values.
            raise SourceDown(_DOWN.format(error=type(error).__name__)) from None

    def _statement(self, since: Point | None) -> sa.Select[tuple[object, ...]]:
        own = self._settings
        names = filter(None, (*own.columns.values(), own.changed_at, own.left))
        columns: list[sa.ColumnClause[object]] = [sa.column(name) for name in dict.fromkeys(names)]
        whole: sa.FromClause
        if own.query:
            whole = sa.text(own.query.rstrip().rstrip(";")).columns(*columns).subquery("patients")
        else:
            schema, _, table = own.table.rpartition(".")
            whole = sa.table(table, *columns, schema=schema or None)
        statement = sa.select(*(whole.c[column.name] for column in columns))
        return statement if since is None else statement.where(whole.c[own.changed_at] >= since)


@contextmanager
def open_read_only(url: str) -> Iterator[sa.Connection]:
    """A connection that refuses to write, rolled back at its end. Raises what SQLAlchemy raises."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").is_file():
        # SQLite would create an empty file.
        raise FileNotFoundError(errno.ENOENT, "no such database")
    with engine.connect() as connection:
        match engine.dialect.name:
            case "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = ON")
            case "postgresql":
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            case "mysql" | "mariadb":
                # This holds from the next transaction on, so the present transaction is ended.
                connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
                connection.rollback()
            case _:
                # Other databases have no such statement. We send only a SELECT, and the account should only read.
                pass
        yield connection
        connection.rollback()


def found_in(own: SqlSettings, number: int, row: Mapping[str, object]) -> Found:
    """Return the patient in a row, which holds the values of the columns. Raises SourceDown."""
    values = {ours: value for ours, theirs in own.columns.items() if (value := _value(ours, row[theirs])) != ""}
    changed = row[own.changed_at] if own.changed_at else None
    if isinstance(changed, dt.date) and not isinstance(changed, dt.datetime):
        changed = changed.isoformat()
    if isinstance(changed, bool) or not isinstance(changed, dt.datetime | int | str | None):
        raise SourceDown("The column that says when a row changed holds neither a time, a number nor a text.")
    left = own.left != "" and _says_left(row[own.left])
    return Found(f"row {number}", values, left=left, changed=changed)


def _value(field_name: str, value: object) -> object:
    """A column's value in a form that fields.py reads; "" for no value."""
    match value:
        case None:
            return ""
        case dt.datetime() if field_name == "birth_date":
            return value.date()
        case dt.date():
            return value
        case bool():
            return value
        case int() | decimal.Decimal() | float() if _is_whole(value):
            return int(value) if field_name == "telegram_id" else str(int(value))
        case str() if field_name == "cohorts":
            return split_cohorts(value) or ""
        case str() | uuid.UUID():
            return str(value).strip()
        case _:
            return value


def _is_whole(value: float | decimal.Decimal) -> bool:
    """Return whether a number is a whole number, and short enough to be an id."""
    # isfinite can't take an int of more than 308 digits.
    if isinstance(value, int):
        return -_LARGEST < value < _LARGEST
    return math.isfinite(value) and -_LARGEST < value < _LARGEST and value == int(value)


def _says_left(value: object) -> bool:
    return value is not None and value is not False and str(value).strip().casefold() not in _STAYS
