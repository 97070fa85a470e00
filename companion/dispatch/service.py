"""The dispatcher service: it starts its parts, keeps them running, and stops them so that nothing is lost."""

import asyncio
import datetime as dt
import signal
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, NamedTuple

import structlog
import uvloop
from django.conf import settings
from django.db import connection

from companion.clinics import bots
from companion.clinics.bot_api import bot_api_client
from companion.clinics.known_keys import may_read_metrics
from companion.clinics.sealed import CannotOpen
from companion.delivery import lifecycle
from companion.dispatch import clock_watch
from companion.dispatch.deleting import Deleter
from companion.dispatch.ledger import Ledger
from companion.dispatch.plan_loop import PlanLoop
from companion.dispatch.probing import Prober
from companion.dispatch.result_queue import ResultQueue
from companion.dispatch.runner import BotRow, Runner
from companion.dispatch.send import count_from_zero
from companion.dispatch.state import DispatcherState
from companion.service import health_port, process, wake
from companion.service.clock import STEP, Clock, database_now
from companion.service.heartbeat import Heart
from companion.service.outages import patiently
from companion.service.resting import rest
from companion.telegram.client import BotToken

log = structlog.get_logger(__name__)
_SWEEP_SECONDS: Final = 2.0
_BOTS_SECONDS: Final = 5.0
_EXPIRE_AT_ONCE: Final = 500
_RUNNERS_SECONDS: Final = 20.0
"""The longest time that a stop waits for the answers on the wire and for writing them down. Together with the other
waits it stays below supervise.GRACE_SECONDS. Answers that can't be written down end as outcome_unknown.
"""
_POLL_SECONDS: Final = 0.5
_THREAD_SECONDS: Final = 2.0


def run(port: int) -> None:
    """Run until SIGTERM or SIGINT, with health and metrics on this port.

    Raises PortTaken, and on SQLite AlreadyRunning for a second dispatcher.
    """
    lock: AbstractContextManager[object] = nullcontext()
    if connection.vendor != "postgresql":
        lock = process.hold_lock(settings.DATA_DIR / "dispatcher.lock")
    with lock:
        uvloop.run(Service().run(port))


class _Swept(NamedTuple):
    """The numbers of Messages that one sweep ended: of unknown outcome, and too late."""

    rescued: int
    expired: int


class _Bots(NamedTuple):
    """All bots that send, and the ids of the bots whose token can't be decrypted."""

    rows: list[BotRow]
    unreadable: set[uuid.UUID]


