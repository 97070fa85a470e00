"""The questions about unknown outcomes: the number that is asked for, and when nothing is asked."""

import datetime as dt

import pytest

from companion.clinics import numbers
from companion.clinics.models import Bot, Clinic, Closed, OptOut, OtherReader
from companion.patients.models import Consent, Patient
from companion.restoring import holding
from companion.schedules.models import Follow, Status
from tests.builders import NOW, a_message, a_patient
from tests.delivery.unknown_outcomes import (
    LATER,
    MINUTE,
    a_gap,
    asked,
    found_here,
    fresh,
    sent,
    step,
    unknown,
)

pytestmark = pytest.mark.django_db


def test_the_number_in_the_gap_is_asked_for_with_the_buttons_that_were_sent(bot: Bot) -> None:
    a_gap(bot.clinic)
    buttons = [[{"text": "Taken", "callback_data": "x"}]]
    message = unknown(bot.clinic, buttons=buttons)

    question = asked(bot)

    assert message.patient
    assert (question.chat, question.number, question.buttons) == (message.patient.telegram_id, 101, buttons)


@pytest.mark.parametrize(("size", "asks"), [(200, True), (201, False)])
def test_in_a_longer_gap_nothing_is_asked(bot: Bot, size: int, asks: bool) -> None:
    a_gap(bot.clinic, size)
    unknown(bot.clinic)

    found = step(bot)

    assert found
    assert bool(found.question) is asks


def test_of_two_unknown_attempts_to_two_chats_each_is_asked_for_and_a_found_number_is_no_candidate_any_more(
    bot: Bot,
) -> None:
    a_gap(bot.clinic, 2)
    unknown(bot.clinic)
    second = unknown(bot.clinic, at=NOW + MINUTE)

    assert found_here(asked(bot), bot)
    question = asked(bot, now=LATER + MINUTE)

    assert second.patient
    assert (question.chat, question.number) == (second.patient.telegram_id, 102)


@pytest.mark.parametrize(
    "columns",
    [{"other_reader": OtherReader.PROGRAM}, {"other_reader": OtherReader.WEBHOOK}, {"numbers_since": NOW + MINUTE}],
)
def test_nothing_is_asked_where_another_program_uses_the_bot_or_used_it_then(
    bot: Bot, columns: dict[str, object]
) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)
    Bot.objects.filter(pk=bot.pk).update(**columns)

    found = step(bot)

    assert found
    assert found.question is None
    assert fresh(message).no_trace_at is None


@pytest.mark.parametrize(
    "columns",
    [
        {"closed_why": Closed.HANGING, "closed_until": NOW},
        {"closed_why": Closed.UNAUTHORIZED, "closed_until": NOW},
        {"closed_why": Closed.RETRY_AFTER, "closed_until": LATER + MINUTE},
        {"closed_why": Closed.CIRCUIT, "closed_until": LATER + MINUTE},
    ],
)
def test_a_closed_bot_is_asked_nothing(bot: Bot, columns: dict[str, object]) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic)
    Bot.objects.filter(pk=bot.pk).update(**columns)

    assert step(bot) is None


def test_while_sending_is_paused_nothing_is_asked(bot: Bot) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic)
    Clinic.objects.filter(pk=bot.clinic_id).update(sending_paused_at=NOW)

    assert step(bot) is None


def test_a_message_that_is_ready_goes_first(bot: Bot) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic)
    a_message(a_patient(bot.clinic), due_at=LATER)

    assert step(bot) is None


def test_a_question_takes_a_slot_of_the_bot_and_the_next_comes_a_second_later_over_all_dispatchers(bot: Bot) -> None:
    a_gap(bot.clinic, 3)
    unknown(bot.clinic)

    question = asked(bot)

    assert Bot.objects.get(pk=bot.pk).next_slot_at == question.slot + dt.timedelta(seconds=1 / 29)
    assert step(bot, now=LATER + dt.timedelta(seconds=0.9)) is None
    assert step(bot, now=LATER + dt.timedelta(seconds=1)) is not None


def test_a_chat_that_has_opted_out_is_asked_nothing(bot: Bot) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)
    assert message.patient
    chat = message.patient.telegram_id
    OptOut.objects.create(clinic=bot.clinic, chat="x", telegram_id=chat, at=NOW, source="patient: STOP")

    found = step(bot)

    assert found
    assert found.question is None


@pytest.mark.parametrize("columns", [{"consent": Consent.WITHDRAWN}, {"left_at": NOW}, {"telegram_id": 5_900_000_002}])
def test_a_patient_who_left_withdrew_or_has_another_chat_is_asked_nothing(bot: Bot, columns: dict[str, object]) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)
    Patient.objects.filter(messages=message).update(**columns)

    found = step(bot)

    assert found
    assert found.question is None


def test_an_edited_message_keeps_its_number_and_bounds_no_gap(bot: Bot) -> None:
    sent(bot.clinic, 100, -5)
    edited = sent(bot.clinic, 90, -20)
    message = unknown(bot.clinic)
    sent(bot.clinic, 90, 3, follow_kind=Follow.SHOWN, follows=edited)
    sent(bot.clinic, 102, 5)

    assert asked(bot).number == 101
    assert fresh(message).status == Status.FAILED


def test_a_message_held_by_a_restore_is_not_looked_for(bot: Bot) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic, held_by_restore=True)

    assert step(bot) is None


def test_after_a_restore_the_numbers_of_before_prove_nothing(bot: Bot) -> None:
    holding.hold(taken_at=NOW, now=LATER)

    assert Bot.objects.get(pk=bot.pk).numbers_since == LATER


def test_a_message_that_came_in_accounts_for_its_number(bot: Bot) -> None:
    a_gap(bot.clinic, 2)
    unknown(bot.clinic)
    numbers.heard(bot.id, 101, given_at=NOW, now=NOW)

    assert asked(bot).number == 102


def test_an_attempt_that_ended_more_than_a_day_ago_is_looked_for_no_more(bot: Bot) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic)

    assert step(bot, now=NOW + dt.timedelta(days=1, seconds=1)) is None
