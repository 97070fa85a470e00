"""The runner of a bot: a task that begins due Messages at the bot's rate, and follows each Attempt to its end."""

import asyncio
import datetime as dt
import math
import time
import uuid
from dataclasses import dataclass

import structlog

from companion.clinics.ids import new_id
from companion.clinics.models import Closed
from companion.delivery import begin, closing
from companion.delivery.begin import LOOKAHEAD, Begun, Done, Round
from companion.delivery.closing import ASK_AGAIN, Closing
from companion.delivery.results import Result
from companion.delivery.store import Positions
from companion.dispatch.answer_times import AT_MOST
from companion.dispatch.result_queue import QueuedResult, ResultQueue
from companion.dispatch.send import BotState, send
from companion.dispatch.state import DispatcherState
from companion.schedules.models import AttemptOutcome
from companion.service.resting import rest
from companion.telegram.client import BotToken, CallFailed
from companion.telegram.outcomes import Kind

log = structlog.get_logger(__name__)
_EARLY = LOOKAHEAD - dt.timedelta(milliseconds=2)
"""The time before its slot at which an Attempt is begun, so that it is committed when the slot comes."""
_POSITIONS_LAST = 1.0
"""The seconds after which each lane is read from its beginning again: others may have given Messages back."""
_ANSWER_SECONDS = 10.0
_NEXT_PROBE = 0.25
"""The seconds after which a bot that hangs is probed again, or another dispatcher's probe is looked at."""
_ANSWERED = frozenset({AttemptOutcome.SENT, AttemptOutcome.PERMANENT})


@dataclass(frozen=True, slots=True)
class BotRow:
    """A bot, as far as its runner needs to know it."""

    id: uuid.UUID
    clinic: uuid.UUID
    token: BotToken
    closed_until: dt.datetime | None
    closed_why: str
    paused: bool
    """True if the clinic has paused all sending."""


