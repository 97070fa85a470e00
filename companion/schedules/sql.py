"""The execution of statements written as SQL, and the forms in which the two databases keep values.

The statements themselves stand in delivery/statements/ and in days.py.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Self, TypeVar

import msgspec
import psycopg
from django.db import connection
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from django.db.backends.utils import CursorWrapper
from psycopg.abc import Params, Query

_BY_INDEXES = " ".join(
    f"-c {name}"
    for name in (
        "enable_seqscan=off",
        "enable_hashjoin=off",
        "enable_mergejoin=off",
        "plan_cache_mode=force_generic_plan",
    )
)
_ONLY_WHERE_ASKED = 2**31
"""A value for psycopg's `prepare_threshold`. Django's None would forbid preparing also where we ask for it."""

Row = tuple[object, ...]
Parameters = Sequence[Any] | Mapping[str, Any]  # drivers take values of many types

T = TypeVar("T")

# Without hyphens, as the ORM stores ids on SQLite; PostgreSQL takes both.
_ENCODER = msgspec.json.Encoder(uuid_format="hex")


@cache
def is_postgresql() -> bool:
    """Return whether the statements run on PostgreSQL; else it is SQLite."""
    return connection.vendor == "postgresql"


def as_stored(value: object) -> object:
    """A value in the form in which the ORM stores it; a list of rows as JSON."""
    match value:
        case uuid.UUID():
            return value if is_postgresql() else value.hex
        case dt.datetime():
            return connection.ops.adapt_datetimefield_value(value)
        case list() | tuple():
            return _ENCODER.encode(value).decode()
        case _:
            return value


def as_instant(value: object) -> dt.datetime:
    """An instant read by raw SQL: SQLite gives it as text or naive, always UTC."""
    at = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(at, dt.datetime):
        raise TypeError("not an instant")
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def as_uuid(value: object) -> uuid.UUID:
    """A UUID read by raw SQL: SQLite gives it as 32 hex digits."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))


def as_int(value: object) -> int:
    """A whole number read by raw SQL."""
    if not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def run(statement: str, parameters: Parameters) -> list[Row]:
    """Executes a statement. Returns its rows, where it has any."""
    with _cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def read(statements: Sequence[str], row_type: type[T], /, **parameters: object) -> list[T]:
    """Executes the one statement. Returns its rows, each bound to a struct by the names of the columns.

    Parameters are given as Python's own values: instants, ids, and lists of rows (dicts or structs with all instants in
    UTC), of which each list becomes one JSON parameter.
    """
    [statement] = statements
    with _cursor() as cursor:
        cursor.execute(statement, _adapted(parameters))
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return msgspec.convert(rows, list[row_type], strict=False)  # type: ignore[valid-type]  # the caller's struct


def read_json(statements: Sequence[str], decoder: msgspec.json.Decoder[T], /, **parameters: object) -> T:
    """Executes the one statement, whose result is one JSON value. Returns that value, read by the decoder."""
    [statement] = statements
    with _cursor() as cursor:
        cursor.execute(statement, _adapted(parameters))
        ((value,),) = cursor.fetchall()
    return decoder.decode(value)


def change(statements: Sequence[str], /, **parameters: object) -> int:
    """Executes statements in their order. Returns how many rows the last of them changed."""
    adapted, changed = _adapted(parameters), 0
    with _cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, adapted)
            changed = int(cursor.rowcount)
    return changed


def go_by_indexes() -> None:
    """Makes this thread's next connection look everything up by an index, by plans that are made once.

    For the dispatcher, whose statements name a few rows each: a plan that was made while a table was small must not
    read the whole table when it has grown.
    """
    if is_postgresql():
        options = dict(connection.settings_dict["OPTIONS"])
        options["options"] = f"{options.get('options', '')} {_BY_INDEXES}".strip()
        options["prepare_threshold"] = _ONLY_WHERE_ASKED
        connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}


def plan_anew() -> None:
    """Makes this connection plan its prepared statements anew when they are next executed: tables grow meanwhile."""
    if is_postgresql():
        run("DISCARD PLANS", ())


def _adapted(parameters: Mapping[str, object]) -> Parameters:
    return {name: as_stored(value) for name, value in parameters.items()}


def _cursor() -> CursorWrapper:
    connection.ensure_connection()
    own = connection.connection
    return CursorWrapper(_Prepared(own) if is_postgresql() else own.cursor(factory=_Converted), connection)


class _Converted(SQLiteCursorWrapper):
    """A cursor that keeps converted statements. Django converts them each time, which may take longer than a run.

    A statement with named parameters has SQLite's form already.
    """

    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        return _converted(query) if param_names is None else query


@lru_cache(maxsize=128)
def _converted(query: str) -> str:
    return "%".join(part.replace("%s", "?") for part in query.split("%%"))


class _Prepared(psycopg.Cursor[Row]):
    """A cursor whose statements are planned once. Django's cursor has them planned for each set of values."""

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        return super().execute(query, params, prepare=True, binary=binary)  # type: ignore[arg-type]  # templates, too
