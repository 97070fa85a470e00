"""Counts of Messages (due, overdue, sent today …) for the Control Panel, with the lists behind the numbers."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from companion.clinics.models import Clinic
from companion.panel.hour_counts import LATEST_END, attempts_sent
from companion.schedules.models import Attempt, AttemptOutcome, Message, Status
from companion.schedules.queries import OVERDUE_AFTER
from companion.schedules.reasons import Reason
from companion.times.walls import local, resolve

COUNTED_TO: Final = 10_000
"""Counts stop at this number; then a page says "10,000+"."""
_DAY: Final = dt.timedelta(days=1)


class Measure(StrEnum):
    """A count of the Control Panel, named as in the address of its list."""

    DUE = "due"
    OVERDUE = "overdue"
    NEXT_HOUR = "next_hour"
    ON_WIRE = "on_wire"
    SENT_TODAY = "sent_today"
    FAILED_TODAY = "failed_today"
    SENT_24H = "sent_24h"
    FAILED_24H = "failed_24h"


WORDS: Final = {
    Measure.DUE: "Due now",
    Measure.OVERDUE: "Overdue",
    Measure.NEXT_HOUR: "Due within the next hour",
    Measure.ON_WIRE: "On the wire",
    Measure.SENT_TODAY: "Sent today",
    Measure.FAILED_TODAY: "Failed today",
    Measure.SENT_24H: "Sent within 24 hours",
    Measure.FAILED_24H: "Failed within 24 hours",
}


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures within 24 hours for one reason, at most COUNTED_TO over all reasons."""

    code: str
    label: str
    sentence: str
    count: int
    retryable: bool = False


def narrow(found: QuerySet[Message], clinic: Clinic, measure: Measure, *, now: dt.datetime) -> QuerySet[Message]:
    """The clinic's Messages that this measure counts."""
    match measure:
        case Measure.DUE:
            return found.filter(status=Status.PENDING, due_at__lte=now, ready_at__lte=now)
        case Measure.OVERDUE:
            return found.filter(status=Status.PENDING, due_at__lte=now, ready_at__lte=now - OVERDUE_AFTER)
        case Measure.NEXT_HOUR:
            return found.filter(status=Status.PENDING, due_at__gt=now, due_at__lte=now + dt.timedelta(hours=1))
        case Measure.ON_WIRE:
            return found.filter(open_attempt_id__isnull=False, id__in=_on_wire(clinic, now).values("message"))
        case Measure.SENT_TODAY | Measure.SENT_24H:
            since = _since(clinic, measure, now)
            return found.filter(status=Status.SENT, due_at__gte=since - LATEST_END, sent_at__gte=since)
        case Measure.FAILED_TODAY | Measure.FAILED_24H:
            # Uses the index messages_failed_by_end.
            return found.filter(status=Status.FAILED, ended_at__gte=_since(clinic, measure, now))


def count(clinic: Clinic, measure: Measure, *, now: dt.datetime) -> int:
    """The number of these Messages, at most COUNTED_TO."""
    return _counted(clinic, measure, now).order_by()[:COUNTED_TO].count()


def _counted(clinic: Clinic, measure: Measure, now: dt.datetime) -> QuerySet[Message] | QuerySet[Attempt]:
    """The counted Messages, or one Attempt of each Message if no index finds the Messages."""
    if measure == Measure.ON_WIRE:
        return _on_wire(clinic, now)
    if measure in (Measure.SENT_TODAY, Measure.SENT_24H):
        return attempts_sent(clinic, _since(clinic, measure, now))
    return narrow(Message.objects.filter(clinic=clinic), clinic, measure, now=now)


def _on_wire(clinic: Clinic, now: dt.datetime) -> QuerySet[Attempt]:
    # By the index attempts_by_begin: a lease begins with its Attempt.
    lease = dt.timedelta(seconds=settings.COMPANION.lease_seconds)
    return Attempt.objects.filter(clinic=clinic, began_at__gte=now - lease, outcome=AttemptOutcome.OPEN)


def failures(clinic: Clinic, *, now: dt.datetime, within: dt.timedelta = _DAY) -> list[Failures]:
    """The failures of the last 24 hours, or less, by code, the most frequent first."""
    # By the index messages_failed_by_end, which holds the reason too.
    own = Message.objects.filter(clinic=clinic, status=Status.FAILED, ended_at__gte=now - within)
    counted = Counter(own.order_by("-ended_at").values_list("reason", flat=True)[:COUNTED_TO])
    return [
        Failures(code, Reason(code).short, Reason(code).sentence, number, Reason(code).retry)
        for code, number in counted.most_common()
    ]


def midnight(clinic: Clinic, *, now: dt.datetime) -> dt.datetime:
    """The instant at which today began in the clinic's time zone."""
    return resolve(dt.datetime.combine(local(now, clinic.timezone).date(), dt.time()), clinic.timezone).at


def _since(clinic: Clinic, measure: Measure, now: dt.datetime) -> dt.datetime:
    today = measure in (Measure.SENT_TODAY, Measure.FAILED_TODAY)
    return midnight(clinic, now=now) if today else now - _DAY
