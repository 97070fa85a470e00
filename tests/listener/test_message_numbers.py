"""The numbers of messages that come in: each is kept, also if the message makes no Reply, and the time since when."""

import datetime as dt

import pytest

from companion.clinics import bots, numbers
from companion.clinics.models import Bot, HeardNumber, OtherReader
from companion.listener import other_readers
from companion.listener.models import Reply
from tests.builders import NOW, a_bot, a_clinic
from tests.listener.stories import CHAT, a_text, comes_in, edited_to, something_else

pytestmark = pytest.mark.django_db
LATER = NOW + dt.timedelta(minutes=5)


def heard() -> list[int]:
    return list(HeardNumber.objects.order_by("number").values_list("number", flat=True))


def test_a_text_a_start_and_a_service_message_keep_their_numbers(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "Hello", message_id=5))
    comes_in(bot, a_text(CHAT, "/start", message_id=7))
    comes_in(bot, something_else(CHAT, pinned_message={"message_id": 5}, message_id=9))

    assert heard() == [5, 7, 9]
    assert Reply.objects.count() == 1


def test_an_edit_of_a_message_keeps_its_first_note(bot: Bot) -> None:
    came = a_text(CHAT, "Hello", message_id=5)
    comes_in(bot, came)

    comes_in(bot, edited_to(came, "Hello again"))

    assert heard() == [5]


def test_telegrams_time_of_a_message_is_kept(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "Hello", date=int((NOW - dt.timedelta(hours=1)).timestamp())))

    assert HeardNumber.objects.get().given_at == NOW - dt.timedelta(hours=1)


def test_numbers_are_dropped_after_some_days(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "Hello"))

    numbers.drop_old(now=NOW + numbers.KEPT + dt.timedelta(hours=1))

    assert heard() == []


def test_numbers_are_known_anew_from_the_last_word_of_another_program_on(bot: Bot) -> None:
    other_readers.met(bot.pk, OtherReader.PROGRAM, now=NOW)
    met = Bot.objects.get(pk=bot.pk).numbers_since

    other_readers.undisturbed(bot.pk, now=LATER)

    assert (met, Bot.objects.get(pk=bot.pk).numbers_since) == (NOW, LATER)


def test_another_bot_has_numbers_of_its_own() -> None:
    clinic = a_clinic()
    first = a_bot(clinic)
    numbers.heard(first.pk, 5, given_at=NOW, now=NOW)

    bots.connect(clinic, f"987654321:{'B' * 35}", "other_bot", sandbox=True, now=LATER)

    assert heard() == []
    assert Bot.objects.get(clinic=clinic).numbers_since == LATER


def test_a_new_token_of_the_same_bot_changes_nothing_about_its_numbers() -> None:
    clinic = a_clinic()
    first = a_bot(clinic)
    before = first.numbers_since

    bots.connect(clinic, f"{first.telegram_id}:{'B' * 35}", "same_bot", sandbox=True, now=LATER)

    assert Bot.objects.get(clinic=clinic).numbers_since == before
