"""Beginning Attempts: last look, slots of the bot's rate, text. Runs inside one transaction of the ledger."""

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from companion.clinics.models import Closed
from companion.clinics.sealed import seal, unseal
from companion.dispatch import pace
from companion.planning import series
from companion.schedules import buttons, lifecycle, queue, sql, text
from companion.schedules.buttons import Button, Rows
from companion.schedules.last_look import End, Go, Verdict, Wait, last_look
from companion.schedules.letters import Letter, look, look_again
from companion.schedules.models import Version
from companion.schedules.queue import TAKE_SLOTS, Begin, Later, Place, Places
from companion.schedules.reasons import Reason
from companion.telegram.discreet import Discreet

LOOKAHEAD = dt.timedelta(milliseconds=10)
"""Slots this far ahead are begun together; what has begun must leave, so it is little."""

_Mornings = dict[tuple[uuid.UUID, str, dt.datetime], dt.datetime | None]
"""By schedule, zone and the end of quiet hours: when what waited for that end may go; None: it is left out."""
_GONE = dt.timedelta(seconds=5)
_HELD_UP = dt.timedelta(milliseconds=50)
_BOT = "SELECT next_slot_at, closed_until, closed_why FROM clinics_bot WHERE id = %s {lock}"

_BEGIN_LATER = "UPDATE schedules_attempt SET began_at = %s WHERE id = %s AND outcome = ''"


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
    letter: Letter
    chat: int
    text: str
    buttons: Rows | None
    slot: dt.datetime

    @property
    def message(self) -> uuid.UUID:
        """The Message's id."""
        return self.letter.message


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


def begin_round(one: Round, *, now: dt.datetime) -> Done:
    """Begins what is first in line and may go, as much as the bot has free slots for at once."""
    if one.again and (begun := _begun_before(one, now)):
        return Done(begun, now, {}, now)
    one.again = True
    row = _bot(one.bot)
    if row is None:
        return Done((), now, {}, now, now + _GONE, Closed.CIRCUIT)
    next_slot_at, closed_until, closed_why = row
    if closed_why == Closed.UNAUTHORIZED or (closed_until and closed_until > now):
        return Done((), now, {}, now, closed_until, closed_why)
    most = len(one.attempts)
    free = pace.slots(next_slot_at, now=now, until=now + LOOKAHEAD, rate=one.limits.per_second, most=most)
    if not free:
        return Done((), next_slot_at or now, one.places, now)
    letters = look(one.clinic, one.places, len(free), now=now)
    judged = _judge(one, letters, free, now)
    queue.put_off(judged.laters)
    lifecycle.end(judged.ends, now=now)
    next_slot = next_slot_at or now
    if judged.begun:
        next_slot = pace.after(judged.begun[-1].slot, one.limits.per_second)
        queue.begin(judged.begins, one.bot, next_slot, lease_until=now + dt.timedelta(seconds=one.lease_seconds))
    if len(letters) < len(free):
        return Done(tuple(judged.begun), next_slot, {}, _next_ready(one.clinic, now=now, found=bool(letters)))
    places = one.places | {letter.looked.lane: Place(letter.looked.ready_at, letter.message) for letter in letters}
    return Done(tuple(judged.begun), next_slot, places, now)


def _begun_before(one: Round, now: dt.datetime) -> tuple[Begun, ...]:
    """What this round has begun, and was not heard of: its connection was cut at the commit."""
    found = []
    for letter in look_again(one.attempts, now=now):
        if letter.begun_by and letter.looked.chat_last_at:
            # The newest Attempt to the chat is this one, and began_at is its slot.
            found.append(_begun(one.bot, letter.begun_by, letter.looked.chat_last_at, letter))
    return tuple(begun for begun in found if begun)


def _next_ready(clinic: uuid.UUID, *, now: dt.datetime, found: bool) -> dt.datetime | None:
    at = queue.next_ready(clinic)
    if at is None or at > now or found:
        return at
    # Ready, and yet not found: somebody is changing it.
    return now + _HELD_UP


def begin_later(begun: Begun, limits: Limits, *, now: dt.datetime) -> dt.datetime:
    """A new slot for an Attempt that missed its own; its chat's second counts from there."""
    slot = take_slot(begun.bot, limits, now=now)
    sql.run(_BEGIN_LATER, (sql.instant(slot), sql.key(begun.attempt)))
    return slot


