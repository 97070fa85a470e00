"""A proxy in front of PostgreSQL's socket. A test can shut it (no server) or freeze it (no data passes)."""

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


@dataclass(slots=True)
class Door:
    """The proxy. `url` is the database's address through it."""

    url: str
    _target: str
    _passing: threading.Event = field(default_factory=threading.Event)
    _gone: bool = False
    _open: list[socket.socket] = field(default_factory=list)

    def freeze(self) -> None:
        """Stop passing data, without closing any connection."""
        self._passing.clear()

    def shut(self) -> None:
        """End all connections, and each new connection at once."""
        self._gone = True
        self._passing.set()
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def reopen(self) -> None:
        """Pass data again."""
        self._gone = False
        self._passing.set()

    def serve(self, listening: socket.socket) -> None:
        """Accept connections until the listening socket is closed."""
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                if self._gone:
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._open += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._passing.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def a_door_before(database_url: str) -> Iterator[Door]:
    """A proxy for a URL that names its socket's folder by ?host=."""
    parts = urlsplit(database_url)
    # Pytest's folders have long paths; a socket's path may have only 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="door-"))
    name = ".s.PGSQL.5432"
    door = Door(parts._replace(query=f"host={folder}").geturl(), f"{parse_qs(parts.query)['host'][0]}/{name}")
    door.reopen()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / name))
        listening.listen()
        threading.Thread(target=door.serve, args=(listening,), daemon=True).start()
        try:
            yield door
        finally:
            door.shut()
            shutil.rmtree(folder)
