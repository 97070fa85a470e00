"""The share of each database in `make test` (`--share`). Where one database is enough, a test runs on one.

- A test that touches no database runs on SQLite's side.
- A test of a page, a call of the API, an update from Telegram, a patient's right or a webhook, that stays in one
  transaction, uses plain queries of Django's: calls and updates run on PostgreSQL, the others on SQLite, and all go
  through the same rooms below.
- A test that is marked `one_database`, or whose file is, runs on SQLite. It commits or computes for long, and its
  answer comes from our code alone.
- A test that is marked `both_databases`, or whose file is, runs on both: its answer depends on the database. Examples:
  searches, orders, the pages of a list, values that a database may refuse, errors, numbers of statements, rows that
  move under locks and unique constraints (merges), and bytes that are made from stored JSON (an evidence packet).
- All other tests run on both: those of the rooms below, which write SQL, and those that commit. Databases differ in
  commits, locks and processes.
"""

from typing import Final

import pytest

from tests.support import session

_DATABASE: Final = frozenset({"db", "transactional_db", "live_server", "product_environment"})
_COMMITS: Final = _DATABASE - {"db"}
_ON_POSTGRESQL: Final = {"web": False, "api": True, "listener": True, "rights": False, "webhooks": False}
"""The one database for tests without commits, by folder."""


def touches_the_database(item: pytest.Item) -> bool:
    """Return whether the test reads or writes rows."""
    return item.get_closest_marker("django_db") is not None or not _DATABASE.isdisjoint(fixtures_of(item))


def belongs_here(item: pytest.Item) -> bool:
    """Return whether this run's database is one of the test's own."""
    if not touches_the_database(item):
        return not session.on_postgresql()
    if item.get_closest_marker("one_database"):
        return not session.on_postgresql()
    folder = next((part for part in item.path.parts if part in _ON_POSTGRESQL), "")
    if not folder or _commits(item) or item.get_closest_marker("both_databases"):
        return True
    return session.on_postgresql() == _ON_POSTGRESQL[folder]


def fixtures_of(item: pytest.Item) -> set[str]:
    """The names of all fixtures that the test uses."""
    return set(getattr(item, "fixturenames", ()))


def _commits(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    return bool(marker and marker.kwargs.get("transaction")) or not _COMMITS.isdisjoint(fixtures_of(item))
