"""Beginning Attempts: one round of a bot, inside one transaction of the ledger.

The verdicts are delivery/verdict.py's, the statements delivery/store.py's, the slots pace.py's.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic, Closed
from companion.clinics.sealed import seal
from companion.delivery import lifecycle, payload, store
from companion.delivery.facts import Facts, Keyboard
from companion.delivery.store import Begin, Later, Place, Places
from companion.delivery.verdict import End, Wait, verdicts
from companion.dispatch import pace
from companion.schedules.reasons import Reason
from companion.telegram.discreet import Discreet

LOOKAHEAD = dt.timedelta(milliseconds=10)
"""Slots this far ahead are begun together; what has begun must leave, so it is little."""
_GONE = dt.timedelta(seconds=5)
_HELD_UP = dt.timedelta(milliseconds=50)


@dataclass(frozen=True, slots=True)
class Limits:
    """A bot's rate: messages a second, and the time between a chat's."""

    per_second: float
    chat_gap: dt.timedelta


class Begun(Discreet, frozen=True, gc=False):
    """An Attempt that is written down and must now leave at its slot."""

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
        """The Message's id."""
        return self.facts.message


@dataclass(slots=True)
class Round:
    """What is to begin together, if it is there. Carried out by the ledger, perhaps twice."""

    bot: uuid.UUID
    clinic: uuid.UUID
    attempts: Sequence[uuid.UUID]
    """The ids that its Attempts will have: as many as may begin."""
    places: Places
    limits: Limits
    lease_seconds: float
    again: bool = False
    """Whether it was carried out before, and nobody knows whether that was committed."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a round."""

    begun: tuple[Begun, ...]
    next_slot: dt.datetime
    places: Places
    """From where on the next round may look."""
    next_ready: dt.datetime | None
    """When there is more to begin, for all that is known now; None: no more is planned."""
    closed_until: dt.datetime | None = None
    closed_why: str = ""

    @classmethod
    def idle(cls, now: dt.datetime, next_slot: dt.datetime, places: Places) -> "Done":
        """Nothing may begin before the next slot."""
        return cls((), next_slot, places, now)

    @classmethod
    def closed(cls, now: dt.datetime, until: dt.datetime | None, why: str) -> "Done":
        """The bot sends nothing until then."""
        return cls((), now, {}, now, until, why)

    @classmethod
    def gone(cls, now: dt.datetime) -> "Done":
        """The bot was taken away: its runner soon hears of it."""
        return cls((), now, {}, now + _GONE)


@dataclass(frozen=True, slots=True)
class _Written:
    """What a round writes down."""

    begun: list[Begun] = field(default_factory=list)
    laters: list[Later] = field(default_factory=list)
    ends: list[tuple[uuid.UUID, Reason]] = field(default_factory=list)


def begin_round(one: Round, *, now: dt.datetime) -> Done:
    """Begins what is first in line and may go, as much as the bot has free slots for at once.

    1. Lock the bot, so that one round at a time takes its slots.
    2. Count the free slots up to LOOKAHEAD.
    3. Look at the Messages that are first in line.
    4. Judge each: it goes, it waits, or it ends.
    5. Write all of it down.
    """
    if one.again and (begun := _begun_before(one, now)):
        return Done(begun, now, {}, now)
    one.again = True

    bot = store.lock_bot(one.bot)
    if bot is None:
        return Done.gone(now)
    if bot.closed_why == Closed.UNAUTHORIZED or (bot.closed_until and bot.closed_until > now):
        return Done.closed(now, bot.closed_until, bot.closed_why)

    next_slot = bot.next_slot_at or now
    most = len(one.attempts)
    free = pace.slots(bot.next_slot_at, now=now, until=now + LOOKAHEAD, rate=one.limits.per_second, most=most)
    if not free:
        return Done.idle(now, next_slot, one.places)

    candidates = store.facts(store.next_in_line(one.clinic, one.places, len(free), now=now), now=now)

    written = _judge(one, candidates, free, now)

    next_slot = _write_down(one, written, next_slot, now)
    if len(candidates) < len(free):
        return Done(tuple(written.begun), next_slot, {}, _next_ready(one.clinic, now=now, found=bool(candidates)))
    places = one.places | {facts.lane: Place(facts.ready_at, facts.message) for facts in candidates}
    return Done(tuple(written.begun), next_slot, places, now)


