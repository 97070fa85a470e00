"""The checks of services, database, patients and settings against their faults, and the names of all checks."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.conf import settings as settings_now
from django.db import OperationalError, connection
from pytest_django import Settings

from companion.clinics import audit
from companion.clinics.models import Bot, Clinic
from companion.panel import checks_inside, diagnostics
from companion.patients.models import Patient
from companion.patients.reach import Why
from companion.service.key_ring import ring
from companion.service.models import Kind
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient
from tests.panel.stories import a_heartbeat, check

pytestmark = pytest.mark.django_db


def test_a_host_with_another_secret_key_is_named() -> None:
    a_heartbeat(Kind.DISPATCHER, key="0123456789ab")

    found = check("Secret key the same everywhere")

    assert (found.result, found.value) == ("failed", "another key on host")


def test_the_same_secret_key_everywhere_is_well() -> None:
    a_heartbeat(Kind.DISPATCHER, key=ring().in_use.id)

    assert check("Secret key the same everywhere").result == "ok"


def test_a_fingerprint_tells_nothing_of_its_key() -> None:
    assert settings_now.SECRET_KEY not in ring().in_use.id
    assert len(ring().in_use.id) == 12


def test_a_token_that_another_key_sealed_is_found() -> None:
    bot = a_bot(a_clinic())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clinics_bot SET token = %s WHERE telegram_id = %s", [b"\x01" * 60, bot.telegram_id])

    found = next(checked for checked in checks_inside.configuration(None, now=NOW) if checked.name == "Secret key")

    assert (found.result, Bot.objects.count()) == ("failed", 1)


def test_dispatchers_with_other_rates_are_warned_of() -> None:
    a_heartbeat(Kind.DISPATCHER, rate_per_second=settings_now.COMPANION.rate_per_second + 1)

    found = check("Rate")

    assert (found.result, found.value) == ("warning", "30 a second and 31 a second")


def test_the_usual_rate_is_well() -> None:
    assert check("Rate").result == "ok"


def test_a_missing_migration_is_counted() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'panel'")

    found = check("Schema up to date")

    assert (found.result, found.advice) == ("failed", "Run `companion migrate`.")


def test_a_trail_whose_trigger_was_taken_away_is_named() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DROP TRIGGER audit_never_emptied ON clinics_auditentry")
        else:
            cursor.execute("DROP TRIGGER audit_no_removal")

    found = check("Audit trail append-only")
    of_a_clinic = check("Audit trail append-only", a_clinic())
    assert (found.result, of_a_clinic.result, of_a_clinic.value) == ("failed", "failed", "not in force")
    assert "is gone" in found.value


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no users")
def test_a_superuser_is_warned_of() -> None:
    found = check("Database's user")

    assert (found.result, found.value) == ("warning", "postgres is a superuser")
    assert "Database's user" not in [checked.name for checked in diagnostics.run(a_clinic(), now=NOW)]


def test_entries_that_wait_too_long_for_their_place_in_the_chain_are_counted() -> None:
    clinic = a_clinic()
    before = NOW - dt.timedelta(minutes=2)
    audit.record(a_caller(clinic), "patient added", "patient", None, now=before, changes=audit.NO_VALUE)

    assert check("Audit trail chained", clinic).value == "waiting entries: 1"
    assert check("Audit trail chained", a_clinic()).result == "ok"


@pytest.mark.parametrize(
    ("trouble", "name"),
    [(Why.CHAT_NOT_FOUND, "Chat not found"), (Why.BLOCKED, "Patient blocked the bot")],
)
def test_patients_whom_telegram_does_not_reach_are_counted(trouble: Why, name: str) -> None:
    clinic = a_clinic()
    a_message(a_patient(clinic, trouble=trouble))

    assert check(name, clinic).value.endswith("messages wait for 1")


def test_a_zone_that_nobody_knows_is_named() -> None:
    clinic = a_clinic()
    Patient.objects.filter(pk=a_patient(clinic).pk).update(timezone="Mars/Olympus")

    assert check("Time zones", clinic).value == "unknown: Mars/Olympus"


def test_the_sandbox_with_a_real_bot_fails() -> None:
    a_bot(a_clinic(), sandbox=False)

    assert check("Sandbox").result == "failed"


def test_a_service_silent_for_a_minute_is_not_alive() -> None:
    a_heartbeat(Kind.WEB, seconds=60)

    found = check("Web alive")

    assert (found.result, found.value) == ("failed", "last sign of life 60 s ago")


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_of_service_that_nobody_started_fails_and_says_how_to_start_it(kind: Kind) -> None:
    found = check(f"{kind.label} alive")

    assert (found.result, f"companion {kind.value}" in found.advice) == ("failed", True)


def test_messages_that_are_overdue_fail_the_check_of_sending() -> None:
    clinic = a_clinic()
    a_bot(clinic)
    a_message(a_patient(clinic), due_at=NOW - dt.timedelta(minutes=6))
    for kind in Kind:
        a_heartbeat(kind)

    found = check("Sending")

    assert (found.result, "no attempt was made since" in found.advice) == ("failed", True)


def test_sending_that_is_paused_is_warned_of() -> None:
    a_bot(a_clinic(sending_paused_at=NOW))

    assert check("Sending").result == "warning"


def test_a_database_that_may_not_be_written_fails() -> None:
    with connection.execute_wrapper(_refuse_inserts):
        found = checks_inside._writable(NOW)

    assert (found.result, found.value) == ("failed", "the database is read-only")


def test_a_database_that_does_not_answer_fails_and_leaves_the_rest_alone() -> None:
    with connection.execute_wrapper(_refuse_all):
        results = diagnostics.run(now=NOW)

    by_name = {checked.name: checked.result for checked in results}
    assert (by_name["Database reachable"], by_name["Disk"] in ("ok", "warning")) == ("failed", True)


def test_an_sqlite_that_can_damage_its_file_fails() -> None:
    assert checks_inside._sqlite("3.45.1").result == "failed"
    assert checks_inside._sqlite("3.51.3").result == "ok"


def test_a_missing_telegram_id_is_counted_where_messages_wait() -> None:
    clinic = a_clinic()
    a_message(a_patient(clinic, telegram_id=None))

    assert check("No Telegram ID", clinic).result == "warning"


def test_settings_of_the_command_that_differ_from_the_services_are_warned_of() -> None:
    a_heartbeat(Kind.DISPATCHER, sandbox=False)

    assert [check(name).result for name in ("Sandbox", "Telegram")] == ["warning", "warning"]


def test_a_rate_that_telegram_does_not_allow_is_warned_of(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"rate_per_second": 100})

    found = check("Rate")

    assert (found.result, "paid broadcasts" in found.advice) == ("warning", True)


def test_pages_in_the_open_without_https_are_warned_of(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"host": "0.0.0.0"})

    assert check("Address").result == "warning"


def test_each_check_has_a_test_with_its_fault() -> None:
    """The names of all checks that a full run makes, so that no new check is forgotten in these files."""
    for kind in Kind:
        a_heartbeat(kind)
    a_bot(a_clinic(slug="linden"), sandbox=settings_now.SANDBOX_ON)

    names = {checked.name.partition(" on ")[0] for checked in diagnostics.run(now=NOW)}

    assert names - {"SQLite's version", "Database's user"} == {
        *(f"{kind.label} alive" for kind in Kind),
        *(f"{kind.label} answers" for kind in Kind),
        "Sending",
        "Database reachable",
        "Database writable",
        "Schema up to date",
        "Audit trail append-only",
        "Audit trail chained",
        "No Telegram ID",
        "Patient blocked the bot",
        "Account deleted",
        "Chat not found",
        "Sandbox",
        "Secret key",
        "Secret key the same everywhere",
        "Rate",
        "Alerts",
        "Encrypted connections",
        "Second step",
        "Time zones",
        "Address",
        "Proxies before the pages",
        "Secrets' files",
        "Python",
        "Telegram takes the bot of linden",
        "Disk",
        "Backups",
    }


def _refuse_inserts(
    execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, object]
) -> object:
    if sql.startswith("INSERT"):
        raise OperationalError("attempt to write a readonly database")
    return execute(sql, params, many, context)


def _refuse_all(
    execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, object]
) -> object:
    raise OperationalError("gone")


def test_problems_of_another_clinic_s_sending_are_not_shown() -> None:
    a_clinic(sending_paused_at=NOW)
    clinic = a_clinic()
    for served in Clinic.objects.all():
        a_bot(served, sandbox=settings_now.SANDBOX_ON)
    for kind in Kind:
        a_heartbeat(kind)

    assert (check("Sending", clinic).result, check("Sending").result) == ("ok", "warning")
