"""The steps of a Message's life, as a dispatcher takes them, each in its own transaction."""

import datetime as dt

from django.db import transaction

from companion.clinics.keys import new_id
from companion.clinics.models import Clinic
from companion.clinics.sealed import seal
from companion.schedules import letters, lifecycle, queue
from companion.schedules.lifecycle import Record
from companion.schedules.models import AttemptOutcome, Lane, Message, Status
from companion.schedules.queue import Begin, Candidate, Claimed
from companion.schedules.reasons import Reason

LEASE = dt.timedelta(seconds=60)


def claim(clinic: Clinic, *, now: dt.datetime, lane: int = Lane.REMINDER, limit: int = 10) -> list[Claimed]:
    """Claims what is ready."""
    with transaction.atomic():
        return queue.claim(clinic.id, lane, now=now, ready_before=now, limit=limit, lease=new_id(), until=now + LEASE)


def begin(claimed: Claimed, *, now: dt.datetime) -> Candidate | None:
    """Begins an Attempt where the last look still finds the Message ours; None where someone was faster."""
    candidate = Candidate(claimed.id, claimed.lease, lifecycle.fresh_attempt())
    with transaction.atomic():
        if not letters.look([candidate], now=now):
            return None
        sealed = seal("Take your tablet.", "schedules.Attempt.text").hex()
        queue.begin([Begin(claimed.id, candidate.attempt, now, sealed, 5_000_000_001)])
    return candidate


def record(
    begun: Candidate, outcome: AttemptOutcome, status: Status, *, now: dt.datetime, reason: Reason | None = None
) -> None:
    """Writes an outcome down."""
    number = 77 if outcome == AttemptOutcome.SENT else None
    one = Record(begun.message, begun.attempt, now, outcome, status, reason, telegram_message_id=number)
    with transaction.atomic():
        lifecycle.record([one])


def sent(begun: Candidate, *, now: dt.datetime) -> None:
    """Telegram said yes."""
    record(begun, AttemptOutcome.SENT, Status.SENT, now=now)


def rescue(*, now: dt.datetime) -> None:
    """Expired leases are taken back."""
    with transaction.atomic():
        lifecycle.rescue(now=now)


def expire(*, now: dt.datetime) -> int:
    """What is too late fails."""
    with transaction.atomic():
        return lifecycle.expire(now=now, limit=100)


def fresh(message: Message) -> Message:
    """The row as it is now."""
    return Message.objects.get(pk=message.pk)
