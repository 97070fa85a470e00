"""Another program reads the bot's messages: every process reports it, with what to do, until it is over."""

import datetime as dt
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from companion.clinics import bots
from companion.clinics.models import Bot, Clinic, OtherReader, Role
from companion.listener import other_readers, poller
from companion.panel import alerts, facts, health, judge
from companion.panel.finding import Cause
from companion.sandbox import phone as phones
from companion.sandbox.models import Phone, SandboxBot, SandboxUpdate
from companion.service.clock import database_now
from tests.api.calls import a_program
from tests.builders import NOW, a_bot, a_clinic
from tests.listener.test_service import a_listener, until
from tests.support.stand_in import stand_in
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db(transaction=True)

SOON = dt.timedelta(seconds=1)


def causes(clinic: Clinic) -> dict[str, str]:
    """Return the sentences of health about this clinic."""
    health.forget()
    found = health.check(now=database_now(), clinic=clinic).findings
    return {finding.cause: f"{finding.status}: {finding.words}" for finding in found}


@contextmanager
def another_program(url: str) -> Iterator[None]:
    """Poll the same bot again and again, as a bot library does."""
    over = threading.Event()

    def poll() -> None:
        body = json.dumps({"timeout": 1}).encode()
        while not over.is_set():
            asked = urllib.request.Request(f"{url}/getUpdates", body, {"Content-Type": "application/json"})
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(asked, timeout=10).close()

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(15)


def test_a_second_poller_is_seen_everywhere_and_forgotten_once_it_is_gone(
    live_server: LiveServer, settings: Settings
) -> None:
    settings.SANDBOX_ON = True
    token = phones.make_bot("Linden", "linden_bot")
    clinic = a_clinic()
    bots.connect(clinic, token, "linden_bot", sandbox=True, now=NOW)
    sandbox = phones.bot_of(token)
    assert sandbox

    with a_listener(live_server.url, calm=SOON):
        with another_program(f"{live_server.url}/sandbox/bot{token}"):
            until(lambda: Cause.OTHER_READER in causes(clinic), seconds=60)

            said = causes(clinic)[Cause.OTHER_READER]
            assert said.startswith("degraded: Another program reads this bot's messages")
            assert "STOPs and replies may be lost" in said
            assert Cause.OTHER_READER in [problem.cause for problem in alerts.all_wrong(clinic, now=database_now())]
            panel = words(signed_in(clinic, Role.ADMIN).get("/mcp"))
            assert "Another program reads this bot's messages" in panel
            program = a_program(clinic, Role.ADMIN)
            assert program.call("GET", "/api/mcp/status").json["telegram"]["other_reader"] == "Another program"
            assert "companion_bot_other_reader 1.0" in program.call("GET", "/metrics").text
        # The first poll after the calm is the first to succeed undisturbed; an update ends it at once.
        phone = phones.new_phone(sandbox, "Ana")
        # After many conflicts the listener waits up to one and a half times its longest wait before it polls again.
        longest = poller.LONGEST_WAIT * 1.5 + 30
        until(lambda: _writes(sandbox, phone) and Cause.OTHER_READER not in causes(clinic), seconds=longest)

    assert "companion_bot_other_reader 0.0" in program.call("GET", "/metrics").text


def test_two_installations_that_read_one_bot_both_say_so(live_server: LiveServer, settings: Settings) -> None:
    settings.SANDBOX_ON = True
    bots.connect(a_clinic(), phones.make_bot("Linden", "linden_bot"), "linden_bot", sandbox=True, now=NOW)
    saw: set[int] = set()

    with a_listener(live_server.url) as ours, a_listener(live_server.url) as theirs:

        def both_saw() -> bool:
            both = enumerate((ours, theirs))
            saw.update(number for number, service in both if "Another program" in str(service.health()["detail"]))
            return len(saw) == 2

        until(both_saw)


def _writes(sandbox: SandboxBot, phone: Phone) -> bool:
    if not SandboxUpdate.objects.exists():
        phones.press_start(sandbox, phone)
    return True


