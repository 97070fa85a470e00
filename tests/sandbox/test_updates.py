"""getUpdates of the Sandbox: updates are kept until they are confirmed, long polling works, and one poller reads."""

import time
from datetime import timedelta

import pytest
from aiogram.types import Update
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from companion.sandbox import phone as phones
from companion.sandbox import updates
from companion.sandbox.models import SandboxBot, SandboxUpdate, State
from companion.sandbox.rules import Refused
from tests.sandbox.stories import a_bot, a_started_phone, call, wait_until_polled
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_updates_stay_until_they_are_confirmed(live_server: LiveServer) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)
    phones.type_text(bot, ana, "Hello")

    first = updates_of(live_server, token, 0)
    again = updates_of(live_server, token, first[1].update_id)
    none = updates_of(live_server, token, first[1].update_id + 1)

    assert [text_in(update) for update in first] == ["/start", "Hello"]
    assert ([text_in(update) for update in again], none) == (["Hello"], [])
    assert not SandboxUpdate.objects.exists()


def test_a_negative_offset_keeps_only_the_newest(live_server: LiveServer) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)
    phones.type_text(bot, ana, "Hello")

    kept = updates_of(live_server, token, -1)

    assert [text_in(update) for update in kept] == ["Hello"]


def test_updates_older_than_a_day_are_gone(live_server: LiveServer) -> None:
    bot, token = a_bot()
    a_started_phone(bot)
    SandboxUpdate.objects.update(at=timezone.now() - timedelta(hours=25))

    assert updates_of(live_server, token, 0) == []


def test_a_long_poll_answers_as_soon_as_something_comes(live_server: LiveServer) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)
    offset = updates_of(live_server, token, 0)[-1].update_id + 1

    def type_when_polled() -> float:
        wait_until_polled(bot, 2)
        phones.type_text(bot, ana, "Hello")
        return time.monotonic()

    def poll() -> float:
        query = f"?timeout=20&offset={offset}"
        assert len(call(live_server.url, token, "getUpdates", None, "", query)[1]["result"]) == 1
        return time.monotonic()

    answered, typed = at_once([poll, type_when_polled])

    assert answered - typed < 5


def test_a_poll_beside_many_waiting_polls_is_answered_at_once_with_all_that_came(live_server: LiveServer) -> None:
    """Each waiting poll holds a thread: with many practice clinics no thread would be left for pages."""
    bot, token = a_bot()
    for _ in range(updates.POLLS_AT_ONCE):
        assert updates.MAY_WAIT.acquire(blocking=False)
    try:
        nothing = updates_of(live_server, token, 0, seconds=50)
        a_started_phone(bot)
        came = updates_of(live_server, token, 0, seconds=50)
    finally:
        updates.MAY_WAIT.release(updates.POLLS_AT_ONCE)

    assert nothing == []
    assert [text_in(update) for update in came] == ["/start"]


def test_a_second_poller_ends_the_first_with_a_conflict(live_server: LiveServer) -> None:
    bot, token = a_bot()

    def first() -> int:
        return call(live_server.url, token, "getUpdates", None, "", "?timeout=20")[0]

    def second() -> int:
        wait_until_polled(bot, 1)
        return call(live_server.url, token, "getUpdates")[0]

    assert at_once([first, second]) == [409, 200]


def test_only_the_kinds_that_were_asked_for_are_delivered(live_server: LiveServer) -> None:
    bot, token = a_bot()
    call(live_server.url, token, "getUpdates", b'{"allowed_updates": ["my_chat_member"]}')
    ana = a_started_phone(bot)
    phones.set_state(bot, ana, State.BLOCKED)

    _, answer = call(live_server.url, token, "getUpdates")

    kinds = [set(update) - {"update_id"} for update in answer["result"]]
    assert kinds == [{"my_chat_member"}]


def test_there_is_never_a_webhook(live_server: LiveServer) -> None:
    bot, token = a_bot()
    a_started_phone(bot)

    info = call(live_server.url, token, "getWebhookInfo")[1]["result"]
    call(live_server.url, token, "deleteWebhook", b'{"drop_pending_updates": true}')

    assert info == {"url": "", "has_custom_certificate": False, "pending_update_count": 1}
    assert updates_of(live_server, token, 0) == []


def updates_of(live_server: LiveServer, token: str, offset: int, seconds: int = 0) -> list[Update]:
    _, answer = call(live_server.url, token, "getUpdates", query=f"?offset={offset}&timeout={seconds}")
    return [Update.model_validate(update) for update in answer["result"]]


def text_in(update: Update) -> str | None:
    return update.message.text if update.message else None


def test_a_poll_of_a_bot_that_is_removed_meanwhile_is_refused() -> None:
    bot, _ = a_bot()
    number = updates.begin_poll(bot)
    SandboxBot.objects.filter(pk=bot.pk).delete()

    with pytest.raises(Refused) as refusal:
        updates.wait_for_updates(bot, number, 100, 0)

    assert refusal.value.error_code == 401
