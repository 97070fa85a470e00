"""What admins are told of: that something is wrong with their clinic's sending, once for a cause, and that it is over.

What is wrong is judge.py's to say, how people hear of it notices.py's.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from django.db import transaction
from django.db.models import Q

from companion.clinics.models import Clinic
from companion.listener import inbox
from companion.panel import health, message_counts, notices
from companion.panel.judge import Cause, Finding, Status
from companion.panel.models import Alert
from companion.panel.runbook import URGENT

SETTLED: Final = dt.timedelta(seconds=20)
"""What is over sooner is told to nobody."""
CALM: Final = dt.timedelta(minutes=2)
"""Nothing is over before it was not seen for so long: what comes and goes is one alert."""
AGAIN: Final = dt.timedelta(minutes=30)
"""The same cause is told anew at the earliest so long after it was told last."""
SPIKE: Final = 20
"""So many failures for one reason within an hour are told of."""
SPIKE_OVER: Final = dt.timedelta(hours=1)
_URGENT_WORDS: Final = (
    "A patient asked for urgent help, and the conversation is not assigned. Open the inbox and assign it to yourself."
)
_SAME: Final = {Cause.DISPATCHER_NO_ANSWER: Cause.DISPATCHER_MISSING}
"""A dispatcher that died doesn't answer at first, and is known to be gone 15 s later."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong: its name, how badly, and what happened and what to do."""

    cause: str
    status: Status
    words: str


def all_wrong(clinic: Clinic, *, now: dt.datetime) -> list[Wrong]:
    """All that this clinic's admins should hear of, each cause once."""
    return [*by_cause(health.check(now=now, clinic=clinic).findings), *_spikes(clinic, now), *_urgent(clinic)]


def by_cause(findings: tuple[Finding, ...]) -> list[Wrong]:
    """Of findings in their order, the worst first, the first of each cause."""
    found: dict[str, Wrong] = {}
    for one in findings:
        cause = _SAME.get(one.cause, one.cause).value
        found.setdefault(cause, Wrong(cause, one.status, one.words))
    return list(found.values())


def step(clinic: Clinic, found: list[Wrong], *, now: dt.datetime) -> None:
    """Opens, tells and closes the clinic's alerts. Several processes may do so at once: each thing is told once."""
    for wrong in found:
        with transaction.atomic():
            _see(clinic, wrong, now)
    for alert in Alert.objects.filter(clinic=clinic, closed_at=None):
        with transaction.atomic():
            _tell(clinic, alert, now)


def look(clinic: Clinic, *, now: dt.datetime) -> None:
    """One round for one clinic."""
    step(clinic, all_wrong(clinic, now=now), now=now)


def open_alerts(clinic: Clinic) -> list[Alert]:
    """What is wrong now, the newest first."""
    return list(Alert.objects.filter(clinic=clinic, closed_at=None).order_by("-opened_at"))


def _spikes(clinic: Clinic, now: dt.datetime) -> list[Wrong]:
    return [
        Wrong(
            f"failed:{one.code}",
            "degraded",
            f"{one.count} messages failed within an hour: {one.label}. {one.sentence}",
        )
        for one in message_counts.failures(clinic, now=now, within=SPIKE_OVER)
        if one.count >= SPIKE
    ]


def _urgent(clinic: Clinic) -> list[Wrong]:
    """Words for urgent help that nobody has taken: whoever has no page open hears of them, too. It names nobody.

    Each cry is a cause of its own: that somebody took one of them a minute ago must not keep the next one quiet.
    """
    return [
        Wrong(f"{URGENT}:{crc32(f'{one.pk} {one.urgent_at}'.encode()):08x}", "degraded", _URGENT_WORDS)
        for one in inbox.urgent(clinic)
    ]


def _see(clinic: Clinic, wrong: Wrong, now: dt.datetime) -> None:
    words = wrong.words[: notices.WORDS]
    seen = Alert.objects.filter(clinic=clinic, cause=wrong.cause, closed_at=None)
    worse = {"status": "down"} if wrong.status == "down" else {}
    if not seen.update(seen_at=now, words=words, **worse):
        opened = Alert(clinic=clinic, cause=wrong.cause, words=words, status=wrong.status, opened_at=now, seen_at=now)
        Alert.objects.bulk_create([opened], ignore_conflicts=True)


def _tell(clinic: Clinic, alert: Alert, now: dt.datetime) -> None:
    """Says that it is there, that it got worse, or that it is over. Guarded, so that one of several processes does."""
    own = Alert.objects.filter(pk=alert.pk, closed_at=None, told_status=alert.told_status)
    if now - alert.seen_at >= CALM:
        if own.filter(seen_at=alert.seen_at).update(closed_at=now) and alert.told_status:
            notices.tell(clinic, alert, "recovered", now=now)
    elif alert.told_status in (alert.status, "down") or now - alert.opened_at < SETTLED:
        return
    elif alert.told_status:
        if own.update(told_status=alert.status, told_at=now):
            notices.tell(clinic, alert, "worse", now=now)
    elif not _told_lately(clinic, alert, now) and own.update(told_status=alert.status, told_at=now):
        notices.tell(clinic, alert, "opened", now=now)


def _told_lately(clinic: Clinic, alert: Alert, now: dt.datetime) -> bool:
    """What comes and goes is told now and then only; but "degraded", told lately, doesn't keep "down" back."""
    as_bad = Q(told_at__gt=now - AGAIN, told_status__in=[alert.status, "down"])
    return Alert.objects.filter(as_bad, clinic=clinic, cause=alert.cause).exists()
