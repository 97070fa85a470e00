"""The settling of unknown outcomes, step by step: the changes that an answer of Telegram brings."""

import datetime as dt

import pytest

from companion.clinics.models import Bot
from companion.delivery import lifecycle, settling
from companion.delivery.settling import Step
from companion.planning import acts
from companion.schedules.models import Attempt, AttemptOutcome, Message, Status
from companion.schedules.reasons import Reason, sentence
from tests.builders import NOW, a_caller, a_patient, a_schedule
from tests.delivery.unknown_outcomes import (
    LATER,
    LEASE,
    MINUTE,
    a_gap,
    asked,
    found_here,
    fresh,
    step,
    unknown,
    waits_to_be_resent,
)

pytestmark = pytest.mark.django_db


def test_a_message_that_the_chat_holds_is_sent_with_that_number(bot: Bot) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)

    assert found_here(asked(bot), bot)

    after, attempt = fresh(message), Attempt.objects.get(message=message)
    assert (after.status, after.reason, after.telegram_message_id) == (Status.SENT, "", 101)
    assert (attempt.outcome, attempt.telegram_message_id) == (AttemptOutcome.SENT, 101)
    assert step(bot) is None


def test_a_message_of_which_telegram_shows_no_trace_stays_failed_and_says_so(bot: Bot) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)

    settling.not_here(asked(bot), now=LATER)
    done = step(bot, now=LATER + MINUTE)

    after = fresh(message)
    assert done == Step(Attempt.objects.get(message=message).pk, resent=False)
    assert (after.status, after.reason) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    said = sentence(after.reason, no_trace=after.no_trace_at is not None)
    assert "Telegram shows no trace of it" in said
    assert "may still arrive twice" in said
    assert step(bot, now=LATER + 2 * MINUTE) is None


def test_a_retry_begins_without_the_note_of_an_earlier_try(bot: Bot) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)
    settling.not_here(asked(bot), now=LATER)
    step(bot, now=LATER + MINUTE)

    acts.retry(a_caller(bot.clinic), fresh(message), now=LATER + MINUTE, may_arrive_twice=True)

    assert fresh(message).no_trace_at is None


def test_a_message_to_be_resent_waits_for_the_trace_and_goes_once_there_is_none(bot: Bot) -> None:
    a_gap(bot.clinic)
    now = NOW + 2 * LEASE
    message = waits_to_be_resent(bot.clinic, now + MINUTE)

    settling.not_here(asked(bot, now=now), now=now)
    done = step(bot, now=now + dt.timedelta(seconds=2))

    assert done
    assert done.resent
    assert fresh(message).ready_at == now + dt.timedelta(seconds=2)


def test_a_message_that_waits_to_be_resent_is_not_sent_again_if_the_chat_holds_it(bot: Bot) -> None:
    a_gap(bot.clinic)
    now = NOW + 2 * LEASE
    message = waits_to_be_resent(bot.clinic, now + MINUTE)

    assert found_here(asked(bot, now=now), bot, now=now)

    assert fresh(message).status == Status.SENT


def test_of_two_unknown_attempts_to_one_chat_in_one_gap_nothing_is_concluded(bot: Bot) -> None:
    a_gap(bot.clinic, 2)
    first = unknown(bot.clinic, chat=5_900_000_001)
    unknown(bot.clinic, chat=5_900_000_001, at=NOW + MINUTE)

    found = step(bot)

    assert found
    assert found.question is None
    assert fresh(first).no_trace_at is None


def test_an_answer_proves_nothing_once_a_second_attempt_to_the_chat_is_unknown(bot: Bot) -> None:
    a_gap(bot.clinic, 2)
    first = unknown(bot.clinic, chat=5_900_000_001)
    question = asked(bot)
    unknown(bot.clinic, chat=5_900_000_001, at=NOW + MINUTE)

    assert not found_here(question, bot)

    assert fresh(first).status == Status.FAILED


def test_a_tap_closes_the_attempt_as_well(bot: Bot) -> None:
    message = unknown(bot.clinic)

    lifecycle.prove(Message.objects.filter(pk=message.pk), 101, now=LATER)

    attempt = Attempt.objects.get(message=message)
    assert (attempt.outcome, attempt.telegram_message_id) == (AttemptOutcome.SENT, 101)


def test_a_question_that_arrived_waits_for_its_answer_from_the_sending_on(bot: Bot) -> None:
    patient = a_patient(bot.clinic)
    series = a_schedule(bot.clinic, patient, answer_within=dt.timedelta(hours=1))
    a_gap(bot.clinic)
    message = unknown(bot.clinic, schedule=series)

    assert found_here(asked(bot), bot)

    assert fresh(message).answer_by == NOW + dt.timedelta(hours=1)
