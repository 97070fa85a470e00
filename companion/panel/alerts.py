"""Alerts to a clinic's admins: for each cause one when sending has a problem, and one when the problem is over.

judge.py finds the problems, and notices.py sends the alerts.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from django.db import transaction
from django.db.models import Q

from companion.clinics.models import Clinic
from companion.listener import inbox
from companion.panel import facts, health, judge, maintenance, message_counts, notices
from companion.panel.finding import Cause, Finding, Status
from companion.panel.models import Alert
from companion.panel.runbook import URGENT, WEBHOOK
from companion.webhooks import webhooks

SETTLED: Final = dt.timedelta(seconds=20)
"""The time that a problem must last before an alert is sent."""
CALM: Final = dt.timedelta(minutes=2)
"""The time after which an absent problem counts as over, so that a problem that comes and goes makes one alert."""
UNBROKEN: Final = dt.timedelta(seconds=30)
"""The time after which a problem that nobody saw counts as a new problem. Services check every ten seconds."""
AGAIN: Final = dt.timedelta(minutes=30)
"""The shortest time between two alerts of the same cause."""
SPIKE: Final = 20
"""The number of failures for one reason within an hour that makes an alert."""
SPIKE_OVER: Final = dt.timedelta(hours=1)
_URGENT_WORDS: Final = (
    "A patient asked for urgent help, and the conversation is not assigned. Open the inbox and assign it to yourself."
)
_WEBHOOK_WORDS: Final = (
    "A webhook's receiver takes no calls, so your program doesn't hear what happens. Mend it within a day, or open "
    "the webhook again if it is closed: Settings, Webhooks. It then gets the missed calls."
)
_SAME: Final = {
    Cause.DISPATCHER_NO_ANSWER: Cause.DISPATCHER_MISSING,
    Cause.DISPATCHER_HANGS: Cause.DISPATCHER_MISSING,
    Cause.LISTENER_HANGS: Cause.LISTENER_MISSING,
}
"""Causes that are reported as another cause: a dispatcher that gives no answer, or hangs, is soon missing."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A problem: its name, its severity, and sentences that say what happened and what to do."""

    cause: str
    status: Status
    words: str


def all_wrong(clinic: Clinic, *, now: dt.datetime) -> list[Wrong]:
    """All problems about which this clinic's admins should be alerted, each cause once."""
    of_sending = by_cause(health.check(now=now, clinic=clinic).findings)
    return [*of_sending, *_spikes(clinic, now), *_urgent(clinic), *_webhooks(clinic)]


def by_cause(findings: tuple[Finding, ...]) -> list[Wrong]:
    """The first finding of each cause, from findings that begin with the worst."""
    found: dict[str, Wrong] = {}
    for finding in findings:
        cause = _SAME.get(finding.cause, finding.cause).value
        found.setdefault(cause, Wrong(cause, finding.status, finding.words))
    return list(found.values())


def step(clinic: Clinic, found: list[Wrong], *, now: dt.datetime) -> None:
    """Open, send and close the clinic's alerts. Several processes may do so at once; each alert is sent once.

    A problem is alerted only while it exists. In a maintenance window only calls for urgent help are sent.
    """
    for wrong in found:
        with transaction.atomic():
            _see(clinic, wrong, now)
    present = {wrong.cause for wrong in found}
    quiet = maintenance.current(clinic, now=now) is not None
    for alert in Alert.objects.filter(clinic=clinic, closed_at=None):
        with transaction.atomic():
            if quiet and not alert.cause.startswith(URGENT):
                # An alert that was sent stays open: people are told of its end after the window.
                if not alert.told_status and now - alert.seen_at >= CALM:
                    _close(clinic, alert, now)
            elif alert.cause in present:
                _tell(clinic, alert, now)
            elif now - alert.seen_at >= CALM:
                _close(clinic, alert, now)


def check_clinic(clinic: Clinic, *, now: dt.datetime) -> None:
    """Run one round for one clinic. Before an alert is sent, the problem is checked once more."""
    found = all_wrong(clinic, now=now)
    opened = {alert.cause: alert for alert in open_alerts(clinic)}
    if any(wrong.cause in opened and _is_due(opened[wrong.cause], wrong.status, now) for wrong in found):
        health.forget()
        still = {wrong.cause for wrong in all_wrong(clinic, now=now)}
        found = [wrong for wrong in found if wrong.cause in still]
    step(clinic, found, now=now)


