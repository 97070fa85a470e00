"""Choose which Message of an Occurrence stays if two patients who turn out to be one person have one each.

A sent Message wins. A Message that may have arrived wins over one that may still go.
"""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from companion.delivery import lifecycle
from companion.patients.models import Patient
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason


@dataclass(frozen=True, slots=True)
class Twice:
    """Two Messages of one Occurrence."""

    stays: Message
    gives_way: Message


def found(gone: Patient, stays: Patient) -> list[Twice]:
    """The Occurrences for which both patients have a Message."""
    of_series = Message.objects.filter(clinic=stays.clinic_id, schedule__isnull=False)
    theirs = of_series.filter(patient=gone)
    own = of_series.filter(patient=stays, schedule__in=theirs.order_by().values("schedule"))
    by_key = {(one.schedule_id, one.occurrence): one for one in own}
    pairs = [(one, by_key[key]) for one in theirs if (key := (one.schedule_id, one.occurrence)) in by_key]
    return [Twice(mine, other) if _rank(mine) <= _rank(other) else Twice(other, mine) for other, mine in pairs]


def settle(twice: Iterable[Twice], *, now: dt.datetime) -> None:
    """Let the one of each two give way. A mere plan goes; what has a history stays on record, beside its series."""
    giving: set[uuid.UUID] = {one.gives_way.pk for one in twice}
    messages = Message.objects.filter(pk__in=giving)
    lifecycle.unplan(messages)
    # What waits to repeat it gives way, too.
    lifecycle.give_way(Message.objects.filter(follows__in=giving, status=Status.PENDING), now=now)
    lifecycle.give_way(messages, now=now)
    messages.update(schedule=None, answer_by=None)


def _rank(message: Message) -> int:
    """Return the Message's rank among those that may stay: the smallest wins."""
    match message.status:
        case Status.SENT:
            return 0
        case Status.FAILED:
            return 1 if message.reason == Reason.OUTCOME_UNKNOWN else 5
        case Status.PENDING:
            return 2 if message.tries else 3 if message.by_hand else 4
        case _:
            return 6
