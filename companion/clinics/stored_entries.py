"""Entries of the audit trail as the database stores them, also entries that this product did not write.

With the database's password somebody can store values that Django can't read: an instant in the year 300000, bytes that
are no text. On SQLite, a value can also be spelled so that it reads as the same, but no filter finds it. Such an entry
must not stop the others from being checked and chained, and it must not pass for a true entry.
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from companion.clinics.models import AuditEntry

_AT_ONCE: Final = 2000
_DIGITS: Final = 18
_BOOLEANS: Final = {"0": False, "1": True, "false": False, "true": True}
_Sql = tuple[str, tuple[str | int, ...]]


def _instant(text: str) -> dt.datetime:
    at = dt.datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def _instant_on_sqlite(at: dt.datetime) -> str:
    return str(at.astimezone(dt.UTC).replace(tzinfo=None))


class _Form(NamedTuple):
    """The form of a column's values: how a text is read, and SQLite's type and text for a value (None: any text)."""

    read: Callable[[str], Any]
    type: str = "text"
    write: Callable[[Any], str] | None = None


class _Column(NamedTuple):
    """A column of the table, with the form of its values."""

    name: str
    may_be_null: bool
    form: _Form


def _form_of(field: "models.Field[Any, Any]") -> _Form:
    match field:
        case models.UUIDField() | models.ForeignKey():
            return _Form(uuid.UUID, write=attrgetter("hex"))
        case models.DateTimeField():
            return _Form(_instant, write=_instant_on_sqlite)
        case models.BooleanField():
            return _Form(_BOOLEANS.__getitem__, "integer", lambda flag: str(int(flag)))
        case models.BigIntegerField():
            return _Form(int, "integer", str)
        case models.JSONField():
            return _Form(json.loads)
        case _:
            return _Form(str)


_COLUMNS: Final = tuple(
    _Column(field.attname, field.null, _form_of(field)) for field in AuditEntry._meta.concrete_fields
)
_NAMES: Final = [column.name for column in _COLUMNS]


@dataclass(frozen=True, slots=True)
class Odd:
    """An entry that is not stored as the product stores entries."""

    number: int | None
    id: str
    hash: str


class Stored(Func):
    """A column's value as text, on SQLite as the bytes of that text. No value prevents this from being read."""

    output_field = models.BinaryField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> _Sql:
        return self.as_sql(compiler, connection, template="CAST(%(expressions)s AS BLOB)")

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> _Sql:
        return self.as_sql(compiler, connection, template="(%(expressions)s)::text")


class _TypesOnSqlite(Func):
    """The types of a row's values, with spaces between; empty on PostgreSQL, where a column has a single type."""

    output_field = models.TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> _Sql:
        columns = [compiler.compile(column)[0] for column in self.get_source_expressions()]
        return " || ' ' || ".join(f"typeof({column})" for column in columns), ()

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> _Sql:
        return "''", ()


def read(rows: QuerySet[AuditEntry]) -> Generator[AuditEntry | Odd, None, None]:
    """Read these entries, in their order."""
    names = [F(name) for name in _NAMES]
    found = rows.values_list(*map(Stored, names), _TypesOnSqlite(*names))
    for *stored, types in found.iterator(chunk_size=_AT_ONCE):
        yield _entry(stored, str(types).split())


def readable(rows: QuerySet[AuditEntry]) -> Iterator[AuditEntry]:
    """Read these entries, without odd entries, which `companion audit verify` names."""
    return (entry for entry in read(rows) if isinstance(entry, AuditEntry))


def text_of(stored: object, *, errors: Literal["replace", "strict"] = "replace") -> str:
    """Return the text of a value that was read by `Stored`. Bytes that are no text are replaced.

    With "strict" they raise UnicodeDecodeError instead.
    """
    return bytes(stored).decode(errors=errors) if isinstance(stored, bytes | memoryview) else str(stored)


def _entry(stored: Sequence[object], types: Sequence[str]) -> AuditEntry | Odd:
    try:
        values = [
            _value(column, value, type)
            for column, value, type in zip(_COLUMNS, stored, types or repeat(""), strict=False)
        ]
    except (ValueError, KeyError, RecursionError):
        known = {column.name: value for column, value in zip(_COLUMNS, stored, strict=True)}
        number = text_of(known["number"] or b"")
        is_number = number.isdecimal() and len(number) <= _DIGITS
        return Odd(int(number) if is_number else None, text_of(known["id"] or b""), text_of(known["hash"] or b""))
    return AuditEntry.from_db(None, _NAMES, values)


def _value(column: _Column, stored: object, type: str) -> object:
    """Read a value, which SQLite stores in this type ("": another database).

    Raises ValueError, KeyError or RecursionError if the product stores no value in this way.
    """
    if stored is None:
        if not column.may_be_null:
            raise ValueError(column.name)
        return None
    text, form = text_of(stored, errors="strict"), column.form
    value = form.read(text)
    if type and (type != form.type or (form.write and form.write(value) != text)):
        raise ValueError(column.name)
    return value
