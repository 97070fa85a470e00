"""The dispatcher service: starts its parts, keeps them going, stops them cleanly. The one place that knows them all."""

import asyncio
import datetime as dt
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import structlog
import uvloop
from django.conf import settings
from django.db import connection

from companion.clinics import bots
from companion.clinics.models import Closed
from companion.clinics.sealed import CannotOpen
from companion.delivery import lifecycle
from companion.dispatch import clock_watch, pace
from companion.dispatch.begin import Limits
from companion.dispatch.house import House, Results
from companion.dispatch.ledger import Ledger
from companion.dispatch.plan_loop import PlanLoop
from companion.dispatch.runner import BotRow, Runner
from companion.service import health_port, process, wake
from companion.service.clock import STEP, Clock, database_now
from companion.service.heartbeat import Heart
from companion.service.resting import rest
from companion.telegram.client import BotToken, Client

log = structlog.get_logger(__name__)
_SWEEP_SECONDS = 2.0
_BOTS_SECONDS = 5.0
_EXPIRE_AT_ONCE = 500


def run() -> None:
    """Runs until SIGTERM or SIGINT. On SQLite a second dispatcher is refused (AlreadyRunning)."""
    lock: AbstractContextManager[object] = nullcontext()
    if connection.vendor != "postgresql":
        lock = process.hold_lock(settings.DATA_DIR / "dispatcher.lock")
    with lock:
        uvloop.run(Service().run())


