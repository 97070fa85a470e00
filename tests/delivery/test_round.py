"""A round of a bot: what it begins, also when it runs twice, and when the next round comes."""

import datetime as dt

import pytest
from django.db import transaction

from companion.clinics.models import Bot, Closed
from companion.delivery import closing
from companion.delivery.begin import begin_round
from companion.delivery.closing import Closing
from companion.schedules.models import Status
from tests.builders import NOW, a_message, a_patient
from tests.delivery.rounds import a_round, begun

pytestmark = pytest.mark.django_db
SECOND = dt.timedelta(seconds=1)


@pytest.mark.parametrize("others", [0, 1])
def test_the_next_round_comes_when_the_next_message_is_ready(bot: Bot, others: int) -> None:
    soon = NOW + dt.timedelta(milliseconds=20)
    a_message(a_patient(bot.clinic), due_at=soon)
    for _ in range(others):
        a_message(a_patient(bot.clinic, telegram_id=5_124))

    done = begun(bot)

    assert (len(done.begun), done.next_ready) == (others, soon)


def test_a_round_whose_commit_was_cut_off_begins_the_same_and_nothing_else(bot: Bot) -> None:
    a_message(a_patient(bot.clinic))
    order = a_round(bot)
    with transaction.atomic():
        before = begin_round(order, now=NOW)
    later = a_message(a_patient(bot.clinic, telegram_id=5_124))

    with transaction.atomic():
        again = begin_round(order, now=NOW)

    assert [(begun.message, begun.attempt, begun.text, begun.slot) for begun in again.begun] == [
        (begun.message, begun.attempt, begun.text, begun.slot) for begun in before.begun
    ]
    assert [begun.message for begun in begun(bot).begun] == [later.pk]


def test_a_round_that_was_rolled_back_begins_anew(bot: Bot) -> None:
    message = a_message(a_patient(bot.clinic))
    order = a_round(bot)
    with transaction.atomic():
        begin_round(order, now=NOW)
        transaction.set_rollback(True)

    with transaction.atomic():
        again = begin_round(order, now=NOW)

    assert [begun.message for begun in again.begun] == [message.pk]


def test_of_two_messages_to_one_chat_a_round_begins_the_first(bot: Bot) -> None:
    ana = a_patient(bot.clinic)
    first, second = (a_message(ana, due_at=NOW - seconds * SECOND) for seconds in (2, 1))

    done = begun(bot)

    assert [attempt.message for attempt in done.begun] == [first.pk]
    second.refresh_from_db()
    assert (second.status, second.open_attempt_id) == (Status.PENDING, None)


def test_a_round_of_a_deleted_bot_begins_nothing_and_does_not_say_that_it_is_closed(bot: Bot) -> None:
    a_message(a_patient(bot.clinic))
    order = a_round(bot)
    bot.delete()

    with transaction.atomic():
        done = begin_round(order, now=NOW)

    assert (done.begun, done.closed_why) == ((), "")
    assert done.next_ready == NOW + dt.timedelta(seconds=5)


def test_a_round_of_a_closed_bot_says_until_when_and_why(bot: Bot) -> None:
    a_message(a_patient(bot.clinic))
    until = NOW + dt.timedelta(seconds=7)
    closing.close(bot.pk, Closing(until, Closed.RETRY_AFTER))

    done = begun(bot)

    assert (done.begun, done.closed_until, done.closed_why) == ((), until, Closed.RETRY_AFTER)
