"""A bot, a phone, and calls over real HTTP for the tests of the Sandbox."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from companion.sandbox import phone as phones
from companion.sandbox.models import Phone, SandboxBot
from companion.telegram.client import BotToken, Client
from companion.telegram.outcomes import Outcome
from tests.support.threads import in_thread

T = TypeVar("T")
Json = dict[str, Any]  # any answer of a server: the tests say what it must be


def a_bot(first_name: str = "Clinic") -> tuple[SandboxBot, str]:
    token = phones.make_bot(first_name, f"{first_name.lower()}_bot")
    bot = phones.bot_of(token)
    assert bot is not None
    return bot, token


def a_started_phone(bot: SandboxBot, first_name: str = "Ana") -> Phone:
    phone = phones.new_phone(bot, first_name)
    phones.press_start(bot, phone)
    phone.refresh_from_db()
    return phone


def url_of(server_url: str) -> str:
    return f"{server_url}/sandbox"


def send(server_url: str, token: str, chat_id: int, text: str = "Good morning", timeout: float = 10) -> Outcome:
    return with_client(server_url, lambda client: client.send_message(BotToken(token), chat_id, text, timeout=timeout))


def with_client(server_url: str, act: Callable[[Client], Awaitable[T]]) -> T:
    """Run `act` with a Client, in another thread, since Playwright may keep a loop in the tests' thread."""

    async def run() -> T:
        async with Client(url_of(server_url)) as client:
            return await act(client)

    return in_thread(lambda: asyncio.run(run()))


def call(
    server_url: str,
    token: str,
    method: str,
    body: bytes | None = None,
    content_type: str = "application/json",
    query: str = "",
) -> tuple[int, Json]:
    """Make a raw call; return its HTTP status and the JSON of the answer."""
    url = f"{url_of(server_url)}/bot{token}/{method}{query}"
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type} if body else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def wait_until_polled(bot: SandboxBot, number: int) -> None:
    until = time.monotonic() + 10
    while SandboxBot.objects.values_list("poll_number", flat=True).get(pk=bot.pk) < number:
        assert time.monotonic() < until
        time.sleep(0.01)
