"""One HTTP/1.1 connection (RFC 9112) to a Bot API server: one request at a time, each with what came of it.

Ours and not a library's for one reason: only who writes to the connection can say whether a request left, and that is
what "never twice" rests on. Reading answers is httptools' work. It opens no connection (pool.py does), repeats nothing.
"""

import asyncio
import time
from typing import Final, cast

import httptools

from companion.telegram.discreet import Discreet

ANSWER_BYTES: Final = 16 * 2**20
"""A longer answer isn't read to its end, unless a file is asked for; the largest real ones are updates, far below."""


class HttpAnswer(Discreet, frozen=True, gc=False):
    """An answer whose status came: the body is empty where it was cut off, too long, or in an encoding of its own."""

    hidden = frozenset({"body"})

    status: int
    body: bytes
    date: str | None
    """The Date header."""
    length: int = 0
    """How many bytes of a body came, also where it was not kept."""
    whole: bool = True


class NoAnswer(Exception):
    """The request ended without an HTTP status. `left`: whether anything of it was handed to the connection."""

    def __init__(self, note: str, *, left: bool) -> None:
        super().__init__(note)
        self.note: Final = note
        self.left: Final = left


class Connection(asyncio.Protocol):
    """A protocol for `loop.create_connection`. `free` says whether it can carry the next request."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[HttpAnswer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._most = ANSWER_BYTES
        self._keep = False
        self.idle_since = 0.0
        """When its last answer was whole, by `time.monotonic()`."""
        self._begin_answer()

    @property
    def free(self) -> bool:
        """Open, and nothing under way."""
        return self._waiting is None and self._transport is not None and not self._transport.is_closing()

    def exchange(self, request: bytes, until: float, most: int = ANSWER_BYTES) -> asyncio.Future[HttpAnswer]:
        """Writes a whole request; its answer, which must be whole by `until` (`time.monotonic()`), or NoAnswer.

        A body of more than `most` bytes isn't read to its end.

        Raises NoAnswer where nothing was written. Whoever stops waiting for the answer closes the connection.
        """
        if self._transport is None or not self.free:
            raise NoAnswer("cut before the request was written", left=False)
        loop = asyncio.get_running_loop()
        self._begin_answer()
        self._waiting, self._most = loop.create_future(), most
        self._timer = loop.call_later(until - time.monotonic(), self._too_late)
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        """Gives the connection up at once."""
        if self._transport is not None:
            self._transport.abort()

    def _begin_answer(self) -> None:
        self._status, self._length = 0, 0
        self._date: str | None = None
        self._body: list[bytes] = []
        self._keep, self._whole, self._until_close, self._readable = False, False, True, True

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            # Nobody asked: whatever this is, the next answer wouldn't be its request's own.
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._keep = False
            self._end("cut after the request was written")
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._keep = False
        self._end("cut after the request was written")

    # httptools' callbacks

    def on_message_begin(self) -> None:
        if self._whole:
            # A second answer to one request: no later one could be told from it.
            raise ValueError("nobody asked for this")

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"date":
                self._date = value.decode("latin-1")
            case b"content-length" | b"transfer-encoding":
                self._until_close = False
            case b"content-encoding":
                self._readable = value.lower() == b"identity"

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > self._most:
            self._readable = False
            self._end("")
            return
        self._body.append(part)

    def on_message_complete(self) -> None:
        if self._status < 200:
            # An interim answer (RFC 9110, 15.2): the real one follows.
            self._begin_answer()
            return
        self._keep = self._parser.should_keep_alive()
        self._whole = True
        self._end("")

    def _too_late(self) -> None:
        self._keep = False
        self._end("time-out after the request was written")

    def _end(self, note: str) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        if self._timer:
            self._timer.cancel()
        self.idle_since = time.monotonic()
        if not self._keep:
            self.close()
        if waiting.done():
            return
        if not self._status:
            waiting.set_exception(NoAnswer(note, left=True))
            return
        complete = self._readable and (self._whole or (self._until_close and note.startswith("cut")))
        body = b"".join(self._body) if complete else b""
        waiting.set_result(HttpAnswer(self._status, body, self._date, self._length, whole=complete))
