"""The Control Panel's own numbers, and the diagnostics, on a real database."""

import datetime as dt
from pathlib import Path

import pytest
from django.conf import settings

from companion.clinics.models import Clinic
from companion.panel import diagnostics, health, status
from companion.panel.check import CheckResult
from companion.patients.models import Patient
from companion.schedules.models import Status
from companion.schedules.reasons import Reason
from companion.service.models import Kind
from tests.builders import NOW, a_bot, a_clinic, a_message, a_patient, a_sent_message
from tests.panel.stories import a_heartbeat, ago

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_seen_before() -> None:
    health.forget()


def late(patient: Patient, *, due_at: dt.datetime, seconds: float) -> None:
    """A message that was sent so long after its time."""
    a_sent_message(patient, at=due_at + dt.timedelta(seconds=seconds), due_at=due_at)


def check_named(clinic: Clinic | None, name: str) -> CheckResult:
    return next(check for check in diagnostics.run(clinic, now=NOW) if check.name == name)


def test_messages_are_counted_by_how_they_stand() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    a_message(patient, due_at=NOW + dt.timedelta(hours=1))
    a_message(patient, due_at=ago(seconds=5))
    a_message(patient, due_at=ago(seconds=90))
    a_message(patient, due_at=ago(hours=2), status=Status.FAILED, reason=Reason.TOO_LATE, ended_at=ago(hours=1))
    late(patient, due_at=ago(hours=3), seconds=1)

    numbers = status.status(clinic, now=NOW).messages

    assert (numbers.pending, numbers.due, numbers.overdue) == (3, 2, 1)
    assert numbers.oldest_overdue_seconds == 90
    assert (numbers.sent_24h, numbers.failed_24h) == (1, 1)


def test_yesterdays_messages_are_not_todays() -> None:
    clinic = a_clinic()
    late(a_patient(clinic), due_at=ago(hours=25), seconds=1)

    assert status.status(clinic, now=NOW).messages.sent_24h == 0


def test_another_clinics_messages_are_not_counted() -> None:
    a_message(a_patient(a_clinic()))

    assert status.status(a_clinic(), now=NOW).messages.pending == 0


def test_the_lag_says_how_late_messages_left() -> None:
    patient = a_patient(a_clinic())
    for seconds in range(100):
        late(patient, due_at=ago(hours=2), seconds=seconds)

    lag = status.status(patient.clinic, now=NOW).delivery_lag_seconds

    assert (lag.p50, lag.p99) == (50, 99)


def test_a_process_without_a_sign_of_life_is_shown_as_silent() -> None:
    a_heartbeat(Kind.LISTENER, seconds=60)

    (line,) = status.status(a_clinic(), now=NOW).services

    assert (line.kind, line.state) == ("listener", "silent")


def test_the_panel_names_the_bot_and_never_its_token() -> None:
    clinic = a_clinic()
    bot = a_bot(clinic)

    telegram = status.status(clinic, now=NOW).telegram

    assert telegram["bot"] == bot.username
    assert bot.token not in str(telegram)


def test_the_diagnostics_write_nothing_that_stays() -> None:
    diagnostics.run(now=NOW)

    assert status.status(a_clinic(), now=NOW).services == ()


def test_patients_without_telegram_ids_are_named_where_messages_wait_for_them() -> None:
    clinic = a_clinic()
    a_patient(clinic, telegram_id=None)
    a_message(a_patient(clinic, telegram_id=None))

    check = check_named(clinic, "No Telegram ID")

    assert (check.result, check.value) == ("warning", "2 patients, messages wait for 1")


def test_patients_without_telegram_ids_are_no_trouble_while_nothing_is_planned_for_them() -> None:
    clinic = a_clinic()
    a_patient(clinic, telegram_id=None)

    assert check_named(clinic, "No Telegram ID").result == "ok"


def test_a_service_that_is_not_there_fails_and_says_how_to_start_it() -> None:
    check = check_named(None, "Dispatcher alive")

    assert check.result == "failed"
    assert "companion dispatcher" in check.advice


def test_telegram_out_of_reach_fails_the_check() -> None:
    clinic = a_clinic(slug="linden")
    a_bot(clinic, sandbox=settings.SANDBOX_ON)

    # Nothing serves the Sandbox in this test, so its address refuses.
    check = check_named(clinic, "Telegram takes the bot of linden")

    assert (check.result, check.value) == ("failed", "connection refused")


def test_a_secret_file_that_others_may_read_is_named() -> None:
    folder = Path(settings.DATA_DIR)
    key = folder / "secret_key"
    key.touch()
    key.chmod(0o644)
    mode = folder.stat().st_mode
    folder.chmod(0o755)
    try:
        check = check_named(None, "Secrets' files")
    finally:
        folder.chmod(mode)
        key.unlink()

    assert check.result == "warning"
    assert "secret_key" in check.value


def test_a_lost_process_is_shown_until_a_newer_process_replaces_it_on_its_host() -> None:
    a_heartbeat(Kind.DISPATCHER, seconds=600)
    for seconds in (900, 600):
        a_heartbeat(Kind.LISTENER, seconds=seconds)
    a_heartbeat(Kind.DISPATCHER)

    lines = status.status(a_clinic(), now=NOW).services

    assert [(line.kind, line.state) for line in lines] == [("dispatcher", "alive"), ("listener", "silent")]
    assert lines[1].last_beat_at == ago(seconds=600)
