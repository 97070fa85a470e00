"""The way to the Bot API through an HTTP proxy: a tunnel, judged addresses, and failures before anything left."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr, ValidationError
from pytest_django import Settings

from companion.clinics.bot_api import proxy as set_proxy
from companion.config.environment import Environment
from companion.telegram.client import BotToken, Client
from companion.telegram.outcomes import Kind, Outcome
from companion.telegram.proxy import Judge, Proxy
from tests.service.test_addresses import NOWHERE
from tests.telegram.servers import Connection, a_server, answers_everything

TOKEN = BotToken("700000001:" + "A" * 35)


def tunnels(
    heads: list[bytes], answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n"
) -> Callable[..., Awaitable[None]]:
    """Behave as a proxy that gives this answer, and joins both sides after a yes."""

    async def behave(connection: Connection) -> None:
        head = await connection.reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        connection.writer.write(answer)
        await connection.writer.drain()
        if b" 200 " not in answer:
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(connection.reader, writer), _pump(reader, connection.writer))

    return behave


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def sent_through(url: str, api: str, judge: Judge = lambda _: True) -> Outcome:
    async with Client(api, proxy=Proxy(url, judge)) as client:
        return await client.send_message(TOKEN, 1, "Hello", timeout=5)


async def test_a_request_goes_through_the_tunnel_and_the_proxy_reads_no_token() -> None:
    heads: list[bytes] = []
    async with a_server(answers_everything) as api, a_server(tunnels(heads)) as proxy:
        outcome = await sent_through(proxy.url.replace("http://", "http://nora:p%40ss@"), api.url)

    target = api.url.removeprefix("http://")
    assert (outcome.kind, outcome.message_id) == (Kind.SENT, 7)
    assert heads == [
        f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic bm9yYTpwQHNz\r\n\r\n".encode()
    ]
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy wants a name and a password"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy gave no answer that can be read"),
        (b"", "the proxy gave no answer that can be read"),
    ],
)
async def test_a_call_that_a_proxy_refuses_never_left_and_is_tried_again(answer: bytes, note: str) -> None:
    async with a_server(answers_everything) as api, a_server(tunnels([], answer)) as proxy:
        outcome = await sent_through(proxy.url, api.url)

    assert (outcome.kind, outcome.note) == (Kind.TRANSIENT, note)
    assert api.requests == []


async def test_a_proxy_that_is_not_there_is_tried_again() -> None:
    outcome = await sent_through("http://127.0.0.1:1", "http://127.0.0.1:1")

    assert (outcome.kind, outcome.note) == (Kind.TRANSIENT, "connection refused")


@pytest.mark.parametrize("host", NOWHERE)
async def test_no_proxy_stands_where_no_server_may_lie(host: str, settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(
        update={"telegram_proxy": SecretStr(f"http://{f'[{host}]' if ':' in host else host}:3128"), "sandbox": False}
    )
    judged = set_proxy()
    assert judged

    outcome = await sent_through(judged.url, "http://127.0.0.1:1", judged.may_be_reached)

    assert (outcome.kind, outcome.note) == (Kind.TRANSIENT, "the proxy's address may not be reached")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"COMPANION_TELEGRAM_PROXY": "http://10.0.0.8:3128"}, "http://10.0.0.8:3128"),
        ({"HTTPS_PROXY": "http://proxy:8080"}, "http://proxy:8080"),
        ({"https_proxy": "proxy:8080"}, "http://proxy:8080"),
        ({"HTTPS_PROXY": "http://proxy:8080", "NO_PROXY": ".telegram.org"}, ""),
        ({"HTTPS_PROXY": "http://proxy:8080", "COMPANION_TELEGRAM_API_URL": "http://127.0.0.1:8081"}, ""),
        ({"COMPANION_TELEGRAM_PROXY": "http://10.0.0.8:3128", "COMPANION_SANDBOX": "1"}, ""),
        ({"HTTP_PROXY": "http://proxy:8080"}, ""),
    ],
)
def test_the_proxy_comes_from_the_setting_or_from_the_environment_for_https(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "COMPANION_SANDBOX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert Environment(_env_file=None).bot_api_proxy == expected


@pytest.mark.parametrize("url", ["socks5://proxy:1080", "https://proxy", "proxy:8080", "http://", "http://proxy/path"])
def test_an_address_of_no_http_proxy_is_refused_and_not_quoted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPANION_TELEGRAM_PROXY", url)

    with pytest.raises(ValidationError) as refused:
        Environment(_env_file=None)

    assert url not in str(refused.value.errors(include_input=False))


def test_an_environments_proxy_of_another_kind_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("COMPANION_SANDBOX", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://nora:secret@proxy:1080")

    with pytest.raises(ValueError, match="COMPANION_TELEGRAM_PROXY") as refused:
        _ = Environment(_env_file=None).bot_api_proxy

    assert "secret" not in str(refused.value)
