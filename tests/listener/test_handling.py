"""A patient's words and taps are stored with their patient and Message, each update once, in one transaction."""

import pytest

from companion.clinics.models import Bot
from companion.listener import handling
from companion.listener.handling import SomebodyWasFaster
from companion.listener.models import Reply, ReplyKind
from companion.patients.models import Consent
from companion.schedules.models import Lane
from companion.telegram.incoming import Incoming
from tests.builders import NOW, a_clinic, a_message, a_patient, a_schedule
from tests.listener.stories import (
    CHAT,
    a_tap,
    a_text,
    answers,
    comes_in,
    incoming,
    our_message,
    something_else,
)

pytestmark = pytest.mark.django_db


def test_a_text_is_kept_with_its_patient(bot: Bot) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT)

    comes_in(bot, a_text(CHAT, "I feel <b>dizzy</b> 🤒"))

    reply = Reply.objects.get()
    assert (reply.patient, reply.kind, reply.text) == (patient, ReplyKind.TEXT, "I feel <b>dizzy</b> 🤒")


def test_a_stranger_s_text_is_kept_without_a_patient(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "Hello?"))

    reply = Reply.objects.get()
    assert (reply.patient, reply.telegram_id) == (None, CHAT)


def test_a_photo_is_kept_with_its_kind_and_its_caption(bot: Bot) -> None:
    a_patient(bot.clinic, telegram_id=CHAT)
    photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]

    comes_in(bot, something_else(CHAT, photo=photo, caption="my arm"))

    reply = Reply.objects.get()
    assert (reply.kind, reply.text) == (ReplyKind.OTHER, "[photo] my arm")


def test_on_a_caregiver_s_phone_a_reply_belongs_to_the_patient_it_answers(bot: Bot) -> None:
    first = a_patient(bot.clinic, "Ana", telegram_id=CHAT, caregiver="Maria")
    second = a_patient(bot.clinic, "Bo", telegram_id=CHAT, caregiver="Maria")
    asked = a_message(first, status="sent", sent_at=NOW, telegram_message_id=41)
    a_message(second, status="sent", sent_at=NOW, telegram_message_id=42)

    comes_in(bot, a_text(CHAT, "Yes", reply_to_message=our_message(CHAT, 41)))

    reply = Reply.objects.get()
    assert (reply.patient, reply.message) == (first, asked)


def test_on_a_caregiver_s_phone_any_other_reply_belongs_to_the_one_last_written_to(bot: Bot) -> None:
    first = a_patient(bot.clinic, "Ana", telegram_id=CHAT, caregiver="Maria")
    second = a_patient(bot.clinic, "Bo", telegram_id=CHAT, caregiver="Maria")
    a_message(second, status="sent", sent_at=NOW)
    a_message(first, status="sent", sent_at=NOW, lane=Lane.ANSWER)
    a_message(first, status="pending")

    comes_in(bot, a_text(CHAT, "Yes"))

    assert Reply.objects.get().patient == second


def test_a_tap_on_a_message_s_button_is_kept_in_the_button_s_words(bot: Bot) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT)
    message = a_message(patient, a_schedule(bot.clinic, patient), status="sent", sent_at=NOW, telegram_message_id=41)

    taken = comes_in(bot, a_tap(CHAT, "x:1", "Taken", message_id=41))

    reply = Reply.objects.get()
    assert (reply.kind, reply.text, reply.message) == (ReplyKind.TAP, "Taken", message)
    assert taken.acknowledgement


def test_half_a_surrogate_pair_is_kept_as_a_question_mark(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "a\ud800b\0c"))

    assert Reply.objects.get().text == "a?bc"


def test_groups_and_bots_are_none_of_ours(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "STOP", chat={"id": -100123, "type": "supergroup", "title": "X"}))
    comes_in(bot, a_text(CHAT, "STOP", **{"from": {"id": CHAT, "is_bot": True, "first_name": "X"}}))

    assert not Reply.objects.exists()
    assert not answers(bot)


def test_another_clinic_s_patient_of_the_same_chat_is_left_alone(bot: Bot) -> None:
    foreign = a_patient(a_clinic(), telegram_id=CHAT)

    comes_in(bot, a_text(CHAT, "STOP"))

    foreign.refresh_from_db()
    assert foreign.consent == Consent.GIVEN


def test_an_update_that_comes_twice_is_handled_once(bot: Bot) -> None:
    update = incoming(a_text(CHAT, "Hello"), 500)
    handling.handle(bot.id, update, offset=0, now=NOW)

    taken = handling.handle(bot.id, update, offset=501, now=NOW)

    assert taken.next_update_id == 501
    assert Reply.objects.count() == 1


def test_of_two_processes_one_handles_an_update_and_the_other_keeps_nothing(bot: Bot) -> None:
    update = incoming(a_text(CHAT, "Hello"), 500)
    handling.handle(bot.id, update, offset=0, now=NOW)

    with pytest.raises(SomebodyWasFaster):
        handling.handle(bot.id, incoming(a_text(CHAT, "STOP"), 500), offset=0, now=NOW)

    assert Reply.objects.count() == 1
    assert not answers(bot)


def test_updates_that_begin_anew_at_a_low_number_are_handled(bot: Bot) -> None:
    Bot.objects.update(next_update_id=900_000_000)

    handling.handle(bot.id, incoming(a_text(CHAT, "Hello"), 17), offset=900_000_000, now=NOW)

    bot.refresh_from_db()
    assert (bot.next_update_id, Reply.objects.count()) == (18, 1)


def test_an_update_that_can_t_be_read_is_passed_over(bot: Bot) -> None:
    taken = handling.handle(bot.id, Incoming(500, None), offset=0, now=NOW)

    bot.refresh_from_db()
    assert taken.next_update_id == bot.next_update_id == 501
