"""Entries of the audit trail as the database stores them, also entries that this product did not write.

With the database's password somebody can store values that Django can't read: an instant in the year 300000, bytes that
are no text. On SQLite, a value can also be spelled so that it reads as the same, but no filter finds it. Such an entry
must not stop the others from being checked and chained, and it must not pass for a true entry.
"""

import datetime as dt
import json
import uuid
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from companion.clinics.models import AuditEntry

_AT_ONCE: Final = 2000
_FIELDS: Final = AuditEntry._meta.concrete_fields
_DIGITS: Final = 18
_BOOLEANS: Final = {"0": False, "1": True, "false": False, "true": True}
_Sql = tuple[str, tuple[str | int, ...]]


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
    names = [F(field.attname) for field in _FIELDS]
    found = rows.values_list(*map(Stored, names), _TypesOnSqlite(*names))
    for *stored, types in found.iterator(chunk_size=_AT_ONCE):
        yield _entry(stored, str(types).split())


def readable(rows: QuerySet[AuditEntry]) -> Iterator[AuditEntry]:
    """Read these entries, without odd entries, which `companion audit verify` names."""
    return (entry for entry in read(rows) if isinstance(entry, AuditEntry))


def text_of(stored: object) -> str:
    """Return the text of a value that was read by `Stored`. Bytes that are no text are replaced."""
    return stored if isinstance(stored, str) else bytes(stored).decode(errors="replace")  # type: ignore[call-overload]


def _entry(stored: Sequence[object], types: Sequence[str]) -> AuditEntry | Odd:
    try:
        values = {
            field.attname: _value(field, value, type)
            for field, value, type in zip(_FIELDS, stored, types or repeat(""), strict=False)
        }
    except (ValueError, KeyError, RecursionError):
        known = {field.attname: value for field, value in zip(_FIELDS, stored, strict=True)}
        number = text_of(known["number"] or b"")
        is_number = number.isdecimal() and len(number) <= _DIGITS
        return Odd(int(number) if is_number else None, text_of(known["id"] or b""), text_of(known["hash"] or b""))
    return AuditEntry(**values)


def _value(field: "models.Field[Any, Any]", stored: object, type: str) -> object:
    """Read a value, which SQLite stores in this type ("": another database).

    Raises ValueError, KeyError or RecursionError if the product stores no value in this way.
    """
    if stored is None:
        if not field.null:
            raise ValueError(field.attname)
        return None
    text = stored if isinstance(stored, str) else bytes(stored).decode()  # type: ignore[call-overload]
    value = _read(field, text)
    if type and (type, text) != _as_written_on_sqlite(value, text):
        raise ValueError(field.attname)
    return value


def _read(field: "models.Field[Any, Any]", text: str) -> object:
    match field:
        case models.UUIDField() | models.ForeignKey():
            return uuid.UUID(text)
        case models.DateTimeField():
            at = dt.datetime.fromisoformat(text)
            return at.replace(tzinfo=at.tzinfo or dt.UTC)
        case models.BooleanField():
            return _BOOLEANS[text]
        case models.BigIntegerField():
            return int(text)
        case models.JSONField():
            return json.loads(text)
        case _:
            return text


def _as_written_on_sqlite(value: object, text: str) -> tuple[str, str]:
    """Return the type and the text by which the product stores this value."""
    match value:
        case uuid.UUID():
            return "text", value.hex
        case dt.datetime():
            return "text", str(value.astimezone(dt.UTC).replace(tzinfo=None))
        case int():
            return "integer", str(int(value))
        case _:
            return "text", text
