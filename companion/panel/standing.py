"""How Messages stand at a moment: the same words for the Control Panel's numbers and for the lists behind them."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from companion.clinics.models import Clinic
from companion.panel.tally import LATEST_END, attempts_sent
from companion.schedules.models import Attempt, AttemptOutcome, Message, Status
from companion.schedules.queries import OVERDUE_AFTER
from companion.schedules.reasons import Reason
from companion.times.walls import local, place

COUNTED_TO: Final = 10_000
"""Counts stop here; from there on a page says "10,000+"."""
_DAY: Final = dt.timedelta(days=1)


class Standing(StrEnum):
    """What a number counts, as its list's address names it."""

    DUE = "due"
    OVERDUE = "overdue"
    NEXT_HOUR = "next_hour"
    ON_WIRE = "on_wire"
    SENT_TODAY = "sent_today"
    FAILED_TODAY = "failed_today"
    SENT_24H = "sent_24h"
    FAILED_24H = "failed_24h"


WORDS: Final = {
    Standing.DUE: "Due now",
    Standing.OVERDUE: "Overdue",
    Standing.NEXT_HOUR: "Due within the next hour",
    Standing.ON_WIRE: "On the wire",
    Standing.SENT_TODAY: "Sent today",
    Standing.FAILED_TODAY: "Failed today",
    Standing.SENT_24H: "Sent within 24 hours",
    Standing.FAILED_24H: "Failed within 24 hours",
}


@dataclass(frozen=True, slots=True)
class Failures:
    """How many failed within 24 hours for one reason, at most COUNTED_TO over all reasons."""

    code: str
    label: str
    sentence: str
    count: int
    retryable: bool = False


def narrow(found: QuerySet[Message], clinic: Clinic, standing: Standing, *, now: dt.datetime) -> QuerySet[Message]:
    """Those of the clinic's Messages that stand so."""
    match standing:
        case Standing.DUE:
            return found.filter(status=Status.PENDING, due_at__lte=now, ready_at__lte=now)
        case Standing.OVERDUE:
            return found.filter(status=Status.PENDING, due_at__lte=now, ready_at__lte=now - OVERDUE_AFTER)
        case Standing.NEXT_HOUR:
            return found.filter(status=Status.PENDING, due_at__gt=now, due_at__lte=now + dt.timedelta(hours=1))
        case Standing.ON_WIRE:
            return found.filter(open_attempt_id__isnull=False, id__in=_on_wire(clinic, now).values("message"))
        case Standing.SENT_TODAY | Standing.SENT_24H:
            since = _since(clinic, standing, now)
            return found.filter(status=Status.SENT, due_at__gte=since - LATEST_END, sent_at__gte=since)
        case Standing.FAILED_TODAY | Standing.FAILED_24H:
            # By messages_failed_by_end.
            return found.filter(status=Status.FAILED, ended_at__gte=_since(clinic, standing, now))


def count(clinic: Clinic, standing: Standing, *, now: dt.datetime) -> int:
    """How many stand so, at most COUNTED_TO."""
    return _counted(clinic, standing, now).order_by()[:COUNTED_TO].count()


def _counted(clinic: Clinic, standing: Standing, now: dt.datetime) -> QuerySet[Message] | QuerySet[Attempt]:
    """Messages, or one Attempt of each where no index leads to the Messages."""
    if standing == Standing.ON_WIRE:
        return _on_wire(clinic, now)
    if standing in (Standing.SENT_TODAY, Standing.SENT_24H):
        return attempts_sent(clinic, _since(clinic, standing, now))
    return narrow(Message.objects.filter(clinic=clinic), clinic, standing, now=now)


def _on_wire(clinic: Clinic, now: dt.datetime) -> QuerySet[Attempt]:
    # By attempts_by_begin: a lease begins with its Attempt.
    lease = dt.timedelta(seconds=settings.COMPANION.lease_seconds)
    return Attempt.objects.filter(clinic=clinic, began_at__gte=now - lease, outcome=AttemptOutcome.OPEN)


def failures(clinic: Clinic, *, now: dt.datetime, within: dt.timedelta = _DAY) -> list[Failures]:
    """The failures of the last 24 hours, or less, by code, the most frequent first."""
    # By messages_failed_by_end, which holds the reason too.
    own = Message.objects.filter(clinic=clinic, status=Status.FAILED, ended_at__gte=now - within)
    counted = Counter(own.order_by("-ended_at").values_list("reason", flat=True)[:COUNTED_TO])
    return [
        Failures(code, Reason(code).short, Reason(code).sentence, number, Reason(code).retry)
        for code, number in counted.most_common()
    ]


def midnight(clinic: Clinic, *, now: dt.datetime) -> dt.datetime:
    """When today began on the clinic's clocks."""
    return place(dt.datetime.combine(local(now, clinic.timezone).date(), dt.time()), clinic.timezone).at


def _since(clinic: Clinic, standing: Standing, now: dt.datetime) -> dt.datetime:
    today = standing in (Standing.SENT_TODAY, Standing.FAILED_TODAY)
    return midnight(clinic, now=now) if today else now - _DAY
