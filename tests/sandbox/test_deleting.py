"""deleteMessage on the Sandbox, as Telegram has it for a private chat."""

import datetime as dt

import pytest
from pytest_django.live_server_helper import LiveServer

from companion.sandbox import phone as phones
from companion.sandbox.models import FileKind, SandboxFile, SandboxMessage, State
from tests.sandbox.stories import a_bot, a_started_phone, call, send

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_bot_deletes_its_own_message_and_the_persons(live_server: LiveServer) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)
    send(live_server.url, token, ana.telegram_id)
    phones.send_file(bot, ana, FileKind.PHOTO)

    for shown in phones.chat(bot, ana):
        body = f'{{"chat_id": {ana.telegram_id}, "message_id": {shown.message_id}}}'.encode()
        assert call(live_server.url, token, "deleteMessage", body) == (200, {"ok": True, "result": True})

    assert phones.chat(bot, ana) == []
    assert not SandboxFile.objects.exists()


@pytest.mark.parametrize(
    ("number", "hours", "state", "words"),
    [
        (0, 0, State.NORMAL, "Bad Request: message identifier is not specified"),
        (99, 0, State.NORMAL, "Bad Request: message to delete not found"),
        (1, 49, State.NORMAL, "Bad Request: message can't be deleted for everyone"),
        (1, 0, State.UNREACHABLE, "Bad Gateway"),
        (1, 0, State.DEACTIVATED, "Forbidden: user is deactivated"),
    ],
)
def test_the_sandbox_refuses_a_deletion_that_telegram_would_refuse(
    live_server: LiveServer, number: int, hours: int, state: State, words: str
) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)
    phones.set_state(bot, ana, state)
    own = SandboxMessage.objects.get()
    SandboxMessage.objects.update(at=own.at - dt.timedelta(hours=hours))

    body = f'{{"chat_id": {ana.telegram_id}, "message_id": {own.message_id if number == 1 else number}}}'.encode()
    _, answer = call(live_server.url, token, "deleteMessage", body)

    assert answer["description"] == words
    assert SandboxMessage.objects.count() == 1


def test_another_bots_message_is_not_there(live_server: LiveServer) -> None:
    bot, _ = a_bot()
    ana = a_started_phone(bot)
    _, theirs = a_bot("Other")

    body = f'{{"chat_id": {ana.telegram_id}, "message_id": {SandboxMessage.objects.get().message_id}}}'.encode()
    status, answer = call(live_server.url, theirs, "deleteMessage", body)

    assert (status, answer["description"]) == (400, "Bad Request: message to delete not found")
