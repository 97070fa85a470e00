"""The ledger: one thread, one database connection, one transaction for all that is queued, hence one fsync for many.

It writes down and reads; it decides nothing about rates, retries or the wire. Every entry may be carried out twice
(the Attempt's id guards it), so that a transaction whose commit was cut off is simply repeated.
"""

import asyncio
import queue as queues
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction

from companion.schedules import sql
from companion.service.away import AWAY

T = TypeVar("T")
log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 500
_BUSY, _GATHER = 0.005, 0.001
"""Seconds: a patient entry that comes so soon after a transaction means load, and others may join it so long."""
_PLANS_LAST = 1024
"""Transactions: what was planned for an empty table would read it whole when it is none any more."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


class Entry(Generic[T]):
    """One thing to be done in the next transaction, and the future that hears of it after the commit."""

    __slots__ = ("future", "loop", "patient", "work")

    def __init__(self, work: Callable[[], T], loop: asyncio.AbstractEventLoop, *, patient: bool) -> None:
        self.work = work
        self.loop = loop
        self.patient = patient
        self.future: asyncio.Future[T] = loop.create_future()


class Ledger:
    """Takes entries from the loop's tasks, carries them out in groups, and answers after each commit.

    `turn` gives the process's turn at the database's one writer.
    """

    def __init__(self, turn: Callable[[], AbstractContextManager[object]]) -> None:
        self._turn = turn
        self._entries: queues.SimpleQueue[Entry[object] | None] = queues.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._transactions = 0
        self._ended_at = 0.0
        """When the last transaction ended, by the monotonic clock."""
        self.trouble: str | None = None
        """What keeps it from the database at present, in words; None: nothing."""

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def stop(self) -> None:
        """Carries out what is queued, then ends."""
        self._entries.put(None)
        self._thread.join()

    async def do(self, work: Callable[[], T]) -> T:
        """Carries `work` out in the next transaction; returns once that is committed.

        Raises what `work` raised, unless the database was away: then it is repeated until it succeeds.
        """
        # Shielded: a task that is cancelled doesn't take back what may be committed already.
        return await asyncio.shield(self.enqueue(work))

    def enqueue(self, work: Callable[[], T], *, patient: bool = False) -> asyncio.Future[T]:
        """As `do`, without waiting: entries are carried out in the order in which they came.

        `patient`: it makes room for others, which may join it for a moment under load.
        """
        entry = Entry(work, asyncio.get_running_loop(), patient=patient)
        self._entries.put(entry)  # type: ignore[arg-type]  # the queue holds entries of every kind
        return entry.future

    def _run(self) -> None:
        sql.go_by_indexes()
        stopping = False
        while not stopping:
            group, stopping = self._next_group()
            if group:
                self._carry_out(group)
                self._ended_at = time.monotonic()
        connection.close()

    def _next_group(self) -> tuple[list[Entry[object]], bool]:
        """Waits for what is queued; whether the ledger is to stop after it."""
        group: list[Entry[object]] = []
        entry = self._entries.get()
        while entry is not None:
            group.append(entry)
            if len(group) == _MOST_AT_ONCE:
                return group, False
            may_wait = all(one.patient for one in group) and time.monotonic() - self._ended_at < _BUSY
            try:
                entry = self._entries.get(timeout=_GATHER) if may_wait else self._entries.get_nowait()
            except queues.Empty:
                return group, False
        return group, True

    def _carry_out(self, group: list[Entry[object]]) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                results = self._in_one_transaction(group)
            except AWAY as error:
                self._away(error)
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except Exception as error:  # noqa: BLE001  (one entry's fault must reach its own future, not end the thread)
                self._one_by_one(group, error)
                return
            else:
                self._back()
                _answer([(entry, result, None) for entry, result in zip(group, results, strict=True)])
                return

    def _in_one_transaction(self, group: list[Entry[object]]) -> list[object]:
        self._transactions += 1
        with self._turn(), transaction.atomic():
            if self._transactions.bit_count() == 1 or self._transactions % _PLANS_LAST == 0:
                sql.plan_anew()
            return [entry.work() for entry in group]

    def _one_by_one(self, group: list[Entry[object]], error: Exception) -> None:
        if len(group) == 1:
            log.error("an entry of the ledger failed", error=type(error).__name__)
            _answer([(group[0], None, error)])
            return
        for entry in group:
            self._carry_out([entry])

    def _away(self, error: DatabaseError | InterfaceError) -> None:
        connection.close()
        if self.trouble is None:
            log.error("the database can't be reached; waiting for it", error=type(error).__name__)
        self.trouble = f"The database can't be used ({type(error).__name__}); sending waits for it."

    def _back(self) -> None:
        if self.trouble is not None:
            log.info("the database is back")
        self.trouble = None


def _answer(answers: list[tuple[Entry[object], object, Exception | None]]) -> None:
    """Tells the loop in one call: waking it costs more than all that it then does."""

    def settle() -> None:
        for entry, result, error in answers:
            if entry.future.cancelled():
                continue
            if error is not None:
                entry.future.set_exception(error)
            else:
                entry.future.set_result(result)

    # A loop that is gone (the process stops) has nobody left to tell; what was committed stays committed.
    loop = answers[0][0].loop
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)
