"""The checks of the network, of Telegram and of the machine against the faults that they are made for."""

import datetime as dt
import os
from pathlib import Path

import pytest
from pytest_django import Settings

from companion.clinics.models import OtherReader
from companion.panel import backups, checks_outside
from companion.service import health_port
from companion.service.models import Kind
from companion.telegram.outcomes import Answer
from tests.builders import NOW, a_bot, a_clinic
from tests.panel.stories import a_heartbeat, check
from tests.support.stand_in import stand_in

pytestmark = pytest.mark.django_db


def test_a_webhook_that_keeps_the_listener_from_replies_is_found(settings: Settings) -> None:
    a_bot(a_clinic(slug="linden"), sandbox=settings.SANDBOX_ON)
    with stand_in() as telegram:
        telegram.webhook = True
        settings.COMPANION = settings.COMPANION.model_copy(update={"telegram_api_url": telegram.url})

        found = check("Updates of the bot of linden")

    assert (found.result, found.value) == ("failed", "a webhook is set")
    assert "deleteWebhook" in found.advice


def test_another_program_that_reads_the_updates_is_found(settings: Settings) -> None:
    a_bot(a_clinic(slug="linden"), sandbox=settings.SANDBOX_ON, other_reader=OtherReader.PROGRAM)
    with stand_in() as telegram:
        settings.COMPANION = settings.COMPANION.model_copy(update={"telegram_api_url": telegram.url})

        found = check("Updates of the bot of linden")

    assert (found.result, found.value) == ("failed", "another program reads them, too")
    assert "token" in found.advice


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


def test_a_clock_that_is_off_by_minutes_fails() -> None:
    said = checks_outside._BotAnswer(a_bot(a_clinic()), Answer({}, NOW), NOW + dt.timedelta(minutes=3))

    assert checks_outside._clock(said).result == "failed"


@pytest.mark.parametrize(
    ("files", "result"),
    [({"a": 30}, "ok"), ({"a": 60, "b": 49}, "warning"), ({}, "warning"), ({"a": 49, "": 1}, "warning")],
    ids=["of yesterday", "of days ago", "none at all", "one of now that is empty"],
)
def test_backups_that_are_old_or_missing_are_warned_of(files: dict[str, int], result: str, tmp_path: Path) -> None:
    for words, hours in files.items():
        file = tmp_path / f"{hours}.backup"
        file.write_text(words)
        at = (NOW - dt.timedelta(hours=hours)).timestamp()
        os.utime(file, (at, at))

    assert backups.check(tmp_path, now=NOW).result == result


def test_a_folder_of_backups_that_is_not_there_is_warned_of(tmp_path: Path) -> None:
    assert backups.check(tmp_path / "nowhere", now=NOW).result == "warning"


@pytest.mark.parametrize(("free", "result"), [(50 * 2**20, "failed"), (2**29, "warning"), (2**31, "ok")])
def test_a_disk_that_runs_full_is_told(free: int, result: str) -> None:
    assert checks_outside._disk(free).result == result


def test_a_token_that_telegram_refuses_fails(settings: Settings) -> None:
    a_bot(a_clinic(slug="linden"), sandbox=settings.SANDBOX_ON)
    with stand_in() as telegram:
        telegram.authorized = False
        settings.COMPANION = settings.COMPANION.model_copy(update={"telegram_api_url": telegram.url})

        found = check("Telegram takes the bot of linden")

    assert (found.result, found.value) == ("failed", "refused")


def test_a_clinic_without_a_bot_is_warned_of() -> None:
    assert check("Telegram", a_clinic()).value == "no bot is connected"


def test_a_service_that_answers_and_is_not_well_is_named() -> None:
    port = health_port.serve(lambda: {"status": "degraded", "detail": "No disk."}, host="127.0.0.1", port=0)
    a_heartbeat(Kind.DISPATCHER, health_url=port.url)
    try:
        found = check("Dispatcher answers")
    finally:
        port.close()

    assert (found.result, found.advice) == ("warning", "No disk.")
