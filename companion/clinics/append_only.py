"""The database's own rule for the audit trail: entries are added and chained once, never changed and never removed.

On PostgreSQL no role has the right to change or remove an entry, not even the owner of the table, through whom most
installations work; only the two columns that chaining writes may be changed. Triggers are the second line, and on
SQLite, which knows no rights, the only line. They also stop a superuser. The owner alone can take both away.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from django.db import ProgrammingError, connection, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from psycopg.errors import InsufficientPrivilege

from companion.clinics.refusals import Conflict
from companion.service.online import in_a_free_moment

TABLE: Final = "clinics_auditentry"
_REFUSAL: Final = "the audit trail is append-only"
# An entry gets its place in the chain once; an entry from before the chain gets its seal then, too. A TRUNCATE of the
# empty table passes. It is asked for by schema and name: a session could put a table of the same name before it.
_BODY: Final = f"""
    DECLARE
        has_entries boolean;
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
            EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO has_entries;
            IF NOT has_entries THEN
                RETURN NULL;
            END IF;
        END IF;
        RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'insufficient_privilege';
    END
    """  # noqa: S608 (our own names)
_POSTGRESQL: Final = (
    # Without a path of its own the function would use functions and operators of the user who changes the table.
    "CREATE OR REPLACE FUNCTION companion_audit_append_only() RETURNS trigger LANGUAGE plpgsql "
    f"SET search_path = pg_catalog, pg_temp AS $${_BODY}$$",
    f"DROP TRIGGER IF EXISTS audit_append_only ON {TABLE}",
    f"CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON {TABLE} "
    "FOR EACH ROW EXECUTE FUNCTION companion_audit_append_only()",
    f"DROP TRIGGER IF EXISTS audit_never_emptied ON {TABLE}",
    f"CREATE TRIGGER audit_never_emptied BEFORE TRUNCATE ON {TABLE} "
    "FOR EACH STATEMENT EXECUTE FUNCTION companion_audit_append_only()",
    # A session can switch off all triggers but these for itself.
    f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER audit_append_only",
    f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER audit_never_emptied",
)
_FOUND_ON_POSTGRESQL: Final = """
    SELECT t.tgname, t.tgenabled = 'A' AND t.tgqual IS NULL AND t.tgattr = '' AND p.prosrc = %(body)s
        AND p.proconfig IS NOT DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']
        AND (t.tgname, t.tgtype) IN (('audit_append_only', 27), ('audit_never_emptied', 34))
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = %(table)s::regclass AND NOT t.tgisinternal
    UNION ALL SELECT rulename, false FROM pg_rewrite WHERE ev_class = %(table)s::regclass
    UNION ALL SELECT polname, false FROM pg_policy WHERE polrelid = %(table)s::regclass
    UNION ALL SELECT 'row level security', false FROM pg_class WHERE oid = %(table)s::regclass AND relrowsecurity
"""
"""Finds each trigger, rule and policy of the table, and whether it is as the product made it.

"A": always on; 27: before each row's update or delete; 34: before a truncate.
"""
_FOUND_ON_SQLITE: Final = """
    SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = %s
    UNION ALL SELECT 'ON CONFLICT', '' FROM sqlite_master
    WHERE type = 'table' AND lower(name) = %s AND sql LIKE '%%conflict%%'
"""
"""Finds each trigger of the table with its statement, and a clause of the table that drops new rows without an error.

SQLite keeps the name of a trigger's table as it was spelled.
"""
_GIVEN: Final = f"""
    SELECT a.grantee, a.privilege_type AS privilege, '' AS attname
    FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
    WHERE c.oid = '{TABLE}'::regclass AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
    UNION ALL SELECT a.grantee, a.privilege_type, attname
    FROM pg_attribute, aclexplode(attacl) a
    WHERE attrelid = '{TABLE}'::regclass AND a.privilege_type = 'UPDATE'
"""  # noqa: S608 (our own names)
"""Finds each right to change or remove entries: the role, the right, and the column if it is for a single column."""
_TOO_MANY: Final = f"""
    SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END, privilege, attname
    FROM ({_GIVEN}) given WHERE attname NOT IN ('number', 'hash') OR grantee = 0 ORDER BY 1, 2, 3
"""  # noqa: S608 (our own names)
"""Finds those that are more than chaining needs."""
_TAKE_RIGHTS: Final = f"""
    DO $$ DECLARE
        holder record;
    BEGIN
        FOR holder IN
            SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role,
                grantee <> 0 AND bool_or(privilege = 'UPDATE') AS chains
            FROM ({_GIVEN}) given GROUP BY grantee
        LOOP
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON {TABLE} FROM %s CASCADE', holder.role);
            IF holder.chains THEN
                EXECUTE format('GRANT UPDATE (number, hash) ON {TABLE} TO %s', holder.role);
            END IF;
        END LOOP;
    END $$
