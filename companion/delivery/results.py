"""The results of Attempts: what an Outcome means for the Message, the patient and the bot, and when to try again.

One table decides all of this. `write_down` runs in a transaction of the ledger.
"""

import datetime as dt
import random
import uuid
from collections.abc import Sequence

import msgspec

from companion.clinics.sealed import seal
from companion.delivery import closing, deleting, lifecycle, store
from companion.delivery.begin import Begun
from companion.delivery.closing import Closing
from companion.delivery.deleting import Posted
from companion.delivery.store import Marked, Record
from companion.delivery.traces import Doubtful
from companion.delivery.verdict import after_unknown
from companion.journal import entries, writing
from companion.patients.reach import trouble_from
from companion.schedules.models import AttemptOutcome, Status
from companion.schedules.reasons import Reason
from companion.telegram.outcomes import Kind, Outcome

FIRST_RETRY, LONGEST_RETRY = 2.0, 300.0
"""The seconds before the second try, and the longest wait between two tries. Each wait is about twice the wait before.
"""


class Result(msgspec.Struct, frozen=True, gc=False):
    """Everything that is written down when an Attempt has ended."""

    bot: uuid.UUID
    record: Record
    trouble: str | None
    """The patient's new mark. "" clears the mark, None leaves it as it is."""
    closing: Closing | None
    """The time for which the bot is closed for all dispatchers; None if it stays open."""
    chat: int
    """The Telegram ID to which the request went."""


def result_of(
    begun: Begun, outcome: Outcome, *, now: dt.datetime, lease: dt.timedelta, failures: int, dice: random.Random
) -> Result:
    """Return the result of an Outcome. `failures` is the number of requests of this bot that failed in a row."""
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
            return Result(begun.bot, record, "" if begun.facts.in_trouble else None, None, begun.chat)
        case Kind.PERMANENT:
            reason = Reason(outcome.reason or Reason.REJECTED)
            record = _record(begun, outcome, now, AttemptOutcome.PERMANENT, Status.FAILED, reason)
            return Result(begun.bot, record, trouble_from(reason), None, begun.chat)
        case Kind.TOO_MANY:
            wait = closing.wait_of(outcome, now)
            record = _record(begun, outcome, now, AttemptOutcome.TOO_MANY, Status.PENDING, ready_at=wait.until)
            return Result(begun.bot, record, None, wait, begun.chat)
        case Kind.UNAUTHORIZED:
            record = _record(begun, outcome, now, AttemptOutcome.UNAUTHORIZED, Status.PENDING, ready_at=now)
            return Result(begun.bot, record, None, closing.refused(now), begun.chat)
        case Kind.TRANSIENT:
            until = now + dt.timedelta(seconds=_pause(begun.facts.earlier_tries, dice))
            record = _record(begun, outcome, now, AttemptOutcome.TRANSIENT, Status.PENDING, ready_at=until)
            return Result(begun.bot, record, None, closing.after_failures(failures + 1, now), begun.chat)
        case Kind.UNKNOWN:
            after = after_unknown(begun.facts, Doubtful(begun.slot, now), lease, now)
            again = after.ready_at
            record = _record(begun, outcome, now, AttemptOutcome.UNKNOWN, after.status, after.reason, ready_at=again)
            # Close the bot: a server that accepts requests without an answer would make message after message unknown.
            return Result(begun.bot, record, None, closing.hanging(now), begun.chat)


def never_left(begun: Begun, *, now: dt.datetime, note: str) -> Result:
    """Return the result of an Attempt whose time to leave was over before anything was written to the wire."""
    outcome = Outcome(Kind.TRANSIENT, note=note)
    record = _record(begun, outcome, now, AttemptOutcome.NEVER_LEFT, Status.PENDING, ready_at=now)
    return Result(begun.bot, record, None, None, begun.chat)


def write_down(results: Sequence[Result]) -> None:
    """Close the Attempts, end their Messages or give them back, and mark patients and bots."""
    records = [result.record for result in results]
    if lifecycle.record(records):
        deleting.ask_if_erased({result.record.attempt: _posted(result) for result in results if _is_sent(result)})
    writing.note(*[entries.Ended(end.at, end.attempt, end.outcome, end.telegram_message_id) for end in records])
    marks = [
        Marked(result.record.message, result.trouble, result.record.at)
        for result in results
        if result.trouble is not None
    ]
    if marks:
        store.mark_patients(marks)
    for result in results:
        if result.closing is not None:
            closing.close(result.bot, result.closing)


def _is_sent(result: Result) -> bool:
    return result.record.outcome == AttemptOutcome.SENT and result.record.telegram_message_id is not None


def _posted(result: Result) -> Posted:
    return Posted(result.chat, result.record.telegram_message_id or 0, result.record.at)


def _record(
    begun: Begun,
    outcome: Outcome,
    now: dt.datetime,
    attempt_outcome: AttemptOutcome,
    status: Status,
    reason: Reason | None = None,
    ready_at: dt.datetime | None = None,
) -> Record:
    description = outcome.description
    return Record(
        message=begun.message,
        attempt=begun.attempt,
        at=now,
        outcome=attempt_outcome,
        status=status,
        reason=reason,
        ready_at=ready_at,
        telegram_message_id=outcome.message_id,
        error_code=outcome.error_code,
        note=outcome.note[:100],
        description=seal(description, "schedules.Attempt.description").hex() if description else None,
    )


def _pause(tries: int, dice: random.Random) -> float:
    """Return the seconds until the next try. They double with each try; chance takes up to half, to spread retries."""
    longest = min(FIRST_RETRY * 2.0 ** min(tries, 20), LONGEST_RETRY)
    return longest * (0.5 + dice.random() / 2)
