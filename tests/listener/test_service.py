"""The listener service against the Sandbox, over real HTTP: nothing that comes in is lost, repeated or in the way."""

import asyncio
import datetime as dt
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from companion.clinics import bots
from companion.clinics.models import Bot
from companion.listener import other_readers
from companion.listener.models import Reply
from companion.listener.service import Service
from companion.patients import enrolment
from companion.patients.models import Consent, Patient
from companion.sandbox import phone as phones
from companion.sandbox.models import Phone, SandboxBot, SandboxMessage, SandboxTap, SandboxUpdate
from companion.schedules.models import Message
from companion.telegram.client import BotToken
from tests.builders import NOW, a_caller, a_clinic, a_patient
from tests.sandbox.stories import with_client

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True)
class Practice:
    """A clinic with a bot of the Sandbox, and that bot as the Sandbox has it."""

    bot: Bot
    sandbox: SandboxBot
    token: str
    url: str

    def a_reached_patient(self) -> tuple[Patient, Phone]:
        """A patient whose phone has pressed Start, long ago."""
        phone = phones.new_phone(self.sandbox, "Ana")
        phones.press_start(self.sandbox, phone)
        SandboxUpdate.objects.all().delete()
        return a_patient(self.bot.clinic, telegram_id=phone.telegram_id), phone


@pytest.fixture
def practice(live_server: LiveServer, settings: Settings) -> Practice:
    settings.SANDBOX_ON = True
    token = phones.make_bot("Linden", "linden_bot")
    bot = bots.connect(a_clinic(), token, "linden_bot", sandbox=True, now=NOW)
    sandbox = phones.bot_of(token)
    assert sandbox
    return Practice(bot, sandbox, token, live_server.url)


