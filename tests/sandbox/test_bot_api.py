"""The Sandbox's Bot API over real HTTP: all methods, all ways to pass arguments, all states of a phone."""

import json
from datetime import timedelta
from functools import partial

import pytest
from aiogram.types import Message
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from companion.sandbox import phone as phones
from companion.sandbox.models import Phone, SandboxMessage, State
from companion.telegram import methods
from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.incoming import TapIn
from companion.telegram.outcomes import Kind, Outcome
from tests.sandbox.stories import a_bot, a_started_phone, call, send, with_client
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_arrives_on_the_phone(live_server: LiveServer) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)

    outcome = send(live_server.url, token, ana.telegram_id, "Zähne < putzen 😀")

    shown = phones.chat(bot, ana)[-1]
    assert (outcome.kind, outcome.message_id) == (Kind.SENT, shown.message_id)
    assert (shown.text, shown.from_bot) == ("Zähne < putzen 😀", True)


def test_an_id_that_no_phone_has_gets_a_phone(live_server: LiveServer) -> None:
    bot, token = a_bot()

    outcome = send(live_server.url, token, 7_000_000_123)

    assert outcome.kind is Kind.SENT
    assert [phone.telegram_id for phone in phones.phones(bot)] == [7_000_000_123]


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        (State.NORMAL, Kind.SENT, None),
        (State.NOT_STARTED, Kind.PERMANENT, "chat_not_found"),
        (State.BLOCKED, Kind.PERMANENT, "blocked"),
        (State.DEACTIVATED, Kind.PERMANENT, "deactivated"),
        (State.UNREACHABLE, Kind.TRANSIENT, None),
    ],
)
def test_each_state_of_a_phone_has_its_outcome(
    live_server: LiveServer, state: State, kind: Kind, reason: str | None
) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)
    phones.set_state(bot, ana, state)

    outcome = send(live_server.url, token, ana.telegram_id)

    assert (outcome.kind, outcome.reason) == (kind, reason)


def test_a_slow_phone_has_the_message_before_the_answer_comes(live_server: LiveServer) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)
    phones.set_state(bot, ana, State.SLOW, delay_seconds=1.5)

    outcome = send(live_server.url, token, ana.telegram_id, timeout=0.7)

    assert outcome.kind is Kind.UNKNOWN
    assert phones.chat(bot, ana)[-1].text == "Good morning"


def test_a_bot_can_t_write_to_a_bot(live_server: LiveServer) -> None:
    bot, token = a_bot()

    assert send(live_server.url, token, bot.telegram_id).reason == "chat_not_found"


def test_a_text_that_is_too_long_is_rejected(live_server: LiveServer) -> None:
    _, token = a_bot()

    outcome = send(live_server.url, token, 123, "x" * 4097)

    assert (outcome.reason, outcome.description) == ("rejected", "Bad Request: message is too long")


def test_one_counter_numbers_all_messages_of_a_bot(live_server: LiveServer) -> None:
    bot, token = a_bot()
    ana, bo = a_started_phone(bot), a_started_phone(bot, "Bo")
    send(live_server.url, token, ana.telegram_id)
    phones.type_text(bot, bo, "Hello")

    outcome = send(live_server.url, token, bo.telegram_id)

    assert outcome.message_id == 5


def test_the_counter_and_the_rate_hold_when_all_write_at_once(live_server: LiveServer) -> None:
    _, token = a_bot()
    body = [json.dumps({"chat_id": 1000 + n, "text": "x"}).encode() for n in range(40)]

    answers = at_once([partial(call, live_server.url, token, "sendMessage", request) for request in body])

    sent = [answer["result"]["message_id"] for status, answer in answers if status == 200]
    assert {status for status, _ in answers} <= {200, 429}
    assert sorted(sent) == list(range(1, len(sent) + 1))
    newest = list(SandboxMessage.objects.order_by("at").values_list("at", flat=True))
    assert all(later - first >= timedelta(seconds=0.9) for first, later in zip(newest, newest[30:], strict=False))


