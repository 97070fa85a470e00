"""Operations for migrations of tables in use, such that processes that write to the tables need not wait.

On PostgreSQL, indexes are built by CREATE INDEX CONCURRENTLY and similar statements. On SQLite only one process can
write at a time, so the ordinary operations run there. Such a migration is an OnlineMigration and has no other
operations. If it was killed, it can run again: it builds an incomplete index again, and leaves a complete index. Don't
use these operations for a table that the same migration creates.
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
"""Less than PostgreSQL's deadlock_timeout: if it and a dispatcher wait for each other, the migration yields."""
_TRIES, _LET_OTHERS_PASS = 600, 0.3
"""The number of tries, and the seconds between them."""


class OnlineMigration(Migration):
    """Run each operation separately on PostgreSQL, since an index can't be built online within a transaction.

    On SQLite all operations run in one transaction: many of them copy a table and drop the old table, and without a
    transaction a kill, or rows that are written during the copy, would lose data.
    """

    @property
    def atomic(self) -> bool:  # type: ignore[override]  # the database is known only when the migration runs
        """Return whether all operations run in one transaction."""
        return connection.vendor != "postgresql"


class AddIndexOnline(AddIndex):
    """AddIndex without a lock that stops writers."""

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
    """AddConstraint without a lock that stops writers, for a unique constraint with a condition (which is an index)."""

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
    """AddConstraint for a check. Existing rows are verified while other processes may write."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        table, name = schema_editor.quote_name(model._meta.db_table), schema_editor.quote_name(self.constraint.name)
        # If an earlier run was killed between the steps, the constraint exists already; create it again.
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

    It needs an exclusive lock on its tables for a moment. It tries repeatedly to get the lock and waits only briefly
    for it, because later transactions have to wait behind such a lock.
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
        tables = [
            related._meta.db_table
            for related in (model, other)
            if isinstance(related, type) and issubclass(related, Model)
        ]
        in_a_free_moment(schema_editor, tables, alter)


class LeaveRoom(Operation):
    """Fill new pages of the model's table only by half, on PostgreSQL.

    If only columns without an index change, a row then stays in its page, and no index has to change (PostgreSQL,
    "Heap-Only Tuples"). Existing pages are not changed.
    """

    reversible = False

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Do nothing: the fill factor is not part of the models."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} SET (fillfactor = 50)", params=None)


def in_a_free_moment(schema_editor: BaseDatabaseSchemaEditor, tables: Sequence[str], alter: Callable[[], None]) -> None:
    """Change the tables on PostgreSQL in a moment in which no other transaction uses them. Tries repeatedly."""
    for _ in range(_TRIES):
        if _altered(schema_editor, tables, alter):
            return
        time.sleep(_LET_OTHERS_PASS)
    raise OperationalError("These tables are in use all the time: end long transactions, then migrate again.")


def _altered(schema_editor: BaseDatabaseSchemaEditor, tables: Sequence[str], alter: Callable[[], None]) -> bool:
    """Make the change, and return True; False if other transactions use the tables at this moment."""
    names = [schema_editor.quote_name(table) for table in tables]
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            # No other transaction waits behind this lock (SHARE UPDATE EXCLUSIVE). It also ends a running autovacuum,
            # which PostgreSQL does only for a transaction that waits for long; so it comes before the short
            # lock_timeout. LOCK TABLE would do the same, but needs rights that nobody has on the audit trail.
            for name in names:
                schema_editor.execute(f"ALTER TABLE {name} SET WITHOUT CLUSTER", params=None)
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
    """Return whether the index of this name is valid; None if it doesn't exist. A build that was killed is invalid."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE relname = %s AND relnamespace = current_schema()::regnamespace",
            [name],
        )
        found = cursor.fetchone()
    return None if found is None else bool(found[0])
