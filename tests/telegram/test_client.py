"""The client's Outcomes, with real servers that answer, refuse, cut the connection, hang, or answer wrongly."""

import asyncio
import json
import logging
import socket
import time
from pathlib import Path

import pytest

from companion.telegram.client import HELD_BACK, BotToken, CallFailed, Client
from companion.telegram.outcomes import Kind, Outcome
from tests.telegram.servers import (
    YES,
    Behave,
    Connection,
    a_server,
    answers,
    answers_everything,
    answers_raw,
    hangs,
    self_signed,
)

SECRET = "AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
TOKEN = BotToken(f"123456:{SECRET}")
TEXT = "Your blood test is at 9"


async def send(url: str, timeout: float = 5, leave_by: float | None = None) -> Outcome:  # noqa: ASYNC109 - as send_message
    async with Client(url) as client:
        return await client.send_message(TOKEN, 42, TEXT, timeout=timeout, leave_by=leave_by)


async def send_to(behave: Behave) -> Outcome:
    async with a_server(behave) as server:
        return await send(server.url, timeout=0.5)


def sent_json(request: bytes) -> dict[str, object]:
    fields: dict[str, object] = json.loads(request.split(b"\r\n\r\n", 1)[1])
    return fields


async def test_a_text_goes_out_as_it_was_typed_and_is_sent() -> None:
    async with a_server(answers(YES, "200 OK", "Date: Mon, 01 Dec 2025 09:00:00 GMT")) as server:
        outcome = await send(server.url)

    assert (outcome.kind, outcome.message_id, str(outcome.server_date)) == (Kind.SENT, 7, "2025-12-01 09:00:00+00:00")
    assert server.requests[0].startswith(f"POST /bot123456:{SECRET}/sendMessage HTTP/1.1\r\n".encode())
    assert sent_json(server.requests[0]) == {
        "chat_id": 42,
        "text": TEXT,
        "link_preview_options": {"is_disabled": True},
    }


async def test_buttons_and_protection_go_with_the_text() -> None:
    buttons: dict[str, object] = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    async with a_server(answers_everything) as server, Client(server.url) as client:
        await client.send_message(TOKEN, 42, TEXT, timeout=5, reply_markup=buttons, protect=True)

    fields = sent_json(server.requests[0])
    assert (fields["reply_markup"], fields["protect_content"]) == (buttons, True)


@pytest.mark.parametrize("path", ["/sandbox", "/sandbox/"])
async def test_the_bot_api_may_stand_under_a_path(path: str) -> None:
    async with a_server(answers_everything) as server:
        await send(server.url + path)

    assert server.requests[0].startswith(b"POST /sandbox/bot123456:")


async def test_a_refused_connection_is_transient() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    outcome = await send(f"http://127.0.0.1:{port}")

    assert outcome == Outcome(Kind.TRANSIENT, note="connection refused")


async def test_an_untrusted_certificate_is_transient(tmp_path: Path) -> None:
    async with a_server(answers_everything, self_signed(tmp_path)) as server:
        outcome = await send(server.url)

    assert (outcome, server.requests) == (Outcome(Kind.TRANSIENT, note="certificate not accepted"), [])


async def test_a_server_that_speaks_no_tls_is_transient() -> None:
    async def says_plainly(connection: Connection) -> None:
        await connection.reader.read(1)
        connection.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with a_server(says_plainly) as server:
        outcome = await send(server.url.replace("http:", "https:"))

    assert outcome == Outcome(Kind.TRANSIENT, note="TLS failed")


async def test_a_handshake_that_never_ends_is_transient() -> None:
    async def never_shakes(connection: Connection) -> None:
        await asyncio.Event().wait()

    async with a_server(never_shakes) as server:
        outcome = await send(server.url.replace("http:", "https:"), timeout=0.3)

    assert outcome == Outcome(Kind.TRANSIENT, note="connect time-out")


async def closes_after_reading(connection: Connection) -> None:
    await connection.read_request()


async def closes_after_a_byte(connection: Connection) -> None:
    await connection.reader.readexactly(1)


