"""One bot's runner: begins what is due at the bot's rate, sees each Attempt through. One task per bot."""

import asyncio
import datetime as dt
import math
import time
import uuid
from dataclasses import dataclass

import structlog

from companion.clinics.models import Closed
from companion.delivery.lifecycle import fresh_attempt
from companion.delivery.store import Places
from companion.dispatch import begin, settle
from companion.dispatch.begin import LOOKAHEAD, Begun, Done, Round
from companion.dispatch.conclude import ASK_AGAIN, Closing, Conclusion
from companion.dispatch.house import Ending, House, Results
from companion.dispatch.send import Line, deliver
from companion.service.resting import rest
from companion.telegram.client import BotToken, CallFailed

log = structlog.get_logger(__name__)
_EARLY = LOOKAHEAD - dt.timedelta(milliseconds=2)
"""How long before its slot an Attempt is begun, so that the commit is done when the slot comes."""
_LOOK_AGAIN = 1.0
"""Seconds after which the line is looked along from its beginning again: others put back what they could not send."""
_ASK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class BotRow:
    """A Bot as its runner needs it."""

    id: uuid.UUID
    clinic: uuid.UUID
    token: BotToken
    closed_until: dt.datetime | None
    closed_why: str
    paused: bool


class Runner:
    """Sends one clinic's Messages through one bot."""

    def __init__(self, house: House, bot: BotRow, results: Results) -> None:
        self.house, self.bot, self.results = house, bot, results
        self.line = Line(bot.token)
        self.ring = asyncio.Event()
        self.next_slot: dt.datetime | None = None
        self._next_ready = house.clock.now()
        """When there is more to begin, for all that is known."""
        self._places: Places = {}
        self._places_end = 0.0
        """When the places are forgotten, on the monotonic clock."""
        self._rung = True
        self._retired = False
        self._sending: dict[uuid.UUID, asyncio.Task[None]] = {}
        """By the Attempt's id."""
        self._on_wire = 0
        self._open = 0
        """Attempts that are begun and not yet written down as ended."""

    def refresh(self, bot: BotRow) -> None:
        """Takes over what the Bot row says now."""
        if bot.token != self.bot.token:
            self.line = Line(bot.token)
        self.bot = bot

    def retire(self) -> None:
        """The bot was taken away or exchanged: end as if the house stopped."""
        self._retired = True
        self.ring.set()

    def look(self) -> None:
        """Something may be due: look again at once."""
        self._rung = True
        self.ring.set()

    async def run(self) -> None:
        """Works until the house stops; then finishes what is on the wire."""
        while not (self.house.stopping.is_set() or self._retired):
            self.ring.clear()
            seconds = await self._step()
            if seconds > 0:
                await rest(self.ring, min(seconds, self.house.wake_seconds))
        while self._open:
            self.ring.clear()
            await self.ring.wait()

    async def _step(self) -> float:
        """Does what there is to do; returns the seconds after which there may be more."""
        now = self.house.clock.now()
        if self.house.halted or self.house.clock_suspect or self.bot.paused:
            return self.house.wake_seconds
        if (closed := await self._closed(now)) > 0:
            return closed
        return await self._begin(now)

    async def _closed(self, now: dt.datetime) -> float:
        """Seconds for which the bot stays closed. A refused one is asked again when its time is over."""
        until = self.bot.closed_until
        if until is None or (until <= now and self.bot.closed_why != Closed.UNAUTHORIZED):
            return 0
        if until <= now:
            return await self._ask_again()
        return (until - now).total_seconds()

    async def _ask_again(self) -> float:
        try:
            await self.house.client.call(self.line.token, "getMe", {}, timeout=_ASK_SECONDS)
        except CallFailed:
            await self._close(Closing(self.house.clock.now() + ASK_AGAIN, Closed.UNAUTHORIZED))
            return ASK_AGAIN.total_seconds()
        await self.house.ledger.do(lambda: settle.reopen(self.bot.id, now=self.house.clock.now()))
        self.bot = _with_closing(self.bot, None)
        log.info("the bot's token is accepted again", bot=str(self.bot.id))
        return 0

    async def _begin(self, now: dt.datetime) -> float:
        """Begins what is due and has a slot; returns the seconds until the next may begin."""
        if self._rung:
            # Before the look: whoever rings while it runs may have come too late for it.
            self._rung, self._next_ready, self._places = False, now, {}
        if self._next_ready > now:
            return self._seconds_to(self._next_ready)
        if self.next_slot and self.next_slot - now > LOOKAHEAD:
            return self._seconds_to(self.next_slot - _EARLY)
        # After a failure one message goes ahead to see whether the line holds.
        at_once = 1 if self.line.failures else self._slots_at_once()
        most = min(self.house.free_for(self._on_wire, self.ring), at_once, self.house.half)
        if most <= 0:
            # A finished Attempt rings.
            return self.house.wake_seconds
        # Before the look, too: what ends while it runs may have to go again.
        self._next_ready = now + dt.timedelta(seconds=self.house.wake_seconds)
        self._take(most)
        lease_end, one = self.house.lease_end(), self._round(most)
        done = await self.house.ledger.do(lambda: begin.begin_round(one, now=self.house.clock.now()))
        self._leave(most - len(done.begun))
        self._after(done, lease_end)
        return 0

    def _round(self, most: int) -> Round:
        if time.monotonic() > self._places_end:
            self._places, self._places_end = {}, time.monotonic() + _LOOK_AGAIN
        attempts = [fresh_attempt() for _ in range(most)]
        house, bot = self.house, self.bot
        return Round(bot.id, bot.clinic, attempts, self._places, house.limits, house.lease_seconds)

    def _after(self, done: Done, lease_end: float) -> None:
        self.next_slot, self._places = done.next_slot, done.places
        self._ready_by(done.next_ready)
        if done.closed_why:
            self.bot = _with_closing(self.bot, Closing(done.closed_until or done.next_slot, Closed(done.closed_why)))
        for begun in done.begun:
            self._open += 1
            # The loop itself keeps tasks only weakly.
            self._sending[begun.attempt] = asyncio.create_task(self._see_through(begun, lease_end))

    async def _see_through(self, begun: Begun, lease_end: float) -> None:
        try:
            conclusion = await deliver(self.house, self.line, begun, lease_end, self._new_slot)
        except BaseException:
            self._open -= 1
            self._one_less()
            raise
        finally:
            del self._sending[begun.attempt]
        self.results.add(Ending(conclusion, self._written))
        # Whatever begins from now on is committed with it or later, so its place is free.
        self._one_less()

    def _written(self, conclusion: Conclusion) -> None:
        self._ready_by(conclusion.record.ready_at)
        if conclusion.closing:
            self._closed_for_now(conclusion.closing)
        self._open -= 1
        self.ring.set()

    def _ready_by(self, at: dt.datetime | None) -> None:
        if at is not None:
            self._next_ready = min(self._next_ready, at)

    def _one_less(self) -> None:
        self._leave(1)
        self.ring.set()

    def _take(self, places: int) -> None:
        self._on_wire += places
        self.house.on_wire += places

    def _leave(self, places: int) -> None:
        self._on_wire -= places
        self.house.leave(places)

    async def _new_slot(self, begun: Begun) -> dt.datetime:
        return await self.house.ledger.do(
            lambda: begin.begin_later(begun, self.house.limits, now=self.house.clock.now())
        )

    async def _close(self, closing: Closing) -> None:
        await self.house.ledger.do(lambda: settle.close(self.bot.id, closing))
        self._closed_for_now(closing)

    def _closed_for_now(self, closing: Closing) -> None:
        self.bot = _with_closing(self.bot, closing)
        log.warning("the bot is closed for now", bot=str(self.bot.id), why=closing.why.value)

    def _seconds_to(self, at: dt.datetime) -> float:
        # A moment more than nothing: a timer that fires a hair early must not spin.
        return max((at - self.house.clock.now()).total_seconds(), 0.0005)

    def _slots_at_once(self) -> int:
        return 1 + math.floor(LOOKAHEAD.total_seconds() * self.house.limits.per_second)


def _with_closing(bot: BotRow, closing: Closing | None) -> BotRow:
    until, why = (closing.until, closing.why.value) if closing else (None, "")
    return BotRow(bot.id, bot.clinic, bot.token, until, why, bot.paused)
