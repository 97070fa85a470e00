"""A server of raw bytes, for what other servers may answer."""

import contextlib
import socket
import threading
from typing import Final


class Answering:
    """A server that sends `answer` to every client, and ends the connection."""

    def __init__(self) -> None:
        self.answer = b""
        self._listening: Final = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: Final[int] = self._listening.getsockname()[1]
        self.url: Final = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def bodies(self, kind: bytes, body: bytes) -> None:
        """Answer 200 with this body."""
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (kind, len(body), body)

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                with line, contextlib.suppress(OSError):
                    line.settimeout(5)
                    line.recv(65_536)
                    line.sendall(self.answer)