class Service:
    """One dispatcher process."""

    def __init__(self) -> None:
        own = settings.COMPANION
        turn = _turn()
        self.clock = Clock(base=database_now())
        self.ledger = Ledger(turn)
        limits = Limits(own.rate_per_second, pace.chat_gap(own.rate_per_chat))
        self.house = House(
            clock=self.clock,
            ledger=self.ledger,
            client=Client(own.bot_api_url, concurrency=own.concurrency),
            limits=limits,
            concurrency=own.concurrency,
            lease_seconds=own.lease_seconds,
            wake_seconds=own.wake_seconds,
            machine_clock=connection.vendor != "postgresql",
        )
        self.runners: dict[str, tuple[Runner, asyncio.Task[None]]] = {}
        self.planner = PlanLoop(self.clock, turn, own.wake_seconds, self._ring_from_thread)
        self.results = Results(self.ledger)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bots_changed = asyncio.Event()
        self._knows_bots = False

    async def run(self) -> None:
        """Starts everything, waits for the signal, stops in the order in which nothing is lost."""
        self._loop = loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.house.stopping.set)
        port = health_port.serve(self.health, host=settings.COMPANION.host, port=settings.COMPANION.health_port)
        heart = Heart("dispatcher", state=self.state, health_url=lambda: port.url)
        self.ledger.start()
        self.planner.start()
        heart.start()
        log.info("the dispatcher works", database=connection.vendor, api=settings.COMPANION.bot_api_url)
        try:
            async with self.house.client:
                await self._work()
        finally:
            await asyncio.to_thread(self.planner.stop)
            await asyncio.to_thread(self.ledger.stop)
            await asyncio.to_thread(heart.stop)
            await asyncio.to_thread(port.close)
            log.info("the dispatcher has stopped")

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self.results.watch()),
                group.create_task(wake.listen(self._ring)),
                group.create_task(self._sweep()),
                group.create_task(self._watch_bots(group)),
                group.create_task(clock_watch.watch(self.house, self._any_token, self._ring_runners)),
            ]
            await self.house.stopping.wait()
            # Runners end by themselves, once what is on the wire is finished.
            self._ring()
            await asyncio.gather(*(task for _, task in self.runners.values()))
            for task in helpers:
                task.cancel()

    def health(self) -> dict[str, object]:
        """What GET /health answers."""
        trouble = self.ledger.trouble or self.house.halted or self.planner.trouble
        return {"status": "degraded" if trouble else "ok", "detail": trouble, **self.state()}

    def state(self) -> dict[str, object]:
        """Small numbers for the heartbeat."""
        return {
            "bots": len(self.runners),
            "on_wire": self.house.on_wire,
            "halted": self.house.halted,
            "rate_per_second": self.house.limits.per_second,
        }

    def _any_token(self) -> BotToken | None:
        return next((runner.line.token for runner, _ in self.runners.values()), None)

    def _ring(self) -> None:
        """Somebody changed something: all look again."""
        self.planner.ring()
        self._bots_changed.set()
        self._ring_runners()

    def _ring_runners(self) -> None:
        for runner, _ in self.runners.values():
            runner.look()

    def _ring_from_thread(self) -> None:
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring_runners)

    async def _watch_bots(self, group: asyncio.TaskGroup) -> None:
        """Keeps one runner for each bot."""
        unopened: set[str] = set()
        while True:
            self._bots_changed.clear()
            found, sealed = await self.ledger.do(_bots)
            for one in sealed - unopened:
                log.error("a bot's token can't be opened: was it stored with another SECRET_KEY?", bot=one)
            unopened = sealed
            self.house.bots = max(len(found), 1)
            for gone in self.runners.keys() - {bot.id.hex for bot in found}:
                self.runners.pop(gone)[0].retire()
            for bot in found:
                known = self.runners.get(bot.id.hex)
                if known is None:
                    runner = Runner(self.house, bot, self.results)
                    self.runners[bot.id.hex] = (runner, group.create_task(runner.run()))
                elif known[0].bot != bot:
                    known[0].refresh(bot)
                    known[0].look()
            self._knows_bots = True
            await rest(self._bots_changed, _BOTS_SECONDS)

    async def _sweep(self) -> None:
        """Ends what was begun and whose lease ran out, fails what is too late, keeps the clock's base."""
        while True:
            rescued, expired = await self.ledger.do(self._sweep_once)
            if rescued or expired:
                log.warning("messages ended without an answer", outcome_unknown=rescued, too_late=expired)
            if rescued:
                self._ring_runners()
            if expired < _EXPIRE_AT_ONCE:
                await asyncio.sleep(_SWEEP_SECONDS)

    def _sweep_once(self) -> tuple[int, int]:
        self._keep_base()
        now = self.clock.now()
        rescued = lifecycle.rescue(now=now)
        return rescued, 0 if self._may_be_wrong() else lifecycle.expire(now=now, limit=_EXPIRE_AT_ONCE)

    def _keep_base(self) -> None:
        """Takes over the one clock's time, unless it has stepped: then clock_watch decides."""
        told = database_now()
        if self.house.machine_clock:
            stepped = self.clock.stepped()
        else:
            stepped = told - self.clock.now()
            self.house.database_step = stepped if abs(stepped) > STEP else dt.timedelta()
        if abs(stepped) <= STEP:
            self.clock.rebase(told)

    def _may_be_wrong(self) -> bool:
        """Whether the clock was not yet held against Telegram's: nothing is called too late by it until it was. Where
        no bot is, nobody can be asked."""
        return self.house.clock_suspect and (not self._knows_bots or self._any_token() is not None)


def _turn() -> Callable[[], AbstractContextManager[object]]:
    """On SQLite the ledger and the Planner take turns here, where waiting costs nothing, not in the database."""
    if connection.vendor == "postgresql":
        return nullcontext
    lock = threading.Lock()
    return lambda: lock


def _bots() -> tuple[list[BotRow], set[str]]:
    """All bots that this service can open, and the ids of those that it can't."""
    found, sealed = [], set()
    for row in bots.serving(sandbox=settings.SANDBOX_ON).select_related("clinic").defer("token").order_by("id"):
        try:
            token = BotToken(row.token)
        except (CannotOpen, ValueError):
            sealed.add(str(row.id))
            continue
        closed = row.closed_until or (dt.datetime.min.replace(tzinfo=dt.UTC) if row.closed_why else None)
        why = row.closed_why if closed else Closed.NOT_CLOSED
        paused = row.clinic.sending_paused_at is not None
        found.append(BotRow(row.id, row.clinic_id, token, closed, why, paused))
    return found, sealed
