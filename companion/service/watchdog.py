"""The reports of a service to its supervisor, in systemd's protocol (sd_notify): it is ready, it is alive.

systemd and `companion up` receive them, and restart a service that no longer reports.
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
    """Send a report. Does nothing without a supervisor."""
    address = os.environ.get(SOCKET, "")
    if not address:
        return
    if address.startswith("@"):
        # "@" stands for Linux's abstract namespace, whose names begin with a zero byte.
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        # A supervisor that doesn't read must not block the service.
        sender.setblocking(False)
        sender.sendto("\n".join(words).encode(), address)


class Ear:
    """The socket at this path that receives the reports of one service."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))

    def heard(self) -> bool:
        """Return whether a report came since the last call."""
        heard = False
        with suppress(BlockingIOError):
            while self._socket.recv(_LONGEST):
                heard = True
        return heard

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
