"""A person's acts on a phone, and the updates that the bot gets, checked by aiogram's models."""

import random
from datetime import timedelta

import pytest
from aiogram.types import ChatMemberBanned, ChatMemberMember, Update
from django.utils import timezone

from companion.sandbox import phone as phones
from companion.sandbox.models import FileKind, SandboxBot, SandboxMessage, SandboxUpdate, State
from companion.telegram.client import BotToken
from companion.telegram.limits import telegram_id_problem
from tests.sandbox.stories import a_bot, a_started_phone

pytestmark = pytest.mark.django_db(transaction=True)


def newest_update(bot: SandboxBot) -> Update:
    return Update.model_validate(SandboxUpdate.objects.filter(bot=bot).latest("update_id").payload)


def test_a_new_bots_token_is_valid_and_is_not_kept() -> None:
    token = phones.make_bot("Clinic", "clinic_bot", random.Random(7))

    bot = phones.bot_of(token)
    assert bot is not None
    assert BotToken(token).bot_id == bot.telegram_id
    assert token not in str(list(SandboxBot.objects.values()))


def test_a_new_phones_id_can_be_a_persons() -> None:
    bot, _ = a_bot()

    phone = phones.new_phone(bot, "Ana", chance=random.Random(7))

    assert telegram_id_problem(phone.telegram_id) is None
    assert phone.telegram_id > 2**32


def test_start_by_a_link_brings_its_payload() -> None:
    bot, _ = a_bot()
    ana = phones.new_phone(bot, "Ana", language="pt")

    phones.press_start(bot, ana, "invite-42")

    message = newest_update(bot).message
    assert message is not None
    assert message.from_user is not None
    assert (message.text, message.chat.id, message.from_user.language_code) == (
        "/start invite-42",
        ana.telegram_id,
        "pt",
    )
    assert [entity.type for entity in message.entities or []] == ["bot_command"]


def test_start_lets_the_bot_write() -> None:
    bot, _ = a_bot()

    assert a_started_phone(bot).state == State.NORMAL


@pytest.mark.parametrize("payload", ["with space", "x" * 65, "ä"])
def test_a_payload_that_no_link_can_carry_is_refused(payload: str) -> None:
    bot, _ = a_bot()

    with pytest.raises(phones.NotPossible):
        phones.press_start(bot, phones.new_phone(bot, "Ana"), payload)


def test_a_typed_text_reaches_the_bot() -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)

    typed = phones.type_text(bot, ana, " I took it 😀 ")

    message = newest_update(bot).message
    assert message is not None
    assert (message.text, message.message_id) == ("I took it 😀", typed.message_id)


@pytest.mark.parametrize("text", ["", "  ", "x" * 4097])
def test_a_text_that_a_phone_cannot_send_is_refused(text: str) -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)

    with pytest.raises(phones.NotPossible):
        phones.type_text(bot, ana, text)


@pytest.mark.parametrize("state", [State.BLOCKED, State.DEACTIVATED, State.NOT_STARTED])
def test_nobody_types_to_a_bot_that_is_blocked_or_not_started(state: State) -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)
    phones.set_state(bot, ana, state)

    with pytest.raises(phones.NotPossible):
        phones.type_text(bot, ana, "Hello")


def test_the_bot_learns_that_it_was_blocked() -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)

    phones.set_state(bot, ana, State.BLOCKED)

    change = newest_update(bot).my_chat_member
    assert change is not None
    assert change.chat.id == ana.telegram_id
    assert isinstance(change.new_chat_member, ChatMemberBanned)


def test_start_unblocks_and_the_bot_learns_of_both() -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)
    phones.set_state(bot, ana, State.BLOCKED)

    phones.press_start(bot, ana)

    unblocked, started = (
        Update.model_validate(payload)
        for payload in SandboxUpdate.objects.order_by("update_id").values_list("payload", flat=True)[2:]
    )
    assert unblocked.my_chat_member is not None
    assert isinstance(unblocked.my_chat_member.new_chat_member, ChatMemberMember)
    assert started.message is not None


