"""Do the listener's database work in one thread with one connection, and retry while the database can't be reached."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Final, ParamSpec, TypeVar

import structlog
from django.db import close_old_connections, connections

from companion.service.outages import NO_ANSWER, STUCK_SECONDS, Hindrance

log = structlog.get_logger(__name__)
AGAIN_SECONDS: Final = 1.0
_CLOSE_SECONDS: Final = 5.0

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Database:
    """A thread that does one piece of work after another, so that a flood of updates can't overload the database."""

    def __init__(self) -> None:
        self._waiting: Final[queue.SimpleQueue[Callable[[], None] | None]] = queue.SimpleQueue()
        self._hindrances: Final[dict[object, Hindrance]] = {}
        """The reason why the last try failed, for each piece of work that is being retried."""
        self._busy_since: float | None = None
        # An executor would not do: Python waits for its threads before it ends, and the database may never answer.
        self._thread: Final = threading.Thread(target=self._run, name="listener-database", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[..., _T], *args: object, **named: object) -> _T:
        """Run `work` and return its result. Raises the exceptions of `work`."""
        future: Future[_T] = Future()
        self._waiting.put(partial(_fulfil, future, partial(work, *args, **named)))
        return await asyncio.wrap_future(future)

    async def patiently(self, work: Callable[..., _T], *args: object, **named: object) -> _T:
        """Run `work` and return its result. Retry while the database is away or the Journal can't be written."""
        piece = object()
        try:
            while True:
                try:
                    return await self.do(work, *args, **named)
                except Exception as error:
                    hindered = Hindrance.of(error)
                    if hindered is None:
                        raise
                    if not self._hindrances:
                        log.warning("the listener waits", why=hindered.clause, error=type(error).__name__)
                    self._hindrances[piece] = hindered
                    await asyncio.sleep(AGAIN_SECONDS)
        finally:
            if self._hindrances.pop(piece, None) and not self._hindrances:
                log.info("the listener works again")

    def hindered(self) -> Hindrance | None:
        """Return the reason why work waits at present; None if no work waits."""
        since = self._busy_since
        stuck = since is not None and time.monotonic() - since > STUCK_SECONDS
        return next(iter([*self._hindrances.values()]), NO_ANSWER if stuck else None)

    def close(self) -> None:
        """End the thread after its current work, and close its connection.

        After some seconds without an answer of the database, stop waiting: the next start does the work again.
        """
        self._waiting.put(None)
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while piece := self._waiting.get():
            self._busy_since = time.monotonic()
            # Close a connection that an earlier error has shown to be dead.
            close_old_connections()
            piece()
            self._busy_since = None
        connections.close_all()


def _fulfil(future: Future[_T], work: Callable[[], _T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 (the error belongs to the waiting task and must not end the thread)
        future.set_exception(error)
    else:
        future.set_result(result)
