"""Execute statements that are written as SQL, and convert values to and from the forms of the two databases.

The statements are in delivery/statements/ and in days.py.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, Self, TypeVar

import msgspec
import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from django.db.backends.utils import CursorWrapper
from psycopg.abc import Params, Query

_BY_INDEXES: Final = " ".join(
    f"-c {name}"
    for name in (
        "enable_seqscan=off",
        "enable_hashjoin=off",
        "enable_mergejoin=off",
        "plan_cache_mode=force_generic_plan",
    )
)
_ONLY_WHERE_ASKED: Final = 2**31
"""A value for psycopg's `prepare_threshold`: prepare only where asked. Django's None would forbid that too."""

Row = tuple[object, ...]
Parameters = Sequence[Any] | Mapping[str, Any]  # drivers take values of many types

T = TypeVar("T")

# Writes ids without hyphens, as the ORM stores them on SQLite; PostgreSQL accepts both forms.
_ENCODER: Final = msgspec.json.Encoder(uuid_format="hex")


@cache
def is_postgresql() -> bool:
    """Return whether the statements run on PostgreSQL; else it is SQLite."""
    return connection.vendor == "postgresql"


def as_stored(value: object) -> object:
    """A value in the form in which the ORM stores it; a list of rows as JSON."""
    if isinstance(value, list | tuple):
        return _ENCODER.encode(value).decode()
    if is_postgresql():
        return value
    match value:
        case uuid.UUID():
            return value.hex
        case dt.datetime():
            return connection.ops.adapt_datetimefield_value(value)
        case _:
            return value


def as_instant(value: object) -> dt.datetime:
    """Convert an instant that was read by raw SQL. SQLite gives a text or a naive datetime, always in UTC."""
    at = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(at, dt.datetime):
        raise TypeError("not an instant")
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def as_uuid(value: object) -> uuid.UUID:
    """Convert a UUID that was read by raw SQL. SQLite gives 32 hex digits."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))


def as_int(value: object) -> int:
    """Return a whole number that was read by raw SQL. Raises TypeError for another value."""
    if not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def run(statement: str, parameters: Parameters) -> list[Row]:
    """Execute a statement and return its rows, if it has any."""
    with _cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def read(statements: Sequence[str], row_type: type[T], /, **parameters: object) -> list[T]:
    """Execute statements in order, and return the rows of the last, each as a struct.

    The struct's fields have the names of the columns. Parameters are Python values: instants, ids, and lists of rows
    (dicts or structs with all instants in UTC). A list becomes one JSON parameter.
    """
    adapted = _adapted(parameters)
    with _cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, adapted)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return msgspec.convert(rows, list[row_type], strict=False)  # type: ignore[valid-type]  # the caller's struct


def read_json(statements: Sequence[str], decoder: msgspec.json.Decoder[T], /, **parameters: object) -> T:
    """Execute a statement whose result is one JSON value, and return this value as the decoder reads it."""
    [statement] = statements
    with _cursor() as cursor:
        cursor.execute(statement, _adapted(parameters))
        ((value,),) = cursor.fetchall()
    return decoder.decode(value)


def change(statements: Sequence[str], /, **parameters: object) -> int:
    """Execute statements in order, and return the number of rows that the last statement changed."""
    adapted, changed = _adapted(parameters), 0
    with _cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, adapted)
            changed = int(cursor.rowcount)
    return changed


def go_by_indexes() -> None:
    """Make this thread's next connection read by indexes only, and plan each statement once.

    The dispatcher's statements name a few rows each. A plan that was made while a table was small must not read the
    whole table after it has grown.
    """
    if is_postgresql():
        options = dict(connection.settings_dict["OPTIONS"])
        options["options"] = f"{options.get('options', '')} {_BY_INDEXES}".strip()
        options["prepare_threshold"] = _ONLY_WHERE_ASKED
        connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}


def plan_anew() -> None:
    """Make this connection plan its prepared statements again at their next execution, since tables grow."""
    if is_postgresql():
        run("DISCARD PLANS", ())


def _adapted(parameters: Mapping[str, object]) -> Parameters:
    return {name: as_stored(value) for name, value in parameters.items()}


def _cursor() -> CursorWrapper:
    # Django's `connection` looks up this thread's connection at each use, which costs more than some statements.
    own = connections[DEFAULT_DB_ALIAS]
    own.ensure_connection()
    driver = own.connection
    return CursorWrapper(_Prepared(driver) if is_postgresql() else driver.cursor(factory=_Converted), own)


class _Converted(SQLiteCursorWrapper):
    """A cursor that keeps converted statements. Django converts a statement at each execution, which may take longer
    than the execution. A statement with named parameters has SQLite's form already.
    """

    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        return _converted(query) if param_names is None else query


@lru_cache(maxsize=128)
def _converted(query: str) -> str:
    return "%".join(part.replace("%s", "?") for part in query.split("%%"))


class _Prepared(psycopg.Cursor[Row]):
    """A cursor whose statements are planned once. With Django's cursor, they are planned for each set of values."""

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        return super().execute(query, params, prepare=True, binary=binary)  # type: ignore[arg-type]  # templates, too