def test_a_change_that_telegram_reports_to_nobody_makes_no_update() -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)
    before = SandboxUpdate.objects.count()

    phones.set_state(bot, ana, State.DEACTIVATED)

    assert SandboxUpdate.objects.count() == before


def test_an_edit_reaches_the_bot_with_the_number_of_the_message() -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)
    typed = phones.type_text(bot, ana, "I took 2")

    phones.edit_text(bot, ana, typed, " I took 3 ")

    edited = newest_update(bot).edited_message
    assert edited is not None
    assert (edited.message_id, edited.text, edited.date.timestamp()) == (
        typed.message_id,
        "I took 3",
        int(typed.at.timestamp()),
    )
    assert edited.edit_date is not None
    assert phones.chat(bot, ana)[-1].text == "I took 3"


def test_an_edit_of_a_caption_keeps_the_photo() -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)
    photo = phones.send_file(bot, ana, FileKind.PHOTO, caption="my arm")

    phones.edit_text(bot, ana, photo, "my left arm")

    edited = newest_update(bot).edited_message
    assert edited is not None
    assert (edited.caption, bool(edited.photo)) == ("my left arm", True)


def test_an_edit_that_changes_nothing_reaches_nobody() -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)

    phones.edit_text(bot, ana, phones.type_text(bot, ana, "Hello"), "Hello")

    assert newest_update(bot).edited_message is None


def test_only_the_persons_messages_of_the_last_two_days_can_be_edited() -> None:
    bot, _ = a_bot()
    ana, bo = a_started_phone(bot), a_started_phone(bot, "Bo")
    of_ana, old = phones.type_text(bot, ana, "Hello"), phones.type_text(bot, ana, "Good morning")
    SandboxMessage.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(hours=48, seconds=1))

    for phone, message, text in ((bo, of_ana, "Bye"), (ana, old, "Good night"), (ana, of_ana, " ")):
        with pytest.raises(phones.NotPossible):
            phones.edit_text(bot, phone, message, text)

    assert newest_update(bot).edited_message is None
    assert [message.text for message in phones.editable(bot, ana, timezone.now())] == ["Hello", "/start"]


def test_a_tap_reaches_the_bot_with_its_message() -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)
    typed = phones.chat(bot, ana)[0]
    SandboxMessage.objects.filter(pk=typed.pk).update(from_bot=True, buttons=[[{"text": "Yes", "callback_data": "y"}]])

    phones.tap(bot, typed, "y")

    query = newest_update(bot).callback_query
    assert query is not None
    assert query.message is not None
    assert (query.data, query.from_user.id, query.message.message_id) == ("y", ana.telegram_id, typed.message_id)


def test_a_button_that_is_gone_cannot_be_tapped() -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)

    with pytest.raises(phones.NotPossible):
        phones.tap(bot, phones.chat(bot, ana)[0], "y")


def test_phones_that_wrote_last_come_first() -> None:
    bot, _ = a_bot()
    other, _ = a_bot("Other")
    ana, bo = a_started_phone(bot), a_started_phone(bot, "Bo")
    silent = phones.new_phone(bot, "Sam")
    a_started_phone(other, "Eve")
    phones.type_text(bot, ana, "Hello")

    assert [phone.first_name for phone in phones.phones(bot)] == ["Ana", "Bo", "Sam"]
    assert phones.chat(bot, silent) == []
    assert [message.text for message in phones.chat(bot, bo)] == ["/start"]


def test_nobody_waits_longer_than_ten_seconds_for_a_slow_phone() -> None:
    bot, _ = a_bot()

    with pytest.raises(ValueError, match="0 to 10"):
        phones.set_state(bot, a_started_phone(bot), State.SLOW, delay_seconds=11)
