"""Changes of tables that are in use: what migrations make them by, so that nobody waits to write meanwhile.

Indexes on PostgreSQL by CREATE INDEX CONCURRENTLY and its like; on SQLite, where one writes at a time anyway, as ever.
Such a migration is an OnlineMigration and holds nothing else. It may be run again after it was killed: half an index
is made anew, a whole one stays. Not for a table that the same migration makes.
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
"""Less than PostgreSQL's deadlock_timeout, so that where it and a dispatcher wait for each other, this one yields."""
_TRIES, _LET_OTHERS_PASS = 600, 0.3
"""Seconds, the second."""


class OnlineMigration(Migration):
    """On PostgreSQL each operation by itself, since an index can't be made online within a transaction.

    On SQLite all in one transaction: many a change copies its table there and drops the old one, and what is written
    in between, or a kill, would lose rows.
    """

    @property
    def atomic(self) -> bool:  # type: ignore[override]  # which database it is, is known only when it runs
        """Whether all is one transaction."""
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
    """AddConstraint, for a unique one with a condition (which is an index), without that lock."""

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
    """AddConstraint, for one that checks rows: those that are there are read without keeping anybody from writing."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        table, name = schema_editor.quote_name(model._meta.db_table), schema_editor.quote_name(self.constraint.name)
        # One that was killed before the second step is made anew.
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}", params=None)
        schema_editor.execute(f"{self.constraint.create_sql(model, schema_editor)} NOT VALID", params=None)
        schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}", params=None)


class RemoveIndexOnline(RemoveIndex):
    """RemoveIndex without waiting for, or holding up, whoever works on the table."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            _drop(schema_editor, str(self.name))
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AlterFieldOnline(AlterField):
    """AlterField, for what touches no row, such as dropping a foreign key's constraint.

    It needs its tables to itself for a moment. It asks for that moment again and again, and hardly waits for it, since
    all who come after would wait behind it.
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
        for _ in range(_TRIES):
            if _altered(schema_editor, tables, alter):
                return
            time.sleep(_LET_OTHERS_PASS)
        raise OperationalError("Somebody works on these tables all the time: end what runs long, then migrate again.")


class LeaveRoom(Operation):
    """On PostgreSQL, new pages of the model's table are filled by half: a row whose unindexed columns change then stays
    in its page, and no index hears of it (PostgreSQL, "Heap-Only Tuples"). What is written already stays as it is."""

    reversible = False

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models don't know of it."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} SET (fillfactor = 50)", params=None)


def _altered(schema_editor: BaseDatabaseSchemaEditor, tables: Sequence[str], alter: Callable[[], None]) -> bool:
    """False where somebody works on the tables at this moment."""
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
    """Whether PostgreSQL may use the index of this name; None where there is none. A killed one is left invalid."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE relname = %s AND relnamespace = current_schema()::regnamespace",
            [name],
        )
        found = cursor.fetchone()
    return None if found is None else bool(found[0])
