"""Talks to the Bot API over HTTP for any number of bots, and says of every request what came of it.

Whether a failed request left comes from our own writing of its body, never from guessing by the exception. It never
retries, follows no redirect, knows no rate (dispatch paces), and lets no token or text into an exception or a log.
"""

import asyncio
import json
import re
import ssl
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from companion.telegram.outcomes import Answer, Kind, Outcome, answer_of, outcome_of_answer, outcome_of_edit

CONNECT_SECONDS: Final = 10.0
"""The most that getting a connection may take: name, TCP and TLS; never more than the request's own time-out."""
KEEP_ALIVE_SECONDS: Final = 10.0
"""An idle connection is given up after this: long before a server would, so that a request never meets its closing."""
ANSWER_BYTES: Final = 16 * 2**20
"""A longer answer isn't read to its end; the largest real ones are updates, far below."""
HELD_BACK: Final = "held back: its time to leave was over"
"""The note of a request that the client itself kept from leaving, see `leave_by`."""

_TOKEN = re.compile(r"([0-9]{1,20}):[A-Za-z0-9_-]+")
_HEADERS: Final = {"Accept": "application/json", "User-Agent": "companion"}


class BotToken:
    """A bot's token, which shows itself as `123456:***` wherever it is printed. ValueError when it can't be one."""

    __slots__ = ("_secret", "bot_id")

    def __init__(self, token: str) -> None:
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise ValueError("A bot token looks like 123456789:AAbb…: the bot's number, a colon, letters and digits.")
        self._secret: Final = token
        self.bot_id: Final = int(match[1])

    def reveal(self) -> str:
        """The token itself: for a request's URL and for the sealed field, nothing else."""
        return self._secret

    def __repr__(self) -> str:
        return f"{self.bot_id}:***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BotToken) and other._secret == self._secret

    def __hash__(self) -> int:
        return hash(self._secret)


