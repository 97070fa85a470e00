"""Call the Bot API over HTTP for any number of bots, and return an Outcome for every request.

The connection knows whether a failed request left, since it writes the request; the kind of exception would be a guess.
The client never retries, follows no redirect, knows no rate (dispatch does), and puts no token and no text into an
exception or a log.
"""

import re
import time
from collections.abc import Awaitable
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlsplit

import msgspec

from companion.telegram.connection import HttpAnswer, NoAnswer
from companion.telegram.outcomes import Answer, Kind, Outcome, answer_of, outcome_of_answer, outcome_of_edit
from companion.telegram.pool import HELD_BACK as HELD_BACK
from companion.telegram.pool import Pool
from companion.telegram.proxy import Proxy

_JSON: Final = msgspec.json.Encoder()
_TOKEN: Final = re.compile(r"([0-9]{1,20}):[A-Za-z0-9_-]+")


class BotToken:
    """A bot's token, printed as `123456:***`. Raises ValueError for a text that can't be a token."""

    __slots__ = ("_secret", "bot_id")

    def __init__(self, token: str) -> None:
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise ValueError("A bot token looks like 123456789:AAbb…: the bot's number, a colon, letters and digits.")
        self._secret: Final = token
        self.bot_id: Final = int(match[1])

    def reveal(self) -> str:
        """Return the secret itself: only for a request's URL and for the sealed field."""
        return self._secret

    def __repr__(self) -> str:
        return f"{self.bot_id}:***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BotToken) and other._secret == self._secret

    def __hash__(self) -> int:
        return hash(self._secret)


class CallFailed(Exception):
    """A call that Telegram refused, or that got no answer. `outcome` says which of the two."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome: Final = outcome


class Client:
    """A pool of connections to a Bot API server, for any number of bots: `async with Client(url) as client`.

    `api_url` is the part before `/bot<token>/<method>`. Raises ValueError if it isn't an http or https URL.
    With a `proxy`, all connections go through it. At most `concurrency` requests run at once. Further requests wait,
    and no part of them leaves meanwhile.
    """

    def __init__(self, api_url: str, concurrency: int = 100, *, proxy: Proxy | None = None) -> None:
        if not re.match(r"https?://[^/?#]+", api_url) or re.search(r"[?#@\s]", api_url):
            raise ValueError("The Bot API's address must be an http or https URL without a query.")
        self._url: Final = urlsplit(api_url.rstrip("/"))
        self._concurrency: Final = concurrency
        self._proxy: Final = proxy
        self._heads: Final[dict[tuple[BotToken, str], bytes]] = {}
        self._pool: Pool | None = None

    async def __aenter__(self) -> Self:
        self._pool = Pool(self._url, self._concurrency, self._proxy)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.close()

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
        """Send a plain text without link previews, within `timeout` seconds from the start of this call.

        After the time-out or after `leave_by` (an instant of `time.monotonic()`) the request doesn't leave any more:
        the Outcome is then TRANSIENT with the note HELD_BACK.
        """
        params: dict[str, object] = {"chat_id": chat_id, "text": text, "link_preview_options": {"is_disabled": True}}
        if reply_markup is not None:
            params["reply_markup"] = reply_markup
        if protect:
            params["protect_content"] = True
        try:
            answer = await self._post(token, "sendMessage", params, timeout, leave_by)
        except NoAnswer as failure:
            return _outcome(failure)
        return outcome_of_answer(answer.status, answer.body, answer.date)

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
        """Put other buttons, or none, under a message of the bot. SENT also if it has these buttons already."""
        markup: dict[str, object] = {"inline_keyboard": rows}
        params: dict[str, object] = {"chat_id": chat_id, "message_id": message_id, "reply_markup": markup}
        try:
            answer = await self._post(token, "editMessageReplyMarkup", params, timeout, leave_by)
        except NoAnswer as failure:
            return _outcome(failure)
        return outcome_of_edit(answer.status, answer.body, answer.date, message_id)

    async def call(
        self,
        token: BotToken,
        method: str,
        params: dict[str, object],
        *,
        timeout: float,  # noqa: ASYNC109 - a request cancelled from outside couldn't say whether it left
    ) -> Answer:
        """Call any other method and return its result. Raises CallFailed on a refusal, or without an answer."""
        try:
            response = await self._post(token, method, params, timeout, None)
        except NoAnswer as failure:
            raise CallFailed(_outcome(failure)) from None
        answer = answer_of(response.status, response.body, response.date)
        if isinstance(answer, Outcome):
            raise CallFailed(answer)
        return answer

    async def download(
        self,
        token: BotToken,
        path: str,
        *,
        max_bytes: int,
        timeout: float,  # noqa: ASYNC109 - as above
    ) -> HttpAnswer:
        """Fetch the file at a path that getFile gave, up to `max_bytes`. Raises CallFailed without an answer."""
        if self._pool is None:
            raise RuntimeError("The client is used outside its `async with`.")
        where = f"{self._url.path}/file/bot{token.reveal()}/{quote(path)}"
        lines = (f"GET {where} HTTP/1.1", f"Host: {self._url.netloc}", "User-Agent: companion", "", "")
        until = time.monotonic() + timeout
        try:
            request = "\r\n".join(lines).encode()
            return await self._pool.exchange(request, until=until, leave_by=until, max_bytes=max_bytes)
        except NoAnswer as failure:
            raise CallFailed(_outcome(failure)) from None

    def _post(
        self, token: BotToken, method: str, params: dict[str, object], seconds: float, leave_by: float | None
    ) -> Awaitable[HttpAnswer]:
        """Return the HTTP answer. Raises NoAnswer if no status came."""
        if self._pool is None:
            raise RuntimeError("The client is used outside its `async with`.")
        until = time.monotonic() + seconds
        body = _JSON.encode(params)
        request = b"%b%d\r\n\r\n%b" % (self._head(token, method), len(body), body)
        return self._pool.exchange(request, until=until, leave_by=until if leave_by is None else leave_by)

    def _head(self, token: BotToken, method: str) -> bytes:
        """Return a request's head up to its length, which comes last."""
        head = self._heads.get((token, method))
        if head is None:
            lines = (
                f"POST {self._url.path}/bot{token.reveal()}/{method} HTTP/1.1",
                f"Host: {self._url.netloc}",
                "Accept: application/json",
                "User-Agent: companion",
                "Content-Type: application/json",
                "Content-Length: ",
            )
            head = "\r\n".join(lines).encode()
            self._heads[token, method] = head
        return head


def _outcome(failure: NoAnswer) -> Outcome:
    return Outcome(Kind.UNKNOWN if failure.left else Kind.TRANSIENT, note=failure.note)
