"""Counts of the messages that ended in each past hour, stored for the charts; charts.py counts the current hour."""

import datetime as dt
from collections.abc import Iterable
from typing import Final, NamedTuple

from django.db import transaction
from django.db.models import Count, Max, QuerySet
from django.db.models.functions import TruncHour

from companion.clinics.models import Clinic
from companion.panel.models import HourCount
from companion.schedules.models import Attempt, AttemptOutcome, Message, Status

SENT: Final = "sent"
KEPT: Final = dt.timedelta(days=31)
LATEST_END: Final = dt.timedelta(days=8)
"""The time after its due instant within which each message has ended (`late_after` is seven days at most)."""
_SETTLED: Final = dt.timedelta(minutes=1)
"""The wait before an hour is counted: by then every message that ended in it is committed."""
_LONGEST: Final = dt.timedelta(minutes=10)
"""The longest time from an Attempt's begin to its end. It takes seconds, but a clock may be corrected meanwhile.

If a process was frozen for longer, the results that it stores afterwards are not counted.
"""
_HOUR: Final = dt.timedelta(hours=1)


class _Ended(NamedTuple):
    """The messages of one hour that were sent (SENT) or failed (the reason)."""

    hour: dt.datetime
    what: str
    messages: int


def hour_of(at: dt.datetime) -> dt.datetime:
    """The hour in UTC that contains this instant."""
    return at.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)


def counted_until(clinic: Clinic, *, now: dt.datetime) -> dt.datetime:
    """The instant up to which the hours are counted; a month ago if no hour is counted yet."""
    last: dt.datetime | None = HourCount.objects.filter(clinic=clinic).aggregate(last=Max("hour"))["last"]
    oldest = hour_of(now - KEPT)
    return max(last + _HOUR, oldest) if last else oldest


def count_past_hours(clinic: Clinic, *, now: dt.datetime) -> None:
    """Count the hours that ended since the last count. Several processes may do so at once: one result is kept."""
    since, until = counted_until(clinic, now=now), hour_of(now - _SETTLED)
    if since >= until:
        return
    rows = [
        HourCount(clinic=clinic, hour=hour, what=what, count=number)
        for hour, what, number in _ended(clinic, since, until)
    ]
    if not any(row.hour == until - _HOUR and row.what == SENT for row in rows):
        # If no message was sent in the last hour, this row marks the hour as counted.
        rows.append(HourCount(clinic=clinic, hour=until - _HOUR, what=SENT, count=0))
    with transaction.atomic():
        HourCount.objects.bulk_create(rows, ignore_conflicts=True)
        HourCount.objects.filter(clinic=clinic, hour__lt=now - KEPT).delete()


def attempts_ended(clinic: Clinic, since: dt.datetime, until: dt.datetime | None = None) -> QuerySet[Attempt]:
    """The clinic's Attempts that ended in this span of time. Uses the index attempts_by_begin: ends have no index."""
    found = Attempt.objects.filter(clinic=clinic, began_at__gte=since - _LONGEST, ended_at__gte=since)
    return found if until is None else found.filter(began_at__lt=until + _LONGEST, ended_at__lt=until)


def attempts_sent(clinic: Clinic, since: dt.datetime, until: dt.datetime | None = None) -> QuerySet[Attempt]:
    """The Attempts of `attempts_ended` that Telegram accepted: one for each sent Message.

    No index finds sent Messages by the time at which they were sent, so their Attempts are counted.
    """
    return attempts_ended(clinic, since, until).filter(outcome=AttemptOutcome.SENT)


def _ended(clinic: Clinic, since: dt.datetime, until: dt.datetime) -> Iterable[_Ended]:
    sent = attempts_sent(clinic, since, until).annotate(hour=TruncHour("ended_at", tzinfo=dt.UTC))
    for hour, count in sent.order_by().values_list("hour").annotate(count=Count("id")):
        yield _Ended(hour, SENT, count)
    # Uses the index messages_failed_by_end.
    failed = Message.objects.filter(
        clinic=clinic,
        status=Status.FAILED,
        ended_at__gte=since,
        ended_at__lt=until,
    ).annotate(hour=TruncHour("ended_at", tzinfo=dt.UTC))
    for hour, reason, count in failed.order_by().values_list("hour", "reason").annotate(count=Count("id")):
        yield _Ended(hour, reason, count)
