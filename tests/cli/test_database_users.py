"""PostgreSQL with an owner who migrates and another user for the services, set up as docs/operations.md says.

Neither is a superuser, as the user of all other tests is: only here do rights hold.
"""

import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tests.cli.running import a_command
from tests.support import session
from tests.support.services import a_free_port, a_service, eventually

pytestmark = [
    pytest.mark.skipif(not session.on_postgresql(), reason="SQLite has no users"),
    pytest.mark.both_databases,
]
_OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@dataclass(frozen=True)
class Installation:
    """A database with its two users, and a folder for commands."""

    mark: str
    folder: Path

    def url(self, role: str, name: str = "") -> str:
        """The address of the database for one of the users."""
        parts = urlsplit(os.environ["COMPANION_DATABASE_URL"])
        return parts._replace(netloc=f"{role}_{self.mark}@", path=f"/{name or self.name}").geturl()

    @property
    def name(self) -> str:
        """The database's name."""
        return f"companion_{self.mark}"

    def environment(self, role: str, name: str = "") -> dict[str, str]:
        """The settings of a command that works as this user."""
        return os.environ | {
            "COMPANION_DATABASE_URL": self.url(role, name),
            "COMPANION_DATA_DIR": str(self.folder / "data"),
            "COMPANION_BACKUP_PASSPHRASE": "correct horse battery staple",
        }

    def tried(self, role: str, *words: str, name: str = "") -> tuple[int, str]:
        """Run a command as this user. Return its exit status and its output."""
        done = a_command(*words, environment=self.environment(role, name), folder=self.folder)
        return done.returncode, done.stdout + done.stderr

    def run(self, role: str, *words: str, name: str = "") -> str:
        """Run a command as this user, which must succeed. Return its output."""
        status, said = self.tried(role, *words, name=name)
        assert status == 0, said
        return said

    def sql(self, role: str, statement: str) -> list[tuple[object, ...]]:
        """Run a statement as this user, who may be "postgres". Return its rows."""
        url = self.url(role) if role != "postgres" else self.url("x").replace(f"x_{self.mark}@", "postgres@")
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []


def as_documented(mark: str) -> list[str]:
    """The two blocks of SQL of docs/operations.md, with the names of this test's users."""
    section = _OPERATIONS.read_text().partition("### Two users of PostgreSQL")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    return [re.sub(r"\b(companion(_owner|_services)?)\b", rf"\1_{mark}", block) for block in blocks]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = Installation(uuid.uuid4().hex[:12], tmp_path_factory.mktemp("users"))
    new_database, rights = as_documented(made.mark)
    server = urlsplit(os.environ["COMPANION_DATABASE_URL"])._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in new_database.strip().split(";\n"):
            connection.execute(statement.encode())
    made.sql("postgres", rights)
    made.run("companion_owner", "migrate")
    # Some entries of the audit trail.
    made.run("companion_services", "clinic", "add", "linden", "--name", "Linden", "--timezone", "Europe/Berlin")
    made.run("companion_services", "member", "add", "ana@linden.example", "--role", "admin", "--clinic", "linden")
    made.run("companion_services", "audit", "verify")
    return made


@pytest.mark.parametrize("role", ["companion_owner", "companion_services"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE clinics_auditentry SET action = 'nothing happened'",
        "UPDATE clinics_auditentry SET seal = '', number = 7",
        "DELETE FROM clinics_auditentry",
        "TRUNCATE clinics_auditentry",
        "TRUNCATE clinics_clinic, clinics_auditentry CASCADE",
        "INSERT INTO clinics_auditentry SELECT * FROM clinics_auditentry "
        "ON CONFLICT (id) DO UPDATE SET action = 'nothing happened'",
        "MERGE INTO clinics_auditentry a USING clinics_auditentry b ON a.id = b.id WHEN MATCHED THEN DELETE",
    ],
)
def test_no_user_of_the_database_has_the_right_to_change_the_audit_trail(
    here: Installation, role: str, statement: str
) -> None:
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        here.sql(role, statement)


