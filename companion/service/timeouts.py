"""Limits for the whole time that a socket is used: a peer that answers too slowly, or never, is cut off."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from django.db import connection

HEALTH_SECONDS: Final = 3.0
"""The limit for the queries of health and metrics, which must answer while the database hangs, too."""


@contextmanager
def cut_off_after(seconds: float, fileno: int) -> Iterator[None]:
    """Shut the socket down if the block doesn't end in time. A read then gets an error or an end of file."""
    # The socket is duplicated, because by then its number may belong to another file.
    duplicate = socket.socket(fileno=os.dup(fileno))

    def cut() -> None:
        with suppress(OSError):
            duplicate.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        duplicate.close()


@contextmanager
def database_within(seconds: float) -> Iterator[None]:
    """Let the block's queries fail with django.db.Error once the time is over.

    Without this limit, a frozen server or a silent network blocks until TCP gives up. SQLite needs no such limit.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with cut_off_after(seconds, _fileno()):
        yield


def _fileno() -> int:
    """Return the number of the connection's socket. A connection that is known to be lost is opened again."""
    if connection.connection is not None and connection.connection.closed:
        connection.close()
    connection.ensure_connection()
    # If the server has closed the connection since then, there is no number.
    with connection.wrap_database_errors:
        return int(connection.connection.fileno())
