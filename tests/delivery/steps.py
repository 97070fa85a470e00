"""The steps of a Message's life, as a dispatcher takes them, each in its own transaction."""

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import transaction

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic
from companion.clinics.sealed import seal
from companion.delivery import lifecycle, store
from companion.delivery.store import Begin, Positions, Record
from companion.schedules.models import AttemptOutcome, Message, Status
from companion.schedules.reasons import Reason

LEASE = dt.timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Step:
    """An Attempt that was begun."""

    message: uuid.UUID
    attempt: uuid.UUID


def in_line(clinic: Clinic, *, now: dt.datetime, positions: Positions | None = None, most: int = 10) -> list[uuid.UUID]:
    """The Messages that are ready and not begun, in the order in which they go."""
    with transaction.atomic():
        found = store.facts(store.next_in_line(clinic.id, positions or {}, most, now=now), now=now)
        return [attempt.message for attempt in found]


def begin(clinic: Clinic, *, now: dt.datetime) -> list[Step]:
    """Begin all Messages that are ready."""
    with transaction.atomic():
        ready = store.next_in_line(clinic.id, {}, 10, now=now)
        steps = [Step(message, new_id()) for message in ready]
        sealed = seal("Take your tablet.", "schedules.Attempt.text").hex()
        begins = [Begin(step.message, step.attempt, now, sealed, 5_000_000_001) for step in steps]
        store.begin(begins, uuid.uuid4(), next_slot=now, lease_until=now + LEASE)
    return steps


def record(
    begun: Step, outcome: AttemptOutcome, status: Status, *, now: dt.datetime, reason: Reason | None = None
) -> None:
    """Record an outcome."""
    number = 77 if outcome == AttemptOutcome.SENT else None
    result = Record(begun.message, begun.attempt, now, outcome, status, reason, telegram_message_id=number)
    with transaction.atomic():
        lifecycle.record([result])


def sent(begun: Step, *, now: dt.datetime) -> None:
    """Record that Telegram accepted the message."""
    record(begun, AttemptOutcome.SENT, Status.SENT, now=now)


def rescue(*, now: dt.datetime) -> None:
    """Close the Attempts whose lease ran out."""
    with transaction.atomic():
        lifecycle.rescue(now=now, lease=LEASE)


def expire(*, now: dt.datetime) -> int:
    """End the Messages that are too late."""
    with transaction.atomic():
        return lifecycle.expire(now=now, limit=100)


def fresh(message: Message) -> Message:
    """The Message as it is now in the database."""
    return Message.objects.get(pk=message.pk)