@pytest.mark.parametrize("role", ["companion_owner", "companion_services"])
def test_the_columns_that_chaining_writes_are_held_by_triggers(here: Installation, role: str) -> None:
    with pytest.raises(InsufficientPrivilege, match="append-only"):
        here.sql(role, "UPDATE clinics_auditentry SET number = number + 100, hash = 'x'")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER audit_append_only ON clinics_auditentry",
        "ALTER TABLE clinics_auditentry DISABLE TRIGGER ALL",
        "CREATE RULE quiet AS ON INSERT TO clinics_auditentry DO INSTEAD NOTHING",
        "CREATE TRIGGER quiet BEFORE INSERT ON clinics_auditentry "
        "FOR EACH ROW EXECUTE FUNCTION companion_audit_append_only()",
        "CREATE OR REPLACE FUNCTION companion_audit_append_only() RETURNS trigger LANGUAGE plpgsql "
        "AS $$BEGIN RETURN OLD; END$$",
        "GRANT DELETE ON clinics_auditentry TO companion_services_{mark}",
        "SET session_replication_role = replica",
        "DROP TABLE clinics_auditentry",
    ],
)
def test_the_services_user_can_not_take_the_protection_away(here: Installation, statement: str) -> None:
    try:
        here.sql("companion_services", statement.format(mark=here.mark))
    except InsufficientPrivilege:
        pass
    else:
        # A GRANT without the right to grant is only a warning.
        assert statement.startswith("GRANT")

    here.run("companion_services", "audit", "verify")


def test_the_services_work_as_a_user_who_owns_no_table(here: Installation) -> None:
    port = a_free_port()
    environment = here.environment("companion_services") | {"COMPANION_PORT": str(port), "COMPANION_SANDBOX": "1"}
    with (
        a_service("web", environment, folder=here.folder),
        a_service("dispatcher", environment, folder=here.folder),
        a_service("listener", environment, folder=here.folder),
    ):
        kinds = "SELECT count(DISTINCT kind) FROM service_heartbeat"
        eventually(lambda: here.sql("companion_owner", kinds) == [(3,)], "three heartbeats")
        here.run("companion_services", "member", "role", "ana@linden.example", "viewer", "--clinic", "linden")
        unchained = "SELECT count(*) FROM clinics_auditentry WHERE number IS NULL"
        eventually(lambda: here.sql("companion_owner", unchained) == [(0,)], "all entries chained")
    for name in ("web", "dispatcher", "listener"):
        assert "permission denied" not in (here.folder / f"{name}.log").read_text()


def test_a_backup_is_made_by_the_services_user_and_restored_by_the_owner(here: Installation) -> None:
    file, name = here.folder / "backup", f"restored_{here.mark}"
    here.sql("postgres", f"CREATE DATABASE {name} OWNER companion_owner_{here.mark}")

    here.run("companion_services", "backup", str(file))
    here.run("companion_owner", "restore", str(file), name=name)

    assert "is whole" in here.run("companion_owner", "audit", "verify", name=name)


def test_the_doctor_names_its_user(here: Installation) -> None:
    assert "doesn't own the tables" in here.tried("companion_services", "doctor")[1]
    assert "who owns the tables" in here.tried("companion_owner", "doctor")[1]


def test_rights_that_somebody_gives_are_said_and_taken_back(here: Installation) -> None:
    here.sql("companion_owner", f"GRANT ALL ON ALL TABLES IN SCHEMA public TO companion_services_{here.mark}")
    here.sql("companion_owner", "GRANT UPDATE (action) ON clinics_auditentry TO PUBLIC")

    status, verified = here.tried("companion_services", "audit", "verify")
    doctor = here.tried("companion_services", "doctor")[1]
    refused = here.tried("companion_services", "migrate")
    migrated = here.run("companion_owner", "migrate")

    said = f"companion_services_{here.mark} has the right DELETE"
    assert (status, said in verified, said in doctor) == (1, True, True)
    assert refused[0] == 1
    assert "as the owner of the tables" in refused[1]
    assert said in migrated
    assert "PUBLIC has the right UPDATE (action)" in migrated
    assert said not in here.run("companion_owner", "migrate")
    with pytest.raises(InsufficientPrivilege):
        here.sql("companion_services", "DELETE FROM clinics_auditentry")


def test_a_trigger_that_the_owner_dropped_is_brought_back_by_the_owner_alone(here: Installation) -> None:
    here.sql("companion_owner", "DROP TRIGGER audit_never_emptied ON clinics_auditentry")

    refused = here.tried("companion_services", "migrate")
    migrated = here.run("companion_owner", "migrate")

    assert refused[0] == 1
    assert "the trigger audit_never_emptied is gone" in refused[1]
    assert "the trigger audit_never_emptied is gone" in migrated
    here.run("companion_services", "audit", "verify")