class Service:
    """A dispatcher process."""

    def __init__(self) -> None:
        environment = settings.COMPANION
        turn = _turn()
        self.clock = Clock(base=patiently(database_now))
        self.ledger = Ledger(turn)
        self.shared = DispatcherState(
            clock=self.clock,
            ledger=self.ledger,
            client=bot_api_client(concurrency=environment.concurrency),
            rate_per_second=environment.rate_per_second,
            rate_per_chat=environment.rate_per_chat,
            concurrency=environment.concurrency,
            lease_seconds=environment.lease_seconds,
            wake_seconds=environment.wake_seconds,
            machine_clock=connection.vendor != "postgresql",
        )
        self.runners: dict[uuid.UUID, tuple[Runner, asyncio.Task[None]]] = {}
        """The runners, by the Bot's id."""
        self._probers: dict[uuid.UUID, asyncio.Task[None]] = {}
        self.planner = PlanLoop(self.clock, turn, environment.wake_seconds, self._ring_from_thread)
        self.results = ResultQueue(self.ledger)
        self.deleter = Deleter(self.shared, lambda: (runner.bot for runner, _ in self.runners.values()))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bots_changed = asyncio.Event()
        self._knows_bots = False
        self._heart: Heart | None = None

    async def run(self, at: int) -> None:
        """Start all parts, wait for the signal to stop, and stop the parts in an order in which nothing is lost."""
        self._loop = loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.shared.stopping.set)
        port = health_port.serve(self.health, host=settings.COMPANION.host, port=at, may_read_metrics=may_read_metrics)
        self._heart = heart = Heart(
            "dispatcher", state=self.state, health_url=lambda: port.url, in_main_loop=loop.call_soon_threadsafe
        )
        count_from_zero()
        self.ledger.start()
        self.planner.start()
        heart.start()
        log.info("the dispatcher works", database=connection.vendor, api=settings.COMPANION.bot_api_url)
        try:
            async with self.shared.client:
                await self._work()
        finally:
            await asyncio.to_thread(self.planner.stop, _THREAD_SECONDS)
            await asyncio.gather(asyncio.to_thread(self.ledger.stop, _THREAD_SECONDS), asyncio.to_thread(heart.stop))
            await asyncio.to_thread(port.close)
            log.info("the dispatcher has stopped")

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self.results.raise_failure()),
                group.create_task(wake.listen(self._ring)),
                group.create_task(self._sweep()),
                group.create_task(self._watch_bots(group)),
                group.create_task(self.deleter.run()),
                group.create_task(clock_watch.keep_watch(self.shared, self._any_token, self._ring_runners)),
            ]
            await self.shared.stopping.wait()
            # Each runner ends by itself when its Attempts on the wire are written down.
            self._ring()
            await self._finish_what_is_open()
            for task in (*helpers, *self._probers.values(), *(task for _, task in self.runners.values())):
                task.cancel()

    async def _finish_what_is_open(self) -> None:
        """Wait for the runners, but not for a database that is away: open Attempts then end as outcome_unknown."""
        until = time.monotonic() + _RUNNERS_SECONDS
        working = {task for _, task in self.runners.values()}
        while working and time.monotonic() < until:
            _, working = await asyncio.wait(working, timeout=_POLL_SECONDS)
            if self.ledger.hindered() and not any(runner.has_open for runner, _ in self.runners.values()):
                return

    def health(self) -> dict[str, object]:
        """Return the answer to GET /health."""
        if hindered := self.ledger.hindered() or (self._heart and self._heart.hindered()):
            return hindered.health("dispatcher") | self.state()
        trouble = self.shared.halted or self.planner.trouble
        return {"status": "degraded" if trouble else "ok", "detail": trouble, **self.state()}

    def state(self) -> dict[str, object]:
        """Return numbers for the heartbeat."""
        return {
            "bots": len(self.runners),
            "on_wire": self.shared.on_wire,
            "halted": self.shared.halted,
            "rate_per_second": self.shared.rate_per_second,
        }

    def _any_token(self) -> BotToken | None:
        return next((runner.bot.token for runner, _ in self.runners.values()), None)

    def _ring(self) -> None:
        """Wake all parts, because something has changed in the database."""
        self.planner.ring()
        self._bots_changed.set()
        self.deleter.ring.set()
        self._ring_runners()

    def _ring_runners(self) -> None:
        for runner, _ in self.runners.values():
            runner.wake()

    def _ring_from_thread(self) -> None:
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring_runners)

    async def _watch_bots(self, group: asyncio.TaskGroup) -> None:
        """Keep a runner and a prober for each bot, and end those of deleted bots."""
        logged: set[uuid.UUID] = set()
        while True:
            self._bots_changed.clear()
            rows, unreadable = await self.ledger.do(_bots)
            for bot_id in unreadable - logged:
                log.error("a bot's token can't be decrypted: was it stored with another SECRET_KEY?", bot=str(bot_id))
            logged = unreadable
            self.shared.bots = max(len(rows), 1)
            for bot_id in self.runners.keys() - {row.id for row in rows}:
                self.runners.pop(bot_id)[0].retire()
                self._probers.pop(bot_id).cancel()
            for row in rows:
                known = self.runners.get(row.id)
                if known is None:
                    runner = Runner(self.shared, row, self.results)
                    self.runners[row.id] = (runner, group.create_task(runner.run()))
                    self._probers[row.id] = group.create_task(Prober(self.shared, runner).run())
                elif known[0].bot != row:
                    known[0].refresh(row)
                    known[0].wake()
            self._knows_bots = True
            await rest(self._bots_changed, _BOTS_SECONDS)

    async def _sweep(self) -> None:
        """Close Attempts whose lease ran out, fail Messages that are too late, and keep the clock right, for ever."""
        while True:
            rescued, expired = await self.ledger.do(self._sweep_once)
            if rescued or expired:
                log.warning("messages ended without an answer", outcome_unknown=rescued, too_late=expired)
            if rescued:
                self._ring_runners()
                for runner, _ in self.runners.values():
                    runner.doubts.set()
            if expired < _EXPIRE_AT_ONCE:
                await asyncio.sleep(_SWEEP_SECONDS)

    def _sweep_once(self) -> _Swept:
        self._rebase_clock()
        now = self.clock.now()
        rescued = lifecycle.rescue(now=now, lease=self.shared.lease)
        expired = 0 if self._clock_is_doubted() else lifecycle.expire(now=now, limit=_EXPIRE_AT_ONCE)
        return _Swept(rescued, expired)

    def _rebase_clock(self) -> None:
        """Set our clock to the time of the one clock. If that has jumped, leave it to clock_watch."""
        now = database_now()
        if self.shared.machine_clock:
            step = self.clock.stepped()
        else:
            step = now - self.clock.now()
            self.shared.database_step = step if abs(step) > STEP else dt.timedelta()
        if abs(step) <= STEP:
            self.clock.rebase(now)

    def _clock_is_doubted(self) -> bool:
        """Return whether the clock was not yet compared with Telegram's. Until then no Message counts as too late.

        Returns False without a bot: then nobody can be asked.
        """
        return self.shared.clock_suspect and (not self._knows_bots or self._any_token() is not None)


def _turn() -> Callable[[], AbstractContextManager[object]]:
    """Return the lock by which ledger and Planner take turns. On SQLite, waiting in the database would cost more."""
    if connection.vendor == "postgresql":
        return nullcontext
    lock = threading.Lock()
    return lambda: lock


def _bots() -> _Bots:
    rows, unreadable = [], set()
    for bot in bots.serving(sandbox=settings.SANDBOX_ON).select_related("clinic").defer("token").order_by("id"):
        try:
            token = BotToken(bot.token)
        except (CannotOpen, ValueError):
            unreadable.add(bot.id)
            continue
        until = bot.closed_until or (dt.datetime.min.replace(tzinfo=dt.UTC) if bot.closed_why else None)
        paused = bot.clinic.sending_paused_at is not None
        rows.append(BotRow(bot.id, bot.clinic_id, token, until, bot.closed_why, paused))
    return _Bots(rows, unreadable)