class CallFailed(Exception):
    """A call that Telegram refused, or that got no answer; `outcome` says which."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome: Final = outcome


class _Body(aiohttp.BytesPayload):
    """A request's body that knows whether it was handed to the connection; aiohttp sends the head with its first byte.

    Past `leave_by` (the loop's clock) it refuses to be written, and once withdrawn it can't leave any more.
    """

    def __init__(self, body: bytes, leave_by: float) -> None:
        super().__init__(body, content_type="application/json")
        self.leave_by = leave_by
        self.left = False
        self.held_back = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if self.held_back or asyncio.get_running_loop().time() > self.leave_by:
            self.held_back = True
            raise aiohttp.ClientConnectionError(HELD_BACK)
        transport = writer.transport if isinstance(writer, aiohttp.http.StreamWriter) else None
        if transport is None or transport.is_closing():
            raise aiohttp.ServerDisconnectedError
        self.left = True
        await super().write_with_length(writer, content_length)


class _NoAnswer(Exception):
    """The request ended without an HTTP status. Its outcome is all that is kept of aiohttp's exception."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.note)
        self.outcome: Final = outcome


class Client:
    """One pool of connections to one Bot API server, for any number of bots: `async with Client(url) as client`.

    `api_url` is what stands before `/bot<token>/<method>`; ValueError when it isn't an http or https URL.
    At most `concurrency` requests are under way at once; more wait for a connection, and nothing of theirs has left.
    """

    def __init__(self, api_url: str, concurrency: int = 100) -> None:
        if not re.match(r"https?://[^/?#]+", api_url) or re.search(r"[?#\s]", api_url):
            raise ValueError("The Bot API's address must be an http or https URL without a query.")
        self._base: Final = URL(api_url.rstrip("/"))
        self._concurrency: Final = concurrency
        self._urls: Final[dict[tuple[BotToken, str], URL]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=self._concurrency, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=60, enable_cleanup_closed=False
        )
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=_HEADERS, json_serialize=json.dumps
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send_message(
        self,
        token: BotToken,
        chat_id: int,
        text: str,
        *,
        timeout: float,  # noqa: ASYNC109 - a request cancelled from outside couldn't say whether it left
        reply_markup: dict[str, object] | None = None,
        protect: bool = False,
        leave_by: float | None = None,
    ) -> Outcome:
        """Sends a plain text without link previews; `timeout` (seconds) covers everything from the first step on.

        The request doesn't leave once the time-out is over, nor after `leave_by` (an instant of the running loop's
        `time()`, which is `time.monotonic()`): the Outcome is then TRANSIENT with the note HELD_BACK.
        """
        params: dict[str, object] = {"chat_id": chat_id, "text": text, "link_preview_options": {"is_disabled": True}}
        if reply_markup is not None:
            params["reply_markup"] = reply_markup
        if protect:
            params["protect_content"] = True
        try:
            status, body, date = await self._post(token, "sendMessage", params, timeout, leave_by)
        except _NoAnswer as failure:
            return failure.outcome
        return outcome_of_answer(status, body, date)

    async def replace_buttons(
        self,
        token: BotToken,
        chat_id: int,
        message_id: int,
        rows: list[list[dict[str, str]]],
        *,
        timeout: float,  # noqa: ASYNC109 - a request cancelled from outside couldn't say whether it left
        leave_by: float | None = None,
    ) -> Outcome:
        """Puts other buttons (or none) under a message of the bot's; SENT also where they stand there already."""
        markup: dict[str, object] = {"inline_keyboard": rows}
        params: dict[str, object] = {"chat_id": chat_id, "message_id": message_id, "reply_markup": markup}
        try:
            status, body, date = await self._post(token, "editMessageReplyMarkup", params, timeout, leave_by)
        except _NoAnswer as failure:
            return failure.outcome
        return outcome_of_edit(status, body, date, message_id)

    async def call(
        self,
        token: BotToken,
        method: str,
        params: dict[str, object],
        *,
        timeout: float,  # noqa: ASYNC109 - a request cancelled from outside couldn't say whether it left
    ) -> Answer:
        """Any other method: Telegram's yes with its result. CallFailed when it said no, or nothing."""
        try:
            status, body, date = await self._post(token, method, params, timeout, None)
        except _NoAnswer as failure:
            raise CallFailed(failure.outcome) from None
        answer = answer_of(status, body, date)
        if isinstance(answer, Outcome):
            raise CallFailed(answer)
        return answer

    def _url(self, token: BotToken, method: str) -> URL:
        # Building a URL costs more than the rest of a request's preparation.
        url = self._urls.get((token, method))
        if url is None:
            url = URL(f"{self._base}/bot{token.reveal()}/{method}", encoded=True)
            self._urls[token, method] = url
        return url

    async def _post(
        self, token: BotToken, method: str, params: dict[str, object], seconds: float, leave_by: float | None
    ) -> tuple[int, bytes, str | None]:
        """Status, body (empty when it was cut off) and Date header. _NoAnswer when no status came."""
        if self._session is None:
            raise RuntimeError("The client is used outside its `async with`.")
        over = asyncio.get_running_loop().time() + seconds
        body = _Body(json.dumps(params).encode(), over if leave_by is None else min(over, leave_by))
        status, date = None, None
        try:
            # Always POST: aiohttp repeats GET and the other idempotent methods by itself on a connection that closed.
            async with self._session.post(
                self._url(token, method), data=body, timeout=_timeout(seconds), allow_redirects=False
            ) as response:
                status, date = response.status, response.headers.get(hdrs.DATE)
                return status, await _read(response), date
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            note = _note(error, body)
        finally:
            body.held_back = True
        if status is not None:
            return status, b"", date
        raise _NoAnswer(Outcome(Kind.UNKNOWN if body.left else Kind.TRANSIENT, note=note))


def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    # aiohttp rounds time-outs above ceil_threshold up to whole seconds, and a lease would not stand that.
    return aiohttp.ClientTimeout(total=seconds, connect=min(seconds, CONNECT_SECONDS), ceil_threshold=seconds + 1)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, or nothing when it is longer than any answer of the Bot API."""
    if response.content_length is not None and response.content_length <= ANSWER_BYTES:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES:
            response.close()
            return b""
    return bytes(body)


def _note(error: Exception, body: _Body) -> str:
    """How the connection failed, in words of ours: aiohttp's own would hold the URL, and with it the token."""
    if body.held_back:
        return HELD_BACK
    if body.left:
        when = "after the request was written"
        return f"time-out {when}" if isinstance(error, TimeoutError) else f"cut {when}"
    match error:
        case TimeoutError():
            return "connect time-out"
        case aiohttp.ClientConnectorDNSError():
            return "name not found"
        case aiohttp.ClientConnectorCertificateError():
            return "certificate not accepted"
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return "TLS failed"
        case ConnectionRefusedError() | aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "connection refused"
        case aiohttp.ClientConnectorError():
            return "could not connect"
        case _:
            return "cut before the request was written"
