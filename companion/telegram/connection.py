"""An HTTP/1.1 connection (RFC 9112) to a Bot API server, for one request at a time.

This code is ours for one reason: only the code that writes to the connection knows whether a request left, and "never
twice" depends on this. httptools reads the answers. pool.py opens connections. Nothing here repeats a request.
"""

import asyncio
import time
from typing import Final, cast

import httptools

from companion.telegram.discreet import Discreet

ANSWER_BYTES: Final = 16 * 2**20
"""The longest answer that is read to its end, unless a file is fetched. The largest real answers, updates, are far
shorter."""


class HttpAnswer(Discreet, frozen=True, gc=False):
    """An answer whose status was received. The body is empty if it was cut off, too long, or encoded."""

    hidden = frozenset({"body"})

    status: int
    body: bytes
    date: str | None
    """The Date header."""
    length: int = 0
    """The number of bytes of the body that were received, even if the body was not kept."""
    whole: bool = True


class NoAnswer(Exception):
    """The end of a request without an HTTP status. `left` says whether any of it was given to the connection."""

    def __init__(self, note: str, *, left: bool) -> None:
        super().__init__(note)
        self.note: Final = note
        self.left: Final = left


class Connection(asyncio.Protocol):
    """An asyncio protocol for `loop.create_connection`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[HttpAnswer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._max_bytes = ANSWER_BYTES
        self._keep = False
        self.idle_since = 0.0
        """The end of the last answer, by `time.monotonic()`."""
        self._begin_answer()

    @property
    def free(self) -> bool:
        """Return whether the connection is open and can carry the next request."""
        return self._waiting is None and self._transport is not None and not self._transport.is_closing()

    def exchange(self, request: bytes, until: float, max_bytes: int = ANSWER_BYTES) -> asyncio.Future[HttpAnswer]:
        """Write a whole request. The future gets the answer, or NoAnswer if none came by `until` (`time.monotonic()`).

        A body of more than `max_bytes` isn't read to its end.

        Raises NoAnswer if nothing was written. A caller that stops waiting must close the connection.
        """
        if self._transport is None or not self.free:
            raise NoAnswer("cut before the request was written", left=False)
        loop = asyncio.get_running_loop()
        self._begin_answer()
        self._waiting, self._max_bytes = loop.create_future(), max_bytes
        self._timer = loop.call_later(until - time.monotonic(), self._too_late)
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _begin_answer(self) -> None:
        self._status, self._length = 0, 0
        self._date: str | None = None
        self._body: list[bytes] = []
        self._keep, self._whole, self._until_close, self._readable = False, False, True, True

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports don't inherit from asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            # No request is open, so these bytes would be taken for the answer to the next request.
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
            # After a second answer to one request, no later answer could be matched with its request.
            raise ValueError("a second answer to one request")

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
        if self._length > self._max_bytes:
            self._readable = False
            self._end("")
            return
        self._body.append(part)

    def on_message_complete(self) -> None:
        if self._status < 200:
            # An interim answer (RFC 9110, 15.2): the final answer follows.
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
