"""The ledger: one thread with one database connection, which does all that is queued in one transaction.

Many entries thus share one fsync. The ledger decides nothing about rates, retries or the wire. An entry may run twice,
because a transaction whose commit was cut off is simply repeated; the ids of Attempts guard each entry against that.
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
from companion.service.outages import NO_ANSWER, Hindrance

T = TypeVar("T")
log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 500
_UNDER_LOAD, _GATHER = 0.005, 0.001
"""Seconds: an entry that comes this soon after a transaction means load; then an entry that may wait does so this long,
for others to join it."""
_PLANS_LAST = 1024
"""Transactions after which plans are made anew: a plan for a table that was empty would read a full table whole."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_STUCK = 10.0
"""Seconds after which a try without an answer shows that the database hangs: longer than any wait for a lock."""


class Entry(Generic[T]):
    """Work for the next transaction, and the future that gets its result after the commit."""

    __slots__ = ("future", "loop", "may_wait", "work")

    def __init__(self, work: Callable[[], T], loop: asyncio.AbstractEventLoop, *, may_wait: bool) -> None:
        self.work = work
        self.loop = loop
        self.may_wait = may_wait
        self.future: asyncio.Future[T] = loop.create_future()


class Ledger:
    """Takes entries from the event loop's tasks, runs them in groups, and answers after each commit.

    `turn` lets the writers of this process take turns, where the database has room for one writer only.
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
        """The instant at which the present try began, on the monotonic clock; None: the ledger has nothing to do."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def hindered(self) -> Hindrance | None:
        """The reason why nothing can be written down at present; None: there is none."""
        since = self._busy_since
        stuck = since is not None and time.monotonic() - since > _STUCK
        return self._hindered or (NO_ANSWER if stuck else None)

    def stop(self, seconds: float | None = None) -> None:
        """Runs what is queued, then ends the thread. Gives up after so many seconds: the database may be away."""
        self._entries.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            hindered = self.hindered()
            log.error("the ledger stops before all is written down", why=hindered.clause if hindered else "much to do")

    async def do(self, work: Callable[[], T]) -> T:
        """Runs `work` in the next transaction and returns its result once that is committed.

        Raises the error that `work` raised. Where the database is away, `work` is repeated until it succeeds.
        """
        # Shielded, because a cancelled task can't take back what may be committed already.
        return await asyncio.shield(self.enqueue(work))

    def enqueue(self, work: Callable[[], T], *, may_wait: bool = False) -> asyncio.Future[T]:
        """Queues `work` as `do` does, without waiting. Entries run in the order in which they came.

        `may_wait`: under load the entry may wait a moment, so that others share its transaction.
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
        """Waits for entries and returns all that are queued, with whether the ledger is to stop after them."""
        group: list[Entry[object]] = []
        entry = self._entries.get()
        while entry is not None:
            group.append(entry)
            if len(group) == _MOST_AT_ONCE:
                return group, False
            wait = all(one.may_wait for one in group) and time.monotonic() - self._last_ended < _UNDER_LOAD
            try:
                entry = self._entries.get(timeout=_GATHER) if wait else self._entries.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _run_until_done(self, group: list[Entry[object]]) -> None:
        """Runs a group, again and again while the database is away."""
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
            # A transaction that is repeated notes everything again.
            writing.forget()
            done = [entry.work() for entry in group]
            # Before the commit, so that nothing leaves that the Journal doesn't know.
            writing.sync()
            return done

    def _one_by_one(self, group: list[Entry[object]], error: Exception) -> None:
        """Runs the entries of a group that failed each by itself, so that only the faulty entry fails."""
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
    """Gives all futures their results in one call to the loop, since waking the loop costs the most."""

    def resolve() -> None:
        for entry, result, error in answers:
            if entry.future.cancelled():
                continue
            if error is not None:
                entry.future.set_exception(error)
            else:
                entry.future.set_result(result)

    # The loop is closed where the process stops; then nobody waits, and what was committed stays committed.
    loop = answers[0][0].loop
    if not loop.is_closed():
        loop.call_soon_threadsafe(resolve)