def open_alerts(clinic: Clinic) -> list[Alert]:
    """The open alerts, the newest first."""
    return list(Alert.objects.filter(clinic=clinic, closed_at=None).order_by("-opened_at"))


def _spikes(clinic: Clinic, now: dt.datetime) -> list[Wrong]:
    return [
        Wrong(
            f"failed:{failures.code}",
            "degraded",
            f"{failures.count} messages failed within an hour: {failures.label}. {failures.sentence}",
        )
        for failures in message_counts.failures(clinic, now=now, within=SPIKE_OVER)
        if failures.count >= SPIKE
    ]


def _urgent(clinic: Clinic) -> list[Wrong]:
    """Calls for urgent help that no member has taken, for admins who have no page open. They name no patient.

    Each call has a different cause, so that a call that a member took a minute ago doesn't silence the next call.
    """
    return [
        Wrong(
            f"{URGENT}:{crc32(f'{conversation.pk} {conversation.urgent_at}'.encode()):08x}", "degraded", _URGENT_WORDS
        )
        for conversation in inbox.urgent(clinic)
    ]


def _webhooks(clinic: Clinic) -> list[Wrong]:
    """Webhooks that get nothing. Sending goes on, so this is no matter of health."""
    if webhooks.unanswered(clinic).exists():
        return [Wrong(WEBHOOK, "degraded", _WEBHOOK_WORDS)]
    return []


def _see(clinic: Clinic, wrong: Wrong, now: dt.datetime) -> None:
    words = wrong.words[: notices.WORDS]
    seen = Alert.objects.filter(clinic=clinic, cause=wrong.cause, closed_at=None)
    # If no service saw the problem for a while (after an outage of the database, for example), it counts as new.
    seen.filter(told_status="", seen_at__lt=now - UNBROKEN).update(opened_at=now)
    worse = {"status": "down"} if wrong.status == "down" else {}
    if not seen.update(seen_at=now, words=words, **worse):
        opened = Alert(clinic=clinic, cause=wrong.cause, words=words, status=wrong.status, opened_at=now, seen_at=now)
        Alert.objects.bulk_create([opened], ignore_conflicts=True)


def _is_due(alert: Alert, status: Status, now: dt.datetime) -> bool:
    """Return whether an alert is due now: the first alert for this problem, or an alert because it got worse."""
    if alert.told_status:
        return status == "down" != alert.told_status
    return now - alert.opened_at >= SETTLED


def _tell(clinic: Clinic, alert: Alert, now: dt.datetime) -> None:
    """Send the alert if it is due. A guarded UPDATE lets only one of several processes send it."""
    if not _is_due(alert, "down" if alert.status == "down" else "degraded", now):
        return
    if not alert.told_status and _told_lately(clinic, alert, now):
        return
    own = Alert.objects.filter(pk=alert.pk, closed_at=None, told_status=alert.told_status)
    if own.update(told_status=alert.status, told_at=now):
        notices.tell(clinic, alert, "worse" if alert.told_status else "opened", now=now)


def _close(clinic: Clinic, alert: Alert, now: dt.datetime) -> None:
    """Close an alert whose problem is over, and tell the people who got the alert."""
    own = Alert.objects.filter(pk=alert.pk, closed_at=None, told_status=alert.told_status, seen_at=alert.seen_at)
    if own.update(closed_at=now) and alert.told_status and not _only_lapsed(alert, now):
        notices.tell(clinic, alert, "recovered", now=now)


def _only_lapsed(alert: Alert, now: dt.datetime) -> bool:
    """Return whether the alert ends only because a lost service is no longer reported; it has not come back."""
    kind = next((kind for kind, (cause, _) in judge.LOST.items() if cause == alert.cause), None)
    return kind is not None and bool(judge.gone(facts.beats(now=now), kind, now=now))


def _told_lately(clinic: Clinic, alert: Alert, now: dt.datetime) -> bool:
    """Return whether an alert of this cause was sent lately, so that a problem that comes and goes stays quiet.

    A recent alert "degraded" never silences "down".
    """
    as_bad = Q(told_at__gt=now - AGAIN, told_status__in=[alert.status, "down"])
    return Alert.objects.filter(as_bad, clinic=clinic, cause=alert.cause).exists()