@pytest.mark.parametrize(
    ("behave", "note"),
    [
        (closes_after_reading, "cut after the request was written"),
        (closes_after_a_byte, "cut after the request was written"),
        (hangs, "time-out after the request was written"),
        (answers_raw(b"HTTP/1.1 200 OK\r\nContent-Le"), "cut after the request was written"),
        (answers_raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "cut after the request was written"),
        (answers_raw(b"\x00\xff\x00garbage\r\n\r\n"), "cut after the request was written"),
        (answers(YES[:20], length=len(YES)), "HTTP 200 without the Bot API's JSON"),
        (answers(b"<html>Sign in to the guest network</html>"), "HTTP 200 without the Bot API's JSON"),
        (answers(YES, "200 OK", "Content-Encoding: gzip"), "HTTP 200 without the Bot API's JSON"),
        (answers(b""), "HTTP 200 without the Bot API's JSON"),
    ],
    ids=[
        "closed after reading",
        "closed after a byte",
        "silent",
        "half a head",
        "another protocol",
        "garbage",
        "half a yes",
        "a page",
        "not the encoding it says",
        "nothing",
    ],
)
async def test_a_request_that_left_and_got_no_readable_answer_is_unknown(behave: Behave, note: str) -> None:
    outcome = await send_to(behave)

    assert (outcome.kind, outcome.note) == (Kind.UNKNOWN, note)


@pytest.mark.parametrize("status", ["403 Forbidden", "400 Bad Request"])
async def test_half_a_refusal_is_still_a_refusal(status: str) -> None:
    assert (await send_to(answers(b"<html>", status, length=500))).kind is Kind.TRANSIENT


@pytest.mark.parametrize("status", ["502 Bad Gateway", "504 Gateway Timeout", "500 Internal Server Error"])
async def test_a_proxys_page_instead_of_telegrams_answer_proves_nothing(status: str) -> None:
    assert (await send_to(answers(b"<html>", status))).kind is Kind.UNKNOWN


async def test_a_refusal_keeps_telegrams_words() -> None:
    body = b'{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}'

    outcome = await send_to(answers(body, "403 Forbidden"))

    assert (outcome.reason, outcome.description) == ("blocked", "Forbidden: bot was blocked by the user")


async def test_an_answer_in_chunks_after_an_interim_answer_is_read() -> None:
    raw = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    half = len(YES) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (YES[:half], YES[half:], b""))

    outcome = await send_to(answers_raw(raw + chunks))

    assert (outcome.kind, outcome.message_id) == (Kind.SENT, 7)


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    outcome = await send_to(answers_raw(b"HTTP/1.0 200 OK\r\n\r\n" + YES))

    assert (outcome.kind, outcome.message_id) == (Kind.SENT, 7)


async def test_a_second_answer_to_a_request_is_not_taken_for_the_next_answer() -> None:
    answered_twice = asyncio.Event()

    async def talks_on(connection: Connection) -> None:
        await connection.read_request()
        connection.answer()
        await connection.writer.drain()
        connection.answer(YES.replace(b"7", b"8"))
        await connection.reader.read()
        answered_twice.set()

    async with a_server(talks_on) as server, Client(server.url) as client:
        await client.send_message(TOKEN, 42, TEXT, timeout=5)
        await answered_twice.wait()
        second = await client.send_message(TOKEN, 42, TEXT, timeout=5)

    assert (second.message_id, server.connections) == (7, 2)


async def test_a_redirect_is_not_followed() -> None:
    async with a_server(answers_everything) as target:
        outcome = await send_to(answers(b"", "307 Temporary Redirect", f"Location: {target.url}"))

    assert (outcome.kind, target.connections) == (Kind.TRANSIENT, 0)


async def test_an_answer_without_an_end_is_not_read_to_its_end() -> None:
    async def never_ends(connection: Connection) -> None:
        await connection.read_request()
        connection.writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.writer.write(b" " * 65_536)
            await connection.writer.drain()

    async with a_server(never_ends) as server:
        outcome = await send(server.url, timeout=30)

    assert outcome.kind is Kind.UNKNOWN


async def test_a_connection_that_closed_while_idle_is_replaced_and_nothing_is_lost() -> None:
    seen_closed = asyncio.Event()

    async def closes_when_idle(connection: Connection) -> None:
        await connection.read_request()
        connection.answer()
        connection.writer.write_eof()
        await connection.reader.read()
        seen_closed.set()

    async with a_server(closes_when_idle) as server, Client(server.url) as client:
        first = await client.send_message(TOKEN, 42, TEXT, timeout=5)
        await seen_closed.wait()
        second = await client.send_message(TOKEN, 42, TEXT, timeout=5)

    assert (first.kind, second.kind, server.connections) == (Kind.SENT, Kind.SENT, 2)


