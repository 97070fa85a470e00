"""Limits on the whole time spent at a socket: a peer that answers too slowly, or never, is cut off."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import connection


@contextmanager
def cut_off_after(seconds: float, fileno: int) -> Iterator[None]:
    """Shut the socket down unless the block ends in time; a reader of it then gets an error or an end of file."""
    # The socket is duplicated, because its number may belong to another file by then.
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
    """Fail the block's queries with django.db.Error once the time is over.

    Without this limit, a frozen server or a silent network blocks until TCP gives up. SQLite needs no such limit.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with cut_off_after(seconds, _fileno()):
        yield


def _fileno() -> int:
    """Return the number of the connection's socket. A connection that was found to be lost is made anew."""
    if connection.connection is not None and connection.connection.closed:
        connection.close()
    connection.ensure_connection()
    # The server may have hung up since; then the number is gone, too.
    with connection.wrap_database_errors:
        return int(connection.connection.fileno())
