"""Indexes on tables that may be large, made while the services run: on PostgreSQL without a lock that stops writers.

A migration that uses these says `atomic = False`. One that was cut off midway may be run again.
"""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint, AddIndex
from django.db.migrations.state import ProjectState


class AddIndexOnline(AddIndex):
    """AddIndex without that lock."""

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

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        _make(schema_editor, self.constraint.name, str(self.constraint.create_sql(model, schema_editor)))


def _make(schema_editor: BaseDatabaseSchemaEditor, name: str, statement: str) -> None:
    # What a cut-off try left behind is not valid, and in the way.
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(name)}", None)
    schema_editor.execute(statement.replace(" INDEX ", " INDEX CONCURRENTLY ", 1), None)
