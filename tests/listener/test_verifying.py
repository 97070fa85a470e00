"""Telegram IDs verified in the background: what getChat says is marked, and no message ever waits for it."""

import asyncio

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from companion.clinics import bots
from companion.clinics.models import Bot
from companion.listener import verifying
from companion.listener.database import Database
from companion.listener.poller import PolledBot
from companion.patients.models import Patient, Verified
from companion.patients.reach import Why
from companion.sandbox import phone as phones
from companion.service.clock import database_now
from companion.telegram.client import BotToken, Client
from companion.telegram.outcomes import Kind, Outcome
from tests.builders import NOW, a_bot, a_clinic, a_message, a_patient

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_sandbox_is_asked_and_found_and_not_found_are_marked(live_server: LiveServer, settings: Settings) -> None:
    settings.SANDBOX_ON = True
    token = phones.make_bot("Linden", "linden_bot")
    bot = bots.connect(a_clinic(), token, "linden_bot", sandbox=True, now=NOW)
    sandbox = phones.bot_of(token)
    assert sandbox
    phone = phones.new_phone(sandbox, "Ana")
    stranger = phones.new_phone(sandbox, "Bo")
    phones.press_start(sandbox, phone)
    known = a_patient(bot.clinic, telegram_id=phone.telegram_id, trouble=Why.CHAT_NOT_FOUND)
    unknown = a_patient(bot.clinic, telegram_id=stranger.telegram_id)

    async def verified() -> None:
        database = Database()
        async with Client(f"{live_server.url}/sandbox") as client:
            task = asyncio.create_task(
                verifying.Verifier(client, database, PolledBot(bot.id, BotToken(token)), every=0.01).run()
            )
            waiting = True
            while waiting:
                await asyncio.sleep(0.02)
                waiting = await database.do(lambda: Patient.objects.filter(verified_id=None).exists())
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        database.close()

    asyncio.run(asyncio.wait_for(verified(), 20))

    known.refresh_from_db()
    unknown.refresh_from_db()
    assert (known.verified, known.trouble) == (Verified.FOUND, "")
    assert (unknown.verified, unknown.trouble) == (Verified.NOT_FOUND, Why.CHAT_NOT_FOUND)


def test_while_a_message_waits_nobody_is_verified() -> None:
    bot = a_bot(a_clinic())
    a_message(a_patient(bot.clinic), due_at=database_now())

    assert verifying.claim(bot.id) is None


def test_verifying_takes_a_slot_of_the_bot_s_rate() -> None:
    bot = a_bot(a_clinic())
    patient = a_patient(bot.clinic)

    asked = verifying.claim(bot.id)

    slot = Bot.objects.get(pk=bot.pk).next_slot_at
    assert asked
    assert asked[0] == patient.telegram_id
    assert slot
    assert slot > database_now().replace(microsecond=0)


def test_an_exchanged_telegram_id_is_verified_anew() -> None:
    bot = a_bot(a_clinic())
    patient = a_patient(bot.clinic, verified=Verified.FOUND, verified_id=1)
    a_patient(bot.clinic, telegram_id=None)
    a_patient(a_clinic())

    before = verifying.unverified(bot)
    assert patient.telegram_id
    verifying.note(bot.id, patient.telegram_id, Verified.FOUND)

    assert (before, verifying.unverified(bot)) == (patient.telegram_id, None)


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        (Outcome(Kind.PERMANENT, reason="blocked"), Verified.BLOCKED),
        (Outcome(Kind.PERMANENT, reason="chat_not_found"), Verified.NOT_FOUND),
        (Outcome(Kind.TRANSIENT), None),
        (Outcome(Kind.TOO_MANY, retry_after=3), None),
        (Outcome(Kind.UNAUTHORIZED), None),
    ],
)
def test_only_a_no_about_the_chat_says_something_of_it(outcome: Outcome, found: Verified | None) -> None:
    assert verifying.verdict(outcome) == found