def take_slot(bot: uuid.UUID, limits: Limits, *, now: dt.datetime) -> dt.datetime:
    """A slot of the bot's rate, for one call of it."""
    row = _bot(bot)
    slot = max((row and row[0]) or now, now)
    sql.run(TAKE_SLOTS, (sql.instant(pace.after(slot, limits.per_second)), sql.key(bot)))
    return slot


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a round writes down."""

    begun: list[Begun] = field(default_factory=list)
    begins: list[Begin] = field(default_factory=list)
    laters: list[Later] = field(default_factory=list)
    ends: list[lifecycle.Ended] = field(default_factory=list)


def _judge(one: Round, letters: Sequence[Letter], free: Sequence[dt.datetime], now: dt.datetime) -> _Judged:
    """Each letter's verdict; one chat gets at most one message in a round."""
    judged = _Judged()
    slots = iter(zip(one.attempts, free, strict=False))
    chats: set[int] = set()
    mornings: _Mornings = {}
    for letter in letters:
        verdict = _verdict(letter, chats, now, one.limits, mornings)
        if isinstance(verdict, End):
            judged.ends.append(lifecycle.Ended(letter.message, verdict.reason))
        elif isinstance(verdict, Wait):
            judged.laters.append(_later(letter, verdict))
        elif (begun := _begun(one.bot, *next(slots), letter)) is None:
            judged.ends.append(lifecycle.Ended(letter.message, Reason.REJECTED))
        else:
            chats.add(begun.chat)
            judged.begun.append(begun)
            sealed = seal(begun.text, "schedules.Attempt.text").hex()
            judged.begins.append(Begin(begun.message, begun.attempt, begun.slot, sealed, begun.chat))
    return judged


def _begun(bot: uuid.UUID, attempt: uuid.UUID, slot: dt.datetime, letter: Letter) -> Begun | None:
    """None where its text, filled in, is longer than Telegram takes."""
    words = _words(letter, slot)
    return None if words is None else Begun(bot, attempt, letter, _chat(letter), words, _buttons(letter), slot)


def _verdict(letter: Letter, chats: set[int], now: dt.datetime, limits: Limits, mornings: _Mornings) -> Verdict:
    verdict = last_look(letter.looked, now, chat_gap=limits.chat_gap)
    if isinstance(verdict, Wait) and verdict.restart and letter.avoiding and not letter.looked.by_hand:
        return _on_a_working_day(letter.avoiding, letter.looked.timezone, verdict, mornings)
    if isinstance(verdict, Go) and letter.looked.telegram_id in chats:
        return Wait(now + limits.chat_gap)
    return verdict


def _on_a_working_day(schedule: uuid.UUID, zone: str, wait: Wait, mornings: _Mornings) -> Verdict:
    """Quiet hours that delay a Message may end on a day that its schedule avoids."""
    key = schedule, zone, wait.until
    if key not in mornings:
        mornings[key] = series.morning_after(schedule, wait.until, zone)
    until = mornings[key]
    return replace(wait, until=until) if until else End(Reason.TOO_LATE)


def _later(letter: Letter, wait: Wait) -> Later:
    late_after = letter.looked.late_at - letter.looked.due_at
    until = wait.until.astimezone(dt.UTC)
    return Later(letter.message, until, until + late_after if wait.restart else None)


def _chat(letter: Letter) -> int:
    if letter.looked.telegram_id is None:
        raise ValueError("the last look lets nothing go without a Telegram ID")
    return letter.looked.telegram_id


def _words(letter: Letter, at: dt.datetime) -> str | None:
    """The text as it leaves; None where, filled in, it is longer than Telegram takes."""
    if letter.own_text is not None:
        template = unseal(bytes.fromhex(letter.own_text), "schedules.Message.text")
    elif letter.version is not None:
        template = _wording(letter.version)[0]
    else:
        return None
    filled = text.fill(
        template,
        patient_name=letter.patient_name,
        clinic_name=letter.clinic_name,
        language=letter.language,
        at=at,
        timezone=letter.looked.timezone,
        caregiver=bool(letter.caregiver),
    )
    return None if text.too_long(filled) else filled


@lru_cache(maxsize=512)
def _wording(version: uuid.UUID) -> tuple[str, tuple[Button, ...]]:
    """Its text and its answer buttons."""
    # A version is never changed once it is written, so it may be kept.
    text, kept = Version.objects.values_list("text", "buttons").get(pk=version)
    return text, buttons.read(kept)


def _buttons(letter: Letter) -> Rows | None:
    raw = letter.buttons
    own: Rows | None = json.loads(raw) if isinstance(raw, str) else raw
    if own is not None or letter.version is None:
        return own
    answers = _wording(letter.version)[1]
    return buttons.keyboard(letter.message, answers) if answers else None


def _bot(bot: uuid.UUID) -> tuple[dt.datetime | None, dt.datetime | None, str] | None:
    """The bot's next slot, until when it is closed, and why; None where the bot was taken away."""
    found = sql.run(_BOT.format(lock=sql.locking("FOR UPDATE")), (sql.key(bot),))
    if not found:
        return None
    next_slot_at, closed_until, closed_why = found[0]
    return (
        sql.as_instant(next_slot_at) if next_slot_at else None,
        sql.as_instant(closed_until) if closed_until else None,
        str(closed_why),
    )
