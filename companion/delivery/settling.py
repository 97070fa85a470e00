"""Settle Attempts of unknown outcome, one step at a time, with at most one question to Telegram in each step.

evidence.py reads what is known, traces.py draws the conclusion, lifecycle.py changes statuses, and dispatch/probing.py
asks Telegram. Each function here runs in a transaction of the ledger.
"""

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from companion.clinics.models import Bot, Closed
from companion.delivery import evidence, lifecycle, store, traces
from companion.delivery.begin import Limits, take_slot
from companion.delivery.facts import Facts, Keyboard
from companion.delivery.payload import buttons_of
from companion.delivery.store import Record
from companion.delivery.traces import Ask, NoTrace, Wait
from companion.delivery.verdict import may_ask
from companion.journal import entries, writing
from companion.schedules.models import Attempt, AttemptOutcome, Status
from companion.schedules.reasons import NO_TRACE
from companion.telegram.discreet import Discreet

APART: Final = dt.timedelta(seconds=1)
"""The time between two questions of one bot, over all dispatchers."""
LOOK_AGAIN: Final = dt.timedelta(seconds=15)
"""The time until an Attempt is looked at again, if only new numbers of other messages can bring news."""
FOUND: Final = "found again in the chat by its number"


class Question(Discreet, frozen=True, gc=False):
    """A question to Telegram: does this chat hold a message of the bot with this number and these buttons?"""

    hidden = frozenset({"buttons", "text"})

    attempt: uuid.UUID
    chat: int
    number: int
    buttons: Keyboard | None
    """The buttons as they were sent, so that the question changes nothing."""
    text: str
    slot: dt.datetime
    """The slot of the bot that the question has taken."""


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one step about one Attempt."""

    attempt: uuid.UUID
    question: Question | None = None
    look_again: dt.datetime | None = None
    """The instant at which to look at the Attempt again, if there is nothing to ask now; None if it is settled."""
    resent: bool = False
    """True if its Message may now be sent again."""


@dataclass(frozen=True, slots=True)
class Search:
    """The order to take one step for a bot. `skipped` are Attempts that were put off."""

    bot: uuid.UUID
    skipped: Collection[uuid.UUID]
    lease: dt.timedelta
    limits: Limits


def next_step(search: Search, *, now: dt.datetime) -> Step | None:
    """Take the next step about an Attempt. Returns None if there is no such Attempt, or the bot may not be used now.

    A question takes a slot of the bot, at most one a second, and only while no Message is ready to be sent.
    """
    if store.lock_bot(search.bot) is None:
        return None
    bot = Bot.objects.select_related("clinic").defer("token").get(pk=search.bot)
    if _may_not_ask(bot, now):
        return None
    attempt = evidence.next_unsettled(bot, search.skipped, search.lease, now=now)
    if attempt is None:
        return None
    conclusion = traces.conclusion(evidence.case_of(attempt, bot, search.lease), now)
    if isinstance(conclusion, NoTrace):
        return _note_absence(attempt, now)
    if isinstance(conclusion, Wait) and conclusion.until:
        return Step(attempt.pk, look_again=min(conclusion.until, now + search.lease))
    [facts] = store.facts([attempt.message_id], now=now)
    if not isinstance(conclusion, Ask) or not may_ask(facts, attempt.telegram_id):
        return Step(attempt.pk, look_again=now + LOOK_AGAIN)
    Bot.objects.filter(pk=bot.pk).update(next_probe_at=now + APART)
    slot = take_slot(bot.pk, search.limits, now=now)
    return Step(attempt.pk, _question(attempt, conclusion.number, slot))


def found_here(question: Question, search: Search, *, now: dt.datetime) -> bool:
    """End as sent the Message that the chat holds. Return False if by now the number may belong to another message."""
    attempt = _unknown(question)
    bot = Bot.objects.filter(pk=search.bot).defer("token").first()
    if attempt is None or bot is None:
        return False
    if not traces.is_candidate(evidence.case_of(attempt, bot, search.lease), question.number, now):
        return False
    [facts] = store.facts([attempt.message_id], now=now)
    lifecycle.record([_sent(attempt, question.number, facts, now)])
    writing.note(entries.Ended(now, attempt.pk, AttemptOutcome.SENT, question.number))
    return True


def not_here(question: Question, *, now: dt.datetime) -> None:
    """Note that the chat holds no message of the bot with this number."""
    if attempt := _unknown(question):
        asked = (attempt.asked or {}) | {str(question.number): now.isoformat()}
        Attempt.objects.filter(pk=attempt.pk).update(asked=asked)


def _may_not_ask(bot: Bot, now: dt.datetime) -> bool:
    if bot.closed_why == Closed.HANGING or bot.closed_why == Closed.UNAUTHORIZED:
        return True
    if (bot.closed_until and bot.closed_until > now) or bot.clinic.sending_paused_at:
        return True
    if bot.next_probe_at and now < bot.next_probe_at <= now + APART:
        return True
    # Messages that are about to leave go first, too.
    ready = store.next_ready(bot.clinic_id)
    return ready is not None and ready <= now + APART


def _question(attempt: Attempt, number: int, slot: dt.datetime) -> Question:
    buttons = buttons_of(attempt.message)
    return Question(attempt.pk, attempt.telegram_id, number, buttons, attempt.text, slot)


def _unknown(question: Question) -> Attempt | None:
    """Lock the question's Attempt; None if its outcome is no longer unknown."""
    rows = Attempt.objects.select_for_update(of=("self",)).filter(pk=question.attempt, outcome=AttemptOutcome.UNKNOWN)
    return rows.select_related("message").first()


def _note_absence(attempt: Attempt, now: dt.datetime) -> Step:
    note = f"{attempt.note}; {NO_TRACE}" if attempt.note else NO_TRACE
    Attempt.objects.filter(pk=attempt.pk).update(note=note[:100])
    return Step(attempt.pk, resent=lifecycle.leave_no_trace(attempt, now=now))


def _sent(attempt: Attempt, number: int, facts: Facts, now: dt.datetime) -> Record:
    at, within = now.astimezone(dt.UTC), facts.answer_within
    return Record(
        attempt.message_id,
        attempt.pk,
        at,
        AttemptOutcome.SENT,
        Status.SENT,
        telegram_message_id=number,
        note=FOUND,
        # The patient has had the message since the Attempt began.
        answer_by=attempt.began_at.astimezone(dt.UTC) + within if within else None,
    )
