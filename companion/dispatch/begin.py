"""Beginning Attempts: last look, slots of the bot's rate, text. Runs inside one transaction of the ledger."""

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from companion.clinics.models import Closed
from companion.clinics.sealed import seal, unseal
from companion.dispatch import pace
from companion.planning import series
from companion.schedules import buttons, lifecycle, queue, sql, text
from companion.schedules.buttons import Button, Rows
from companion.schedules.last_look import End, Go, Verdict, Wait, last_look
from companion.schedules.letters import Letter, look
from companion.schedules.models import Version
from companion.schedules.queue import Back, Begin, Candidate
from companion.schedules.reasons import Reason
from companion.telegram.discreet import Discreet

LOOKAHEAD = dt.timedelta(milliseconds=10)
"""Slots this far ahead are begun together; what has begun must leave, so it is little."""

_Mornings = dict[tuple[uuid.UUID, str, dt.datetime], dt.datetime | None]
"""By schedule, zone and the end of quiet hours: when what waited for that end may go; None: it is left out."""
_GONE = dt.timedelta(seconds=5)
_BOT = "SELECT next_slot_at, closed_until, closed_why FROM clinics_bot WHERE id = %s {lock}"
_TAKE_SLOTS = "UPDATE clinics_bot SET next_slot_at = %s WHERE id = %s"

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
    candidate: Candidate
    letter: Letter
    chat: int
    text: str
    buttons: Rows | None
    slot: dt.datetime


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one round of beginning."""

    begun: tuple[Begun, ...]
    settled: frozenset[uuid.UUID]
    """Messages that are no longer held: begun, ended, given back, or someone else's."""
    next_slot: dt.datetime
    closed_until: dt.datetime | None
    closed_why: str
    back_at: dt.datetime | None = None
    """When the first of those given back wants to be looked at again."""


def begin_round(bot: uuid.UUID, candidates: Sequence[Candidate], limits: Limits, *, now: dt.datetime) -> Round:
    """Begins as many of the candidates, in their order, as the bot has free slots for at once."""
    row = _bot(bot)
    if row is None:
        return Round((), frozenset(), now, now + _GONE, Closed.CIRCUIT)
    next_slot_at, closed_until, closed_why = row
    if closed_why == Closed.UNAUTHORIZED or (closed_until and closed_until > now):
        return Round((), frozenset(), now, closed_until, closed_why)
    free = pace.slots(next_slot_at, now=now, until=now + LOOKAHEAD, rate=limits.per_second, most=len(candidates))
    if not free and next_slot_at:
        return Round((), frozenset(), next_slot_at, None, "")
    letters = {one.message: one for one in look(candidates, now=now)}
    begun, begins, backs, ends = _judge(bot, candidates, letters, free, now, limits)
    queue.begin(begins)
    queue.give_back(backs)
    lifecycle.end(ends, now=now)
    next_slot = next_slot_at or now
    if begun:
        next_slot = pace.after(max(one.slot for one in begun), limits.per_second)
        sql.run(_TAKE_SLOTS, (sql.instant(next_slot), sql.key(bot)))
    kept = {one.message for one in candidates if one.message in letters}
    kept -= {one.candidate.message for one in begun} | {one.message for one in backs} | {one.message for one in ends}
    settled = frozenset({one.message for one in candidates} - kept)
    back_at = min((one.ready_at for one in backs if one.ready_at), default=None)
    return Round(tuple(begun), settled, next_slot, None, "", back_at)


def begin_later(begun: Begun, limits: Limits, *, now: dt.datetime) -> dt.datetime:
    """A new slot for an Attempt that missed its own; its chat's second counts from there."""
    slot = take_slot(begun.bot, limits, now=now)
    sql.run(_BEGIN_LATER, (sql.instant(slot), sql.key(begun.candidate.attempt)))
    return slot


def take_slot(bot: uuid.UUID, limits: Limits, *, now: dt.datetime) -> dt.datetime:
    """A slot of the bot's rate, for one call of it."""
    row = _bot(bot)
    slot = max((row and row[0]) or now, now)
    sql.run(_TAKE_SLOTS, (sql.instant(pace.after(slot, limits.per_second)), sql.key(bot)))
    return slot


def _judge(
    bot: uuid.UUID,
    candidates: Sequence[Candidate],
    letters: dict[uuid.UUID, Letter],
    free: list[dt.datetime],
    now: dt.datetime,
    limits: Limits,
) -> tuple[list[Begun], list[Begin], list[Back], list[lifecycle.Ended]]:
    """Each candidate's verdict; one chat gets at most one message in a round."""
    begun: list[Begun] = []
    begins: list[Begin] = []
    backs: list[Back] = []
    ends: list[lifecycle.Ended] = []
    slots = iter(free)
    chats: set[int] = set()
    mornings: _Mornings = {}
    for one in candidates:
        letter = letters.get(one.message)
        if letter is None:
            continue  # someone was faster: cancelled, edited, replanned, or the lease is over
        verdict = _verdict(letter, chats, now, limits, mornings)
        if isinstance(verdict, End):
            ends.append(lifecycle.Ended(one.message, one.lease, verdict.reason))
        elif isinstance(verdict, Wait):
            backs.append(_back(one, letter, verdict))
        elif (slot := next(slots, None)) is not None:
            words, chat = _words(letter, slot), _chat(letter)
            if words is None:
                ends.append(lifecycle.Ended(one.message, one.lease, Reason.REJECTED))
                continue
            chats.add(chat)
            begun.append(Begun(bot, one, letter, chat, words, _buttons(letter), slot))
            if not letter.begun_already:
                begins.append(Begin(one.message, one.attempt, slot, seal(words, "schedules.Attempt.text").hex(), chat))
    return begun, begins, backs, ends


def _verdict(letter: Letter, chats: set[int], now: dt.datetime, limits: Limits, mornings: _Mornings) -> Verdict:
    if letter.begun_already:
        return Go()
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


def _back(one: Candidate, letter: Letter, wait: Wait) -> Back:
    late_after = letter.looked.late_at - letter.looked.due_at
    until = wait.until.astimezone(dt.UTC)
    return Back(one.message, one.lease, until, until + late_after if wait.restart else None)


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
