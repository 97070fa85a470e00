"""Functions for each service's process: stop at a signal, and hold a lock if only one process may run."""

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class AlreadyRunning(Exception):
    """Another process holds the lock."""


def stop_signal() -> threading.Event:
    """Return an event that the first SIGTERM or SIGINT sets. The second signal ends the process at once.

    Call it once, in the main thread. Raises ValueError elsewhere.
    """
    stop = threading.Event()
    reading, writing = os.pipe()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        # stop.set() could block here: the main thread may be inside stop.wait(), where it holds the event's lock.
        os.write(writing, b"!")

    def set_when_written() -> None:
        os.read(reading, 1)
        stop.set()

    threading.Thread(target=set_when_written, name="stop-signal", daemon=True).start()
    for each in _SIGNALS:
        signal.signal(each, on_signal)
    return stop


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the operating system's lock on this file, which is created if it is missing.

    The lock ends with the process, even after kill -9. Raises AlreadyRunning if another process holds it.
    """
    # The file is never removed: otherwise two processes could lock an old and a new file of the same name.
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"another process holds {path.name} in the data folder") from error
        yield
    finally:
        os.close(file)
