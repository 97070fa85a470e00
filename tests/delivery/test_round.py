"""A round: what it says of the next one, and what it begins when it is carried out twice."""

import datetime as dt

import pytest
from django.db import transaction

from companion.clinics.models import Bot
from companion.delivery.begin import begin_round
from tests.builders import NOW, a_bot, a_clinic, a_message, a_patient
from tests.delivery.rounds import a_round, begun

pytestmark = pytest.mark.django_db


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic())


@pytest.mark.parametrize("others", [0, 1])
def test_the_next_round_comes_when_the_next_message_is_ready(bot: Bot, others: int) -> None:
    soon = NOW + dt.timedelta(milliseconds=20)
    a_message(a_patient(bot.clinic), due_at=soon)
    for _ in range(others):
        a_message(a_patient(bot.clinic, telegram_id=5_124))

    done = begun(bot)

    assert (len(done.begun), done.next_ready) == (others, soon)


def test_a_round_whose_commit_was_not_heard_of_begins_the_same_and_nothing_else(bot: Bot) -> None:
    a_message(a_patient(bot.clinic))
    one = a_round(bot)
    with transaction.atomic():
        before = begin_round(one, now=NOW)
    later = a_message(a_patient(bot.clinic, telegram_id=5_124))

    with transaction.atomic():
        again = begin_round(one, now=NOW)

    assert [(begun.message, begun.attempt, begun.text, begun.slot) for begun in again.begun] == [
        (begun.message, begun.attempt, begun.text, begun.slot) for begun in before.begun
    ]
    assert [begun.message for begun in begun(bot).begun] == [later.pk]


def test_a_round_that_was_taken_back_begins_anew(bot: Bot) -> None:
    message = a_message(a_patient(bot.clinic))
    one = a_round(bot)
    with transaction.atomic():
        begin_round(one, now=NOW)
        transaction.set_rollback(True)

    with transaction.atomic():
        again = begin_round(one, now=NOW)

    assert [begun.message for begun in again.begun] == [message.pk]
