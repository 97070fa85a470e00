"""The queue of results on their way into the ledger. The ledger writes all that wait at once."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec

from companion.delivery import results
from companion.delivery.results import Result
from companion.dispatch.ledger import Ledger


class QueuedResult(msgspec.Struct, frozen=True):
    """A result that is to be written down, and whom to tell once that is committed."""

    result: Result
    committed: Callable[[Result], None]


class ResultQueue:
    """Results that are to be written down."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[QueuedResult] = deque()
        self._scheduled = False
        """True if the ledger has an entry that will take what waits."""
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()

    async def raise_failure(self) -> None:
        """Waits until writing fails, if ever, and raises that error: the process must start anew."""
        await self._failed.wait()
        if self._failure:
            raise self._failure

    def add(self, queued: QueuedResult) -> None:
        """Queues a result. It is committed before, or together with, everything that the ledger is given later."""
        self._waiting.append(queued)
        if self._scheduled:
            return
        self._scheduled = True
        group: list[QueuedResult] = []
        done = self._ledger.enqueue(partial(self._write_down, group), may_wait=True)
        done.add_done_callback(partial(self._tell, group))

    def _write_down(self, group: list[QueuedResult]) -> None:
        """Writes all that waits, in the ledger's thread. A second try gets the same `group` and adds to it."""
        # The flag first: a result that is added after this line schedules a new entry, any other is taken below.
        self._scheduled = False
        while self._waiting:
            group.append(self._waiting.popleft())
        results.write_down([queued.result for queued in group])

    def _tell(self, group: list[QueuedResult], done: asyncio.Future[None]) -> None:
        if (error := done.exception()) is not None:
            self._failure = error
            self._failed.set()
            return
        for queued in group:
            queued.committed(queued.result)
