"""Kept-alive connections to one Bot API server: at most so many, opened when needed, given up when they have idled.

It knows nothing of bots or methods; a request comes in as bytes.
"""

import asyncio
import socket
import ssl
import time
from collections import deque
from typing import Final
from urllib.parse import SplitResult

import aiohappyeyeballs

from companion.telegram.connection import ANSWER_BYTES, Connection, HttpAnswer, NoAnswer

CONNECT_SECONDS: Final = 10.0
"""The most that getting a connection may take: name, TCP and TLS; never more than the request's own time-out."""
KEEP_ALIVE_SECONDS: Final = 10.0
"""An idle connection is given up after this: long before a server would, so that a request never meets its closing."""
ANSWER_SECONDS: Final = 0.05
"""A request that would leave less than this for its answer doesn't leave: it could only become unknown."""
HELD_BACK: Final = "held back: its time to leave was over"
"""The note of a request that was kept from leaving, see `leave_by`."""


class Pool:
    """All connections to one server. To be used from one event loop, closed in the end."""

    def __init__(self, url: SplitResult, most: int) -> None:
        self._host: Final = url.hostname or ""
        self._port: Final = url.port or (443 if url.scheme == "https" else 80)
        # Loading the system's certificates takes tens of milliseconds, so it is done once.
        self._tls: Final = ssl.create_default_context() if url.scheme == "https" else None
        self._most: Final = most
        # asyncio's Semaphore goes along all who wait at each turn.
        self._under_way = 0
        self._queue: Final[deque[asyncio.Future[None]]] = deque()
        """Who waits for a place; each is handed that of one who leaves."""
        self._idle: Final[list[Connection]] = []
        self._sweeping: asyncio.TimerHandle | None = None

    async def exchange(self, request: bytes, *, until: float, leave_by: float, most: int = ANSWER_BYTES) -> HttpAnswer:
        """Sends one request and returns its answer. `until` and `leave_by` are instants of `time.monotonic()`: when
        all must be over, and after which the request doesn't leave any more (NoAnswer with HELD_BACK). `most`: how
        many bytes of a body are read.

        Raises NoAnswer.
        """
        connect_by = min(until, time.monotonic() + CONNECT_SECONDS)
        if self._under_way < self._most:
            self._under_way += 1
        else:
            await self._a_place(connect_by)
        try:
            connection = self._kept() or await self._opened(connect_by)
            try:
                if time.monotonic() > min(leave_by, until - ANSWER_SECONDS):
                    raise NoAnswer(HELD_BACK, left=False)
                return await connection.exchange(request, until, most)
            finally:
                self._keep(connection)
        finally:
            self._leave()

    def close(self) -> None:
        """Closes what is idle; what is under way closes with its task."""
        if self._sweeping:
            self._sweeping.cancel()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _a_place(self, until: float) -> None:
        place = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                self._leave()
            if isinstance(error, TimeoutError):
                raise NoAnswer("connect time-out", left=False) from None
            raise

    def _leave(self) -> None:
        while self._queue:
            if not (place := self._queue.popleft()).done():
                place.set_result(None)
                return
        self._under_way -= 1

    def _kept(self) -> Connection | None:
        """The connection that was used last, if any is fit."""
        stale = time.monotonic() - KEEP_ALIVE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.free and connection.idle_since > stale:
                return connection
            connection.close()
        return None

    def _keep(self, connection: Connection) -> None:
        if not connection.free:
            # Also where whoever waited was cancelled: the answer that may still come is nobody's.
            connection.close()
            return
        self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(KEEP_ALIVE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Closes what nobody has needed for a while."""
        self._sweeping = None
        fresh = time.monotonic() - KEEP_ALIVE_SECONDS
        kept = [one for one in self._idle if one.free and one.idle_since > fresh]
        for connection in self._idle:
            if connection not in kept:
                connection.close()
        self._idle[:] = kept
        if kept:
            self._sweeping = asyncio.get_running_loop().call_later(KEEP_ALIVE_SECONDS, self._sweep)

    async def _opened(self, until: float) -> Connection:
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await self._connect()
        except (OSError, ssl.SSLError) as error:
            raise NoAnswer(_why(error), left=False) from None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        # Where IPv6 is announced but leads nowhere, IPv4 is tried a moment later (RFC 8305).
        plain = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=0.25)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            name = self._host if self._tls else None
            _, connection = await loop.create_connection(Connection, sock=plain, ssl=self._tls, server_hostname=name)
        except BaseException:
            plain.close()
            raise
        return connection


def _why(error: Exception) -> str:
    """How connecting failed, in words of ours."""
    match error:
        case TimeoutError():
            return "connect time-out"
        case socket.gaierror():
            return "name not found"
        case ssl.SSLCertVerificationError():
            return "certificate not accepted"
        case ssl.SSLError():
            return "TLS failed"
        case ConnectionRefusedError():
            return "connection refused"
        case _:
            return "could not connect"
