"""Each check of the diagnostics against the fault that it is made for."""

import datetime as dt

import pytest
from django.conf import settings
from django.db import connection

from companion.clinics.models import Bot, Clinic
from companion.panel import checks_inside, checks_outside, diagnostics
from companion.panel.check import CheckResult
from companion.patients.models import Patient, Trouble
from companion.service import health_port
from companion.service.heartbeat import fingerprint
from companion.service.models import Kind
from companion.telegram.outcomes import Answer
from tests.builders import NOW, a_bot, a_clinic, a_message, a_patient
from tests.panel.stories import a_heartbeat

pytestmark = pytest.mark.django_db


def check(name: str, clinic: Clinic | None = None) -> CheckResult:
    return next(one for one in diagnostics.run(clinic, now=NOW) if one.name.startswith(name))


def test_a_host_with_another_secret_key_is_named() -> None:
    a_heartbeat(Kind.DISPATCHER, key="0123456789ab")

    found = check("Secret key the same everywhere")

    assert (found.result, found.value) == ("failed", "another one on host")


def test_the_same_secret_key_everywhere_is_well() -> None:
    a_heartbeat(Kind.DISPATCHER, key=fingerprint())

    assert check("Secret key the same everywhere").result == "ok"


def test_a_fingerprint_tells_nothing_of_its_key() -> None:
    assert settings.SECRET_KEY not in fingerprint()
    assert len(fingerprint()) == 12


def test_a_token_that_another_key_sealed_is_found() -> None:
    bot = a_bot(a_clinic())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clinics_bot SET token = %s WHERE telegram_id = %s", [b"\x01" * 60, bot.telegram_id])

    found = next(one for one in checks_inside.configuration(None, now=NOW) if one.name == "Secret key")

    assert (found.result, Bot.objects.count()) == ("failed", 1)


def test_dispatchers_with_other_rates_are_warned_of() -> None:
    a_heartbeat(Kind.DISPATCHER, rate_per_second=settings.COMPANION.rate_per_second + 1)

    found = check("Rate")

    assert (found.result, found.value) == ("warning", "30 a second and 31 a second")


def test_the_usual_rate_is_well() -> None:
    assert check("Rate").result == "ok"


def test_a_webhook_that_keeps_the_listener_from_replies_is_found() -> None:
    found = checks_outside._webhook("linden", set_up=True)

    assert found.result == "failed"
    assert "deleteWebhook" in found.advice


def test_a_service_that_lives_and_cannot_be_reached_is_named() -> None:
    # Nothing listens on port 1.
    a_heartbeat(Kind.LISTENER, health_url="http://127.0.0.1:1")

    assert check("Listener answers").result == "warning"


def test_a_service_that_answers_is_well() -> None:
    port = health_port.serve(lambda: {"status": "ok"}, host="127.0.0.1", port=0)
    a_heartbeat(Kind.LISTENER, health_url=port.url)
    try:
        assert check("Listener answers").result == "ok"
    finally:
        port.close()


def test_a_missing_migration_is_counted() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'panel'")

    found = check("Schema up to date")

    assert (found.result, found.advice) == ("failed", "Run `companion migrate`.")


@pytest.mark.parametrize(
    ("trouble", "name"),
    [(Trouble.CHAT_NOT_FOUND, "Telegram ID not known"), (Trouble.BLOCKED, "Bot blocked")],
)
def test_patients_whom_telegram_does_not_reach_are_counted(trouble: Trouble, name: str) -> None:
    clinic = a_clinic()
    a_message(a_patient(clinic, trouble=trouble))

    assert check(name, clinic).value.endswith("messages wait for 1")


def test_a_zone_that_nobody_knows_is_named() -> None:
    clinic = a_clinic()
    Patient.objects.filter(pk=a_patient(clinic).pk).update(timezone="Mars/Olympus")

    assert check("Time zones", clinic).value == "unknown: Mars/Olympus"


def test_a_clock_that_is_off_by_minutes_fails() -> None:
    said = checks_outside._Said(a_bot(a_clinic()), Answer({}, NOW), NOW + dt.timedelta(minutes=3))

    assert checks_outside._clock(said).result == "failed"


def test_the_sandbox_with_a_real_bot_fails() -> None:
    a_bot(a_clinic(), sandbox=False)

    assert check("Sandbox").result == "failed"


def test_a_service_silent_for_a_minute_is_not_alive() -> None:
    a_heartbeat(Kind.WEB, seconds=60)

    found = check("Web alive")

    assert (found.result, found.value) == ("failed", "last sign of life 60 s ago")
