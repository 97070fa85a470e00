"""A Bot API server for tests: it answers at once, behaves as the test wants, and records what arrived.

The Sandbox plays Telegram for people. This server tests the dispatcher's promises: hangs, cut lines, 429, 5xx.
"""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any, Literal

from aiohttp import web

Handler = Callable[["Arrival"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A complete sendMessage: its time (time.time()), chat and text, and its number among those of the chat."""

    at: float
    chat: int
    text: str
    number: int
    request: web.Request = field(repr=False)
    markup: object = field(default=None, repr=False)
    """The buttons."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A complete editMessageReplyMarkup: its time (time.time()), and the chat and number that it names."""

    at: float
    chat: int
    number: int


@dataclass(frozen=True, slots=True)
class Held:
    """A message that a chat holds, with its buttons if it is the bot's."""

    chat: int
    from_bot: bool
    text: str
    markup: Any = None


@dataclass(slots=True)
class StandIn:
    """The server as a test sees it. `answer` decides the answer to each sendMessage; the default is yes."""

    url: str = ""
    arrivals: list[Arrival] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """The names of the other methods that were called."""
    deleted: list[tuple[int, int]] = field(default_factory=list)
    """The messages that were deleted, by chat and number."""
    refuse_delete: list[web.Response] = field(default_factory=list)
    """The answers to the next calls of deleteMessage; after them, yes."""
    answer: Handler | None = None
    silent: Literal["", "hangs", "closes", "gateway"] = ""
    """The way in which calls get no answer: the connection is held, closed after reading, or a proxy answers 504."""
    authorized: bool = True
    webhook: bool = False
    """True if the bot's updates go to a webhook, so that nobody may poll."""
    ahead: float = 0.0
    """The seconds by which its Date is ahead of this machine's clock."""
    incoming: list[dict[str, object]] = field(default_factory=list)
    """The updates that it still keeps."""
    forgets: bool = True
    """True if it drops updates that were confirmed, as Telegram may do at once."""
    confirmed: int = 0
    """The offset of the last poll: all earlier updates are confirmed."""
    edits: list[Edit] = field(default_factory=list)
    """Each call of editMessageReplyMarkup."""
    _counts: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _held: dict[int, Held] = field(default_factory=dict)
    """All messages by their numbers: sent and received messages share one counter."""
    _update_id: int = 1000

    def chats(self) -> list[int]:
        """The chats to which something arrived, in the order of arrival."""
        return [arrival.chat for arrival in self.arrivals]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call of the Bot API."""
        response = await self._answer(request)
        if self.silent == "closes" and request.transport:
            request.transport.close()
        elif self.silent == "gateway":
            response = web.Response(status=504, text="<html>504 Gateway Timeout</html>", content_type="text/html")
        elif self.silent:
            await asyncio.Event().wait()
        if self.ahead:
            response.headers["Date"] = formatdate(time.time() + self.ahead, usegmt=True)
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if method != "sendMessage":
            self.asked.append(method)
        if not self.authorized:
            return refusal(401, "Unauthorized")
        if method == "getWebhookInfo":
            url = "https://elsewhere.example/hook" if self.webhook else ""
            return web.json_response({"ok": True, "result": {"url": url, "pending_update_count": 0}})
        if method == "getUpdates":
            return await self._updates((await request.json()).get("offset", 0))
        if method == "deleteMessage":
            return self._deleted(await request.json())
        if method == "editMessageReplyMarkup":
            return self._edit(await request.json())
        if method != "sendMessage":
            return web.json_response({"ok": True, "result": {"id": 1, "is_bot": True, "first_name": "Stand-in"}})
        body = await request.json()
        self._counts[body["chat_id"]] += 1
        arrival = Arrival(
            time.time(), body["chat_id"], body["text"], self._counts[body["chat_id"]], request, body.get("reply_markup")
        )
        self.arrivals.append(arrival)
        return await self.answer(arrival) if self.answer else self.yes(arrival)

    def _deleted(self, body: dict[str, int]) -> web.Response:
        if self.refuse_delete:
            return self.refuse_delete.pop(0)
        self.deleted.append((body["chat_id"], body["message_id"]))
        return web.json_response({"ok": True, "result": True})

    def hear(self, chat: int, text: str) -> int:
        """Let somebody write to the bot, and return the update's id."""
        self._update_id += 1
        number = self._hold(Held(chat, from_bot=False, text=text))
        sender = {"id": chat, "is_bot": False, "first_name": "Someone", "language_code": "en"}
        message = {
            "message_id": number,
            "date": int(time.time()),
            "chat": {"id": chat, "type": "private", "first_name": "Someone"},
            "from": sender,
            "text": text,
        }
        self.incoming.append({"update_id": self._update_id, "message": message})
        return self._update_id

    def tap(self, chat: int, words: str) -> int:
        """Let somebody tap the button with these words under the newest message that has it; return the update's id."""
        self._update_id += 1
        number, data = next(
            (number, cell["callback_data"])
            for number, held in reversed(self._held.items())
            for row in (held.markup or {"inline_keyboard": []})["inline_keyboard"]
            for cell in row
            if held.chat == chat and cell["text"] == words
        )
        message = {
            "message_id": number,
            "date": int(time.time()),
            "chat": {"id": chat, "type": "private", "first_name": "Someone"},
            "from": {"id": 1, "is_bot": True, "first_name": "Stand-in"},
            "reply_markup": {"inline_keyboard": [[{"text": words, "callback_data": data}]]},
        }
        sender = {"id": chat, "is_bot": False, "first_name": "Someone", "language_code": "en"}
        tap = {"id": str(self._update_id), "from": sender, "chat_instance": "1", "data": data, "message": message}
        self.incoming.append({"update_id": self._update_id, "callback_query": tap})
        return self._update_id

    def is_confirmed(self, update_id: int) -> bool:
        """Return whether the last poll has confirmed this update."""
        return update_id < self.confirmed

    async def _updates(self, offset: int) -> web.Response:
        if self.webhook:
            words = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            return refusal(409, f"Conflict: {words}")
        self.confirmed = offset
        asked = [update for update in self.incoming if int(str(update["update_id"])) >= offset]
        if self.forgets:
            self.incoming = asked
        if not asked:
            # A long poll without an update.
            await asyncio.sleep(0.2)
        return web.json_response({"ok": True, "result": asked[:100]})

    def deliver(self, arrival: Arrival) -> int:
        """Put a message into its chat, and return its number."""
        return self._hold(Held(arrival.chat, True, arrival.text, arrival.markup))

    def pass_by(self, count: int) -> None:
        """Let the counter grow by this number of messages that no test looks at."""
        for _ in range(count):
            self._hold(Held(0, from_bot=False, text=""))

    def yes(self, arrival: Arrival) -> web.Response:
        """Telegram's answer to a call that succeeds."""
        number = self.deliver(arrival)
        chat = {"id": arrival.chat, "type": "private", "first_name": "Someone"}
        result = {"message_id": number, "date": int(arrival.at), "chat": chat, "text": arrival.text}
        return web.json_response({"ok": True, "result": result})

    def _hold(self, held: Held) -> int:
        number = len(self._held) + 1
        self._held[number] = held
        return number

    def _edit(self, body: dict[str, Any]) -> web.Response:
        chat, number, markup = body["chat_id"], body["message_id"], body.get("reply_markup")
        self.edits.append(Edit(time.time(), chat, number))
        held = self._held.get(number)
        if held is None or held.chat != chat:
            return refusal(400, "Bad Request: message to edit not found")
        if not held.from_bot:
            return refusal(400, "Bad Request: message can't be edited")
        if held.markup == markup:
            return refusal(400, "Bad Request: message is not modified: specified new message content is the same")
        self._held[number] = replace(held, markup=markup)
        edited = {"message_id": number, "chat": {"id": chat, "type": "private"}, "text": held.text}
        return web.json_response({"ok": True, "result": edited})


def refusal(code: int, description: str, **parameters: object) -> web.Response:
    """Telegram's answer to a call that fails."""
    body: dict[str, object] = {"ok": False, "error_code": code, "description": description}
    if parameters:
        body["parameters"] = parameters
    return web.json_response(body, status=code)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Serve on a free port in a separate thread."""
    server = StandIn()
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/bot{token}/{method}", server.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stopping.wait()
        # Answers that hang on purpose end now.
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()
