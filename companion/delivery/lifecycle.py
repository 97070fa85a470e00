"""Every change of a Message's status, each one guarded UPDATE. Zero rows changed means that someone was faster. And the
one way in which Messages are deleted (`unplan`).

Who changes what: the Dispatcher ends what it began (`record`), what nobody can know (`rescue`), what is too late
(`expire`) and what a verdict ended (`end`); people's acts (planning/acts.py) and the Planner go through `move`.
All run inside the caller's transaction. DESIGN.md, A Message's Life.
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from django.db.models import Q, QuerySet

from companion.delivery import store
from companion.delivery.store import Ended, Record
from companion.delivery.verdict import after_unknown, ending
from companion.schedules.models import Attempt, AttemptOutcome, Message, Status
from companion.schedules.reasons import Reason

CANCELLING = frozenset({Reason.BY_PERSON, Reason.SCHEDULE_ENDED, Reason.PATIENT_LEFT})
"""Reasons of `cancelled`; all others are reasons of `failed`."""

NOT_BEGUN = Q(status=Status.PENDING, open_attempt_id__isnull=True)
"""What people and the Planner may still touch. From the begin of an Attempt on, a Message is left alone.

In SQL: status = 'pending' AND open_attempt_id IS NULL.
"""
ONLY_PLANNED = NOT_BEGUN & Q(by_hand=False, tries=0)
"""What is nothing but a plan: no Attempt was begun, and no person had a hand in it.

In SQL: status = 'pending' AND open_attempt_id IS NULL AND NOT by_hand AND tries = 0.
"""


def record(records: Sequence[Record]) -> None:
    """Closes Attempts and ends (or gives back) their Messages."""
    if records and store.record(records) < len(records):
        store.late_proof(records)


def end(ends: Sequence[tuple[uuid.UUID, Reason]], *, now: dt.datetime) -> None:
    """Ends Messages that will never go, each for its reason."""
    store.end([Ended(message, reason, status_of(reason)) for message, reason in ends], now=now)


def rescue(*, now: dt.datetime) -> int:
    """Closes as unknown the Attempts whose lease ran out, and ends or resends their Messages. Returns how many."""
    records = []
    for one in store.lapsed(now=now):
        status, reason = after_unknown(one.if_unknown, one.resends)
        at = now.astimezone(dt.UTC)
        records.append(
            Record(
                one.message,
                one.attempt,
                at,
                AttemptOutcome.UNKNOWN,
                status,
                reason,
                ready_at=at if status == Status.PENDING else None,
                note="its lease ran out",
            )
        )
    return store.record(records) if records else 0


def expire(*, now: dt.datetime, limit: int) -> int:
    """Ends, at most `limit` at a time, what nobody has begun and could not leave within its `late_after`."""
    late = store.facts(store.too_late(limit, now=now), now=now)
    end([(one.message, reason) for one in late if (reason := ending(one, now))], now=now)
    return len(late)


def move(messages: QuerySet[Message], **columns: object) -> int:
    """Changes columns of Messages that nobody has begun."""
    return messages.filter(NOT_BEGUN).update(**columns)


def stop(messages: QuerySet[Message], reason: Reason, *, now: dt.datetime) -> int:
    """Fails or cancels, as the reason says, Messages that nobody has begun."""
    return move(messages, status=status_of(reason), reason=reason, ended_at=now)


def only_planned(messages: QuerySet[Message]) -> QuerySet[Message]:
    """Those of these Messages that are nothing but a plan."""
    return messages.filter(ONLY_PLANNED)


def unplan(messages: QuerySet[Message]) -> int:
    """Deletes those that are only planned; how many."""
    # Locked first: what a Dispatcher has just begun is then none of them, and it begins none of these any more.
    locked = only_planned(messages).select_for_update(of=("self",)).order_by("id")
    return Message.objects.filter(id__in=list(locked.values_list("id", flat=True))).delete()[0]


def hold(messages: QuerySet[Message], *, now: dt.datetime) -> int:
    """Fails as unknown Messages that may have been sent before the database was restored. How many.

    Also those on the wire when the copy was taken, whatever their Schedule wishes: a person decides.
    """
    held = messages.exclude(status__in=[Status.SENT, Status.CANCELLED])
    attempts = Attempt.objects.filter(id__in=held.filter(open_attempt_id__isnull=False).values("open_attempt_id"))
    attempts.update(ended_at=now, outcome=AttemptOutcome.UNKNOWN, note="the database was restored")
    return held.update(
        status=Status.FAILED,
        reason=Reason.OUTCOME_UNKNOWN,
        held_by_restore=True,
        ended_at=now,
        lease_until=None,
        open_attempt_id=None,
    )


def reopen(messages: QuerySet[Message], **columns: object) -> int:
    """Makes failed Messages pending again: a person's retry."""
    failed = messages.filter(status=Status.FAILED, open_attempt_id__isnull=True)
    return failed.update(status=Status.PENDING, reason="", held_by_restore=False, ended_at=None, **columns)


def come_back(messages: QuerySet[Message]) -> int:
    """Makes Messages pending again that were cancelled because their patient had left. How many.

    The guard asks for that reason: a Message that a person cancelled, or that ended with its series, stays cancelled.
    """
    gone = messages.filter(status=Status.CANCELLED, reason=Reason.PATIENT_LEFT, open_attempt_id__isnull=True)
    return gone.update(status=Status.PENDING, reason="", ended_at=None)


def undo(messages: QuerySet[Message], reason: Reason, *, since: dt.datetime, now: dt.datetime) -> int:
    """Makes Messages pending again that a person's act cancelled for this reason since then, and that are in time.

    How many. The guard is the whole check: a Message that was undone, or whose time is over, is not among them.
    """
    # A reminder that the patient's answer made needless stays cancelled.
    needless = Message.objects.filter(follows__answered_at__isnull=False)
    cancelled = messages.filter(
        status=Status.CANCELLED, reason=reason, ended_at__gte=since, late_at__gt=now, open_attempt_id__isnull=True
    )
    return cancelled.exclude(id__in=needless.values("id")).update(status=Status.PENDING, reason="", ended_at=None)


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
