"""The one gate: on every path, a patient who opted out gets nothing but the answer to their STOP.

Each message is begun as the dispatcher does it, in the transaction after which a byte may leave.
"""

import datetime as dt
from collections.abc import Callable

import pytest

from companion.clinics.models import Bot
from companion.delivery import following
from companion.listener import unanswered
from companion.listener.words import Word, say
from companion.panel import notices
from companion.patients.models import Consent, Patient
from companion.planning import answers
from companion.planning.short_form import send_one
from companion.schedules.models import Follow, Message, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient, a_schedule
from tests.delivery.rounds import begun
from tests.listener.stories import a_question, a_text, comes_in, tap_on
from tests.listener.stories import answers as said_by

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic(urgent_words=["help"], urgent_phone="112"))


@pytest.fixture
def ana(bot: Bot) -> Patient:
    return a_patient(bot.clinic)


def opted_out(ana: Patient) -> None:
    """Withdraw consent while the messages wait already."""
    Patient.objects.filter(pk=ana.pk).update(consent=Consent.WITHDRAWN)


def an_alert_to_the_same_chat(bot: Bot, ana: Patient) -> None:
    """An alert to an admin's Telegram ID that later became a patient's."""
    assert ana.telegram_id
    notices.by_telegram(bot.clinic, ana.telegram_id, "Sending is overdue.", now=NOW)


def a_tap_s_answer(bot: Bot, ana: Patient) -> None:
    comes_in(bot, tap_on(a_question(ana), 0))


def what_was_asked_for_later(bot: Bot, ana: Patient) -> None:
    following.say_again(a_question(ana), Follow.LATER, due_at=NOW, now=NOW)


def a_reminder_of_no_answer(bot: Bot, ana: Patient) -> None:
    a_question(ana, answer_by=NOW)
    unanswered.work_off(now=NOW)


PATHS: dict[str, Callable[[Bot, Patient], object]] = {
    "a schedule's message": lambda bot, ana: a_message(ana, a_schedule(bot.clinic, ana)),
    "one sent now by hand": lambda bot, ana: a_message(ana, a_schedule(bot.clinic, ana), by_hand=True),
    "a single message": lambda bot, ana: send_one(a_caller(bot.clinic), ana, "Hello", None, now=NOW),
    "an answer from the inbox": lambda bot, ana: answers.from_member(
        a_caller(bot.clinic), ana, ana.telegram_id or 0, "Come at nine.", they_wrote=True, now=NOW
    ),
    "an answer from the inbox to the chat": lambda bot, ana: answers.from_member(
        a_caller(bot.clinic), None, ana.telegram_id or 0, "Who are you?", they_wrote=True, now=NOW
    ),
    "the listener's answer": lambda bot, ana: answers.answer(
        bot.clinic, telegram_id=ana.telegram_id or 0, patient=ana, text=say(Word.AGREED, "en"), now=NOW
    ),
    "the listener's answer to nobody": lambda bot, ana: answers.answer(
        bot.clinic, telegram_id=ana.telegram_id or 0, patient=None, text=say(Word.NOT_ME, "en"), now=NOW
    ),
    "whom to call": lambda bot, ana: comes_in(bot, a_text(ana.telegram_id or 0, "help")),
    "the answer in place of buttons": a_tap_s_answer,
    "what was asked for later": what_was_asked_for_later,
    "a reminder of no answer": a_reminder_of_no_answer,
    "an admin's alert": an_alert_to_the_same_chat,
}


@pytest.mark.parametrize("path", PATHS)
def test_nothing_begins_for_who_opted_out(bot: Bot, ana: Patient, path: str) -> None:
    PATHS[path](bot, ana)
    waiting = Message.objects.filter(status=Status.PENDING)
    assert waiting.exists()
    opted_out(ana)

    done = begun(bot)

    assert done.begun == ()
    assert not waiting.exists()
    assert set(Message.objects.exclude(status=Status.SENT).values_list("reason", flat=True)) == {Reason.OPTED_OUT}


