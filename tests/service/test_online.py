"""Migrations on a product that runs: no index keeps anybody from writing, and a killed migration can run again."""

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.apps import apps
from django.db import connection, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddConstraint, AddIndex, CreateModel
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from companion.clinics.models import Clinic
from companion.service.online import AddIndexOnline, AddUniqueOnline, AlterFieldOnline
from tests.builders import a_clinic, a_patient

BEFORE_THE_FIRST_RELEASE = {("patients", "0003_sources_and_verified")}
"""Landed before anybody had a row that they could keep waiting."""


def _hold_up_writers(migration: Migration) -> list[str]:
    """The indexes that this migration makes, by Django's own ways, on tables that were there before it."""
    made = {operation.name_lower for operation in migration.operations if isinstance(operation, CreateModel)}
    return [
        operation.describe()
        for operation in migration.operations
        if isinstance(operation, AddIndex | AddConstraint)
        and not isinstance(operation, AddIndexOnline | AddUniqueOnline)
        and operation.model_name_lower not in made
        and not (isinstance(operation, AddConstraint) and isinstance(operation.constraint, models.CheckConstraint))
    ]


def _ours() -> dict[tuple[str, str], Migration]:
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("companion.")}
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return {key: migration for key, migration in loader.disk_migrations.items() if key[0] in ours}


@pytest.mark.skipif(connection.vendor == "postgresql", reason="there indexes are made online, outside of transactions")
def test_on_sqlite_which_copies_tables_each_migration_is_one_transaction() -> None:
    assert [key for key, migration in _ours().items() if not migration.atomic] == []


def test_no_migration_makes_an_index_in_a_way_that_keeps_people_from_writing() -> None:
    later = {key: migration for key, migration in _ours().items() if key[1][:4] != "0001"}

    wrong = {key: found for key, migration in later.items() if (found := _hold_up_writers(migration))}

    assert set(wrong) <= BEFORE_THE_FIRST_RELEASE


_ADDING = AddIndexOnline("patient", models.Index(fields=["clinic", "phone"], name="patients_by_phone"))


class _Migrating:
    """A migration of patients, in a thread with a connection of its own."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        before = ProjectState.from_apps(apps)
        after = before.clone()
        self.operation.state_forwards("patients", after)
        with connection.schema_editor(atomic=False) as editor:
            self.operation.database_forwards("patients", editor, before, after)
        connection.close()


def _people_write_beside(
    migrating: _Migrating, waits: Callable[[], object], clinic: Clinic, other: psycopg.Connection
) -> bool:
    """Return whether the migration still waited when somebody had written; then the other transaction ends."""
    migrating.thread.start()
    while not waits():
        assert migrating.thread.is_alive()
    a_patient(clinic)
    still_waiting = migrating.thread.is_alive()
    other.commit()
    migrating.thread.join(20)
    return still_waiting


@pytest.fixture
def other() -> Iterator[psycopg.Connection]:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite one writes at a time anyway")
    params = connection.get_connection_params()
    wanted = {name: params[name] for name in ("host", "port", "user", "password", "dbname") if params.get(name)}
    with psycopg.connect(**wanted, options="-c lock_timeout=5s") as session:
        yield session
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS patients_by_phone")


def _validity(name: str) -> list[bool]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relname = %s", [name]
        )
        return [bool(row[0]) for row in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
def test_while_an_index_is_made_people_go_on_writing(other: psycopg.Connection) -> None:
    patient = a_patient(a_clinic())
    # It waits for this writer's end, as it would on a busy day; meanwhile others must not wait behind it.
    other.execute("UPDATE patients_patient SET phone = '1'")

    assert _people_write_beside(_Migrating(_ADDING), lambda: _validity("patients_by_phone"), patient.clinic, other)
    assert _validity("patients_by_phone") == [True]


@pytest.mark.django_db(transaction=True)
def test_an_index_whose_making_was_killed_is_made_anew(other: psycopg.Connection) -> None:
    patient = a_patient(a_clinic(), phone="1")
    a_patient(patient.clinic, phone="1")
    with connection.cursor() as cursor, pytest.raises(Exception, match="could not create unique index"):
        # A killed migration leaves an index behind that nobody may use.
        cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY patients_by_phone ON patients_patient (clinic_id, phone)")
    half = _validity("patients_by_phone")

    for _ in range(2):
        adding = _Migrating(_ADDING)
        adding.thread.start()
        adding.thread.join(20)

    assert half == [False]
    assert _validity("patients_by_phone") == [True]


def _asked(question: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return [str(row[0]) for row in cursor.fetchall()]


_CHECK = """
SELECT format('ALTER TABLE patients_patient ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid = 'patients_patient'::regclass AND confrelid = 'clinics_clinic'::regclass
"""
_WAITING = "SELECT pid FROM pg_locks WHERE relation = 'patients_patient'::regclass AND NOT granted"


@pytest.fixture
def check_of_clinics(other: psycopg.Connection) -> Iterator[None]:
    (made_by,) = _asked(_CHECK)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")
    if not _asked(_CHECK):
        with connection.cursor() as cursor:
            cursor.execute(made_by)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("check_of_clinics")
def test_a_migration_that_needs_the_table_to_itself_makes_nobody_wait_behind_it(other: psycopg.Connection) -> None:
    patient = a_patient(a_clinic())
    unchecked = models.ForeignKey(Clinic, models.CASCADE, related_name="patients", db_index=False, db_constraint=False)
    dropping = _Migrating(AlterFieldOnline("patient", "clinic", unchecked))
    other.execute("UPDATE patients_patient SET phone = '1'")

    assert _people_write_beside(dropping, lambda: _asked(_WAITING), patient.clinic, other)
    assert not _asked(_CHECK)
