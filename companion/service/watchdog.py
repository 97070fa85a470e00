"""The notes of a service to its supervisor, in systemd's protocol (sd_notify): that it is ready, and that it lives.

systemd and `companion up` both listen, and start a service again that has fallen silent.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

SOCKET: Final = "NOTIFY_SOCKET"
READY: Final = "READY=1"
ALIVE: Final = "WATCHDOG=1"
_LONGEST: Final = 4096


def tell(*words: str) -> None:
    """Send the words. Does nothing where nobody listens."""
    address = os.environ.get(SOCKET, "")
    if not address:
        return
    if address.startswith("@"):
        # Linux's abstract namespace, whose names begin with a zero byte.
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        # A listener that doesn't read must not stop the service.
        own.setblocking(False)
        own.sendto("\n".join(words).encode(), address)


class Ear:
    """The listening end for one service's words, at this path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))

    def heard(self) -> bool:
        """Return whether any words came since the last call."""
        heard = False
        with suppress(BlockingIOError):
            while self._socket.recv(_LONGEST):
                heard = True
        return heard

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
