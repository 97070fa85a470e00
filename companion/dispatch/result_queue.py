"""The queue of results that wait for the ledger. The ledger writes all waiting results in one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec

from companion.delivery import results
from companion.delivery.results import Result
from companion.dispatch.ledger import Ledger


class QueuedResult(msgspec.Struct, frozen=True):
    """A result to be written down, and the function to call after the commit."""

    result: Result
    committed: Callable[[Result], None]


class ResultQueue:
    """The results that are to be written down."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[QueuedResult] = deque()
        self._scheduled = False
        """True if the ledger has an entry that will write the waiting results."""
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()

    async def raise_failure(self) -> None:
        """Wait until writing fails, and raise its error: the process then has to start anew. Normally never returns."""
        await self._failed.wait()
        if self._failure:
            raise self._failure

    def add(self, queued: QueuedResult) -> None:
        """Queue a result. It is committed before everything that is queued in the ledger later, or together with it."""
        self._waiting.append(queued)
        if self._scheduled:
            return
        self._scheduled = True
        group: list[QueuedResult] = []
        done = self._ledger.enqueue(partial(self._write_down, group), may_wait=True)
        done.add_done_callback(partial(self._tell, group))

    def _write_down(self, group: list[QueuedResult]) -> None:
        """Write all waiting results, in the ledger's thread. A second try gets the same `group` and adds to it."""
        # Reset the flag first: a result that is added after this line schedules a new entry, or is written below.
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
