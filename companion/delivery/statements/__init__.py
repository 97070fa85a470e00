"""Read the statements of the hot path from postgresql.sql or sqlite.sql, by their names."""

import re
from functools import cache
from importlib.resources import files
from typing import Final

from companion.schedules import sql

_HEAD: Final = re.compile(r"^-- (\w+): .+$", re.MULTILINE)


def for_this_database() -> dict[str, tuple[str, ...]]:
    """Return the statements for the database in use, by name. The parts of a name run in their order."""
    return read("postgresql" if sql.is_postgresql() else "sqlite")


@cache
def read(database: str) -> dict[str, tuple[str, ...]]:
    """Return the statements for "postgresql" or "sqlite"."""
    _, *parts = _HEAD.split(files(__package__).joinpath(f"{database}.sql").read_text("utf-8"))
    return {name: _statements(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _statements(text: str) -> tuple[str, ...]:
    # Remove the comments first: a semicolon in a comment doesn't end a statement.
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return tuple(part.strip() for part in code.split(";") if part.strip())