async def test_a_kept_connection_that_closes_on_a_request_is_unknown_and_never_repeated() -> None:
    async def answers_once(connection: Connection) -> None:
        await connection.read_request()
        connection.answer()
        await connection.read_request()

    async with a_server(answers_once) as server, Client(server.url) as client:
        await client.send_message(TOKEN, 42, TEXT, timeout=5)
        second = await client.send_message(TOKEN, 42, TEXT, timeout=5)

    assert (second.kind, len(server.requests), server.connections) == (Kind.UNKNOWN, 2, 1)


async def test_a_request_does_not_leave_after_its_time_to_leave() -> None:
    async with a_server(answers_everything) as server:
        outcome = await send(server.url, leave_by=time.monotonic() - 0.001)

    assert (outcome, server.requests) == (Outcome(Kind.TRANSIENT, note=HELD_BACK), [])


async def test_waiting_for_a_free_connection_in_vain_is_transient() -> None:
    async with a_server(hangs) as server, Client(server.url, concurrency=1) as client:
        outcomes = await asyncio.gather(*(client.send_message(TOKEN, n, TEXT, timeout=0.4) for n in range(1, 3)))

    assert [outcome.kind for outcome in outcomes] == [Kind.UNKNOWN, Kind.TRANSIENT]
    assert len(server.requests) == 1


async def test_a_cancelled_request_is_cancelled() -> None:
    reached = asyncio.Event()

    async def reads_and_hangs(connection: Connection) -> None:
        await connection.read_request()
        reached.set()
        await asyncio.Event().wait()

    async with a_server(reads_and_hangs) as server:
        sending = asyncio.create_task(send(server.url))
        await reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_hundreds_at_once_share_the_allowed_connections() -> None:
    async with a_server(answers_everything) as server, Client(server.url, concurrency=10) as client:
        outcomes = await asyncio.gather(*(client.send_message(TOKEN, n, TEXT, timeout=20) for n in range(1, 301)))

    assert {outcome.kind for outcome in outcomes} == {Kind.SENT}
    assert server.connections <= 10


async def test_a_time_out_is_kept_to_the_fraction_of_a_second() -> None:
    loop = asyncio.get_running_loop()
    async with a_server(hangs) as server:
        began = loop.time()
        await send(server.url, timeout=0.2)

    assert loop.time() - began < 0.9


@pytest.mark.parametrize(
    "behave",
    [closes_after_reading, hangs, answers_raw(b"\x00\r\n\r\n"), answers(b"{}"), answers(b"", "502 Bad Gateway")],
)
async def test_neither_token_nor_text_is_printed_or_logged(behave: Behave, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with a_server(behave) as server, Client(server.url) as client:
        outcome = await client.send_message(TOKEN, 42, TEXT, timeout=0.3)
        with pytest.raises(CallFailed) as caught:
            await client.call(TOKEN, "getMe", {"text": TEXT}, timeout=0.3)

    printed = f"{outcome!r} {caught.value!r} {caught.value} {caplog.text} {caught.getrepr(showlocals=False)}"
    assert SECRET not in printed
    assert TEXT not in printed


async def test_a_call_returns_telegrams_result() -> None:
    async with a_server(answers(b'{"ok":true,"result":{"a":[1,2]}}')) as server, Client(server.url) as client:
        answer = await client.call(TOKEN, "getAnything", {"x": 1}, timeout=5)

    assert answer.result == {"a": [1, 2]}
    assert sent_json(server.requests[0]) == {"x": 1}


async def test_a_refused_call_says_how_it_was_refused() -> None:
    body = b'{"ok":false,"error_code":409,"description":"Conflict: terminated by other getUpdates request"}'
    async with a_server(answers(body, "409 Conflict")) as server, Client(server.url) as client:
        with pytest.raises(CallFailed) as caught:
            await client.call(TOKEN, "getUpdates", {}, timeout=5)

    assert caught.value.outcome.error_code == 409


def test_a_token_shows_only_its_bots_number() -> None:
    assert {repr(TOKEN), str(TOKEN), f"{TOKEN}"} == {"123456:***"}
    assert TOKEN.reveal() == f"123456:{SECRET}"


@pytest.mark.parametrize("wrong", ["", "123456", f"x:{SECRET}", f"1:{SECRET}/../x", f"1:{SECRET} ", f"1:{SECRET}\n"])
def test_an_impossible_token_is_refused_without_being_quoted(wrong: str) -> None:
    with pytest.raises(ValueError, match="A bot token looks like") as caught:
        BotToken(wrong)

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["", "api.telegram.org", "ftp://x", "http://", "https://x?y=1", "https://a:b@x", "https://x/ y"]
)
def test_an_impossible_address_of_the_bot_api_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Client(wrong)