class Runner:
    """A task that sends a clinic's Messages through its bot."""

    def __init__(self, dispatcher: DispatcherState, bot: BotRow, results: ResultQueue) -> None:
        self.dispatcher, self.bot, self.results = dispatcher, bot, results
        self.state = BotState(bot.token)
        self.ring = asyncio.Event()
        self.doubts = asyncio.Event()
        """An event that is set when an outcome has become unknown."""
        self.next_slot: dt.datetime | None = None
        self._next_ready = dispatcher.clock.now()
        """The instant at which the next Message is ready, as far as is known."""
        self._positions: Positions = {}
        self._positions_end = 0.0
        """The instant at which the positions are forgotten, on the monotonic clock."""
        self._rung = True
        self._retired = False
        self._sending: dict[uuid.UUID, asyncio.Task[None]] = {}
        """The requests on the wire, by the Attempt's id."""
        self._on_wire = 0
        self._open = 0
        """The number of Attempts that are begun and not yet written down as ended."""

    def refresh(self, bot: BotRow) -> None:
        """Take over the present Bot row."""
        if bot.token != self.bot.token:
            self.state = BotState(bot.token)
        self._adopt(bot)

    def retire(self) -> None:
        """End this runner, after its requests on the wire: its bot was deleted or replaced."""
        self._retired = True
        self.ring.set()

    def wake(self) -> None:
        """Look for due Messages at once: there may be new Messages."""
        self._rung = True
        self.ring.set()

    @property
    def has_open(self) -> bool:
        """Return whether an Attempt has begun and is not yet written down as ended."""
        return self._open > 0

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is on the wire, nothing is due, and the bot may be used for questions."""
        dispatcher = self.dispatcher
        held = dispatcher.halted or dispatcher.clock_suspect or dispatcher.stopping.is_set() or self._retired
        if held or self.bot.paused or self.bot.closed_why == Closed.HANGING:
            return False
        now = dispatcher.clock.now()
        closed = self.bot.closed_why == Closed.UNAUTHORIZED or self._seconds_closed(now) > 0
        return not (closed or self._open or self._rung or self._next_ready <= now)

    async def run(self) -> None:
        """Run until the dispatcher stops, then wait for the requests on the wire."""
        while not (self.dispatcher.stopping.is_set() or self._retired):
            self.ring.clear()
            seconds = min(await self._step(), self.state.answers.late_at() - time.monotonic())
            if seconds > 0:
                await rest(self.ring, min(seconds, self.dispatcher.wake_seconds))
        while self._open:
            self.ring.clear()
            await self.ring.wait()

    async def _step(self) -> float:
        """Do all work that is ready now, and return the seconds until there may be more."""
        now = self.dispatcher.clock.now()
        if self.dispatcher.halted or self.dispatcher.clock_suspect or self.bot.paused:
            return self.dispatcher.wake_seconds
        if self.bot.closed_why == Closed.HANGING:
            return await self._probe()
        if self.state.answers.late_at() <= time.monotonic():
            await self._close(closing.hanging(now))
            return 0
        if (seconds := self._seconds_closed(now)) > 0:
            return seconds
        if self.bot.closed_why == Closed.UNAUTHORIZED:
            return await self._ask_telegram_about_token()
        return await self._begin(now)

    def _seconds_closed(self, now: dt.datetime) -> float:
        until = self.bot.closed_until
        return (until - now).total_seconds() if until else 0

    async def _ask_telegram_about_token(self) -> float:
        """Ask Telegram (getMe) whether it accepts a refused token again. Return the seconds until the next question."""
        try:
            await self.dispatcher.client.call(self.bot.token, "getMe", {}, timeout=_ANSWER_SECONDS)
        except CallFailed:
            await self._close(closing.refused(self.dispatcher.clock.now()))
            return ASK_AGAIN.total_seconds()
        await self._reopen(Closed.UNAUTHORIZED)
        log.info("the bot's token is accepted again", bot=str(self.bot.id))
        return 0

    async def _probe(self) -> float:
        """Probe a bot that hangs: call getMe, which sends nothing; if it answers, send one message ahead.

        Returns the seconds until the next probe. One dispatcher probes at a time.
        """
        now = self.dispatcher.clock.now
        bot = await self.dispatcher.ledger.do(lambda: closing.take_probe(self.bot.id, now=now()))
        if bot is not None:
            closed = Closing(bot.closed_until or now(), Closed(bot.closed_why)) if bot.closed_why else None
            self._adopt(_with_closing(self.bot, closed))
            return _NEXT_PROBE if bot.closed_why == Closed.HANGING else 0
        try:
            await self.dispatcher.client.call(self.bot.token, "getMe", {}, timeout=AT_MOST)
        except CallFailed as failed:
            if failed.outcome.kind in (Kind.TRANSIENT, Kind.UNKNOWN):
                await self.dispatcher.ledger.do(lambda: closing.probe_failed(self.bot.id, now=now()))
                return _NEXT_PROBE
        if self.dispatcher.on_wire < self.dispatcher.concurrency:
            await self._send_ahead()
        return _NEXT_PROBE

    async def _send_ahead(self) -> None:
        """Send a single message through a bot that hung. Its answer opens the bot (in `_send`)."""
        self.state.answers.start_afresh(time.monotonic())
        self._take_places(1)
        lease_end, order = self.dispatcher.lease_end(), self._order(1, ahead=True)
        done = await self.dispatcher.ledger.do(lambda: begin.begin_round(order, now=self.dispatcher.clock.now()))
        self._give_places_back(1 - len(done.begun))
        self._after(done, lease_end)
        if not done.begun:
            # No message is ready, so none can go ahead.
            await self._reopen(Closed.HANGING)

    async def _after_hanging(self, outcome: AttemptOutcome) -> None:
        """Draw the conclusion from a message that was on the wire while the bot hung."""
        if outcome in _ANSWERED:
            await self._reopen(Closed.HANGING)
        elif outcome == AttemptOutcome.TRANSIENT:
            # Nothing was sent, so another message may go ahead soon. An unknown outcome waits until the probe ends.
            await self.dispatcher.ledger.do(lambda: closing.probe_failed(self.bot.id, now=self.dispatcher.clock.now()))

    async def _reopen(self, why: Closed) -> None:
        await self.dispatcher.ledger.do(lambda: closing.reopen(self.bot.id, why, now=self.dispatcher.clock.now()))
        self._adopt(_with_closing(self.bot, None))

    def _adopt(self, bot: BotRow) -> None:
        """Take over the row. Requests that were open while the bot hung say nothing about its present state."""
        if Closed.HANGING in (self.bot.closed_why, bot.closed_why):
            self.state.answers.start_afresh(time.monotonic())
        self.bot = bot

    async def _begin(self, now: dt.datetime) -> float:
        """Begin the due Messages that have a slot, and return the seconds until the next may begin."""
        if self._rung:
            # Reset this before the round: a ring that comes during the round may be too late for it.
            self._rung, self._next_ready, self._positions = False, now, {}
        if self._next_ready > now:
            return self._seconds_to(self._next_ready)
        if self.next_slot and self.next_slot - now > LOOKAHEAD:
            return self._seconds_to(self.next_slot - _EARLY)
        # After a failure a single message goes ahead, to see whether Telegram can be reached.
        at_once = 1 if self.state.failures else self._slots_at_once()
        most = min(self.dispatcher.free_places(self._on_wire, self.ring), at_once, self.dispatcher.half)
        if most <= 0:
            # The end of an Attempt rings and so begins the next step.
            return self.dispatcher.wake_seconds
        # Set this before the round, too: an Attempt that ends during the round may have to be repeated.
        self._next_ready = now + dt.timedelta(seconds=self.dispatcher.wake_seconds)
        self._take_places(most)
        lease_end, order = self.dispatcher.lease_end(), self._order(most)
        done = await self.dispatcher.ledger.do(lambda: begin.begin_round(order, now=self.dispatcher.clock.now()))
        self._give_places_back(most - len(done.begun))
        self._after(done, lease_end)
        return 0

    def _order(self, most: int, *, ahead: bool = False) -> Round:
        if time.monotonic() > self._positions_end:
            self._positions, self._positions_end = {}, time.monotonic() + _POSITIONS_LAST
        attempts = [new_id() for _ in range(most)]
        bot, dispatcher = self.bot, self.dispatcher
        positions, limits = self._positions, dispatcher.limits
        return Round(bot.id, bot.clinic, attempts, positions, limits, dispatcher.lease_seconds, ahead=ahead)

    def _after(self, done: Done, lease_end: float) -> None:
        """Note the result of a round, and send what it has begun."""
        self.next_slot, self._positions = done.next_slot, done.positions
        self._ready_by(done.next_ready)
        if done.closed_why:
            self._adopt(_with_closing(self.bot, Closing(done.closed_until or done.next_slot, Closed(done.closed_why))))
        for begun in done.begun:
            self._open += 1
            # Keep a reference to the task: the event loop has only a weak one.
            self._sending[begun.attempt] = asyncio.create_task(self._send(begun, lease_end))

    async def _send(self, begun: Begun, lease_end: float) -> None:
        try:
            result = await send(self.dispatcher, self.state, begun, lease_end, self._new_slot)
        except BaseException:
            self._open -= 1
            self._give_places_back(1)
            self.ring.set()
            raise
        finally:
            del self._sending[begun.attempt]
        self.results.add(QueuedResult(result, self._committed))
        if self.bot.closed_why == Closed.HANGING:
            await self._after_hanging(result.record.outcome)
        # An Attempt that begins from now on is committed together with this result, or later. So the place is free.
        self._give_places_back(1)
        self.ring.set()

    def _committed(self, result: Result) -> None:
        self._ready_by(result.record.ready_at)
        if result.closing:
            self._note_closing(result.closing)
        if result.record.outcome == AttemptOutcome.UNKNOWN:
            self.doubts.set()
        self._open -= 1
        self.ring.set()

    def _ready_by(self, at: dt.datetime | None) -> None:
        if at is not None:
            self._next_ready = min(self._next_ready, at)

    def _take_places(self, places: int) -> None:
        self._on_wire += places
        self.dispatcher.on_wire += places

    def _give_places_back(self, places: int) -> None:
        self._on_wire -= places
        self.dispatcher.give_back(places)

    async def _new_slot(self, begun: Begun) -> dt.datetime:
        return await self.dispatcher.ledger.do(
            lambda: begin.begin_later(begun, self.dispatcher.limits, now=self.dispatcher.clock.now())
        )

    async def _close(self, until: Closing) -> None:
        await self.dispatcher.ledger.do(lambda: closing.close(self.bot.id, until))
        self._note_closing(until)

    def _note_closing(self, until: Closing) -> None:
        self._adopt(_with_closing(self.bot, until))
        log.warning("the bot is closed for now", bot=str(self.bot.id), why=until.why.value)

    def _seconds_to(self, at: dt.datetime) -> float:
        # Never zero: a timer that fires a little too early would make the loop spin.
        return max((at - self.dispatcher.clock.now()).total_seconds(), 0.0005)

    def _slots_at_once(self) -> int:
        return 1 + math.floor(LOOKAHEAD.total_seconds() * self.dispatcher.rate_per_second)


def _with_closing(bot: BotRow, until: Closing | None) -> BotRow:
    at, why = (until.until, until.why.value) if until else (None, "")
    return BotRow(bot.id, bot.clinic, bot.token, at, why, bot.paused)
