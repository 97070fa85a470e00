"""Every change of a Message's status, each one guarded UPDATE. Zero rows changed means that someone was faster. And the
one way in which Messages are deleted (`unplan`).

Who changes what: the Dispatcher ends what it begun (`record`), what nobody can know (`rescue`), what is too late
(`expire`) and what a last look stopped (`end`); people's acts (acts.py) and the Planner go through `move`.
All run inside the caller's transaction. DESIGN.md, A Message's Life.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from functools import cache

import msgspec
from django.db.models import Q, QuerySet

from companion.clinics.keys import new_id
from companion.schedules import sql
from companion.schedules.models import AttemptOutcome, IfUnknown, Message, Status
from companion.schedules.queue import FREE, lapsed
from companion.schedules.reasons import Reason

CANCELLING = frozenset({Reason.BY_PERSON, Reason.SCHEDULE_ENDED, Reason.PATIENT_LEFT})
"""Reasons of `cancelled`; all others are reasons of `failed`."""

NOT_BEGUN = Q(status=Status.PENDING, open_attempt_id__isnull=True)
"""What people and the Planner may still touch. From the begin of an Attempt on, a Message is left alone."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What came of an Attempt. `status` is the Message's next one; pending: it is tried again from `ready_at`."""

    message: uuid.UUID
    attempt: uuid.UUID
    at: dt.datetime
    outcome: AttemptOutcome
    status: Status
    reason: Reason | None = None
    ready_at: dt.datetime | None = None
    telegram_message_id: int | None = None
    error_code: int | None = None
    note: str = ""
    description: str | None = None
    """Telegram's words: sealed, hexadecimal."""
    answer_by: dt.datetime | None = None
    """Until when an answer to what was sent is waited for."""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A Message that a last look stopped."""

    message: uuid.UUID
    reason: Reason


# An Attempt is closed once, but for late proof: what was thought unknown may still turn out to be sent.
_CLOSE = """
UPDATE schedules_attempt
SET ended_at = r.at, outcome = r.outcome, telegram_message_id = r.telegram_message_id, error_code = r.error_code,
    note = coalesce(r.note, ''), description = {description}
FROM r
WHERE schedules_attempt.id = r.attempt
  AND (schedules_attempt.outcome = '' OR (schedules_attempt.outcome = 'unknown' AND r.outcome = 'sent'))
"""

# The Attempt's id is the fencing token: only its own open Attempt ends a Message.
_RECORD = """
UPDATE schedules_message
SET status = r.status, reason = coalesce(r.reason, ''),
    telegram_message_id = coalesce(r.telegram_message_id, schedules_message.telegram_message_id),
    sent_at = CASE WHEN r.status = 'sent' THEN r.at END,
    ended_at = CASE WHEN r.status = 'pending' THEN NULL ELSE r.at END,
    ready_at = coalesce(r.ready_at, schedules_message.ready_at),
    resends = schedules_message.resends + CASE WHEN r.outcome = 'unknown' AND r.status = 'pending' THEN 1 ELSE 0 END,
    answer_by = CASE WHEN schedules_message.answered_at IS NULL THEN r.answer_by END,
    lease_until = NULL, open_attempt_id = NULL
FROM r
WHERE schedules_message.id = r.message AND schedules_message.open_attempt_id = r.attempt
  AND schedules_message.status = 'pending'
"""

# Late proof: the process that sent it hears "yes" after the lease ran out. A retry that waits then never begins.
_LATE_PROOF = """
UPDATE schedules_message
SET status = 'sent', reason = '', telegram_message_id = r.telegram_message_id, sent_at = r.at, ended_at = r.at,
    answer_by = CASE WHEN schedules_message.answered_at IS NULL THEN r.answer_by END
FROM r
WHERE schedules_message.id = r.message AND r.outcome = 'sent' AND schedules_message.open_attempt_id IS NULL
  AND ((schedules_message.status = 'failed' AND schedules_message.reason = 'outcome_unknown')
       OR schedules_message.status = 'pending')