def test_a_burst_to_one_chat_ends_in_429_with_the_time_to_wait(live_server: LiveServer) -> None:
    _, token = a_bot()
    body = b'{"chat_id": 5, "text": "x"}'

    answers = [call(live_server.url, token, "sendMessage", body) for _ in range(6)]

    assert [status for status, _ in answers] == [200] * 5 + [429]
    assert answers[-1][1] == {
        "ok": False,
        "error_code": 429,
        "description": f"Too Many Requests: retry after {answers[-1][1]['parameters']['retry_after']}",
        "parameters": {"retry_after": pytest.approx(4, abs=1)},
    }


@pytest.mark.parametrize(
    ("body", "content_type", "query"),
    [
        (b'{"chat_id": 5, "text": "a&b"}', "application/json", ""),
        (b'{"chat_id": "5", "text": "a&b", "parse_mode": null}', "application/json; charset=utf-8", ""),
        (b"chat_id=5&text=a%26b", "application/x-www-form-urlencoded", ""),
        (None, "", "?chat_id=5&text=a%26b"),
        (b'{"text": "a&b"}', "application/json", "?chat_id=5&text=older"),
        (
            b'--x\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n5\r\n'
            b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\na&b\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            "",
        ),
    ],
    ids=["json", "json of strings", "form", "query", "query and json", "multipart"],
)
@pytest.mark.parametrize("method", ["sendMessage", "SENDMESSAGE"])
def test_arguments_are_accepted_in_every_form_that_telegram_accepts(
    live_server: LiveServer, body: bytes | None, content_type: str, query: str, method: str
) -> None:
    _, token = a_bot()

    status, answer = call(live_server.url, token, method, body, content_type, query)

    assert (status, SandboxMessage.objects.get().text) == (200, "a&b")
    assert Message.model_validate(answer["result"]).chat.id == 5


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"x", "multipart/form-data"),
        (b'{"chat_id": 5, "text": "\\ud800"}', "application/json"),
        (b'{"chat_id": [5], "text": "x"}', "application/json"),
        (b'{"chat_id": 5, "text": "x", "reply_markup": 7}', "application/json"),
    ],
)
def test_a_body_that_makes_no_sense_is_a_bad_request(live_server: LiveServer, body: bytes, content_type: str) -> None:
    _, token = a_bot()

    status, answer = call(live_server.url, token, "sendMessage", body, content_type)

    assert (status, answer["error_code"]) == (400, 400)


def test_a_body_that_is_too_large_is_refused(live_server: LiveServer) -> None:
    _, token = a_bot()

    status, answer = call(live_server.url, token, "sendMessage", b" " * 3_000_000)

    assert (status, answer["description"]) == (413, "Request Entity Too Large")


@pytest.mark.parametrize(
    ("token", "description"),
    [("123456:" + "A" * 35, "Unauthorized"), ("nonsense", "Unauthorized: invalid token specified")],
)
def test_an_unknown_token_is_refused(live_server: LiveServer, token: str, description: str) -> None:
    status, answer = call(live_server.url, token, "getMe")

    assert (status, answer["description"]) == (401, description)


def test_an_unknown_method_is_not_found(live_server: LiveServer) -> None:
    _, token = a_bot()

    assert call(live_server.url, token, "sendPigeon")[1]["description"] == "Not Found: method not found"


def test_without_the_sandbox_there_is_no_bot_api(live_server: LiveServer, settings: Settings) -> None:
    _, token = a_bot()
    settings.SANDBOX_ON = False

    assert call(live_server.url, token, "getMe")[0] == 404


def test_no_token_reaches_the_log(live_server: LiveServer, caplog: pytest.LogCaptureFixture) -> None:
    _, token = a_bot()

    call(live_server.url, token, "sendPigeon")
    call(live_server.url, token, "sendMessage", b"{")

    assert token.split(":")[1] not in caplog.text


def test_get_me_and_get_chat_describe_the_bot_and_a_chat(live_server: LiveServer) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)

    me = with_client(live_server.url, lambda client: methods.get_me(client, BotToken(token)))
    _, chat = call(live_server.url, token, "getChat", query=f"?chat_id={ana.telegram_id}")

    assert (me.id, me.username) == (bot.telegram_id, bot.username)
    assert chat["result"]["first_name"] == "Ana"


