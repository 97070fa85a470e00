"""The statements of the hot path by name, as they stand in postgresql.sql and sqlite.sql."""

import re
from functools import cache
from importlib.resources import files
from typing import Final

from companion.schedules import sql

_HEAD: Final = re.compile(r"^-- (\w+): .+$", re.MULTILINE)


def for_this_database() -> dict[str, tuple[str, ...]]:
    """The statements for the database in use, by name, each in the order in which its parts run."""
    return read("postgresql" if sql.is_postgresql() else "sqlite")


@cache
def read(database: str) -> dict[str, tuple[str, ...]]:
    """The statements for "postgresql" or "sqlite"."""
    _, *parts = _HEAD.split(files(__package__).joinpath(f"{database}.sql").read_text("utf-8"))
    return {name: _statements(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _statements(text: str) -> tuple[str, ...]:
    # Without the comments: a semicolon ends a statement only outside of them.
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return tuple(part.strip() for part in code.split(";") if part.strip())
