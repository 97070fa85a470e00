"""The ledger: a thread with one database connection that does all queued work together in one transaction.

So many entries share one fsync. The ledger decides nothing about rates, retries or the wire. An entry may run twice: if
the connection breaks during a commit, the transaction is repeated. The ids of Attempts make a second run harmless.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

import structlog
from django.db import connection, transaction

from companion.journal import writing
from companion.schedules import sql
from companion.service.outages import NO_ANSWER, STUCK_SECONDS, Hindrance

T = TypeVar("T")
log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 500
_UNDER_LOAD, _GATHER = 0.005, 0.001
"""Seconds. An entry that comes within the first time after a transaction shows load. Under load, entries that may wait
are held for the second time, so that others can join their transaction."""
_PLANS_LAST = 1024
"""The number of transactions after which query plans are made anew: a plan made for an empty table reads a table whole.
"""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


class Entry(Generic[T]):
    """Work for the next transaction, and the future that gets the result of the work after the commit."""

    __slots__ = ("future", "loop", "may_wait", "work")

    def __init__(self, work: Callable[[], T], loop: asyncio.AbstractEventLoop, *, may_wait: bool) -> None:
        self.work = work
        self.loop = loop
        self.may_wait = may_wait
        self.future: asyncio.Future[T] = loop.create_future()


class Ledger:
    """A queue of entries from the tasks of the event loop, and the thread that runs them in groups.

    `turn` makes the writers of this process take turns, for a database that has room for one writer only.
    """

    def __init__(self, turn: Callable[[], AbstractContextManager[object]]) -> None:
        self._turn = turn
        self._entries: queue.SimpleQueue[Entry[object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._transactions = 0
        self._last_ended = 0.0
        """The instant at which the last transaction ended, on the monotonic clock."""
        self._hindered: Hindrance | None = None
        self._busy_since: float | None = None
        """The instant at which the present try began, on the monotonic clock; None if the ledger has nothing to do."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hindered(self) -> Hindrance | None:
        """Return the reason why nothing can be written down at present; None if there is none."""
        since = self._busy_since
        stuck = since is not None and time.monotonic() - since > STUCK_SECONDS
        return self._hindered or (NO_ANSWER if stuck else None)

    def stop(self, seconds: float | None = None) -> None:
        """Run what is queued, then end the thread. Stop waiting after `seconds`, since the database may be away."""
        self._entries.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            hindered = self.hindered()
            log.error("the ledger stops before all is written down", why=hindered.clause if hindered else "much to do")

    async def do(self, work: Callable[[], T]) -> T:
        """Run `work` in the next transaction, and return its result after the commit.

        Raises the error that `work` raised. While the database is away, `work` is repeated until it succeeds.
        """
        # Shield the entry: a task that is cancelled can't undo what may be committed already.
        return await asyncio.shield(self.enqueue(work))

    def enqueue(self, work: Callable[[], T], *, may_wait: bool = False) -> asyncio.Future[T]:
        """Queue `work` as `do` does, but return at once. Entries run in the order in which they were queued.

        `may_wait`: under load, the entry may wait a moment, so that other entries share its transaction.
        """
        entry = Entry(work, asyncio.get_running_loop(), may_wait=may_wait)
        self._entries.put(entry)  # type: ignore[arg-type]  # the queue holds entries of every kind
        return entry.future

    def _run(self) -> None:
        sql.go_by_indexes()
        stopping = False
        while not stopping:
            group, stopping = self._next_group()
            if group:
                self._run_until_done(group)
                self._last_ended = time.monotonic()
        connection.close()

    def _next_group(self) -> tuple[list[Entry[object]], bool]:
        """Wait for entries. Return all queued entries, and whether the ledger has to stop after them."""
        group: list[Entry[object]] = []
        entry = self._entries.get()
        while entry is not None:
            group.append(entry)
            if len(group) == _MOST_AT_ONCE:
                return group, False
            wait = all(queued.may_wait for queued in group) and time.monotonic() - self._last_ended < _UNDER_LOAD
            try:
                entry = self._entries.get(timeout=_GATHER) if wait else self._entries.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _run_until_done(self, group: list[Entry[object]]) -> None:
        """Run a group. Retry while the database is away."""
        pause = _FIRST_PAUSE
        while True:
            self._busy_since = time.monotonic()
            try:
                results = self._in_one_transaction(group)
            except Exception as error:  # noqa: BLE001  (an entry's error belongs to its future and must not end the thread)
                hindered = Hindrance.of(error)
                if hindered is None:
                    self._one_by_one(group, error)
                    return
                self._wait_because(hindered, error)
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                self._works()
                _answer([(entry, result, None) for entry, result in zip(group, results, strict=True)])
                return

    def _in_one_transaction(self, group: list[Entry[object]]) -> list[object]:
        self._transactions += 1
        with self._turn(), transaction.atomic():
            if self._transactions.bit_count() == 1 or self._transactions % _PLANS_LAST == 0:
                sql.plan_anew()
            # Forget what a failed try has noted for the Journal: this try notes it again.
            writing.forget()
            done = [entry.work() for entry in group]
            # Write the Journal before the commit, so that it knows everything that leaves.
            writing.sync()
            return done

    def _one_by_one(self, group: list[Entry[object]], error: Exception) -> None:
        """Run each entry of a failed group in a transaction of its own, so that only the faulty entry fails."""
        if len(group) == 1:
            log.error("an entry of the ledger failed", error=type(error).__name__)
            _answer([(group[0], None, error)])
            return
        for entry in group:
            self._run_until_done([entry])

    def _wait_because(self, hindered: Hindrance, error: Exception) -> None:
        connection.close()
        if hindered != self._hindered:
            log.error("the ledger waits", why=hindered.clause, error=type(error).__name__)
        self._hindered = hindered

    def _works(self) -> None:
        if self._hindered:
            log.info("the ledger works again")
        self._hindered = self._busy_since = None


def _answer(answers: list[tuple[Entry[object], object, Exception | None]]) -> None:
    """Give all futures their results in one call to the loop, because waking the loop is the expensive part."""

    def resolve() -> None:
        for entry, result, error in answers:
            if entry.future.cancelled():
                continue
            if error is not None:
                entry.future.set_exception(error)
            else:
                entry.future.set_result(result)

    # A closed loop means that the process stops: nobody waits any more. What was committed stays committed.
    loop = answers[0][0].loop
    if not loop.is_closed():
        loop.call_soon_threadsafe(resolve)
