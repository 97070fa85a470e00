"""A pool of kept-alive connections to one Bot API server, opened when needed and closed after idling.

The pool knows nothing of bots or methods; a request is bytes.
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
from companion.telegram.proxy import Proxy

CONNECT_SECONDS: Final = 10.0
"""The time limit for getting a connection (name, TCP and TLS), never above the request's time-out."""
KEEP_ALIVE_SECONDS: Final = 10.0
"""An idle connection is closed after this: long before a server closes it, so that no request is cut off by that."""
ANSWER_SECONDS: Final = 0.05
"""The least time for an answer. With less a request doesn't leave, since its outcome could only be unknown."""
HELD_BACK: Final = "held back: its time to leave was over"
"""The note of a request that was kept from leaving by `leave_by`."""


class Pool:
    """All connections to one server. Use a pool in one event loop, and close it at the end."""

    def __init__(self, url: SplitResult, max_connections: int, proxy: Proxy | None = None) -> None:
        self._proxy: Final = proxy
        self._host: Final = url.hostname or ""
        self._port: Final = url.port or (443 if url.scheme == "https" else 80)
        # Loading the system's certificates takes tens of milliseconds, so they are loaded once.
        self._tls: Final = ssl.create_default_context() if url.scheme == "https" else None
        self._max_connections: Final = max_connections
        # asyncio's Semaphore walks along all waiting requests at each release.
        self._under_way = 0
        self._queue: Final[deque[asyncio.Future[None]]] = deque()
        """Requests that wait. A request that ends lets the first of them start."""
        self._idle: Final[list[Connection]] = []
        self._sweeping: asyncio.TimerHandle | None = None

    async def exchange(
        self, request: bytes, *, until: float, leave_by: float, max_bytes: int = ANSWER_BYTES
    ) -> HttpAnswer:
        """Send one request and return its answer. At most `max_bytes` of the body are read.

        `until` and `leave_by` are instants of `time.monotonic()`: the exchange ends by `until`, and after `leave_by`
        the request doesn't leave any more. Raises NoAnswer.
        """
        connect_by = min(until, time.monotonic() + CONNECT_SECONDS)
        if self._under_way < self._max_connections:
            self._under_way += 1
        else:
            await self._wait_in_queue(connect_by)
        try:
            connection = self._take_idle() or await self._open(connect_by)
            try:
                if time.monotonic() > min(leave_by, until - ANSWER_SECONDS):
                    raise NoAnswer(HELD_BACK, left=False)
                return await connection.exchange(request, until, max_bytes)
            finally:
                self._give_back(connection)
        finally:
            self._let_next_start()

    def close(self) -> None:
        """Close the idle connections. The others are closed by the tasks that use them."""
        if self._sweeping:
            self._sweeping.cancel()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _wait_in_queue(self, until: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._let_next_start()
            if isinstance(error, TimeoutError):
                raise NoAnswer("connect time-out", left=False) from None
            raise

    def _let_next_start(self) -> None:
        while self._queue:
            if not (turn := self._queue.popleft()).done():
                turn.set_result(None)
                return
        self._under_way -= 1

    def _take_idle(self) -> Connection | None:
        """Take the connection that was used last and can still be used, if there is any."""
        stale = time.monotonic() - KEEP_ALIVE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.free and connection.idle_since > stale:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        if not connection.free:
            # A cancelled wait closes it, too: an answer that comes later would belong to no request.
            connection.close()
            return
        self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(KEEP_ALIVE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close connections that have been idle for too long."""
        self._sweeping = None
        fresh = time.monotonic() - KEEP_ALIVE_SECONDS
        kept = [connection for connection in self._idle if connection.free and connection.idle_since > fresh]
        for connection in self._idle:
            if connection not in kept:
                connection.close()
        self._idle[:] = kept
        if kept:
            self._sweeping = asyncio.get_running_loop().call_later(KEEP_ALIVE_SECONDS, self._sweep)

    async def _open(self, until: float) -> Connection:
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await self._connect()
        except (OSError, ssl.SSLError) as error:
            raise NoAnswer(_words(error), left=False) from None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        tcp = await (self._proxy.open(self._host, self._port) if self._proxy else self._connect_directly())
        try:
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            name = self._host if self._tls else None
            _, connection = await loop.create_connection(Connection, sock=tcp, ssl=self._tls, server_hostname=name)
        except BaseException:
            tcp.close()
            raise
        return connection

    async def _connect_directly(self) -> socket.socket:
        addresses = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        # If IPv6 is announced but doesn't work, IPv4 is tried a moment later (RFC 8305).
        return await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=0.25)


def _words(error: Exception) -> str:
    """Say in our words how connecting failed."""
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
