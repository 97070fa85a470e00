"""What each service's process does: stop when it is told to, and be the only one where there must be only one."""

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class AlreadyRunning(Exception):
    """Another process holds the lock."""


def stop_signal() -> threading.Event:
    """An event that the first SIGTERM or SIGINT sets; the second one ends the process at once.

    To be called once, by the main thread. Raises ValueError elsewhere.
    """
    stop = threading.Event()
    told, tell = os.pipe()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        # Not stop.set(): the main thread may be inside stop.wait(), where it holds the event's own lock.
        os.write(tell, b"!")

    def set_when_told() -> None:
        os.read(told, 1)
        stop.set()

    threading.Thread(target=set_when_told, name="stop-signal", daemon=True).start()
    for each in _SIGNALS:
        signal.signal(each, on_signal)
    return stop


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Holds the operating system's lock on this file, made if missing. It goes with the process, even by kill -9.

    Raises AlreadyRunning where another holds it.
    """
    # Never removed: who opened it before and who makes it anew would then hold locks on two different files.
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"another process holds {path.name} in the data folder") from error
        yield
    finally:
        os.close(file)
