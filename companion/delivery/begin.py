"""Begin Attempts: one round of a bot, in one transaction of the ledger.

Not here: the decision about a Message (verdict.py), its text (payload.py), and sending it (dispatch/send.py).
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic, Closed
from companion.clinics.sealed import seal_all
from companion.delivery import lifecycle, store
from companion.delivery.facts import Facts, Keyboard
from companion.delivery.payload import payload_of
from companion.delivery.store import Begin, Later, LockedBot, Position, Positions
from companion.delivery.verdict import End, Wait, verdicts
from companion.journal import entries, writing
from companion.schedules.reasons import Reason
from companion.telegram.discreet import Discreet

LOOKAHEAD = dt.timedelta(milliseconds=10)
"""The time within which a slot has to come to count as free. It is short, because a message that has begun must leave.
"""
_BOT_IS_GONE = dt.timedelta(seconds=5)
"""The time for which the runner of a deleted bot rests, until the service notices the deletion and ends the runner."""
_LOCKED_BY_OTHERS = dt.timedelta(milliseconds=50)
"""The time until the next round, if another process has locked the Messages that are ready."""


@dataclass(frozen=True, slots=True)
class Limits:
    """A bot's rate: the time between two of its slots, and between two messages to one chat."""

    gap: dt.timedelta
    chat_gap: dt.timedelta

    def free_slots(self, next_slot: dt.datetime | None, *, now: dt.datetime, most: int) -> list[dt.datetime]:
        """Return the slots that are free now, from `next_slot` on, at most `most`. None: from now on."""
        slot = now if next_slot is None else max(next_slot, now)
        free: list[dt.datetime] = []
        while slot <= now + LOOKAHEAD and len(free) < most:
            free.append(slot)
            slot += self.gap
        return free


class Begun(Discreet, frozen=True, gc=False):
    """An Attempt that is written down and now has to leave at its slot."""

    hidden = frozenset({"text", "buttons"})

    bot: uuid.UUID
    attempt: uuid.UUID
    facts: Facts
    chat: int
    text: str
    buttons: Keyboard | None
    slot: dt.datetime

    @property
    def message(self) -> uuid.UUID:
        """Return the Message's id."""
        return self.facts.message


@dataclass(slots=True)
class Round:
    """The order to begin Messages that may go. The ledger may carry it out twice."""

    bot: uuid.UUID
    clinic: uuid.UUID
    attempts: Sequence[uuid.UUID]
    """The ids of the Attempts, as many as may begin. They are made before the round, so that a second run finds the
    Attempts of the first run.
    """
    positions: Positions
    limits: Limits
    lease_seconds: float
    ahead: bool = False
    """True if a single message goes ahead through a bot that is still closed because it hung."""
    again: bool = False
    """True if the round ran before, and nobody knows whether it was committed."""


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a round."""

    begun: tuple[Begun, ...]
    next_slot: dt.datetime
    positions: Positions
    """The position in each lane from which the next round reads."""
    next_ready: dt.datetime | None
    """The instant at which the next Message is ready, as far as this round knows; None if no Message is planned."""
    closed_until: dt.datetime | None = None
    closed_why: str = ""

    @classmethod
    def again(cls, begun: tuple[Begun, ...], now: dt.datetime) -> "Done":
        """Report that the first run of the round was committed, with these Attempts."""
        return cls(begun, now, {}, now)

    @classmethod
    def gone(cls, now: dt.datetime) -> "Done":
        """Report that the bot was deleted: nothing begins, and the service will soon end the runner."""
        return cls((), now, {}, now + _BOT_IS_GONE)

    @classmethod
    def closed(cls, now: dt.datetime, until: dt.datetime | None, why: str) -> "Done":
        """Report that the bot is closed: nothing begins before `until`."""
        return cls((), now, {}, now, until, why)

    @classmethod
    def idle(cls, now: dt.datetime, next_slot: dt.datetime, positions: Positions) -> "Done":
        """Report that no slot is free: nothing begins before the next slot."""
        return cls((), next_slot, positions, now)


@dataclass(frozen=True, slots=True)
class _Judged:
    """The Messages of a round, sorted by their verdicts."""

    begun: list[Begun] = field(default_factory=list)
    laters: list[Later] = field(default_factory=list)
    ends: list[tuple[uuid.UUID, Reason]] = field(default_factory=list)


def begin_round(order: Round, *, now: dt.datetime) -> Done:
    """Begin the Messages that are first in line and may go, as many as the bot has free slots.

    1. Lock the bot, so that only one round at a time takes its slots.
    2. Count its free slots.
    3. Look at the Messages that are first in line.
    4. Judge each Message: it goes, it waits, or it ends.
    5. Write down all of this.
    """
    if order.again and (begun := _begun_before(order, now)):
        return Done.again(begun, now)
    order.again = True

    # 1
    bot = store.lock_bot(order.bot)
    if bot is None:
        return Done.gone(now)
    if _is_closed(bot, order, now):
        return Done.closed(now, bot.closed_until, bot.closed_why)

    # 2
    next_slot = bot.next_slot_at or now
    free = order.limits.free_slots(next_slot, now=now, most=len(order.attempts))
    if not free:
        return Done.idle(now, next_slot, order.positions)

    # 3
    in_line = store.next_in_line(order.clinic, order.positions, len(free), now=now)
    candidates = store.facts(in_line, now=now) if in_line else []

    # 4
    judged = _judge(order, candidates, free, now)

    # 5
    if judged.begun:
        next_slot = judged.begun[-1].slot + order.limits.gap
    _write_down(order, judged, next_slot, now)

    if len(candidates) < len(free):
        return Done(tuple(judged.begun), next_slot, {}, _next_ready(order.clinic, now, some=bool(candidates)))
    positions = order.positions | {facts.lane: Position(facts.ready_at, facts.message) for facts in candidates}
    return Done(tuple(judged.begun), next_slot, positions, now)


def begin_later(begun: Begun, limits: Limits, *, now: dt.datetime) -> dt.datetime:
    """Give a new slot to an Attempt that missed its slot. The chat's gap counts from the new slot."""
    slot = take_slot(begun.bot, limits, now=now)
    store.begin_later(begun.attempt, slot=slot)
    return slot


