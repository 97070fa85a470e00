"""Archiving a clinic: its plans end, its bot sends nothing, and nobody can sign in. Its data stays."""

import datetime as dt

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.members import command_line
from companion.clinics.models import Clinic
from companion.clinics.refusals import Conflict
from companion.delivery import lifecycle
from companion.planning import edit
from companion.schedules.models import Message, Schedule, State
from companion.schedules.reasons import Reason
from companion.service.wake import ring


def archive(clinic: Clinic, *, now: dt.datetime) -> Clinic:
    """End all plans and close the clinic. Raises Conflict if it is archived already.

    Messages that are on the wire at this moment still arrive.
    """
    caller = command_line(clinic)
    with transaction.atomic():
        locked = Clinic.objects.select_for_update().get(pk=clinic.pk)
        if locked.archived_at is not None:
            raise Conflict(f"{locked.name} is archived already.")
        locked.archived_at = now
        locked.save(update_fields=["archived_at"])
        changes = audit.differences({}, {"archived_at": now, "cancelled messages": _end_plans(caller, now=now)})
        audit.record(caller, "clinic archived", "clinic", locked.id, now=now, changes=changes)
        ring()
    return locked


def reopen(clinic: Clinic, *, now: dt.datetime) -> Clinic:
    """Open the clinic again for members, keys and the bot. Its plans stay ended. Raises Conflict if it is open.

    A call that was let in just before the clinic was archived may have planned something after that: this ends, too.
    """
    with transaction.atomic():
        locked = Clinic.objects.select_for_update().get(pk=clinic.pk)
        if locked.archived_at is None:
            raise Conflict(f"{locked.name} is not archived.")
        caller = command_line(locked)
        ended = {"cancelled messages": stopped} if (stopped := _end_plans(caller, now=now)) else {}
        changes = audit.differences({"archived_at": locked.archived_at}, ended)
        locked.archived_at = None
        locked.save(update_fields=["archived_at"])
        audit.record(caller, "clinic reopened", "clinic", locked.id, now=now, changes=changes)
        ring()
    return locked


def _end_plans(caller: Caller, *, now: dt.datetime) -> int:
    """End all plans of the caller's clinic, and return the number of cancelled messages."""
    for schedule in Schedule.objects.filter(clinic=caller.clinic, state__in=[State.ACTIVE, State.PAUSED]):
        edit.cancel(caller, schedule, now=now)
    return lifecycle.stop(Message.objects.filter(clinic=caller.clinic), Reason.BY_PERSON, now=now)
