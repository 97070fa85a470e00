"""The charts' numbers: messages sent and failed in each of the last 24 hours and the last 30 days.

Past hours come from stored counts, a few rows an hour. The newest hours are counted here, up to a limit.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.db.models import QuerySet

from companion.clinics.models import Clinic
from companion.panel import hour_counts
from companion.panel.message_counts import COUNTED_TO
from companion.panel.models import HourCount
from companion.schedules.models import Attempt, Message, Status
from companion.times.walls import local

_LIVE_HOURS: Final = 3
_HOUR: Final = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """The messages that ended in one hour or day, in the clinic's time zone."""

    label: str
    sent: int
    failed: int


class _Counts(NamedTuple):
    """The messages that ended in one hour or day."""

    sent: int = 0
    failed: int = 0

    def plus(self, other: "_Counts") -> "_Counts":
        """Add both."""
        return _Counts(self.sent + other.sent, self.failed + other.failed)


def last_24_hours(clinic: Clinic, *, now: dt.datetime) -> list[Bar]:
    """The last 24 hours, up to the current hour."""
    first = hour_counts.hour_of(now) - 23 * _HOUR
    counts = _hours(clinic, first, now)
    hours = [first + number * _HOUR for number in range(24)]
    return [Bar(f"{local(hour, clinic.timezone):%H:%M}", *counts.get(hour, _Counts())) for hour in hours]


def last_30_days(clinic: Clinic, *, now: dt.datetime) -> list[Bar]:
    """The last 30 days, up to today. An hour counts for the day on which it begins."""
    today = local(now, clinic.timezone).date()
    days = {today - dt.timedelta(days=back): _Counts() for back in range(29, -1, -1)}
    for hour, counts in _hours(clinic, hour_counts.hour_of(now - dt.timedelta(days=31)), now).items():
        there = local(hour, clinic.timezone).date()
        if there in days:
            days[there] = days[there].plus(counts)
    return [Bar(f"{there:%a} {there.day} {there:%b}", *counts) for there, counts in days.items()]


def _hours(clinic: Clinic, since: dt.datetime, now: dt.datetime) -> dict[dt.datetime, _Counts]:
    """The sent and the failed messages of each hour."""
    counts: dict[dt.datetime, _Counts] = {}
    for hour, what, count in HourCount.objects.filter(clinic=clinic, hour__gte=since).values_list(
        "hour", "what", "count"
    ):
        more = _Counts(sent=count) if what == hour_counts.SENT else _Counts(failed=count)
        counts[hour] = counts.get(hour, _Counts()).plus(more)
    live = max(hour_counts.counted_until(clinic, now=now), hour_counts.hour_of(now) - (_LIVE_HOURS - 1) * _HOUR)
    while live <= now:
        counts[live] = _Counts(
            _count(hour_counts.attempts_sent(clinic, live, live + _HOUR)), _count(_failed(clinic, live))
        )
        live += _HOUR
    return counts


def _failed(clinic: Clinic, hour: dt.datetime) -> QuerySet[Message]:
    # Uses the index messages_failed_by_end.
    return Message.objects.filter(clinic=clinic, status=Status.FAILED, ended_at__gte=hour, ended_at__lt=hour + _HOUR)


def _count(found: "QuerySet[Message] | QuerySet[Attempt]") -> int:
    return found.order_by()[:COUNTED_TO].count()
