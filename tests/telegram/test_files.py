"""Fetching a file: it ends in time, keeps no more than a bot may fetch, and shows no token, however servers behave."""

import asyncio
import json
import logging
import time

import pytest

from companion.telegram import files
from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.files import FileProblem, NoFile
from companion.telegram.limits import FILE_BYTES
from tests.telegram.servers import Behave, Connection, a_server, answers

SECRET = "AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
TOKEN = BotToken(f"123456:{SECRET}")
FOUND = {"file_id": "f", "file_unique_id": "u", "file_size": 5, "file_path": "voice/file 1.oga"}


def yes(result: dict[str, object]) -> bytes:
    return json.dumps({"ok": True, "result": result}).encode()


def refused(code: int, description: str) -> bytes:
    return json.dumps({"ok": False, "error_code": code, "description": description}).encode()


def has(*parts: bytes, head: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") -> Behave:
    """Answer getFile with a path, and the request for the file with these bytes."""

    async def behave(connection: Connection) -> None:
        await connection.read_request()
        connection.answer(yes(FOUND))
        connection.server.requests.append(await connection.reader.readuntil(b"\r\n\r\n"))
        connection.writer.write(head)
        for part in parts:
            connection.writer.write(part)
            await connection.writer.drain()

    return behave


async def fetch(behave: Behave) -> bytes:
    async with a_server(behave) as server, Client(server.url) as client:
        return await files.fetch_file(client, TOKEN, "f")


async def problem_of(behave: Behave) -> FileProblem:
    with pytest.raises(NoFile) as error:
        await fetch(behave)
    return error.value.problem


async def test_a_file_is_fetched_by_the_path_that_telegram_gives() -> None:
    async with a_server(has(b"hello")) as server, Client(server.url) as client:
        body = await files.fetch_file(client, TOKEN, "f")

    assert body == b"hello"
    assert server.requests[1].startswith(f"GET /file/bot123456:{SECRET}/voice/file%201.oga HTTP/1.1\r\n".encode())


async def test_an_endless_file_is_read_only_up_to_the_limit_of_a_bot() -> None:
    piece = b"a" * 2**20
    endless = has(*[piece] * 40, head=b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")

    assert await problem_of(endless) is FileProblem.TOO_LARGE


async def test_a_file_that_stops_halfway_is_not_a_file() -> None:
    assert await problem_of(has(b"he")) is FileProblem.NO_ANSWER


async def test_a_download_that_never_ends_ends_in_time() -> None:
    async def behave(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        connection.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        while True:
            connection.writer.write(b"a")
            await connection.writer.drain()
            await asyncio.sleep(0.05)

    began = time.monotonic()
    async with a_server(behave) as server, Client(server.url) as client:
        answer = await client.download(TOKEN, "x", max_bytes=FILE_BYTES, timeout=0.3)

    assert not answer.whole
    assert time.monotonic() - began < 3


async def test_a_silent_server_is_given_up_in_time() -> None:
    async def behave(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        await asyncio.Event().wait()

    async with a_server(behave) as server, Client(server.url) as client:
        with pytest.raises(CallFailed) as failed:
            await client.download(TOKEN, "x", max_bytes=FILE_BYTES, timeout=0.3)

    assert SECRET not in repr(failed.value)


@pytest.mark.parametrize(
    ("behave", "problem"),
    [
        (answers(refused(400, "Bad Request: file is too big"), "400 Bad Request"), FileProblem.TOO_LARGE),
        (answers(yes(FOUND | {"file_size": FILE_BYTES + 1})), FileProblem.TOO_LARGE),
        (
            answers(refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable"), "400 X"),
            FileProblem.GONE,
        ),
        (answers(yes({"file_id": "f"})), FileProblem.GONE),
        (answers(refused(401, "Unauthorized"), "401 Unauthorized"), FileProblem.REFUSED),
        (answers(refused(429, "Too Many Requests: retry after 5"), "429 X"), FileProblem.NO_ANSWER),
        (answers(refused(500, "Internal Server Error"), "500 X"), FileProblem.NO_ANSWER),
        (answers(b"<html>502</html>", "502 Bad Gateway"), FileProblem.NO_ANSWER),
        (has(b"hello", head=b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n"), FileProblem.GONE),
        (has(b"hello", head=b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\n"), FileProblem.NO_ANSWER),
        (has(b"hello", head=b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 5\r\n\r\n"), FileProblem.NO_ANSWER),
    ],
)
async def test_each_refusal_is_recognised(behave: Behave, problem: FileProblem) -> None:
    assert await problem_of(behave) is problem


async def test_nothing_of_a_download_shows_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    await fetch(has(b"hello"))
    await problem_of(answers(refused(400, "Bad Request: file is too big"), "400 Bad Request"))

    assert SECRET not in caplog.text


async def test_a_path_of_odd_letters_makes_no_other_request() -> None:
    async def behave(connection: Connection) -> None:
        connection.server.requests.append(await connection.reader.readuntil(b"\r\n\r\n"))
        connection.answer(b"hello")

    async with a_server(behave) as server, Client(server.url) as client:
        await client.download(TOKEN, "a\r\nX: y?#é", max_bytes=9, timeout=5)

    assert (
        server.requests[0].split(b"\r\n")[0]
        == f"GET /file/bot123456:{SECRET}/a%0D%0AX%3A%20y%3F%23%C3%A9 HTTP/1.1".encode()
    )