def begin_later(begun: Begun, limits: Limits, *, now: dt.datetime) -> dt.datetime:
    """Gives an Attempt that missed its slot a new one; the chat's second counts from there."""
    slot = take_slot(begun.bot, limits, now=now)
    store.begin_later(begun.attempt, slot=slot)
    return slot


def take_slot(bot: uuid.UUID, limits: Limits, *, now: dt.datetime) -> dt.datetime:
    """Takes a slot of the bot's rate, for one call of it."""
    state = store.lock_bot(bot)
    slot = max((state and state.next_slot_at) or now, now)
    store.take_slots(bot, next_slot=pace.after(slot, limits.per_second))
    return slot


def _begun_before(one: Round, now: dt.datetime) -> tuple[Begun, ...]:
    """What this round has begun without hearing of it: its connection was cut at the commit."""
    found = []
    for facts in store.facts(store.begun_by(one.attempts), now=now):
        if facts.begun_by and facts.chat_last_at:
            # The newest Attempt to the chat is this one, and began_at is its slot.
            found.append(_begun(one.bot, facts.begun_by, facts.chat_last_at, facts))
    return tuple(begun for begun in found if begun)


def _next_ready(clinic: uuid.UUID, *, now: dt.datetime, found: bool) -> dt.datetime | None:
    at = store.next_ready(clinic)
    if at is None or at > now or found:
        return at
    # Ready, and yet not found: somebody is changing it.
    return now + _HELD_UP


def _judge(one: Round, candidates: Sequence[Facts], free: Sequence[dt.datetime], now: dt.datetime) -> _Written:
    written = _Written()
    slots = iter(zip(one.attempts, free, strict=False))
    calendar = cache(lambda: calendar_of(Clinic.objects.get(pk=one.clinic)))
    judged = verdicts(candidates, now, chat_gap=one.limits.chat_gap, calendar=calendar)
    for facts, verdict in zip(candidates, judged, strict=True):
        if isinstance(verdict, End):
            written.ends.append((facts.message, verdict.reason))
        elif isinstance(verdict, Wait):
            written.laters.append(_later(facts, verdict))
        elif (begun := _begun(one.bot, *next(slots), facts)) is None:
            written.ends.append((facts.message, Reason.REJECTED))
        else:
            written.begun.append(begun)
    return written


def _write_down(round_: Round, written: _Written, next_slot: dt.datetime, now: dt.datetime) -> dt.datetime:
    """Writes a round down. Returns the bot's next slot."""
    store.put_off(written.laters)
    lifecycle.end(written.ends, now=now)
    if written.begun:
        next_slot = pace.after(written.begun[-1].slot, round_.limits.per_second)
        begins = [
            Begin(
                begun.message, begun.attempt, begun.slot, seal(begun.text, "schedules.Attempt.text").hex(), begun.chat
            )
            for begun in written.begun
        ]
        lease_until = now + dt.timedelta(seconds=round_.lease_seconds)
        store.begin(begins, round_.bot, next_slot=next_slot, lease_until=lease_until)
    return next_slot


def _begun(bot: uuid.UUID, attempt: uuid.UUID, slot: dt.datetime, facts: Facts) -> Begun | None:
    """The Attempt with its payload; None where its text, filled in, is longer than Telegram takes."""
    if facts.telegram_id is None:
        raise ValueError("no verdict lets a Message go without a Telegram ID")
    words = payload.text_of(facts, slot)
    if words is None:
        return None
    return Begun(bot, attempt, facts, facts.telegram_id, words, payload.keyboard_of(facts), slot)


def _later(facts: Facts, wait: Wait) -> Later:
    until = wait.until.astimezone(dt.UTC)
    return Later(facts.message, until, until + (facts.late_at - facts.due_at) if wait.restart else None)
