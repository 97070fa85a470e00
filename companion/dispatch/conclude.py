"""From an Outcome of the wire to what is written down: the Message's next status, marks on the patient and the bot.

One table; pure but for the seal. When to try again is decided here, too.
"""

import datetime as dt
import random
import uuid

import msgspec

from companion.clinics.models import Closed
from companion.clinics.sealed import seal
from companion.delivery.store import Record
from companion.delivery.verdict import after_unknown
from companion.dispatch.begin import Begun
from companion.patients.models import Trouble
from companion.schedules.models import AttemptOutcome, Status
from companion.schedules.reasons import Reason
from companion.telegram.outcomes import Kind, Outcome

FIRST_RETRY, LONGEST_RETRY = 2.0, 300.0
"""Seconds before the second try, and the most between two; each waits about twice as long as the one before."""
ASK_AGAIN = dt.timedelta(seconds=10)
"""How long a refused bot is closed before it is asked again (DESIGN.md: at least every 30 s)."""
FAILURES_TO_CLOSE = 5
LONGEST_CLOSED = 15.0

_TROUBLES = {
    Reason.BLOCKED: Trouble.BLOCKED,
    Reason.DEACTIVATED: Trouble.DEACTIVATED,
    Reason.CHAT_NOT_FOUND: Trouble.CHAT_NOT_FOUND,
}


class Closing(msgspec.Struct, frozen=True, gc=False):
    """The bot sends nothing until then."""

    until: dt.datetime
    why: Closed


class Conclusion(msgspec.Struct, frozen=True, gc=False):
    """All that is written down of one Attempt's end."""

    bot: uuid.UUID
    record: Record
    trouble: Trouble | None
    """The patient's mark from now on; `Trouble.NONE` clears it, None leaves it."""
    closing: Closing | None
    """Of the bot, for all dispatchers."""


def conclude(begun: Begun, outcome: Outcome, *, now: dt.datetime, failures: int, dice: random.Random) -> Conclusion:
    """What an Outcome means. `failures`: how many requests of this bot failed one after the other before this one."""
    match outcome.kind:
        case Kind.SENT:
            within = begun.facts.answer_within
            record = Record(
                begun.message,
                begun.attempt,
                now,
                AttemptOutcome.SENT,
                Status.SENT,
                telegram_message_id=outcome.message_id,
                answer_by=now + within if within else None,
            )
            return Conclusion(begun.bot, record, Trouble.NONE if begun.facts.in_trouble else None, None)
        case Kind.PERMANENT:
            reason = Reason(outcome.reason or Reason.REJECTED)
            record = _record(begun, outcome, now, AttemptOutcome.PERMANENT, Status.FAILED, reason)
            return Conclusion(begun.bot, record, _TROUBLES.get(reason), None)
        case Kind.TOO_MANY:
            until = now + dt.timedelta(seconds=outcome.retry_after or 1.0)
            record = _record(begun, outcome, now, AttemptOutcome.TOO_MANY, Status.PENDING, ready_at=until)
            return Conclusion(begun.bot, record, None, Closing(until, Closed.RETRY_AFTER))
        case Kind.UNAUTHORIZED:
            record = _record(begun, outcome, now, AttemptOutcome.UNAUTHORIZED, Status.PENDING, ready_at=now)
            return Conclusion(begun.bot, record, None, Closing(now + ASK_AGAIN, Closed.UNAUTHORIZED))
        case Kind.TRANSIENT:
            again = now + dt.timedelta(seconds=_pause(begun.facts.earlier_tries, dice))
            record = _record(begun, outcome, now, AttemptOutcome.TRANSIENT, Status.PENDING, ready_at=again)
            return Conclusion(begun.bot, record, None, _circuit(failures + 1, now))
        case Kind.UNKNOWN:
            status, reason_or_none = after_unknown(begun.facts.if_unknown, begun.facts.resends)
            record = _record(begun, outcome, now, AttemptOutcome.UNKNOWN, status, reason_or_none, ready_at=now)
            # A server that takes requests and answers none would make one message after the other unknown.
            return Conclusion(begun.bot, record, None, _circuit(failures + 1, now))


def never_left(begun: Begun, *, now: dt.datetime, note: str) -> Conclusion:
    """The Attempt was written down, but its time to leave was over before anything was written to the wire."""
    outcome = Outcome(Kind.TRANSIENT, note=note)
    record = _record(begun, outcome, now, AttemptOutcome.NEVER_LEFT, Status.PENDING, ready_at=now)
    return Conclusion(begun.bot, record, None, None)


def _record(
    begun: Begun,
    outcome: Outcome,
    now: dt.datetime,
    what: AttemptOutcome,
    status: Status,
    reason: Reason | None = None,
    ready_at: dt.datetime | None = None,
) -> Record:
    description = outcome.description
    return Record(
        message=begun.message,
        attempt=begun.attempt,
        at=now,
        outcome=what,
        status=status,
        reason=reason,
        ready_at=ready_at,
        telegram_message_id=outcome.message_id,
        error_code=outcome.error_code,
        note=outcome.note[:100],
        description=seal(description, "schedules.Attempt.description").hex() if description else None,
    )


def _pause(tries: int, dice: random.Random) -> float:
    """Exponential, with jitter between half and all of it, so that many don't come back as one."""
    longest = min(FIRST_RETRY * 2.0 ** min(tries, 20), LONGEST_RETRY)
    return longest * (0.5 + dice.random() / 2)


def _circuit(failures: int, now: dt.datetime) -> Closing | None:
    """Opens the circuit after a few failures in a row: an outage costs few calls, and recovery takes seconds."""
    if failures < FAILURES_TO_CLOSE:
        return None
    seconds = min(2.0 ** min(failures - FAILURES_TO_CLOSE, 10), LONGEST_CLOSED)
    return Closing(now + dt.timedelta(seconds=seconds), Closed.CIRCUIT)
