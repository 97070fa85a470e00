"""Signals that wake sleeping dispatchers at once when there is work. If a signal is lost, they wake a little later.

On PostgreSQL the signal is a NOTIFY. On SQLite it is a byte in a FIFO in the data folder; unlike a socket, a FIFO may
have a path of any length. Only one reader gets the byte, and on SQLite there is only one dispatcher.
"""

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg
import structlog
from django.conf import settings
from django.db import connection, transaction

from companion.service.outages import is_outage

log = structlog.stdlib.get_logger(__name__)
_CHANNEL: Final = "companion_wake"
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""The seconds before each further try to connect; the last value repeats."""
_KEEPALIVE: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""Settings to notice that a firewall has dropped the connection. Without them that would take hours."""


def ring() -> None:
    """Wake the dispatchers when the transaction commits, or now if there is none; not at all after a rollback."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [_CHANNEL])
    else:
        # Errors are ignored: the data is committed, even if the FIFO is broken.
        transaction.on_commit(_write_to_fifo, robust=True)


async def listen(on_ring: Callable[[], None]) -> None:
    """Call `on_ring` in this loop at each signal, and once if signals may have been missed. Runs until cancelled."""
    if connection.vendor == "postgresql":
        await _listen_to_notify(on_ring)
    else:
        await _listen_to_fifo(on_ring)


def _fifo() -> Path:
    return Path(settings.DATA_DIR) / "wake"


def _write_to_fifo() -> None:
    try:
        fifo = os.open(_fifo(), os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        # There is no FIFO, or nobody reads it (ENXIO): no dispatcher runs. At its start a dispatcher looks for work.
        if error.errno in (errno.ENOENT, errno.ENXIO):
            return
        raise
    try:
        # BlockingIOError: the FIFO is full of signals, so the dispatcher will wake anyway.
        with suppress(BlockingIOError):
            os.write(fifo, b"!")
    finally:
        os.close(fifo)


async def _listen_to_fifo(on_ring: Callable[[], None]) -> None:
    path = _fifo()
    with suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    if not stat.S_ISFIFO(path.stat().st_mode):
        raise FileExistsError(f"{path.name} in the data folder should be a FIFO")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    # This process also opens the FIFO for writing. Else the reader would get an end of file, and wake again and again.
    writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    loop = asyncio.get_running_loop()

    def read() -> None:
        with suppress(BlockingIOError):
            os.read(reader, 4096)
        on_ring()

    loop.add_reader(reader, read)
    on_ring()
    try:
        await asyncio.Event().wait()
    finally:
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)


async def _listen_to_notify(on_ring: Callable[[], None]) -> None:
    failures = 0
    while True:
        try:
            async with await _connect() as listening:
                await listening.execute(f"LISTEN {_CHANNEL}")
                failures = 0
                on_ring()
                async for _ in listening.notifies():
                    on_ring()
        except psycopg.Error as error:
            # For example, a standby refuses LISTEN. Messages are sent at their times even without signals.
            if not is_outage(error):
                raise
            if failures == 0:
                log.warning("wake signals can't be received, connecting again", error=type(error).__name__)
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
        failures += 1


async def _connect() -> psycopg.AsyncConnection[psycopg.rows.TupleRow]:
    parameters = connection.get_connection_params()
    # Django adds these for connections that aren't asynchronous.
    del parameters["cursor_factory"], parameters["context"]
    return await psycopg.AsyncConnection.connect(**{**_KEEPALIVE, **parameters}, autocommit=True)
