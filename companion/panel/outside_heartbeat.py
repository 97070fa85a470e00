"""A heartbeat by HTTP to an outside monitor of the clinic's choice, which alerts people if the heartbeat stops.

The monitor (healthchecks.io, Uptime Kuma, Sentry Crons) gets a plain GET once a minute while sending works. Any service
sends it, so the heartbeat stops only if sending doesn't work or no service is running.
"""

import datetime as dt
from typing import Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Problem, Refused
from companion.clinics.sealed import CannotOpen
from companion.panel import health, maintenance
from companion.panel.finding import STOPPED
from companion.panel.models import OutsideHeartbeat
from companion.webhooks import calling
from companion.webhooks.webhooks import NO_KEY

EVERY: Final = dt.timedelta(minutes=1)
_AUDITED: Final[audit.Changes] = {"address": audit.CHANGED}


def set_url(caller: Caller, url: str, *, now: dt.datetime) -> None:
    """Send the clinic's heartbeat to this address. Raises Refused."""
    caller.needs(Role.ADMIN)
    try:
        calling.check(url)
    except Refused as refusal:
        raise Refused(*(Problem("heartbeat_url", problem.message) for problem in refusal.problems)) from None
    with transaction.atomic():
        fresh = {"url": url, "created_at": now, "next_at": now, "sent_at": None, "error": ""}
        OutsideHeartbeat.objects.update_or_create(clinic=caller.clinic, defaults=fresh)
        audit.record(caller, "outside heartbeat set", "clinic", caller.clinic.pk, now=now, changes=_AUDITED)


def remove(caller: Caller, *, now: dt.datetime) -> None:
    """Send no heartbeat any more."""
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        OutsideHeartbeat.objects.filter(clinic=caller.clinic).delete()
        audit.record(caller, "outside heartbeat removed", "clinic", caller.clinic.pk, now=now, changes=_AUDITED)


def send_due(*, now: dt.datetime) -> None:
    """Send the heartbeats that are due, which takes seconds for each monitor that hangs. Archived clinics send none.

    Several processes may do so at once.
    """
    due = (
        OutsideHeartbeat.objects.filter(next_at__lte=now, clinic__archived_at=None)
        .defer("url")
        .select_related("clinic")
    )
    for row in due.order_by("next_at"):
        own = OutsideHeartbeat.objects.filter(pk=row.pk)
        if _works(row.clinic, now) and own.filter(next_at=row.next_at).update(next_at=now + EVERY):
            error = _send(row)
            own.update(**({"error": error} if error else {"error": "", "sent_at": now}))


def _works(clinic: Clinic, now: dt.datetime) -> bool:
    """Return whether this clinic's sending works. In a maintenance window the answer is always yes."""
    if maintenance.current(clinic, now=now):
        return True
    report = health.check(now=now, clinic=clinic)
    return report.status != "down" and not any(finding.cause in STOPPED for finding in report.findings)


def _send(row: OutsideHeartbeat) -> str:
    """Call the monitor. Returns "" or the reason for the failure."""
    try:
        # The address is opened here, one row at a time: if a row can't be opened, the others must still be sent.
        return calling.get(row.url)
    except CannotOpen:
        return NO_KEY
