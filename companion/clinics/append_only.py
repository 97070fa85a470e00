"""The database's own rule for the audit trail: entries are added and chained once, never changed and never removed.

Triggers hold for every client of the database, also for the owner of the table, who alone can take them away.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from companion.service.online import in_a_free_moment

TABLE: Final = "clinics_auditentry"
_SAID: Final = "the audit trail is append-only"
_POSTGRESQL: Final = (
    # An entry gets its place in the chain once; one from before the chain gets its seal then, too. A TRUNCATE of the
    # empty table passes: that is how a backup is restored into a new database.
    f"""
    CREATE OR REPLACE FUNCTION companion_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF OLD.number IS NULL AND NEW.number IS NOT NULL AND (OLD.seal = '' OR NEW.seal = OLD.seal)
                AND (OLD.key_id = '' OR NEW.key_id = OLD.key_id)
                AND to_jsonb(NEW) - '{{number,hash,seal,key_id}}'::text[]
                    = to_jsonb(OLD) - '{{number,hash,seal,key_id}}'::text[]
            THEN
                RETURN NEW;
            END IF;
        ELSIF TG_OP = 'TRUNCATE' THEN
            IF NOT EXISTS (SELECT FROM {TABLE}) THEN
                RETURN NULL;
            END IF;
        END IF;
        RAISE EXCEPTION '{_SAID}' USING ERRCODE = 'insufficient_privilege';
    END
    $$
    """,
    f"DROP TRIGGER IF EXISTS audit_append_only ON {TABLE}",
    f"CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON {TABLE} "
    "FOR EACH ROW EXECUTE FUNCTION companion_audit_append_only()",
    f"DROP TRIGGER IF EXISTS audit_never_emptied ON {TABLE}",
    f"CREATE TRIGGER audit_never_emptied BEFORE TRUNCATE ON {TABLE} "
    "FOR EACH STATEMENT EXECUTE FUNCTION companion_audit_append_only()",
)
_CHAINED: Final = {"number", "hash", "seal", "key_id"}
_SQLITE: Final = {
    "audit_no_change": f"BEFORE UPDATE ON {TABLE} WHEN NOT (OLD.number IS NULL AND NEW.number IS NOT NULL "
    "AND (OLD.seal = '' OR NEW.seal = OLD.seal) AND (OLD.key_id = '' OR NEW.key_id = OLD.key_id) AND %(others_kept)s)",
    "audit_no_removal": f"BEFORE DELETE ON {TABLE}",
    # INSERT OR REPLACE removes a row, and fires no trigger for that.
    "audit_no_replacement": f"BEFORE INSERT ON {TABLE} WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id "  # noqa: S608 (our own names)
    "OR (clinic_id = NEW.clinic_id AND number = NEW.number))",
}


class AppendOnly(Operation):
    """Make the audit trail append-only. On SQLite, a later migration that changes the table needs it again, because
    Django then copies the table without its triggers.
    """

    reversible = False
    atomic = False

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Do nothing: the models don't know of this."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            in_a_free_moment(schema_editor, [TABLE], partial(_run, schema_editor, _POSTGRESQL))
        else:
            _run(schema_editor, [*statements_to_drop(), *statements_to_make()])


def is_held() -> bool:
    """Return whether the database has the rule in force."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled IN ('O', 'A') "
                "AND tgname IN ('audit_append_only', 'audit_never_emptied')",
                [TABLE],
            )
            return bool(cursor.fetchone() == (2,))
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
        return set(_SQLITE) <= {name for (name,) in cursor.fetchall()}


def statements_to_drop() -> list[str]:
    """The statements that take the rule away on SQLite."""
    return [f"DROP TRIGGER IF EXISTS {name}" for name in _SQLITE]


def statements_to_make() -> list[str]:
    """The statements that make the rule on SQLite, for the columns that the table has now."""
    with connection.cursor() as cursor:
        columns = [column.name for column in connection.introspection.get_table_description(cursor, TABLE)]
    kept = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in columns if name not in _CHAINED)
    return [
        f"CREATE TRIGGER {name} {rule.replace('%(others_kept)s', kept)} BEGIN SELECT RAISE(ABORT, '{_SAID}'); END"
        for name, rule in _SQLITE.items()
    ]


def _run(schema_editor: BaseDatabaseSchemaEditor, statements: Sequence[str]) -> None:
    for statement in statements:
        schema_editor.execute(statement, params=None)
