"""Every change of a Message's status, each by one guarded UPDATE, and the only way to delete Messages (`unplan`).

Zero rows changed means that someone was faster. The Dispatcher records the results of Attempts (`record`), closes
Attempts whose lease ran out (`rescue`), and ends Messages that are too late (`expire`) or that a verdict ends (`end`).
People's acts (planning/acts.py) and the Planner use `move`. All functions run in the caller's transaction.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from django.db.models import Max, Q, QuerySet

from companion.delivery import store
from companion.delivery.store import Ended, EndedAt, Record
from companion.delivery.traces import Doubtful
from companion.delivery.verdict import after_unknown, ending
from companion.schedules.models import Attempt, AttemptOutcome, Message, Status
from companion.schedules.reasons import Reason

CANCELLING: Final = frozenset({Reason.BY_PERSON, Reason.SCHEDULE_ENDED, Reason.PATIENT_LEFT})
"""Reasons of `cancelled`; all others are reasons of `failed`."""

OFF_THE_WIRE: Final = Q(open_attempt_id__isnull=True)
"""Messages without an open Attempt. Only the Dispatcher changes a Message with an open Attempt.

In SQL: open_attempt_id IS NULL.
"""
NOT_BEGUN: Final = OFF_THE_WIRE & Q(status=Status.PENDING)
"""Messages that people and the Planner may still change.

In SQL: status = 'pending' AND open_attempt_id IS NULL.
"""
ON_THE_WIRE: Final = ~OFF_THE_WIRE & Q(status=Status.PENDING)
"""Messages with an open Attempt, which may arrive at any moment.

In SQL: status = 'pending' AND open_attempt_id IS NOT NULL.
"""
UNTOUCHED: Final = Q(tries=0, by_hand=False)
"""Messages for which no Attempt was ever begun, and which no person has changed.

In SQL: tries = 0 AND NOT by_hand.
"""
ONLY_PLANNED: Final = NOT_BEGUN & UNTOUCHED
"""Messages that are nothing but a plan.

In SQL: status = 'pending' AND open_attempt_id IS NULL AND tries = 0 AND NOT by_hand.
"""
ADDRESSED: Final = Q(patient__isnull=False) | Q(telegram_id__isnull=False)
"""Messages that have a recipient. A Message whose patient was erased has none, and can't be sent any more."""


def record(records: Sequence[Record]) -> bool:
    """Close Attempts, and end their Messages or give them back.

    Return whether some came late, after their Attempts counted as unknown.
    """
    if not records:
        return False
    recorded = store.record(records)
    late = recorded.changed < len(records)
    if late:
        store.late_proof(records)
    if recorded.heard:
        _tell_recorded(records)
    return late


def end(ends: Sequence[tuple[uuid.UUID, Reason]], *, now: dt.datetime) -> None:
    """End Messages that will never go, each for its reason."""
    if not ends:
        return
    store.end([Ended(message, reason, status_of(reason)) for message, reason in ends], now=now)
    _tell([message for message, reason in ends if status_of(reason) == Status.FAILED], at=now)


def rescue(*, now: dt.datetime, lease: dt.timedelta) -> int:
    """Close as unknown the Attempts whose lease ran out; fail their Messages, or let them be resent. Return how many.

    `lease` is the length of such a lease.
    """
    at, records = now.astimezone(dt.UTC), []
    for lapsed in store.lapsed(now=now):
        after = after_unknown(lapsed, Doubtful(at - lease, at), lease, at)
        records.append(
            Record(
                lapsed.message,
                lapsed.attempt,
                at,
                AttemptOutcome.UNKNOWN,
                after.status,
                after.reason,
                ready_at=after.ready_at,
                note="its lease ran out",
            )
        )
    if not records:
        return 0
    recorded = store.record(records)
    if recorded.heard:
        _tell_recorded(records)
    return recorded.changed


def expire(*, now: dt.datetime, limit: int) -> int:
    """End Messages that could not leave within their `late_after`, at most `limit` at a time. Return how many."""
    late = store.facts(store.too_late(limit, now=now), now=now)
    end([(facts.message, reason) for facts in late if (reason := ending(facts, now))], now=now)
    return len(late)


def move(messages: QuerySet[Message], **columns: object) -> int:
    """Change columns of Messages that have not begun. Return how many changed."""
    return messages.filter(NOT_BEGUN).update(**columns)


