"""Operations for migrations of tables in use, so that nobody who writes has to wait.

On PostgreSQL, indexes are made by CREATE INDEX CONCURRENTLY and the like; on SQLite, where only one process writes at
a time, in the plain way. Such a migration is an OnlineMigration and holds nothing else. After a kill it may run
again: a half-made index is made anew, a complete one stays. Not for a table that the same migration makes.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from django.db import OperationalError, connection, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration
from django.db.migrations.operations import AddConstraint, AddIndex, AlterField, RemoveIndex
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Model
from psycopg.errors import DeadlockDetected, LockNotAvailable

_WAIT_MILLISECONDS: Final = 200
"""Less than PostgreSQL's deadlock_timeout: when the migration and a dispatcher wait for each other, the migration
yields.
"""
_TRIES, _LET_OTHERS_PASS = 600, 0.3
"""The number of tries, and the seconds between them."""


class OnlineMigration(Migration):
    """Run each operation by itself on PostgreSQL, since an index can't be made online within a transaction.

    On SQLite, run all in one transaction: many changes copy a table and drop the old one, and rows written meanwhile,
    or a kill, would lose data.
    """

    @property
    def atomic(self) -> bool:  # type: ignore[override]  # which database it is, is known only when it runs
        """Return whether all operations run in one transaction."""
        return connection.vendor != "postgresql"


class AddIndexOnline(AddIndex):
    """AddIndex without the lock that stops writers."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        _make(schema_editor, self.index.name, str(self.index.create_sql(model, schema_editor)))


class AddUniqueOnline(AddConstraint):
    """AddConstraint without that lock, for a unique constraint with a condition (which is an index)."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        _make(schema_editor, self.constraint.name, str(self.constraint.create_sql(model, schema_editor)))


class AddCheckOnline(AddConstraint):
    """AddConstraint for a check: existing rows are verified while everybody may write."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        table, name = schema_editor.quote_name(model._meta.db_table), schema_editor.quote_name(self.constraint.name)
        # A migration that was killed before the second step left the constraint; make it anew.
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}", params=None)
        schema_editor.execute(f"{self.constraint.create_sql(model, schema_editor)} NOT VALID", params=None)
        schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}", params=None)


class RemoveIndexOnline(RemoveIndex):
    """RemoveIndex without waiting for running transactions, and without making others wait."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            _drop(schema_editor, str(self.name))
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AlterFieldOnline(AlterField):
    """AlterField for changes that touch no row, such as dropping a foreign key's constraint.

    Needs its tables to itself for a moment. It asks for this moment again and again and hardly waits, because all
    later transactions would wait behind it.
    """

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        alter = partial(super().database_forwards, app_label, schema_editor, from_state, to_state)
        if schema_editor.connection.vendor != "postgresql":
            alter()
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        other = model._meta.get_field(self.name).related_model
        tables = [one._meta.db_table for one in (model, other) if isinstance(one, type) and issubclass(one, Model)]
        in_a_free_moment(schema_editor, tables, alter)


class LeaveRoom(Operation):
    """Fill new pages of the model's table only by half, on PostgreSQL. Then a row whose unindexed columns change
    stays in its page, and no index changes (PostgreSQL, "Heap-Only Tuples"). Existing pages stay as they are.
    """

    reversible = False

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Do nothing: the models don't know of this."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} SET (fillfactor = 50)", params=None)


def in_a_free_moment(schema_editor: BaseDatabaseSchemaEditor, tables: Sequence[str], alter: Callable[[], None]) -> None:
    """Change the tables on PostgreSQL in a moment in which nobody works on them; ask for it again and again."""
    for _ in range(_TRIES):
        if _altered(schema_editor, tables, alter):
            return
        time.sleep(_LET_OTHERS_PASS)
    raise OperationalError("Somebody works on these tables all the time: end what runs long, then migrate again.")


def _altered(schema_editor: BaseDatabaseSchemaEditor, tables: Sequence[str], alter: Callable[[], None]) -> bool:
    """Make the change; False if somebody works on the tables at this moment."""
    names = ", ".join(schema_editor.quote_name(one) for one in tables)
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            # Nobody waits behind this lock, and PostgreSQL ends a VACUUM of its own only for who waits for long.
            schema_editor.execute(f"LOCK TABLE {names} IN SHARE UPDATE EXCLUSIVE MODE", params=None)
            schema_editor.execute(f"SET LOCAL lock_timeout = '{_WAIT_MILLISECONDS}ms'", params=None)
            alter()
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            return False
        raise
    return True


def _make(schema_editor: BaseDatabaseSchemaEditor, name: str, statement: str) -> None:
    whole = _is_whole(schema_editor, name)
    if whole:
        return
    if whole is False:
        _drop(schema_editor, name)
    schema_editor.execute(statement.replace(" INDEX ", " INDEX CONCURRENTLY ", 1), params=None)


def _drop(schema_editor: BaseDatabaseSchemaEditor, name: str) -> None:
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(name)}", params=None)


def _is_whole(schema_editor: BaseDatabaseSchemaEditor, name: str) -> bool | None:
    """Return whether PostgreSQL may use the index of this name; None if it doesn't exist. A killed build leaves it
    invalid.
    """
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE relname = %s AND relnamespace = current_schema()::regnamespace",
            [name],
        )
        found = cursor.fetchone()
    return None if found is None else bool(found[0])
