"""Updates and answers of Telegram: any bytes give an Outcome or updates, and any words of patients a meaning."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from companion.clinics.models import Clinic
from companion.listener import start_and_stop, stop_question, stopping
from companion.listener.updates import Started, Wrote, meaning
from companion.listener.urgent import asks_for_help
from companion.patients import enrolment
from companion.patients.enrolment import NotLinked
from companion.sandbox.html import NotHtml, plain_of_html
from companion.sandbox.rules import Refused as TelegramRefused
from companion.sandbox.rules import buttons_of
from companion.schedules import buttons
from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.connection import NoAnswer
from companion.telegram.files import NoFile, fetch_file
from companion.telegram.incoming import Incoming, MessageIn, Sender, updates_of
from companion.telegram.methods import get_me, get_updates, look_for
from companion.telegram.outcomes import Answer, Kind, answer_of, outcome_of_answer, outcome_of_edit
from companion.telegram.proxy import Proxy
from tests.builders import NOW
from tests.fuzz.inputs import fuzzed, json_of, text_of
from tests.fuzz.servers import Answering

_NAMES: Final = ("ok", "result", "update_id", "message", "chat", "from", "id", "type", "text", "callback_query", "data")
_HTTP: Final = (
    "HTTP/1.1 200 OK\r\n",
    "Content-Length: ",
    "Transfer-Encoding: chunked\r\n",
    "\r\n\r\n",
    '{"ok":true',
    "5\r\n",
)
_TOKEN: Final = BotToken("700000001:" + "A" * 35)


def read(body: bytes) -> list[Incoming]:
    answer = answer_of(200, body)
    return updates_of(answer.result) if isinstance(answer, Answer) else []


@fuzzed("updates", *_NAMES)
def test_any_updates_are_read_in_order_and_into_what_can_be_stored(raw: bytes) -> None:
    updates = read(raw)

    assert updates == read(raw)
    assert [update.update_id for update in updates] == sorted(update.update_id for update in updates)
    for update in updates:
        repr(update)
        meant = meaning(update, now=NOW)
        if isinstance(update.event, MessageIn):
            update.event.text.encode()
            assert "\0" not in update.event.text
        if isinstance(meant, Wrote):
            f"{meant.text}{meant.words}".encode()
        if isinstance(meant, Started):
            meant.payload.encode()


@fuzzed("updates", *_NAMES)
def test_an_update_is_read_alike_alone_and_beside_others(raw: bytes) -> None:
    answer: Any = json_of(raw)
    updates = answer.get("result") if isinstance(answer, dict) else None
    for update in updates if isinstance(updates, list) else []:
        alone = read(json.dumps({"ok": True, "result": [update]}).encode())

        assert read(json.dumps({"ok": True, "result": [{}, update, 1]}).encode()) == alone


@fuzzed(
    "answers", "retry after ", "parameters", "error_code", "429", "403", "message_id", "Tue, 01 Dec 2026 08:00:00 GMT"
)
def test_any_answer_to_a_message_has_an_outcome(raw: bytes) -> None:
    status, date, body = [*raw.split(b"\n", 2), b"", b""][:3]
    code = int(status) if re.fullmatch(rb"[0-9]{1,4}", status) else 200

    outcome = outcome_of_answer(code, body, date.decode("latin-1"))

    assert outcome == outcome_of_answer(code, body, date.decode("latin-1"))
    assert (outcome.kind is Kind.SENT) == (outcome.message_id is not None)
    assert outcome.retry_after is None or 0 < outcome.retry_after <= 86_400
    outcome_of_edit(code, body, date.decode("latin-1"), 1)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Return a loop for all inputs of a test."""
    own = asyncio.new_event_loop()
    yield own
    own.close()