def stop(messages: QuerySet[Message], reason: Reason, *, now: dt.datetime) -> int:
    """Fail or cancel Messages that have not begun; the reason says which of the two. Return how many."""
    status = status_of(reason)
    # Read the ids before the change: after it, nobody can tell these Messages from others. Webhooks get no event for
    # a cancelled Message.
    failing = list(messages.filter(NOT_BEGUN).values_list("id", flat=True)) if status == Status.FAILED else []
    stopped = move(messages, status=status, reason=reason, ended_at=now)
    _tell(failing, at=now)
    return stopped


def give_way(messages: QuerySet[Message], *, now: dt.datetime) -> int:
    """Cancel Messages that another Message of the same Occurrence makes needless, when two patients are merged.

    Messages that were sent, or may have arrived, stay as they are. Returns how many were cancelled.
    """
    needless = Q(status=Status.PENDING) | (Q(status=Status.FAILED) & ~Q(reason=Reason.OUTCOME_UNKNOWN))
    ended = {"status": Status.CANCELLED, "reason": Reason.PATIENT_LEFT, "ended_at": now}
    return messages.filter(OFF_THE_WIRE, needless).update(**ended)


def is_only_planned(message: Message) -> bool:
    """Return whether this Message is nothing but a plan. The same condition as ONLY_PLANNED, for a row in memory."""
    return is_untried(message) and not message.by_hand


def is_untried(message: Message) -> bool:
    """Return whether this Message is pending, and no Attempt of it ever began."""
    return message.status == Status.PENDING and message.open_attempt_id is None and message.tries == 0


def only_planned(messages: QuerySet[Message]) -> QuerySet[Message]:
    """Return the Messages among these that are nothing but a plan."""
    return messages.filter(ONLY_PLANNED)


def unplan(messages: QuerySet[Message]) -> int:
    """Delete the Messages among these that are only planned. Return how many."""
    # Lock them first, so that no Dispatcher begins a Message between the query and the deletion.
    locked = only_planned(messages).select_for_update(of=("self",)).order_by("id")
    return Message.objects.filter(id__in=list(locked.values_list("id", flat=True))).delete()[0]


def hold(messages: QuerySet[Message], *, now: dt.datetime) -> int:
    """Fail as unknown the Messages that may have been sent before the database was restored. Return how many.

    This includes Messages that were on the wire when the backup was taken. A person decides about them, even if their
    Schedule says "resend".
    """
    held = messages.exclude(status__in=[Status.SENT, Status.CANCELLED])
    attempts = Attempt.objects.filter(id__in=held.filter(open_attempt_id__isnull=False).values("open_attempt_id"))
    attempts.update(ended_at=now, outcome=AttemptOutcome.UNKNOWN, note="the database was restored")
    ids = list(held.values_list("id", flat=True))
    changed = held.update(
        status=Status.FAILED,
        reason=Reason.OUTCOME_UNKNOWN,
        held_by_restore=True,
        ended_at=now,
        lease_until=None,
        open_attempt_id=None,
    )
    _tell(ids, at=now)
    return changed


def bring_back(message: Message, attempt: uuid.UUID, evidence: Mapping[str, object], *, at: dt.datetime) -> None:
    """End as sent a Message that was sent before the database was restored, as the Journal shows.

    `evidence` are the columns of its Attempt, as far as the Journal knows them.
    """
    known = Attempt.objects.filter(pk=attempt, message=message).update(
        **{name: value for name, value in evidence.items() if name != "text"}
    )
    if not known:
        number = 1 + (Attempt.objects.filter(message=message).aggregate(last=Max("number"))["last"] or 0)
        Attempt.objects.create(id=attempt, clinic_id=message.clinic_id, message=message, number=number, **evidence)
        Message.objects.filter(pk=message.pk).update(tries=number)
    Message.objects.filter(pk=message.pk).exclude(status__in=[Status.SENT, Status.CANCELLED]).update(
        status=Status.SENT,
        reason="",
        held_by_restore=False,
        telegram_message_id=evidence["telegram_message_id"],
        sent_at=at,
        ended_at=at,
        lease_until=None,
        open_attempt_id=None,
    )
    _tell([message.pk], at=at)