@pytest.mark.parametrize("path", PATHS)
def test_the_same_begins_for_who_did_not(bot: Bot, ana: Patient, path: str) -> None:
    PATHS[path](bot, ana)

    assert len(begun(bot).begun) == 1


def test_the_answer_to_their_own_stop_begins(bot: Bot, ana: Patient) -> None:
    comes_in(bot, a_text(ana.telegram_id or 0, "STOP"))

    (attempt,) = begun(bot).begun

    assert attempt.text.startswith("Done: Linden Clinic sends no more messages")


def test_a_planned_message_goes_out_if_consent_is_back_when_it_is_due(bot: Bot, ana: Patient) -> None:
    message = a_message(ana, a_schedule(bot.clinic, ana), due_at=NOW + HOUR)
    comes_in(bot, a_text(ana.telegram_id or 0, "STOP"))
    comes_in(bot, a_text(ana.telegram_id or 0, "/start"))
    Message.objects.filter(pk__in=[answer.pk for answer in said_by(bot)]).delete()

    (attempt,) = begun(bot, NOW + HOUR).begun

    assert attempt.message == message.pk


def test_the_other_child_s_messages_still_come_to_the_mother_s_phone(bot: Bot) -> None:
    ana, ben = (
        a_patient(bot.clinic, name, telegram_id=5_123, caregiver="Maria") for name in ("Ana Silva", "Ben Silva")
    )
    a_message(ben)
    opted_out(ana)

    (attempt,) = begun(bot).begun

    assert attempt.text == "For Ben: Your results are here."


def test_an_answer_replaces_buttons_and_is_no_message_of_its_own(bot: Bot, ana: Patient) -> None:
    a_tap_s_answer(bot, ana)

    (attempt,) = begun(bot).begun

    assert (attempt.facts.edits, attempt.chat) == (77, ana.telegram_id)
    assert attempt.buttons == [[{"text": "✓ Taken", "callback_data": f"answer:{attempt.message.hex}:"}]]


def test_on_a_caregivers_phone_the_answer_is_shown_as_it_was_tapped(bot: Bot) -> None:
    ana = a_patient(bot.clinic, caregiver="Maria")
    question = a_question(ana)
    following.show_answer(question, ana.telegram_id or 0, "✓ {name} {{1}}", now=NOW)

    (attempt,) = begun(bot).begun

    assert attempt.buttons
    assert attempt.buttons[0][0]["text"] == "✓ {name} {{1}}"


def test_a_message_begins_with_its_version_s_buttons(bot: Bot, ana: Patient) -> None:
    question = a_question(
        ana, answer_within=HOUR, status=Status.PENDING, sent_at=None, ended_at=None, telegram_message_id=None
    )

    (attempt,) = begun(bot).begun

    assert attempt.buttons == [
        [
            {"text": "Taken", "callback_data": f"answer:{question.pk.hex}:0"},
            {"text": "Later", "callback_data": f"answer:{question.pk.hex}:1"},
        ]
    ]
    assert (attempt.facts.edits, attempt.facts.answer_within) == (None, HOUR)


def test_a_delayed_message_gives_way_to_a_newer_message_of_its_series(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    following.say_again(question, Follow.LATER, due_at=NOW, now=NOW)
    newer = {"occurrence": "2026-12-03T09:00", "status": Status.SENT, "telegram_message_id": 79}
    a_message(ana, question.schedule, **newer)

    assert begun(bot).begun == ()
    assert Message.objects.get(follows=question).reason == Reason.SUPERSEDED


def test_a_delayed_message_ends_with_its_schedule(bot: Bot, ana: Patient) -> None:
    question = a_question(ana, state="cancelled")
    following.say_again(question, Follow.LATER, due_at=NOW, now=NOW)

    assert begun(bot).begun == ()
    assert Message.objects.get(follows=question).reason == Reason.SCHEDULE_ENDED
