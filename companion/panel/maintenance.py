"""Maintenance windows: until a window ends, a clinic's admins get no alerts except calls for urgent help.

If a problem still exists when the window ends, its alert is sent then (alerts.py).
"""

import datetime as dt
from typing import Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.clinics.versions import hold
from companion.panel.models import Maintenance
from companion.panel.runbook import URGENT
from companion.webhooks import outbox
from companion.webhooks.models import Kind

LONGEST: Final = dt.timedelta(days=7)
REASON: Final = 200
_AUDITED: Final = ("until", "reason")


def current(clinic: Clinic, *, now: dt.datetime) -> Maintenance | None:
    """The clinic's open window."""
    return Maintenance.objects.filter(clinic=clinic, until__gt=now).first()


def begin(caller: Caller, until: dt.datetime, reason: str, *, now: dt.datetime) -> Maintenance:
    """Open a window until this instant, or give the open window another end and reason. Raises Refused."""
    caller.needs(Role.ADMIN)
    if not now < until <= now + LONGEST:
        raise Refused(Problem("until", "Choose an end in the future, at most seven days from now."))
    reason = reason.strip()
    if len(reason) > REASON or not reason.isprintable():
        raise Refused(Problem("reason", f"Give the reason in one line of at most {REASON} characters."))
    with transaction.atomic():
        hold(Clinic.objects.filter(pk=caller.clinic.pk))
        open_one = current(caller.clinic, now=now)
        was = audit.columns(open_one, _AUDITED) if open_one else {}
        window = open_one or Maintenance(clinic=caller.clinic, began_at=now)
        window.until, window.reason, window.begun_by = until, reason, caller.name
        window.save()
        outbox.put_off(caller.clinic.pk, Kind.ALERT, until, but=URGENT)
        changes = audit.differences(was, audit.columns(window, _AUDITED))
        audit.record(caller, "maintenance begun", "clinic", caller.clinic.pk, now=now, changes=changes)
    return window


def end(caller: Caller, *, now: dt.datetime) -> Maintenance:
    """End the open window now. Raises Conflict if there is none."""
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        window = current(caller.clinic, now=now)
        if window is None or not Maintenance.objects.filter(pk=window.pk, until__gt=now).update(until=now):
            raise Conflict("No maintenance window is open.")
        changes = audit.differences({"until": window.until}, {"until": now})
        window.until = now
        outbox.put_off(caller.clinic.pk, Kind.ALERT, now, but=URGENT)
        audit.record(caller, "maintenance ended", "clinic", caller.clinic.pk, now=now, changes=changes)
    return window
