"""One bot's runner: claims ahead, begins what is due at the bot's rate, sees each Attempt through. One task per bot."""

import asyncio
import datetime as dt
import math
import uuid
from dataclasses import dataclass

import structlog

from companion.clinics.keys import new_id
from companion.clinics.models import Closed
from companion.dispatch import begin, feed, settle
from companion.dispatch.begin import LOOKAHEAD, Begun, Round
from companion.dispatch.conclude import ASK_AGAIN, Closing, Conclusion
from companion.dispatch.feed import Feed, Held
from companion.dispatch.house import Ending, House, Results
from companion.dispatch.send import Line, deliver
from companion.schedules import queue
from companion.schedules.lifecycle import fresh_attempt
from companion.schedules.models import Lane
from companion.schedules.queue import Back, Candidate
from companion.telegram.client import BotToken, CallFailed

log = structlog.get_logger(__name__)
_EARLY = LOOKAHEAD - dt.timedelta(milliseconds=2)
"""How long before its slot an Attempt is begun, so that the commit is done when the slot comes."""
_KEEP_WHILE_CLOSED = dt.timedelta(seconds=3)
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
        self.feed = Feed(room=_room(house))
        self.ring = asyncio.Event()
        self.next_slot: dt.datetime | None = None
        self._claim_at: dt.datetime | None = None
        self._rung = True
        self._retired = False
        self._more = False
        self._claiming: asyncio.Task[None] | None = None
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
        """Works until the house stops; then gives back what it holds and finishes what is on the wire."""
        while not (self.house.stopping.is_set() or self._retired):
            self.ring.clear()
            await self._rest(await self._step())
        if self._claiming:
            await self._claiming
        await self._give_back(self.feed.clear())
        while self._open:
            self.ring.clear()
            await self.ring.wait()

    async def _rest(self, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(self.ring.wait(), min(seconds, self.house.wake_seconds))
        except TimeoutError:
            return

    async def _step(self) -> float:
        """Does what there is to do; returns the seconds after which there may be more."""
        now = self.house.clock.now()
        if self.house.halted or self.house.clock_suspect or self.bot.paused:
            await self._give_back(self.feed.clear())
            return self.house.wake_seconds
        if (closed := await self._closed(now)) > 0:
            return closed
        await self._give_back(self.feed.stale(_reserve(self.house)))
        if self._claiming and self._claiming.done():
            self._claiming.result()
            self._claiming = None
        if self._claiming is None and self._wants_to_claim(now):
            self._claiming = asyncio.create_task(self._claim())
        return await self._begin()

    async def _closed(self, now: dt.datetime) -> float:
        """Seconds for which the bot stays closed. A refused one is asked again when its time is over."""
        until = self.bot.closed_until
        if until is None or (until <= now and self.bot.closed_why != Closed.UNAUTHORIZED):
            return 0
        if until <= now:
            return await self._ask_again()
        if until - now > _KEEP_WHILE_CLOSED:
            await self._give_back(self.feed.clear())
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

    def _wants_to_claim(self, now: dt.datetime) -> bool:
        return self._rung or self._claim_at is None or now >= self._claim_at or self._has_room_for_more()

    async def _claim(self) -> None:
        """Runs beside the beginning, so that neither waits for the other."""
        # Before the claim: whoever rings while it runs may have come too late for it.
        self._rung = False
        room = {lane: self.feed.room_for(lane) for lane in Lane.values}
        lease, lease_end = new_id(), self.house.lease_end()
        try:
            got = await self.house.claims.do(
                lambda: feed.claim_ahead(
                    self.bot.clinic, room, now=self.house.clock.now(), lease=lease, seconds=self.house.lease_seconds
                )
            )
        finally:
            self.ring.set()
        self.feed.add(got.claimed, lease_end)
        self._more = got.more
        wake = self.house.clock.now() + dt.timedelta(seconds=self.house.wake_seconds)
        # What is ready soon and was left for lack of room is claimed when there is room again, see `_more`.
        self._claim_at = min(wake, got.again_at) if got.again_at else wake

    async def _begin(self) -> float:
        """Begins what is due and has a slot; returns the seconds until the next may begin."""
        now = self.house.clock.now()
        if self.next_slot and self.next_slot - now > LOOKAHEAD:
            return self._seconds_to(self.next_slot - _EARLY)
        # After a failure one message goes ahead to see whether the line holds.
        at_once = 1 if self.line.failures else self._slots_at_once()
        most = min(self.house.free_for(self._on_wire, self.ring), at_once, self.house.half)
        taken = self.feed.take(most, now)
        if not taken:
            return self._until_next(blocked=most <= 0)
        candidates = {one.claimed.id: Candidate(one.claimed.id, one.claimed.lease, fresh_attempt()) for one in taken}
        self.house.on_wire += len(taken)
        self._on_wire += len(taken)
        done = await self.house.ledger.do(
            lambda: begin.begin_round(
                self.bot.id, list(candidates.values()), self.house.limits, now=self.house.clock.now()
            )
        )
        self._after_round(taken, done)
        return 0

    def _after_round(self, taken: list[Held], done: Round) -> None:
        self.next_slot = done.next_slot
        self._claim_by(done.back_at)
        if done.closed_why:
            self.bot = _with_closing(self.bot, Closing(done.closed_until or done.next_slot, Closed(done.closed_why)))
        begun = {one.candidate.message: one for one in done.begun}
        self.feed.put_back(one for one in taken if one.claimed.id not in done.settled)
        self._leave(len(taken) - len(begun))
        for held in taken:
            if one := begun.get(held.claimed.id):
                self._open += 1
                # The loop itself keeps tasks only weakly.
                self._sending[one.candidate.attempt] = asyncio.create_task(self._see_through(one, held.lease_end))

    async def _see_through(self, begun: Begun, lease_end: float) -> None:
        try:
            conclusion = await deliver(self.house, self.line, begun, lease_end, self._new_slot)
        except BaseException:
            self._open -= 1
            self._one_less()
            raise
        finally:
            del self._sending[begun.candidate.attempt]
        self.results.add(Ending(conclusion, self._written))
        # Whatever begins from now on is committed with it or later, so its place is free.
        self._one_less()

    def _written(self, conclusion: Conclusion) -> None:
        self._claim_by(conclusion.record.ready_at)
        if conclusion.closing:
            self._closed_for_now(conclusion.closing)
        self._open -= 1
        self.ring.set()

    def _one_less(self) -> None:
        self._leave(1)
        self.ring.set()

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

    async def _give_back(self, held: list[Held]) -> None:
        if held:
            backs = [Back(one.claimed.id, one.claimed.lease) for one in held]
            await self.house.ledger.do(lambda: queue.give_back(backs))
            self._rung = True

    def _has_room_for_more(self) -> bool:
        return self._more and len(self.feed) < self.feed.room // 2

    def _claim_by(self, at: dt.datetime | None) -> None:
        """Something was given back that is ready then."""
        if at is not None and self._claim_at is not None:
            self._claim_at = min(self._claim_at, at - feed.AHEAD)

    def _until_next(self, *, blocked: bool) -> float:
        """Seconds until the next Message's time or the next claim; when blocked, a finished Attempt rings."""
        if blocked:
            return self.house.wake_seconds
        claim_at = None if self._claiming else self._claim_at
        times = [at for at in (self.feed.next_at(), claim_at) if at is not None]
        return self._seconds_to(min(times)) if times else self.house.wake_seconds

    def _seconds_to(self, at: dt.datetime) -> float:
        # A moment more than nothing: a timer that fires a hair early must not spin.
        return max((at - self.house.clock.now()).total_seconds(), 0.0005)

    def _slots_at_once(self) -> int:
        return 1 + math.floor(LOOKAHEAD.total_seconds() * self.house.limits.per_second)


def _with_closing(bot: BotRow, closing: Closing | None) -> BotRow:
    until, why = (closing.until, closing.why.value) if closing else (None, "")
    return BotRow(bot.id, bot.clinic, bot.token, until, why, bot.paused)


def _room(house: House) -> int:
    """About two seconds' worth of messages."""
    return max(20, min(math.ceil(house.limits.per_second * feed.AHEAD.total_seconds()), 2000))


def _reserve(house: House) -> float:
    """Seconds that a lease must still have for its Message to be begun."""
    return house.lease_margin + min(house.lease_seconds / 6, 10.0)