@fuzzed("bot_api_http", *_HTTP, tenth=True)
def test_any_http_answer_of_the_bot_api_gives_a_result_or_the_failure_of_the_call(
    answering: Answering, loop: asyncio.AbstractEventLoop, raw: bytes
) -> None:
    answering.answer = raw

    async def ask() -> None:
        async with Client(answering.url) as client:
            calls = (
                get_me(client, _TOKEN),
                get_updates(client, _TOKEN, 0, wait=0),
                look_for(client, _TOKEN, 42, 7, None, "Hello"),
                fetch_file(client, _TOKEN, "AgAC"),
            )
            chosen = len(raw) % len(calls)
            for number, call in enumerate(calls):
                if number != chosen:
                    call.close()
            try:
                await calls[chosen]
            except CallFailed as failure:
                repr(failure.outcome)
            except NoFile:
                pass
            outcome = await client.send_message(_TOKEN, 42, "Hello", timeout=5)
            assert outcome.kind is not Kind.TRANSIENT or outcome.error_code

    loop.run_until_complete(ask())


@fuzzed("proxy_http", "HTTP/1.1 ", "200", "407", "\r\n\r\n", "\r\n", tenth=True)
def test_any_answer_of_a_proxy_opens_the_tunnel_or_says_that_nothing_left(
    answering: Answering, loop: asyncio.AbstractEventLoop, raw: bytes
) -> None:
    answering.answer = raw

    async def open_it() -> None:
        try:
            (await Proxy(answering.url, lambda _: True).open("api.telegram.org", 443)).close()
        except NoAnswer as no:
            assert not no.left
        except OSError:
            pass

    loop.run_until_complete(open_it())


@fuzzed("tap_data", "answer:", "consent:yes:", "consent:no:", "stop:", ":", "0")
def test_any_data_of_a_button_is_one_of_ours_or_nothing(raw: bytes) -> None:
    data = text_of(raw)

    found = [
        tap for tap in (buttons.read_data(data), start_and_stop.read_tap(data), stop_question.read_tap(data)) if tap
    ]

    assert len(found) <= 1


@fuzzed("patients_words", "stop", "please", "?", "/stop", "/start ", "🛑", "\u0301", "ΣΤΟΠ", "توقف", "chest pain")
def test_any_words_of_a_patient_have_a_meaning(raw: bytes) -> None:
    text = text_of(raw).encode("utf-8", "replace").decode()
    event = MessageIn("message", Sender(42, "pt-BR"), text, None, 9, None, NOW, None)

    meant = meaning(Incoming(update_id=11, event=event, skipped=()), now=NOW)

    taken = stopping.verdict(text, ["pt-BR", "en"], question_open=False)
    assert taken in stopping.Verdict
    assert stopping.verdict(f" {text}\n", ["en", "pt-BR"], question_open=False) is taken
    asks_for_help(text, ["chest pain", "can't breathe", "胸痛"])
    assert isinstance(meant, Started) or stopping.has_question_mark(text) in (True, False)


@fuzzed("start_payload", "_", "-", "abc", " ", tenth=True)
def test_any_payload_of_a_start_is_no_invitation(clinic: Clinic, raw: bytes) -> None:
    assert enrolment.redeem(clinic, text_of(raw), 42, now=NOW) is NotLinked.UNKNOWN


@fuzzed("telegram_html", "<b>", "</b>", "&lt;", "&#", ";", "<", ">", "tg-spoiler")
def test_any_html_is_a_text_or_refused_by_the_sandbox(raw: bytes) -> None:
    try:
        assert isinstance(plain_of_html(text_of(raw).encode("utf-8", "replace").decode()), str)
    except NotHtml as no:
        assert str(no)


@fuzzed("telegram_markup", "inline_keyboard", "text", "callback_data", "url", "https://x.example")
def test_any_keyboard_is_rows_of_buttons_or_refused_by_the_sandbox(raw: bytes) -> None:
    try:
        rows = buttons_of({"reply_markup": text_of(raw)})
    except TelegramRefused:
        return

    json.dumps(rows).encode()