def reopen(messages: QuerySet[Message], **columns: object) -> int:
    """Make failed Messages pending again: a person's retry. Return how many."""
    failed = messages.filter(OFF_THE_WIRE, ADDRESSED, status=Status.FAILED)
    columns |= {"held_by_restore": False, "no_trace_at": None, "ended_at": None}
    return failed.update(status=Status.PENDING, reason="", **columns)


def come_back(messages: QuerySet[Message]) -> int:
    """Make Messages pending again that were cancelled because their patient had left. Return how many.

    The guard demands this reason: a Message that a person cancelled, or that ended with its series, stays cancelled.
    """
    gone = messages.filter(OFF_THE_WIRE, status=Status.CANCELLED, reason=Reason.PATIENT_LEFT)
    return gone.update(status=Status.PENDING, reason="", ended_at=None)


def undo(messages: QuerySet[Message], reason: Reason, *, since: dt.datetime, now: dt.datetime) -> int:
    """Make Messages pending again that a person's act cancelled for this reason after `since`. Return how many.

    The guard is the whole check: Messages that were undone before, or that are too late, are left out.
    """
    # A reminder stays cancelled if the patient has answered.
    needless = Message.objects.filter(follows__answered_at__isnull=False)
    cancelled = messages.filter(
        OFF_THE_WIRE, status=Status.CANCELLED, reason=reason, ended_at__gte=since, late_at__gt=now
    )
    return cancelled.exclude(id__in=needless.values("id")).update(status=Status.PENDING, reason="", ended_at=None)


def waiting(now: dt.datetime) -> Q:
    """Return the condition for Messages that may still go: pending, or cancelled because their patient has left."""
    return Q(status=Status.PENDING) | Q(status=Status.CANCELLED, reason=Reason.PATIENT_LEFT, due_at__gt=now)


def prove(messages: QuerySet[Message], telegram_message_id: int, *, now: dt.datetime) -> int:
    """End as sent the Messages that have arrived, as a patient's tap proves. A waiting retry never begins."""
    unknown_or_retried = Q(status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN) | Q(status=Status.PENDING, tries__gt=0)
    doubted = messages.filter(OFF_THE_WIRE, unknown_or_retried)
    ids = list(doubted.values_list("id", flat=True))
    if not ids:
        return 0
    proved = doubted.filter(id__in=ids).update(
        status=Status.SENT,
        reason="",
        telegram_message_id=telegram_message_id,
        sent_at=now,
        ended_at=now,
    )
    _tell(ids, at=now)
    unknown = list(Attempt.objects.filter(message__in=ids, outcome=AttemptOutcome.UNKNOWN)[:2])
    if proved and len(unknown) == 1:
        # With two such Attempts, nobody would know which of them has arrived.
        arrived = Attempt.objects.filter(pk=unknown[0].pk)
        arrived.update(outcome=AttemptOutcome.SENT, telegram_message_id=telegram_message_id)
    return proved


def leave_no_trace(attempt: Attempt, *, now: dt.datetime) -> bool:
    """Note that Telegram shows no trace of this Attempt. If its Message waits to be sent again, it may go now.

    Returns whether the Message was waiting.
    """
    unknown = Attempt.objects.filter(message=attempt.message_id, outcome=AttemptOutcome.UNKNOWN)
    if not unknown.filter(pk=attempt.pk).update(no_trace_at=now):
        return False
    message = Message.objects.filter(pk=attempt.message_id)
    if not unknown.filter(no_trace_at=None).exists():
        message.filter(status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN).update(no_trace_at=now)
    return bool(move(message.filter(resends__gt=0, ready_at__gt=now), ready_at=now))


def status_of(reason: Reason) -> Status:
    """Return the status to which a reason belongs."""
    return Status.CANCELLED if reason in CANCELLING else Status.FAILED


def _tell_recorded(records: Sequence[Record]) -> None:
    """Note for the clinics' webhooks which Messages these records have ended."""
    if ends := [EndedAt(record.message, record.at) for record in records if record.status != Status.PENDING]:
        store.tell_ends(ends)


def _tell(messages: Sequence[uuid.UUID], *, at: dt.datetime) -> None:
    """Note for the clinics' webhooks which of these Messages were sent or failed at this instant."""
    if messages:
        store.tell_ends([EndedAt(message, at.astimezone(dt.UTC)) for message in messages])
