"""The check of connections to other machines that are in the open, or whose certificates nobody checks."""

import pytest
from django.db import connection
from pydantic import SecretStr
from pytest_django import Settings

from companion.clinics.models import Clinic, Role
from companion.panel import diagnostics
from companion.panel.check import CheckResult
from companion.panel.checks_encryption import encryption
from companion.patients.sources import configuration
from tests.builders import NOW, a_caller, a_clinic
from tests.patients.hospital import MAPPING

pytestmark = pytest.mark.django_db
WELL = "each connection to another machine is verified"


def check(clinic: Clinic | None = None) -> CheckResult:
    [found] = encryption(clinic, now=NOW)
    return found


on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is a file")


def _database(monkeypatch: pytest.MonkeyPatch, host: str, **options: str) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", host)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)


def test_it_is_among_all_checks_of_doctor_and_control_panel() -> None:
    assert "Encrypted connections" in [checked.name for checked in diagnostics.run(now=NOW)]


@on_postgresql
@pytest.mark.parametrize(
    ("host", "options"),
    [
        ("", {}),
        ("/run/postgresql", {}),
        ("localhost", {}),
        ("127.0.0.1,::1", {}),
        ("db.example", {"sslmode": "verify-full"}),
    ],
)
def test_a_database_here_or_with_a_checked_certificate_is_well(
    monkeypatch: pytest.MonkeyPatch, host: str, options: dict[str, str]
) -> None:
    _database(monkeypatch, host, **options)

    assert (check().result, check().value) == ("ok", WELL)


@on_postgresql
@pytest.mark.parametrize(
    ("host", "options"),
    [
        ("db.example", {}),
        ("10.0.0.7", {"sslmode": "require"}),
        ("db.example", {"sslmode": "verify-ca"}),
        ("localhost,db.example", {"sslmode": "prefer"}),
    ],
)
def test_a_database_elsewhere_without_a_checked_certificate_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, host: str, options: dict[str, str]
) -> None:
    _database(monkeypatch, host, **options)

    assert (check().result, check().value) == ("warning", "not to the database")


@on_postgresql
def test_the_mode_of_the_environment_counts_as_for_the_database_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    _database(monkeypatch, "db.example")
    monkeypatch.setenv("PGSSLMODE", "verify-full")

    assert check().result == "ok"


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("smtp://mail.example?tls=no", "not to the mail server"),
        ("smtp://mail.example", WELL),
        ("smtps://mail.example", WELL),
        ("smtp://localhost:25?tls=no", WELL),
    ],
)
def test_a_mail_server_elsewhere_needs_tls(settings: Settings, url: str, value: str) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"smtp_url": SecretStr(url)})

    assert check().value == value


@pytest.mark.parametrize(
    ("url", "is_well"),
    [
        ("postgresql+psycopg://nora:p@hospital.example/h", False),
        ("postgresql+psycopg://nora:p@hospital.example/h?sslmode=require", False),
        ("postgresql+psycopg://nora:p@hospital.example/h?sslmode=verify-full", True),
        ("postgresql+psycopg://nora:p@localhost/h", True),
        ("postgresql+psycopg://nora:p@/h?host=/run/postgresql", True),
        ("postgresql+psycopg://nora:p@localhost/h?host=hospital.example", False),
        ("mysql+pymysql://nora:p@hospital.example/h", False),
        ("mysql+pymysql://nora:p@hospital.example/h?ssl_ca=/etc/ca.pem", True),
        ("mysql+pymysql://nora:p@hospital.example/h?ssl_ca=/etc/ca.pem&ssl_check_hostname=false", False),
        ("sqlite:////var/hospital.sqlite3", True),
    ],
)
def test_a_patient_database_elsewhere_needs_a_checked_certificate(url: str, *, is_well: bool) -> None:
    linden = a_clinic(slug="linden")
    configuration.set_sql(a_caller(linden, Role.ADMIN), url, MAPPING, now=NOW)

    assert check().value == (WELL if is_well else "not to the patient source of linden")


@pytest.mark.parametrize(
    ("url", "is_well"), [("http://10.1.2.3/r4", False), ("https://10.1.2.3/r4", True), ("http://127.0.0.1/r4", True)]
)
def test_a_fhir_server_elsewhere_needs_https(url: str, *, is_well: bool) -> None:
    linden = a_clinic(slug="linden")
    configuration.set_fhir(a_caller(linden, Role.ADMIN), url, "", now=NOW, anywhere=True)

    assert (check().result == "ok") == is_well


def test_a_clinic_sees_nothing_of_another_clinics_source() -> None:
    linden, birch = a_clinic(slug="linden"), a_clinic(slug="birch")
    configuration.set_sql(a_caller(linden, Role.ADMIN), "postgresql+psycopg://n:p@h.example/h", MAPPING, now=NOW)

    assert (check(linden).result, check(birch).result) == ("warning", "ok")
    assert "h.example" not in str(check(linden))