"""

_END = """
UPDATE schedules_message
SET status = r.status, reason = r.reason, ended_at = {now}
FROM r
WHERE schedules_message.id = r.message AND schedules_message.status = 'pending'
  AND schedules_message.open_attempt_id IS NULL
"""

_CLOSE_UNKNOWN = """
UPDATE schedules_attempt SET outcome = 'unknown', ended_at = r.at, note = 'its lease ran out'
FROM r
WHERE schedules_attempt.id = r.attempt AND schedules_attempt.outcome = ''
"""

# Resend, once at most, is the Schedule's wish; anything else whose outcome is unknown waits for a person.
_RESCUE = """
UPDATE schedules_message
SET status = CASE WHEN if_unknown = 'resend' AND resends = 0 THEN 'pending' ELSE 'failed' END,
    reason = CASE WHEN if_unknown = 'resend' AND resends = 0 THEN '' ELSE 'outcome_unknown' END,
    ended_at = CASE WHEN if_unknown = 'resend' AND resends = 0 THEN NULL ELSE r.at END,
    ready_at = CASE WHEN if_unknown = 'resend' AND resends = 0 THEN r.at ELSE ready_at END,
    resends = CASE WHEN if_unknown = 'resend' THEN 1 ELSE resends END,
    lease_until = NULL, open_attempt_id = NULL
FROM r
WHERE schedules_message.id = r.message AND schedules_message.open_attempt_id = r.attempt
  AND schedules_message.status = 'pending'
"""

_EXPIRE = """
UPDATE schedules_message
SET status = 'failed', ended_at = {now}, reason = CASE
    WHEN EXISTS (SELECT 1 FROM clinics_bot b WHERE b.clinic_id = schedules_message.clinic_id
                 AND b.closed_why = 'unauthorized') THEN 'bot_unauthorized'
    WHEN EXISTS (SELECT 1 FROM patients_patient p WHERE p.id = schedules_message.patient_id
                 AND p.consent = 'withdrawn') AND NOT answers_stop_or_start THEN 'opted_out'
    WHEN tries > 0 THEN 'gave_up'
    WHEN EXISTS (SELECT 1 FROM patients_patient p WHERE p.id = schedules_message.patient_id
                 AND p.consent_asked_at IS NOT NULL AND p.consent = 'unknown') THEN 'no_consent'
    ELSE 'too_late' END
