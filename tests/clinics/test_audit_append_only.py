"""The audit trail in the database: nobody changes or removes an entry."""

import pytest
from django.db import DatabaseError, connection, transaction

from companion.clinics import append_only
from companion.clinics.models import AuditEntry, Clinic
from tests.clinics.trails import a_trail, act, sql, verify
from tests.support import flushing

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE clinics_auditentry SET action = 'nothing happened'",
        "UPDATE clinics_auditentry SET number = number + 1",
        "UPDATE clinics_auditentry SET hash = ''",
        "UPDATE clinics_auditentry SET number = NULL",
        "UPDATE clinics_auditentry SET changes = '{}' WHERE number = 1",
        "DELETE FROM clinics_auditentry",
        "DELETE FROM clinics_auditentry WHERE number = 2",
    ],
)
def test_an_entry_is_neither_changed_nor_removed(clinic: Clinic, statement: str) -> None:
    before = a_trail(clinic, 2)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql(statement)

    assert list(AuditEntry.objects.order_by("number")) == before


def test_an_entry_that_waits_for_its_place_is_not_changed_with_it(clinic: Clinic) -> None:
    act(clinic)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql("UPDATE clinics_auditentry SET number = 1, action = 'nothing happened'")


@pytest.mark.skipif(connection.vendor == "postgresql", reason="SQLite's own ways to replace a row")
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT OR REPLACE INTO clinics_auditentry SELECT * FROM clinics_auditentry",
        "REPLACE INTO clinics_auditentry SELECT * FROM clinics_auditentry WHERE number = 1",
        # By the row's own number, under another id.
        "REPLACE INTO clinics_auditentry (rowid, id, {others}) SELECT rowid, 'f', {others} FROM clinics_auditentry "
        "WHERE number IS NULL AND 'f' NOT IN (SELECT id FROM clinics_auditentry)",
        # An entry that waits takes the place, or the row, of a chained entry.
        "UPDATE OR REPLACE clinics_auditentry SET number = 1, hash = 'x' WHERE number IS NULL",
        "UPDATE OR REPLACE clinics_auditentry SET rowid = (SELECT min(rowid) FROM clinics_auditentry), number = 9 "
        "WHERE number IS NULL",
        "INSERT INTO clinics_auditentry SELECT * FROM clinics_auditentry WHERE true "
        "ON CONFLICT (id) DO UPDATE SET action = 'nothing happened'",
    ],
)
def test_an_entry_is_not_replaced_on_sqlite(clinic: Clinic, statement: str) -> None:
    a_trail(clinic, 2)
    act(clinic)
    before = list(AuditEntry.objects.order_by("id"))
    others = ", ".join(str(field.column) for field in AuditEntry._meta.concrete_fields if not field.primary_key)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql(statement.format(others=others))

    assert list(AuditEntry.objects.order_by("id")) == before


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own ways")
@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE clinics_auditentry",
        "TRUNCATE clinics_clinic CASCADE; TRUNCATE clinics_auditentry CASCADE",
        "INSERT INTO clinics_auditentry SELECT * FROM clinics_auditentry "
        "ON CONFLICT (id) DO UPDATE SET action = 'nothing happened'",
        "MERGE INTO clinics_auditentry a USING clinics_auditentry b ON a.id = b.id WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM clinics_auditentry RETURNING *) SELECT * FROM gone",
        # As a session of the owner that switches triggers off for itself.
        "SET LOCAL session_replication_role = replica; DELETE FROM clinics_auditentry",
        "SET LOCAL session_replication_role = replica; UPDATE clinics_auditentry SET action = 'nothing happened'",
        "SET LOCAL session_replication_role = replica; TRUNCATE clinics_auditentry",
    ],
)
def test_the_table_is_not_emptied_or_replaced_on_postgresql(clinic: Clinic, statement: str) -> None:
    a_trail(clinic, 2)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql(statement)

    assert AuditEntry.objects.count() == 2


