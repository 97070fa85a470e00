"""A Bot API server that says yes at once and remembers each arrival. It does little work itself, so that a bench
measures the callers. Run as a module, it prints its port, and serves until its standard input ends.
"""

import asyncio
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs

from bench.grounds import ROOT, python

_REFUSALS = {
    "error": b'{"ok":false,"error_code":502,"description":"Bad Gateway"}',
    "unauthorized": b'{"ok":false,"error_code":401,"description":"Unauthorized"}',
}
_ME = {"id": 700000001, "is_bot": True, "first_name": "Bench", "username": "bench_bot"}


class Telegram:
    """The server, as a bench uses it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def count(self) -> int:
        """Return the number of sendMessage calls that have arrived since `take`."""
        return int(self._get("/count"))

    def take(self) -> list[tuple[float, int]]:
        """Return the arrivals in their order, each with its Unix time and its chat, and forget them."""
        return [(at, chat) for at, chat in json.loads(self._get("/take"))]

    def be_silent(self, how: str) -> None:
        """Change how calls of the Bot API are answered from now on.

        "hang" gives no answer, "close" closes the connection, "error" and "unauthorized" refuse all calls, and "no"
        answers as usual.
        """
        self._get(f"/silence/{how}")

    def wait_for(self, count: int, seconds: float) -> None:
        """Wait until this number of calls has arrived. Raises TimeoutError."""
        until = time.monotonic() + seconds
        while self.count() < count:
            if time.monotonic() > until:
                raise TimeoutError(f"only {self.count()} of {count} messages arrived in {seconds:.0f} s")
            time.sleep(0.1)

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path) as answer:
            return bytes(answer.read())


@contextmanager
def telegram() -> Iterator[Telegram]:
    """Run the server in a separate process."""
    process = python("bench.server", environment={"PYTHONPATH": str(ROOT)}, folder=Path("/"))
    if process.stdout is None:
        raise RuntimeError("the server has no output")
    try:
        yield Telegram(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.communicate()


class _Connection(asyncio.Protocol):
    """A kept-alive connection: request after request, each answered as soon as it is whole."""

    arrivals: list[tuple[float, int]] = []
    silence = "no"
    """The answers of all connections: given, refused, or held back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a stream")
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            _, _, rest = head.partition(b"content-length:")
            length = int(rest.partition(b"\r\n")[0] or 0)
            if len(self.buffer) < end + 4 + length:
                return
            path = self.buffer.split(b" ", 2)[1]
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            refusal = _REFUSALS.get(self.silence) if path.startswith(b"/bot") else None
            answer = _response(refusal or self._answer(path, body))
            if self.silence == "no" or refusal or not path.startswith(b"/bot"):
                self.transport.write(answer)
            elif self.silence == "close":
                self.transport.close()

    def _answer(self, path: bytes, body: bytes) -> bytes:
        if path == b"/count":
            return str(len(self.arrivals)).encode()
        if path == b"/take":
            taken = json.dumps(self.arrivals).encode()
            self.arrivals.clear()
            return taken
        if path.startswith(b"/silence/"):
            _Connection.silence = path.rpartition(b"/")[2].decode()
            return b"true"
        if not path.endswith(b"/sendMessage"):
            return json.dumps({"ok": True, "result": _ME}).encode()
        now = time.time()
        chat = int(json.loads(body)["chat_id"] if body[:1] == b"{" else parse_qs(body)[b"chat_id"][0])
        self.arrivals.append((now, chat))
        result = {"message_id": len(self.arrivals), "date": int(now), "chat": {"id": chat, "type": "private"}}
        return json.dumps({"ok": True, "result": result}).encode()


def _response(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Date: {formatdate(usegmt=True)}\r\n\r\n".encode() + body


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
