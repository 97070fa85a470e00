"""The typed methods: their arguments, and how they read the answers."""

import json

import pytest

from companion.telegram import methods
from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.incoming import MessageIn
from companion.telegram.outcomes import Kind
from tests.telegram.servers import a_server, answers

TOKEN = BotToken("123456:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr")
ME = {"id": 123456, "is_bot": True, "first_name": "Clinic", "username": "clinic_bot"}
MESSAGE = {
    "update_id": 11,
    "message": {
        "message_id": 3,
        "date": 1764579600,
        "chat": {"id": 42, "type": "private"},
        "from": {"id": 42, "is_bot": False, "first_name": "Ana"},
        "text": "/start abc",
    },
}


def yes(result: object) -> bytes:
    return json.dumps({"ok": True, "result": result}).encode()


async def test_get_me_returns_the_bots_number_and_name() -> None:
    async with a_server(answers(yes(ME))) as server, Client(server.url) as client:
        me = await methods.get_me(client, TOKEN)

    assert (me.id, me.username) == (123456, "clinic_bot")


async def test_an_answer_of_another_shape_is_a_failed_call() -> None:
    async with a_server(answers(yes([1]))) as server, Client(server.url) as client:
        with pytest.raises(CallFailed) as caught:
            await methods.get_me(client, TOKEN)

    assert caught.value.outcome.kind is Kind.UNKNOWN


async def test_an_update_that_cannot_be_read_does_not_stop_the_others() -> None:
    odd = {"update_id": 10, "message": {"message_id": "x"}}
    async with a_server(answers(yes([MESSAGE, odd, "?", {}]))) as server, Client(server.url) as client:
        incoming = await methods.get_updates(client, TOKEN, 10, wait=0)

    assert [update.update_id for update in incoming] == [10, 11]
    unreadable, message = (update.event for update in incoming)
    assert unreadable is None
    assert isinstance(message, MessageIn)
    assert (message.text, message.sender.telegram_id) == ("/start abc", 42)


async def test_only_the_updates_that_are_needed_are_asked_for() -> None:
    async with a_server(answers(yes([]))) as server, Client(server.url) as client:
        await methods.get_updates(client, TOKEN, 5, wait=0)

    asked = json.loads(server.requests[0].split(b"\r\n\r\n", 1)[1])
    assert asked == {
        "offset": 5,
        "timeout": 0,
        "limit": 100,
        "allowed_updates": ["message", "edited_message", "callback_query", "my_chat_member"],
    }


async def test_the_text_of_an_update_is_not_printed() -> None:
    async with a_server(answers(yes([MESSAGE]))) as server, Client(server.url) as client:
        incoming = await methods.get_updates(client, TOKEN, 10, wait=0)

    assert "abc" not in repr(incoming)