def test_a_chat_that_never_started_is_not_found(live_server: LiveServer) -> None:
    bot, token = a_bot()
    stranger = phones.new_phone(bot, "Sam")

    with pytest.raises(CallFailed) as failed:
        with_client(live_server.url, lambda client: methods.get_chat(client, BotToken(token), stranger.telegram_id))

    assert failed.value.outcome.reason == "chat_not_found"


def test_another_clinics_bot_learns_nothing_of_a_phone(live_server: LiveServer) -> None:
    bot, token = a_bot()
    other, other_token = a_bot("Other")
    ana = a_started_phone(bot)
    phones.set_state(bot, ana, State.BLOCKED)

    _, chat = call(live_server.url, other_token, "getChat", query=f"?chat_id={ana.telegram_id}")
    status, sent = call(
        live_server.url, other_token, "sendMessage", query=f"?chat_id={ana.telegram_id}&text=Good+morning"
    )
    refused, _ = call(live_server.url, token, "sendMessage", query=f"?chat_id={ana.telegram_id}&text=Good+morning")

    assert (status, refused) == (200, 403)
    assert "Ana" not in json.dumps([chat, sent])
    assert [message.text for message in phones.chat(bot, ana)] == ["/start"]
    assert [phone.first_name for phone in phones.phones(other)] == [f"Phone {ana.telegram_id}"]


def test_asking_about_a_chat_makes_no_phone(live_server: LiveServer) -> None:
    _, token = a_bot()

    status, chat = call(live_server.url, token, "getChat", query="?chat_id=5000000001")

    assert (status, chat["result"]["id"]) == (200, 5_000_000_001)
    assert not Phone.objects.exists()


def test_a_tap_can_be_answered_and_its_buttons_replaced(live_server: LiveServer) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)
    markup: dict[str, object] = {"inline_keyboard": [[{"text": "Taken", "callback_data": "t:1"}]]}

    async def send_with_button(client: Client) -> None:
        await client.send_message(BotToken(token), ana.telegram_id, "Pill?", timeout=9, reply_markup=markup)

    with_client(live_server.url, send_with_button)
    message = phones.chat(bot, ana)[-1]
    made = phones.tap(bot, message, "t:1")
    shown = [[{"text": "✓ Taken", "callback_data": "t:"}]]
    outcomes: list[Outcome] = []

    async def answer(client: Client) -> None:
        incoming = await methods.get_updates(client, BotToken(token), 0, wait=0)
        tap = incoming[-1].event
        assert isinstance(tap, TapIn)
        await methods.answer_callback(client, BotToken(token), tap.id, "Noted")
        for _ in range(2):
            outcomes.append(
                await client.replace_buttons(BotToken(token), ana.telegram_id, message.message_id, shown, timeout=9)
            )

    with_client(live_server.url, answer)
    made.refresh_from_db()
    message.refresh_from_db()
    assert (made.answer, message.buttons) == ("Noted", shown)
    # The second call changes nothing and counts as sent, too.
    assert [(outcome.kind, outcome.message_id) for outcome in outcomes] == [(Kind.SENT, message.message_id)] * 2


@pytest.mark.parametrize("number", ["", "x", "77", "9" * 30])
def test_a_tap_that_never_was_cannot_be_answered(live_server: LiveServer, number: str) -> None:
    _, token = a_bot()

    _, answer = call(live_server.url, token, "answerCallbackQuery", None, "", f"?callback_query_id={number}")

    assert "query is too old" in str(answer["description"])


@pytest.mark.parametrize(
    ("message_id", "words"),
    [
        ("", "message identifier is not specified"),
        ("99", "message to edit not found"),
        ("1", "message can't be edited"),
        ("2", "message is not modified"),
    ],
)
def test_buttons_that_are_not_there_cannot_be_cleared(live_server: LiveServer, message_id: str, words: str) -> None:
    bot, token = a_bot()
    ana = a_started_phone(bot)
    send(live_server.url, token, ana.telegram_id)

    query = f"?chat_id={ana.telegram_id}&message_id={message_id}"
    _, answer = call(live_server.url, token, "editMessageReplyMarkup", None, "", query)

    assert words in str(answer["description"])
