"""The few words in which SQLite and PostgreSQL differ, for the named statements of queue.py and lifecycle.py.

Lists of rows come in as one JSON parameter, so that a statement's text, and with it its plan, is always the same.
Where many rows of many columns come out, they come as one JSON array: read in one step, parsed in one go.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Any, Self

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
"""Of psycopg's `prepare_threshold`, whose None, Django's own, would forbid it altogether."""

Row = tuple[object, ...]
Parameters = Sequence[Any]  # what a driver takes, which is more than one type can say

Flag = bool | int
"""A truth in JSON that came out: SQLite has numbers for it."""
# Without hyphens, as the ORM stores them on SQLite; PostgreSQL takes both.
_ENCODER = msgspec.json.Encoder(uuid_format="hex")

# How each type's JSON becomes what the ORM stores.
_SQLITE_FORMS = {
    "uuid": "{value}",
    "timestamptz": "rtrim(replace({value}, 'T', ' '), 'Z')",
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


def with_rows(columns: Mapping[str, str], *statements: str) -> tuple[str, ...]:
    """Statements that all work on one list of rows, `r`: one JSON parameter each. `columns`: their PostgreSQL types.

    On PostgreSQL they become one, whose parts all see what was before it. SQLite carries them out in their order.
    """
    spread = _spread(columns)
    if not is_postgresql():
        return tuple(f"WITH r AS ({spread}) {one}" for one in statements)
    *others, last = statements
    parts = "".join(f", part{number} AS ({one})" for number, one in enumerate(others))
    return (f"WITH r AS MATERIALIZED ({spread}){parts} {last}",)


def _spread(columns: Mapping[str, str]) -> str:
    if is_postgresql():
        types = ", ".join(f"{name} {'text' if kind == 'bytea' else kind}" for name, kind in columns.items())
        return f"SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r({types})"  # noqa: S608  (this room's own names only)
    forms = ", ".join(
        _SQLITE_FORMS[kind].format(value=f"value->>'$.{name}'") + f" AS {name}" for name, kind in columns.items()
    )
    return f"SELECT {forms} FROM jsonb_each(%s)"  # noqa: S608


def bytes_of(column: str) -> str:
    """The expression that turns a hexadecimal column of `with_rows` into bytes."""
    return f"decode({column}, 'hex')" if is_postgresql() else f"unhex({column})"


def then() -> str:
    """A join that is carried out in the order in which it is written: SQLite's planner, which can't know how few rows a
    JSON parameter brings, would else begin with the larger table (sqlite.org, "Manual Control Of Query Plans")."""
    return "JOIN" if is_postgresql() else "CROSS JOIN"


def locking(clause: str) -> str:
    """A row lock where there are row locks; SQLite's writers hold the whole file (BEGIN IMMEDIATE)."""
    return clause if is_postgresql() else ""


def parameter(values: Sequence[object]) -> str:
    """The JSON for `with_rows`: of dicts or of msgspec's structs, all instants in UTC."""
    return _ENCODER.encode(values).decode()


def select_json(columns: str, source: str) -> str:
    """A SELECT whose rows come out as one JSON array of arrays. `source`: from FROM on."""
    if is_postgresql():
        # The inner one may lock rows, which one that aggregates may not.
        rows = f"SELECT json_build_array({columns}) AS one {source}"
        return f"SELECT coalesce(json_agg(one), '[]')::text FROM ({rows}) AS found"  # noqa: S608
    return f"SELECT json_group_array(json_array({columns})) {source}"


def nested(columns: str) -> str:
    """Some of `select_json`'s columns as an array of their own."""
    return f"{'json_build_array' if is_postgresql() else 'json_array'}({columns})"


def instant_out(column: str) -> str:
    """An instant on its way out as JSON."""
    return column if is_postgresql() else f"{column} || 'Z'"


def bytes_out(column: str) -> str:
    """Bytes on their way out as JSON: hexadecimal."""
    return f"encode({column}, 'hex')" if is_postgresql() else f"CASE WHEN {column} IS NOT NULL THEN hex({column}) END"


def length_out(column: str) -> str:
    """A length of time on its way out as JSON: whole microseconds, as SQLite keeps it."""
    return f"(extract(epoch FROM {column}) * 1000000)::bigint" if is_postgresql() else column


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


def run_all(statements: Sequence[str], rows: str, *others: Parameters) -> int:
    """Executes what `with_rows` made; how many rows the last one changed.

    `others`: of each that went into it, the parameters besides the rows; nothing where none has any.
    """
    if is_postgresql():
        return changed(statements[0], (rows, *chain.from_iterable(others)))
    return [
        changed(one, (rows, *more)) for one, more in zip(statements, others or [()] * len(statements), strict=True)
    ][-1]


def go_by_indexes() -> None:
    """Makes this thread's next connection look everything up by an index, by plans that are made once. For the
    dispatcher, whose statements name a few rows each: a plan that was made while a table was small must not read it
    whole when it has grown."""
    if is_postgresql():
        options = dict(connection.settings_dict["OPTIONS"])
        options["options"] = f"{options.get('options', '')} {_BY_INDEXES}".strip()
        options["prepare_threshold"] = _ONLY_WHERE_ASKED
        connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}


def plan_anew() -> None:
    """Makes this connection plan its prepared statements anew when they are next executed: tables grow meanwhile."""
    if is_postgresql():
        run("DISCARD PLANS", ())


def _cursor() -> CursorWrapper:
    connection.ensure_connection()
    own = connection.connection
    return CursorWrapper(_Prepared(own) if is_postgresql() else own.cursor(factory=_Converted), connection)


class _Converted(SQLiteCursorWrapper):
    """Django's own cursor searches a statement for placeholders each time, which takes longer than some take to run."""

    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        return _converted(query)


@lru_cache(maxsize=128)
def _converted(query: str) -> str:
    return "%".join(part.replace("%s", "?") for part in query.split("%%"))


class _Prepared(psycopg.Cursor[Row]):
    """Django's own cursor writes the values into the text, which is then planned each time; here it is planned once."""

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        return super().execute(query, params, prepare=True, binary=binary)  # type: ignore[arg-type]  # templates, too