_ON_POSTGRESQL = [
    ["DROP TRIGGER audit_append_only ON clinics_auditentry"],
    ["ALTER TABLE clinics_auditentry DISABLE TRIGGER audit_never_emptied"],
    ["ALTER TABLE clinics_auditentry DISABLE TRIGGER ALL"],
    # On, but no longer for a session that switches triggers off for itself.
    ["ALTER TABLE clinics_auditentry ENABLE TRIGGER audit_append_only"],
    [
        "CREATE OR REPLACE FUNCTION companion_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END$$"
    ],
    [
        "DROP TRIGGER audit_append_only ON clinics_auditentry",
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON clinics_auditentry "
        "FOR EACH ROW WHEN (false) EXECUTE FUNCTION companion_audit_append_only()",
        "ALTER TABLE clinics_auditentry ENABLE ALWAYS TRIGGER audit_append_only",
    ],
    ["CREATE RULE quiet AS ON INSERT TO clinics_auditentry DO INSTEAD NOTHING"],
    [
        "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER quiet BEFORE INSERT ON clinics_auditentry FOR EACH ROW EXECUTE FUNCTION quiet()",
    ],
]
_ON_SQLITE = [
    ["DROP TRIGGER audit_no_removal"],
    [
        "DROP TRIGGER audit_no_change",
        "CREATE TRIGGER audit_no_change BEFORE UPDATE ON clinics_auditentry WHEN false "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    ],
    ["CREATE TRIGGER quiet BEFORE INSERT ON clinics_auditentry BEGIN SELECT RAISE(IGNORE); END"],
    ["CREATE TRIGGER quiet BEFORE INSERT ON CLINICS_AuditEntry BEGIN SELECT RAISE(IGNORE); END"],
]


@pytest.mark.parametrize("statements", _ON_POSTGRESQL if connection.vendor == "postgresql" else _ON_SQLITE)
def test_a_rule_that_somebody_lifted_or_went_around_is_said(clinic: Clinic, statements: list[str]) -> None:
    a_trail(clinic, 1)
    for statement in statements:
        sql(statement)

    said = verify()

    assert said.exit_code == 1
    assert "The database doesn't keep the audit trail append-only" in said.output


def test_migrating_brings_the_rule_back(clinic: Clinic) -> None:
    a_trail(clinic, 1)
    for statement in flushing.lifting(connection.vendor):
        sql(statement)

    gone = append_only.hold()

    assert gone
    assert not append_only.missing()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql("DELETE FROM clinics_auditentry")


@pytest.mark.skipif(connection.vendor == "postgresql", reason="only SQLite's tables can drop rows without an error")
def test_a_column_that_drops_entries_is_said_also_after_migrating(clinic: Clinic) -> None:
    a_trail(clinic, 1)
    sql(
        "ALTER TABLE clinics_auditentry ADD COLUMN quiet AS (CASE WHEN actor_name <> 'Mallory' THEN 1 END) "
        "NOT NULL ON CONFLICT IGNORE"
    )

    append_only.hold()

    said = verify()
    assert said.exit_code == 1
    assert "ON CONFLICT is no trigger, rule or policy of this product" in said.output


def test_the_trail_outlives_its_clinic(clinic: Clinic) -> None:
    a_trail(clinic, 2)

    Clinic.objects.filter(pk=clinic.pk).delete()

    assert AuditEntry.objects.count() == 2


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's names have schemas")
@pytest.mark.parametrize(
    "statements",
    [
        # An empty table of the same name comes before the trail's.
        ["CREATE TEMP TABLE clinics_auditentry ()", "TRUNCATE public.clinics_auditentry"],
        # Functions and operators of the user come before PostgreSQL's.
        [
            "CREATE SCHEMA mine",
            "CREATE FUNCTION mine.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$SELECT '{}'::jsonb$$",
            "SET LOCAL search_path = mine, public, pg_catalog",
            "UPDATE clinics_auditentry SET number = 9, action = 'nothing happened' WHERE number IS NULL",
        ],
    ],
)
def test_no_table_or_function_of_the_same_name_deceives_the_rule(clinic: Clinic, statements: list[str]) -> None:
    a_trail(clinic, 1)
    act(clinic)

    with transaction.atomic():
        for statement in statements[:-1]:
            sql(statement)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            sql(statements[-1])
        transaction.set_rollback(True)

    assert AuditEntry.objects.filter(clinic=clinic).exclude(action="nothing happened").count() == 2
