"""Choose which Message of an Occurrence stays, if two patients who are merged both have a Message of it.

A sent Message wins. A Message that may have arrived wins over a Message that may still go.
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
    """Two Messages of the same Occurrence."""

    stays: Message
    gives_way: Message


def of_both(gone: Patient, stays: Patient) -> list[Twice]:
    """Find the Occurrences for which both patients have a Message, and decide which Message stays."""
    of_series = Message.objects.filter(clinic=stays.clinic_id, schedule__isnull=False)
    of_gone = of_series.filter(patient=gone)
    of_stays = of_series.filter(patient=stays, schedule__in=of_gone.order_by().values("schedule"))
    by_key = {(message.schedule_id, message.occurrence): message for message in of_stays}
    pairs = [
        (by_key[key], message) for message in of_gone if (key := (message.schedule_id, message.occurrence)) in by_key
    ]
    return [Twice(first, other) if _rank(first) <= _rank(other) else Twice(other, first) for first, other in pairs]


def keep_one_of_each(twice: Iterable[Twice], *, now: dt.datetime) -> None:
    """Let one Message of each pair give way.

    A Message that is only planned is deleted. A Message with a history stays on record, but leaves its series.
    """
    giving_way: set[uuid.UUID] = {pair.gives_way.pk for pair in twice}
    messages = Message.objects.filter(pk__in=giving_way)
    lifecycle.unplan(messages)
    # Pending Messages that repeat these Messages give way, too.
    lifecycle.give_way(Message.objects.filter(follows__in=giving_way, status=Status.PENDING), now=now)
    lifecycle.give_way(messages, now=now)
    messages.update(schedule=None, answer_by=None)


def _rank(message: Message) -> int:
    """Return the Message's rank. The Message with the smaller rank stays."""
    match message.status:
        case Status.SENT:
            return 0
        case Status.FAILED:
            return 1 if message.reason == Reason.OUTCOME_UNKNOWN else 5
        case Status.PENDING:
            return 2 if message.tries else 3 if message.by_hand else 4
        case _:
            return 6
