"""The few words in which SQLite and PostgreSQL differ, for the named statements of queue.py and lifecycle.py.

Lists of rows come in as one JSON parameter, so that a statement's text, and with it its plan, is always the same.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Self

import orjson
import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.abc import Params, Query

_BY_INDEXES = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"

Value = str | int | bool | None | uuid.UUID | dt.datetime
Row = tuple[object, ...]
Parameters = Sequence[Any]  # what a driver takes, which is more than one type can say

# How each type's JSON becomes what the ORM stores.
_SQLITE_FORMS = {
    "uuid": "replace({value}, '-', '')",
    "timestamptz": "{value}",
    "text": "{value}",
    "bigint": "CAST({value} AS INTEGER)",
    "bytea": "{value}",
}


@cache
def is_postgresql() -> bool:
    """Whether the statements run on PostgreSQL; else it is SQLite."""
    return connection.vendor == "postgresql"


def instant(at: dt.datetime) -> object:
    """An aware instant as a parameter, in the form in which the ORM stores it."""
    return connection.ops.adapt_datetimefield_value(at)


def key(value: uuid.UUID | None) -> object:
    """A UUID as a parameter, in the form in which the ORM stores it."""
    return value if value is None or is_postgresql() else value.hex


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


def rows(columns: Mapping[str, str]) -> str:
    """The FROM item `r` that spreads one JSON parameter into rows; `columns` maps names to PostgreSQL types."""
    if is_postgresql():
        spread = ", ".join(f"{name} {'text' if kind == 'bytea' else kind}" for name, kind in columns.items())
        return f"jsonb_to_recordset(%s::jsonb) AS r({spread})"
    spread = ", ".join(
        _SQLITE_FORMS[kind].format(value=f"value->>'$.{name}'") + f" AS {name}" for name, kind in columns.items()
    )
    return f"(SELECT {spread} FROM json_each(%s)) AS r"  # noqa: S608  (made of this room's own column names only)


def bytes_of(column: str) -> str:
    """The expression that turns a hexadecimal column of `rows` into bytes."""
    return f"decode({column}, 'hex')" if is_postgresql() else f"unhex({column})"


def then() -> str:
    """A join that is carried out in the order in which it is written: SQLite's planner, which can't know how few rows a
    JSON parameter brings, would else begin with the larger table (sqlite.org, "Manual Control Of Query Plans")."""
    return "JOIN" if is_postgresql() else "CROSS JOIN"


def locking(clause: str) -> str:
    """A row lock where there are row locks; SQLite's writers hold the whole file (BEGIN IMMEDIATE)."""
    return clause if is_postgresql() else ""


def parameter(values: Iterable[Mapping[str, Value]]) -> str:
    """The JSON for `rows`."""
    return orjson.dumps(list(values), default=_instant_as_text, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _instant_as_text(value: object) -> str:
    if not isinstance(value, dt.datetime):
        raise TypeError(type(value).__name__)
    utc = value.astimezone(dt.UTC)
    return str(utc if is_postgresql() else utc.replace(tzinfo=None))


def run(statement: str, parameters: Parameters) -> list[Row]:
    """Executes one named statement; its rows where it returns any."""
    with _cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def changed(statement: str, parameters: Parameters) -> int:
    """Executes one named statement; how many rows it changed."""
    with _cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)


def go_by_indexes() -> None:
    """Makes this thread's next connection look everything up by an index. For the dispatcher, whose statements name a
    few rows each: a plan that was made while a table was small must not read it whole when it has grown."""
    if is_postgresql():
        options = dict(connection.settings_dict["OPTIONS"])
        options["options"] = f"{options.get('options', '')} {_BY_INDEXES}".strip()
        connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}


def _cursor() -> CursorWrapper:
    if not is_postgresql():
        return connection.cursor()
    connection.ensure_connection()
    return CursorWrapper(_Prepared(connection.connection), connection)


class _Prepared(psycopg.Cursor[Row]):
    """Django's own cursor writes the values into the text, which is then planned each time; here it is planned once."""

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        return super().execute(query, params, prepare=True, binary=binary)  # type: ignore[arg-type]  # templates, too