WHERE id IN (
    SELECT id FROM schedules_message
    WHERE late_at <= {now} AND {free}
    ORDER BY late_at LIMIT {limit} {skip_locked}
) AND {free}
"""

_RECORD_ROWS = {
    "message": "uuid",
    "attempt": "uuid",
    "at": "timestamptz",
    "outcome": "text",
    "status": "text",
    "reason": "text",
    "ready_at": "timestamptz",
    "telegram_message_id": "bigint",
    "error_code": "bigint",
    "note": "text",
    "description": "bytea",
    "answer_by": "timestamptz",
}


def record(records: Sequence[Record]) -> None:
    """Closes Attempts and ends (or gives back) their Messages."""
    if not records:
        return
    rows = sql.parameter(records)
    if sql.run_all(_record(), rows) < len(records):
        (late_proof,) = sql.with_rows(_RECORD_ROWS, _LATE_PROOF)
        sql.run(late_proof, (rows,))


@cache
def _record() -> tuple[str, ...]:
    return sql.with_rows(_RECORD_ROWS, _CLOSE.format(description=sql.bytes_of("r.description")), _RECORD)


def end(ends: Sequence[Ended], *, now: dt.datetime) -> None:
    """Ends Messages that will never go."""
    if not ends:
        return
    parameter = sql.parameter(
        [{"message": one.message, "reason": one.reason, "status": status_of(one.reason)} for one in ends]
    )
    columns = {"message": "uuid", "reason": "text", "status": "text"}
    (statement,) = sql.with_rows(columns, _END.format(now="%s"))
    sql.run(statement, (parameter, sql.instant(now)))


def rescue(*, now: dt.datetime) -> int:
    """Closes as unknown what was begun and whose lease ran out, and ends or resends its Messages; how many."""
    rows = [{"message": one.message, "attempt": one.attempt, "at": now.astimezone(dt.UTC)} for one in lapsed(now=now)]
    if not rows:
        return 0
    columns = {"message": "uuid", "attempt": "uuid", "at": "timestamptz"}
    return sql.run_all(sql.with_rows(columns, _CLOSE_UNKNOWN, _RESCUE), sql.parameter(rows))


def expire(*, now: dt.datetime, limit: int) -> int:
    """Fails, at most `limit` at a time, what nobody has begun and could not leave within its `late_after`."""
    skip_locked = sql.locking("FOR UPDATE SKIP LOCKED")
    statement = _EXPIRE.format(now="%s", free=FREE, limit="%s", skip_locked=skip_locked)
    at = sql.instant(now)
    return sql.changed(statement, (at, at, limit))


def move(messages: QuerySet[Message], **columns: object) -> int:
    """Changes columns of Messages that nobody has begun."""
    return messages.filter(NOT_BEGUN).update(**columns)


def stop(messages: QuerySet[Message], reason: Reason, *, now: dt.datetime) -> int:
    """Fails or cancels, as the reason says, Messages that nobody has begun."""
    return move(messages, status=status_of(reason), reason=reason, ended_at=now)


def only_planned(messages: QuerySet[Message]) -> QuerySet[Message]:
    """Those of which there is nothing but the plan: no Attempt was begun, no person had a hand in it."""
    return messages.filter(NOT_BEGUN, by_hand=False, tries=0)


def unplan(messages: QuerySet[Message]) -> int:
    """Deletes those that are only planned; how many."""
    # Locked first: what a Dispatcher has just begun is then none of them, and it begins none of these any more.
    locked = only_planned(messages).select_for_update(of=("self",)).order_by("id")
    return Message.objects.filter(id__in=list(locked.values_list("id", flat=True))).delete()[0]


def reopen(messages: QuerySet[Message], **columns: object) -> int:
    """Makes failed Messages pending again: a person's retry."""
    failed = messages.filter(status=Status.FAILED, open_attempt_id__isnull=True)
    return failed.update(status=Status.PENDING, reason="", ended_at=None, **columns)


def come_back(messages: QuerySet[Message]) -> int:
    """Makes Messages pending again that were cancelled because their patient had left. How many.

    The guard asks for that reason: a Message that a person cancelled, or that ended with its series, stays cancelled.
    """
    gone = messages.filter(status=Status.CANCELLED, reason=Reason.PATIENT_LEFT, open_attempt_id__isnull=True)
    return gone.update(status=Status.PENDING, reason="", ended_at=None)


def waiting(now: dt.datetime) -> Q:
    """Messages that may still go: the pending, and those of the future that wait for a patient who has left."""
    return Q(status=Status.PENDING) | Q(status=Status.CANCELLED, reason=Reason.PATIENT_LEFT, due_at__gt=now)


def prove(messages: QuerySet[Message], telegram_message_id: int, *, now: dt.datetime) -> int:
    """Closes as sent what the patient's own tap shows to have arrived; a retry that waits then never begins."""
    doubted = Q(status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN) | Q(status=Status.PENDING, tries__gt=0)
    return messages.filter(doubted, open_attempt_id__isnull=True).update(
        status=Status.SENT,
        reason="",
        telegram_message_id=telegram_message_id,
        sent_at=now,
        ended_at=now,
    )


def status_of(reason: Reason) -> Status:
    """The status that a reason belongs to."""
    return Status.CANCELLED if reason in CANCELLING else Status.FAILED


def after_unknown(if_unknown: str, resends: int) -> tuple[Status, Reason | None]:
    """What becomes of a Message whose request left and whose answer never came."""
    if if_unknown == IfUnknown.RESEND and resends == 0:
        return Status.PENDING, None
    return Status.FAILED, Reason.OUTCOME_UNKNOWN


def fresh_attempt() -> uuid.UUID:
    """The id that an Attempt will have, known before it is written, so that writing it may be repeated."""
    return new_id()