def test_a_webhook_is_seen_and_forgotten_once_it_is_gone(settings: Settings) -> None:
    settings.SANDBOX_ON = False
    clinic = a_clinic()
    a_bot(clinic, sandbox=False)

    with stand_in() as telegram:
        telegram.webhook = True
        with a_listener(telegram.url, path="", sandbox=False):
            until(lambda: Cause.OTHER_READER in causes(clinic))
            said = causes(clinic)[Cause.OTHER_READER]
            telegram.webhook = False
            until(lambda: Cause.OTHER_READER not in causes(clinic))

    assert said.startswith("degraded: A webhook receives this bot's messages")
    assert "deleteWebhook" in said


def noted(bot: Bot) -> tuple[str, dt.datetime | None]:
    bot.refresh_from_db()
    return bot.other_reader, bot.other_reader_since


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def test_pollers_that_take_turns_are_one_trouble_that_lasts(bot: Bot) -> None:
    other_readers.met(bot.id, OtherReader.PROGRAM, now=after(0))
    assert not other_readers.undisturbed(bot.id, now=after(25))
    other_readers.met(bot.id, OtherReader.PROGRAM, now=after(50))
    assert not other_readers.undisturbed(bot.id, now=after(80))

    assert noted(bot) == ("program", NOW)


def test_it_is_over_when_a_poll_succeeds_a_minute_after_the_last_conflict(bot: Bot) -> None:
    other_readers.met(bot.id, OtherReader.PROGRAM, now=after(0))
    other_readers.met(bot.id, OtherReader.PROGRAM, now=after(10))

    assert not other_readers.undisturbed(bot.id, now=after(69))
    assert other_readers.undisturbed(bot.id, now=after(70))
    assert noted(bot) == ("", None)


def test_a_poll_that_succeeds_ends_a_webhook_s_note_at_once(bot: Bot) -> None:
    other_readers.met(bot.id, OtherReader.WEBHOOK, now=after(0))

    assert other_readers.undisturbed(bot.id, now=after(1))


def test_one_bot_s_rival_is_no_other_clinic_s(bot: Bot) -> None:
    other = a_bot(a_clinic())
    other_readers.met(bot.id, OtherReader.PROGRAM, now=NOW)

    own = facts.read(now=NOW).of(other.clinic_id)

    assert Cause.OTHER_READER not in [finding.cause for finding in judge.findings(own, now=NOW)]
    assert noted(other) == ("", None)


def test_a_new_token_begins_without_the_old_note(settings: Settings) -> None:
    settings.SANDBOX_ON = True
    clinic = a_clinic()
    bot = bots.connect(clinic, f"123456789:{'A' * 35}", "x", sandbox=True, now=NOW)
    other_readers.met(bot.id, OtherReader.PROGRAM, now=NOW)

    bots.connect(clinic, f"123456789:{'B' * 35}", "x", sandbox=True, now=NOW)

    assert noted(bot) == ("", None)


def test_a_program_that_follows_a_webhook_is_the_same_trouble_and_needs_its_minute(bot: Bot) -> None:
    other_readers.met(bot.id, OtherReader.WEBHOOK, now=after(0))
    other_readers.met(bot.id, OtherReader.PROGRAM, now=after(30))

    assert noted(bot) == ("program", NOW)
    assert not other_readers.undisturbed(bot.id, now=after(60))
    assert other_readers.undisturbed(bot.id, now=after(90))


def test_a_bot_that_moves_to_another_clinic_begins_without_the_old_note(settings: Settings) -> None:
    settings.SANDBOX_ON = True
    token = f"123456789:{'A' * 35}"
    first, second = a_clinic(), a_clinic()
    bot = bots.connect(first, token, "x", sandbox=True, now=NOW)
    other_readers.met(bot.id, OtherReader.PROGRAM, now=NOW)
    bots.connect(first, f"987654321:{'B' * 35}", "y", sandbox=True, now=NOW)

    moved = bots.connect(second, token, "x", sandbox=True, now=NOW)

    assert noted(moved) == ("", None)
