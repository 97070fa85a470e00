"""How long one waits at a socket, all in all: whoever drips an answer, or never gives one, is cut off."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import connection


@contextmanager
def cut_off_after(seconds: float, fileno: int) -> Iterator[None]:
    """Shuts the socket down unless the block ends in time; who waits at it then gets an error or an end of file."""
    # A descriptor of its own: the number may belong to something else by then.
    own = socket.socket(fileno=os.dup(fileno))

    def cut() -> None:
        with suppress(OSError):
            own.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        own.close()


@contextmanager
def database_within(seconds: float) -> Iterator[None]:
    """What the database doesn't answer in time fails in the block, with django.db.Error, and so does what comes after.

    A frozen server, or a network that swallows everything, would else be waited for until TCP gives up. For SQLite
    nothing is waited for in this way.
    """
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    with cut_off_after(seconds, connection.connection.fileno()):
        yield
