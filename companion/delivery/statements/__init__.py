"""The hot path's statements by name, whole, as they stand in postgresql.sql and sqlite.sql."""

import re
from functools import cache
from importlib.resources import files
from typing import Final

from companion.schedules import sql

_HEAD: Final = re.compile(r"^-- (\w+): .+$", re.MULTILINE)


def statement(name: str) -> tuple[str, ...]:
    """The statements of this name for the database in use, in the order in which they run. Raises KeyError."""
    return _read("postgresql" if sql.is_postgresql() else "sqlite")[name]


def names(database: str) -> frozenset[str]:
    """The names of all statements for "postgresql" or "sqlite"."""
    return frozenset(_read(database))


@cache
def _read(database: str) -> dict[str, tuple[str, ...]]:
    _, *parts = _HEAD.split(files(__package__).joinpath(f"{database}.sql").read_text("utf-8"))
    return {name: _statements(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _statements(text: str) -> tuple[str, ...]:
    # Without the comments: a semicolon ends a statement only outside of them.
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return tuple(part.strip() for part in code.split(";") if part.strip())