def take_slot(bot: uuid.UUID, limits: Limits, *, now: dt.datetime) -> dt.datetime:
    """Take one slot of the bot, for one call to Telegram, and return it."""
    locked = store.lock_bot(bot)
    slot = max((locked and locked.next_slot_at) or now, now)
    store.take_slots(bot, next_slot=slot + limits.gap)
    return slot


def _begun_before(order: Round, now: dt.datetime) -> tuple[Begun, ...]:
    """Return the Attempts that the first run of this round has committed.

    Its connection was cut before it could report them.
    """
    committed = []
    for facts in store.facts(store.begun_by(order.attempts), now=now):
        if facts.begun_by and facts.chat_last_at:
            # This Attempt is the newest of its chat, so the chat's last begin is this Attempt's slot.
            committed.append(_begun(order.bot, facts.begun_by, facts.chat_last_at, facts))
    return tuple(begun for begun in committed if begun)


def _is_closed(bot: LockedBot, order: Round, now: dt.datetime) -> bool:
    if bot.closed_why == Closed.HANGING:
        return not order.ahead
    return bot.closed_why == Closed.UNAUTHORIZED or bool(bot.closed_until and bot.closed_until > now)


def _judge(order: Round, candidates: Sequence[Facts], free: Sequence[dt.datetime], now: dt.datetime) -> _Judged:
    judged = _Judged()
    slots = iter(zip(order.attempts, free, strict=False))
    calendar = cache(lambda: calendar_of(Clinic.objects.get(pk=order.clinic)))
    judgements = verdicts(candidates, now, chat_gap=order.limits.chat_gap, calendar=calendar)
    for facts, verdict in zip(candidates, judgements, strict=True):
        if isinstance(verdict, End):
            judged.ends.append((facts.message, verdict.reason))
        elif isinstance(verdict, Wait):
            judged.laters.append(_later(facts, verdict))
        elif (begun := _begun(order.bot, *next(slots), facts)) is None:
            judged.ends.append((facts.message, Reason.REJECTED))
        else:
            judged.begun.append(begun)
    return judged


def _write_down(order: Round, judged: _Judged, next_slot: dt.datetime, now: dt.datetime) -> None:
    if judged.laters:
        store.put_off(judged.laters)
    if judged.ends:
        lifecycle.end(judged.ends, now=now)
    if judged.begun:
        texts = seal_all([begun.text for begun in judged.begun], "schedules.Attempt.text")
        begins = [
            Begin(begun.message, begun.attempt, begun.slot, text.hex(), begun.chat)
            for begun, text in zip(judged.begun, texts, strict=True)
        ]
        writing.note(*[_journal_entry(order, begun) for begun in judged.begun])
        lease_until = now + dt.timedelta(seconds=order.lease_seconds)
        store.begin(begins, order.bot, next_slot=next_slot, lease_until=lease_until)


def _journal_entry(order: Round, begun: Begun) -> entries.Begun:
    facts = begun.facts
    return entries.Begun(
        begun.slot,
        begun.attempt,
        facts.message,
        order.clinic,
        begun.chat,
        facts.schedule,
        facts.patient,
        facts.occurrence,
    )


def _next_ready(clinic: uuid.UUID, now: dt.datetime, *, some: bool) -> dt.datetime | None:
    """Return the instant at which the next Message is ready. `some` is True if this round has found a Message.

    If a Message is ready now but none was found, another process has locked it: look again soon.
    """
    at = store.next_ready(clinic)
    if at is None or at > now or some:
        return at
    return now + _LOCKED_BY_OTHERS


def _begun(bot: uuid.UUID, attempt: uuid.UUID, slot: dt.datetime, facts: Facts) -> Begun | None:
    """Return the Attempt with its payload; None if there is no text, or the filled text is too long for Telegram."""
    if facts.telegram_id is None:
        raise ValueError("no verdict lets a Message go without a Telegram ID")
    payload = payload_of(facts, slot)
    if payload is None:
        return None
    return Begun(bot, attempt, facts, facts.telegram_id, payload.text, payload.buttons, slot)


def _later(facts: Facts, wait: Wait) -> Later:
    until = wait.until.astimezone(dt.UTC)
    return Later(facts.message, until, until + (facts.late_at - facts.due_at) if wait.restart else None)