@contextmanager
def a_listener(
    url: str, *, path: str = "/sandbox", sandbox: bool = True, calm: dt.timedelta = other_readers.CALM
) -> Iterator[Service]:
    """A listener at work in a separate thread, stopped cleanly at the end."""
    service = Service(f"{url}{path}", sandbox=sandbox, calm=calm)
    begun: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        begun.append((asyncio.get_running_loop(), stop))
        await service.serve(stop)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield service
    finally:
        until(lambda: bool(begun))
        loop, stop = begun[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for the condition, and fail if it doesn't come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def texts() -> list[str]:
    return [reply.text for reply in Reply.objects.order_by("update_id")]


def delivered(practice: Practice, message: Message) -> SandboxMessage:
    """Send the message to the phone, as the dispatcher would."""
    chat, text = message.telegram_id, message.text
    assert chat
    assert text
    markup: dict[str, object] = {"inline_keyboard": message.buttons}
    outcome = with_client(
        practice.url,
        lambda client: client.send_message(BotToken(practice.token), chat, text, timeout=10, reply_markup=markup),
    )
    assert outcome.message_id
    return SandboxMessage.objects.get(message_id=outcome.message_id)


def test_a_patient_enrols_by_the_link_and_agrees_by_a_tap(practice: Practice) -> None:
    patient = a_patient(practice.bot.clinic, telegram_id=None, consent=Consent.UNKNOWN)
    link = enrolment.invite(a_caller(practice.bot.clinic), patient, now=NOW).link
    phone = phones.new_phone(practice.sandbox, "Ana")

    with a_listener(practice.url):
        phones.press_start(practice.sandbox, phone, link.partition("?start=")[2])
        until(lambda: Message.objects.filter(patient=patient).exists())
        question = delivered(practice, Message.objects.get(patient=patient))
        phones.tap(practice.sandbox, question, question.buttons[0][0]["callback_data"])
        until(lambda: SandboxTap.objects.filter(answered_at__isnull=False).exists())

    patient.refresh_from_db()
    assert (patient.telegram_id, patient.consent) == (phone.telegram_id, Consent.GIVEN)


def test_an_edit_on_the_phone_is_heard_and_an_edit_to_stop_is_a_stop(practice: Practice) -> None:
    patient, phone = practice.a_reached_patient()

    with a_listener(practice.url):
        typed = phones.type_text(practice.sandbox, phone, "I took 2")
        until(lambda: texts() == ["I took 2"])
        phones.edit_text(practice.sandbox, phone, typed, "I took 3")
        until(lambda: texts() == ["I took 2", "I took 3"])
        phones.edit_text(practice.sandbox, phone, typed, "*STOP*")
        until(lambda: Message.objects.filter(patient=patient).exists())

    patient.refresh_from_db()
    assert patient.consent == Consent.WITHDRAWN
    assert texts() == ["I took 2", "I took 3", "*STOP*"]


def test_a_word_that_could_be_a_stop_is_asked_about_and_answered_by_a_tap(practice: Practice) -> None:
    patient, phone = practice.a_reached_patient()

    with a_listener(practice.url):
        phones.type_text(practice.sandbox, phone, "Stop. When is my visit?")
        until(lambda: Message.objects.filter(patient=patient).exists())
        question = delivered(practice, Message.objects.get(patient=patient))
        phones.tap(practice.sandbox, question, question.buttons[0][0]["callback_data"])
        until(lambda: SandboxTap.objects.filter(answered_at__isnull=False).exists())

    patient.refresh_from_db()
    assert patient.consent == Consent.WITHDRAWN
    assert texts() == ["Stop. When is my visit?", "Stop all messages"]


def test_messages_written_while_no_listener_ran_are_handled_once(practice: Practice) -> None:
    _, phone = practice.a_reached_patient()
    phones.type_text(practice.sandbox, phone, "one")
    with a_listener(practice.url):
        until(lambda: texts() == ["one"])
    phones.type_text(practice.sandbox, phone, "two")

    with a_listener(practice.url) as service:
        # Counted a moment after it is kept.
        until(lambda: service.state() == {"bots": 1, "troubled": 0, "taken": 1})

    assert texts() == ["one", "two"]


def test_an_update_that_can_t_be_worked_off_is_in_nobody_s_way(practice: Practice) -> None:
    patient, phone = practice.a_reached_patient()
    practice.sandbox.refresh_from_db()
    number = practice.sandbox.last_update_id
    garbage = {"update_id": number + 1, "message": {"chat": "?"}}
    SandboxUpdate.objects.create(bot=practice.sandbox, update_id=number + 1, payload=garbage, at=NOW)
    SandboxBot.objects.update(last_update_id=number + 1)
    # The database will refuse the next update: its number is taken.
    Reply.objects.create(clinic=practice.bot.clinic, kind="text", text="", telegram_id=1, update_id=number + 2, at=NOW)
    phones.type_text(practice.sandbox, phone, "unlucky")
    phones.type_text(practice.sandbox, phone, "STOP")

    with a_listener(practice.url):
        until(lambda: Patient.objects.get(pk=patient.pk).consent == Consent.WITHDRAWN)


def test_a_text_beside_parts_that_nobody_can_read_is_kept(practice: Practice, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    patient, phone = practice.a_reached_patient()
    phones.type_text(practice.sandbox, phone, "I fell")
    update = SandboxUpdate.objects.get()
    odd = {"forward_origin": {"type": "hidden_user"}, "entities": 7, "date": "now", "from": [], "new_part": {"a": [[]]}}
    update.payload["message"] |= odd
    update.save()

    with a_listener(practice.url):
        until(lambda: texts() == ["I fell"])

    assert Reply.objects.get().patient == patient
    # The log names the odd parts, and nothing of what they or the text hold.
    assert "message.date" in caplog.text
    assert "I fell" not in caplog.text


def test_two_listeners_on_one_bot_take_turns_and_keep_everything_once(practice: Practice) -> None:
    _, phone = practice.a_reached_patient()
    words = [f"text {number}" for number in range(8)]

    with a_listener(practice.url), a_listener(practice.url):
        for word in words:
            phones.type_text(practice.sandbox, phone, word)
        until(lambda: len(texts()) == len(words))

    assert texts() == words


def test_a_bot_that_is_connected_later_is_noticed(live_server: LiveServer, settings: Settings) -> None:
    settings.SANDBOX_ON = True
    token = phones.make_bot("Linden", "linden_bot")
    sandbox = phones.bot_of(token)
    assert sandbox
    phone = phones.new_phone(sandbox, "Ana")

    with a_listener(live_server.url) as service:
        until(lambda: service.health()["status"] == "ok")
        bots.connect(a_clinic(), token, "linden_bot", sandbox=True, now=NOW)
        phones.press_start(sandbox, phone)
        until(lambda: Message.objects.filter(telegram_id=phone.telegram_id).exists())


def test_a_refused_token_is_said_in_words(practice: Practice) -> None:
    bots.connect(practice.bot.clinic, f"{practice.bot.telegram_id}:{'A' * 35}", "x", sandbox=True, now=NOW)

    with a_listener(practice.url) as service:
        until(lambda: service.health()["status"] == "degraded")

    assert service.health()["detail"] == "Telegram refuses the bot's token. Enter a valid token in Settings."


def test_another_program_that_fetches_the_updates_is_said_in_words(practice: Practice) -> None:
    url = f"{practice.url}/sandbox/bot{practice.token}/getUpdates"
    body = json.dumps({"timeout": 1}).encode()

    with a_listener(practice.url) as service:
        until(lambda: service.state()["bots"] == 1)
        until(lambda: SandboxBot.objects.get().poll_number >= 1)
        other = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        rival = threading.Thread(target=lambda: _fetch(other))
        rival.start()
        until(lambda: "Another program" in str(service.health()["detail"]))

    rival.join(15)


def _fetch(request: urllib.request.Request) -> None:
    # The listener may come back and end this poll in its turn.
    with suppress(urllib.error.HTTPError):
        urllib.request.urlopen(request).close()


def test_a_bot_whose_token_cannot_be_opened_is_told_of_and_keeps_no_other_unheard(practice: Practice) -> None:
    _, phone = practice.a_reached_patient()
    other = bots.connect(a_clinic(), phones.make_bot("Birch", "birch_bot"), "birch_bot", sandbox=True, now=NOW)
    Bot.objects.filter(pk=other.pk).update(token=b"\x01" * 60)
    phones.type_text(practice.sandbox, phone, "one")

    with a_listener(practice.url) as service:
        until(lambda: texts() == ["one"])
        said = service.health()

    assert said["status"] == "degraded"
    assert "COMPANION_SECRET_KEY" in str(said["detail"])
