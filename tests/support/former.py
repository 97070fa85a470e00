"""A separate SQLite database as it was before a migration, for rows that the present tables can't hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps
from django.db.models import Manager, Model, QuerySet

_ALIAS = "former"


@dataclass(slots=True)
class Former:
    """The database, and its models as they are after the newest migration so far."""

    database: DatabaseWrapper
    apps: StateApps | None = None

    def migrate(self, *names: tuple[str, str]) -> None:
        """Run these migrations, and those before them."""
        self.apps = MigrationExecutor(self.database).migrate(list(names)).apps

    def rows(self, app: str, model: str) -> QuerySet[Model]:
        """The rows of a table."""
        assert self.apps
        manager: Manager[Model] = self.apps.get_model(app, model)._default_manager
        return manager.using(_ALIAS)


@contextmanager
def a_former_database(folder: Path) -> Iterator[Former]:
    """An empty database, until the block ends. The test needs `django_db` all the same."""
    settings = connections["default"].settings_dict | {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / "former.sqlite3"),
        "OPTIONS": {},
    }
    connections[_ALIAS] = made = DatabaseWrapper(settings, _ALIAS)
    try:
        yield Former(made)
    finally:
        made.close()
        del connections[_ALIAS]