"""  # noqa: S608 (our own names)
"""Takes the rights to change and remove entries from every role, also from the owner. Who could update may chain."""
_ON_POSTGRESQL: Final = ("audit_append_only", "audit_never_emptied")
_NOT_OURS: Final = (
    "The database doesn't keep the audit trail append-only: {gone}. This database's user may not repair that. Run "
    "`companion migrate` as the owner of the tables, and `companion audit verify`."
)
_CHAINED: Final = {"number", "hash", "seal", "key_id"}
_TAKEN: Final = f"EXISTS (SELECT 1 FROM {TABLE} WHERE clinic_id = NEW.clinic_id AND number = NEW.number)"  # noqa: S608 (our own names)
# REPLACE removes a row, and fires no trigger for that: no row may come to another's id, rowid or place.
_SQLITE: Final = {
    "audit_no_change": f"BEFORE UPDATE ON {TABLE} WHEN {_TAKEN} OR NOT (OLD.number IS NULL AND NEW.number IS NOT NULL "
    "AND (OLD.seal = '' OR NEW.seal = OLD.seal) AND (OLD.key_id = '' OR NEW.key_id = OLD.key_id) "
    "AND NEW.rowid = OLD.rowid AND %(others_kept)s)",
    "audit_no_removal": f"BEFORE DELETE ON {TABLE}",
    "audit_no_replacement": f"BEFORE INSERT ON {TABLE} WHEN {_TAKEN} OR EXISTS (SELECT 1 FROM {TABLE} "  # noqa: S608 (our own names)
    "WHERE id = NEW.id OR rowid = NEW.rowid)",
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


class ByRights(Operation):
    """Take the rights to change and remove entries from every role on PostgreSQL, also from the owner of the table."""

    reversible = False

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Do nothing: the models don't know of this."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            _run(schema_editor, [_TAKE_RIGHTS])


def hold() -> list[str]:
    """Bring back what is missing of the rule, and return it in words. Raises Conflict if our role may not."""
    gone = missing()
    if not gone:
        return []
    if _is_postgresql():
        _hold_on_postgresql(gone)
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in [*statements_to_drop(), *statements_to_make()]:
                cursor.execute(statement)
    return gone


def _hold_on_postgresql(gone: Sequence[str]) -> None:
    not_ours = Conflict(_NOT_OURS.format(gone=", ".join(gone)))
    try:
        with connection.schema_editor(atomic=False) as editor:
            if _triggers_missing():
                in_a_free_moment(editor, [TABLE], partial(_run, editor, _POSTGRESQL))
            _run(editor, [_TAKE_RIGHTS])
    except ProgrammingError as error:
        if isinstance(error.__cause__, InsufficientPrivilege):
            raise not_ours from None
        raise
    # To revoke what others gave is only a warning for a role that may not.
    if _rights_too_many():
        raise not_ours


def missing() -> list[str]:
    """List what the database lacks of the rule, in words: triggers gone or changed, and rights that are too many."""
    changed = [f"the trigger {name} is gone, switched off or changed" for name in _triggers_missing()]
    return changed + [f"the database's user {right.role} has the right {right.right}" for right in _rights_too_many()]


def _triggers_missing() -> list[str]:
    present = _present()
    return [name for name in (_ON_POSTGRESQL if _is_postgresql() else _SQLITE) if not present.get(name)]


class _Right(NamedTuple):
    """A right to change or remove entries: its role, and its name, with the column if it is for only one column."""

    role: str
    right: str


def _rights_too_many() -> list[_Right]:
    if not _is_postgresql():
        return []
    with connection.cursor() as cursor:
        cursor.execute(_TOO_MANY)
        rows = cursor.fetchall()
    return [_Right(role, f"{right} ({column})" if column else right) for role, right, column in rows]


def strange() -> list[str]:
    """The names of triggers, rules and policies on the table that the product did not make. They could keep entries out
    or hide them."""
    own = _ON_POSTGRESQL if _is_postgresql() else _SQLITE
    return sorted(name for name in _present() if name not in own)


def statements_to_drop() -> list[str]:
    """The statements that take the rule away on SQLite."""
    return [f"DROP TRIGGER IF EXISTS {name}" for name in _SQLITE]


def statements_to_make() -> list[str]:
    """The statements that make the rule on SQLite, for the columns that the table has now."""
    with connection.cursor() as cursor:
        columns = [column.name for column in connection.introspection.get_table_description(cursor, TABLE)]
    kept = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in columns if name not in _CHAINED)
    return [
        f"CREATE TRIGGER {name} {rule.replace('%(others_kept)s', kept)} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for name, rule in _SQLITE.items()
    ]


def _present() -> dict[str, bool]:
    """Each trigger, rule and policy of the table, and whether it is as the product made it."""
    with connection.cursor() as cursor:
        if _is_postgresql():
            cursor.execute(_FOUND_ON_POSTGRESQL, {"body": _BODY, "table": TABLE})
            return dict(cursor.fetchall())
        cursor.execute(_FOUND_ON_SQLITE, [TABLE, TABLE])
        found = cursor.fetchall()
    ours = set(statements_to_make())
    return {name: sql in ours for name, sql in found}


def _is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def _run(schema_editor: BaseDatabaseSchemaEditor, statements: Sequence[str]) -> None:
    for statement in statements:
        schema_editor.execute(statement, params=None)
