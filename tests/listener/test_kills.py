"""The listener's process killed with -9 while updates come in: nothing is lost, and nothing is done twice."""

from functools import partial
from itertools import permutations
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.db.models import QuerySet
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from companion.clinics import bots
from companion.clinics.models import Bot
from companion.listener import handling, unanswered
from companion.listener.handling import SomebodyWasFaster
from companion.listener.models import Conversation, Reply
from companion.patients.models import Consent, ConsentChange, Patient
from companion.sandbox import phone as phones
from companion.sandbox.models import SandboxMessage
from companion.schedules.buttons import keyboard
from companion.schedules.models import Follow, Message
from companion.service.clock import database_now
from tests.builders import NOW, a_bot, a_clinic, a_patient
from tests.listener.stories import TAKEN_OR_LATER, a_question, a_text, answers, following, incoming, tap_on
from tests.support.services import a_service, eventually

pytestmark = pytest.mark.django_db(transaction=True)


def test_after_every_kill_all_updates_are_worked_off_once(
    live_server: LiveServer, settings: Settings, product_environment: dict[str, str]
) -> None:
    settings.SANDBOX_ON = True
    token = phones.make_bot("Linden", "linden_bot")
    bot = bots.connect(a_clinic(), token, "linden_bot", sandbox=True, now=NOW)
    sandbox = phones.bot_of(token)
    assert sandbox
    phone = phones.new_phone(sandbox, "Ana")
    phones.press_start(sandbox, phone)
    patient = a_patient(bot.clinic, telegram_id=phone.telegram_id)
    question = a_question(patient, telegram_message_id=100_001, sent_at=database_now())
    forgotten = a_question(patient, telegram_message_id=100_002, answer_by=database_now())
    on_the_phone = SandboxMessage.objects.create(
        bot=sandbox,
        phone=phone,
        message_id=100_001,
        from_bot=True,
        text="Pill?",
        buttons=keyboard(question.pk, TAKEN_OR_LATER),
        at=database_now(),
    )
    words = _typed_with_taps(on_the_phone, f"answer:{question.pk.hex}:1")

    _read_by_listeners_that_are_killed(
        patient, product_environment | {"COMPANION_TELEGRAM_API_URL": f"{live_server.url}/sandbox"}
    )

    kept = [reply.text for reply in Reply.objects.filter(clinic=bot.clinic).order_by("update_id")]
    assert [text for text in kept if text.startswith("text ")] == words
    assert ConsentChange.objects.filter(patient=patient, consent=Consent.WITHDRAWN).count() == 1
    assert Message.objects.filter(clinic=bot.clinic, patient=patient, text__isnull=False).exists()
    # Six taps on one button plan one message more; what nobody answered is asked about once more.
    assert [len(following(question, kind)) for kind in (Follow.LATER, Follow.SHOWN)] == [1, 1]
    assert [reply.text for reply in Reply.objects.filter(clinic=bot.clinic, kind="tap")] == ["Later"]
    assert len(following(forgotten, Follow.REMINDER)) == 1
    assert Conversation.objects.get().unread == len(words)


def _typed_with_taps(asked: SandboxMessage, button: str) -> list[str]:
    """Type sixty texts and a STOP on the phone, and tap the button six times between them; return the texts."""
    words = [f"text {number}" for number in range(60)]
    for number, word in enumerate(words):
        phones.type_text(asked.bot, asked.phone, word)
        if number % 10 == 0:
            phones.tap(asked.bot, asked, button)
    phones.type_text(asked.bot, asked.phone, "STOP")
    return words


def _read_by_listeners_that_are_killed(patient: Patient, environment: dict[str, str]) -> None:
    replies = Reply.objects.filter(clinic=patient.clinic)
    for killed_at in (1, 20, 40):
        with a_service("listener", environment) as listener:
            eventually(partial(_at_least, replies, killed_at), "some replies")
            listener.kill()
    with a_service("listener", environment):
        eventually(lambda: Patient.objects.get(pk=patient.pk).consent == Consent.WITHDRAWN, "the STOP")


def _at_least(replies: QuerySet[Reply], number: int) -> bool:
    return replies.count() >= number


def _replayed(bot: Bot, updates: list[tuple[int, dict[str, object]]]) -> None:
    """Handle updates in Telegram's order, each from the current offset, as a poller does."""
    for update_id, content in updates:
        bot.refresh_from_db()
        try:
            handling.handle(bot.id, incoming(content, update_id), offset=bot.next_update_id, now=NOW)
        except SomebodyWasFaster:
            continue


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_updates_replayed_twice_in_any_order_change_nothing_twice(order: tuple[int, ...]) -> None:
    bot = a_bot(a_clinic())
    patient = a_patient(bot.clinic)
    assert patient.telegram_id
    question = a_question(patient)
    texts = [a_text(patient.telegram_id, words) for words in ("Hello", "STOP", "Thanks")]
    updates = [(500, texts[0]), (501, tap_on(question, 1)), (502, texts[1]), (503, texts[2])]
    _replayed(bot, updates)
    before = _all_that_came_of_it(bot)

    _replayed(bot, [updates[number] for number in order])

    patient.refresh_from_db()
    bot.refresh_from_db()
    assert _all_that_came_of_it(bot) == before
    assert (patient.consent, bot.next_update_id) == (Consent.WITHDRAWN, 504)


def _all_that_came_of_it(bot: Bot) -> tuple[object, ...]:
    return (
        list(Reply.objects.values_list("update_id", "text")),
        len(answers(bot)),
        ConsentChange.objects.count(),
        list(Conversation.objects.values_list("standing", "unread")),
    )


def test_two_listeners_at_one_moment_remind_once() -> None:
    bot = a_bot(a_clinic())
    question = a_question(a_patient(bot.clinic), answer_by=NOW)
    both = Barrier(2)

    def one_listener() -> None:
        both.wait()
        unanswered.work_off(now=NOW)
        connection.close()

    threads = [Thread(target=one_listener) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(following(question, Follow.REMINDER)) == 1
    assert Conversation.objects.count() == 1
