"""Hold all sending after a restore, so that no Message that may have been sent already is sent again.

The database remembers nothing from the instant at which the copy was taken until the restore. All clinics are paused.
Each Message that may have been sent in between fails as `outcome_unknown`: a person decides about it.
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from django.db import transaction
from django.db.models import Q

from companion.clinics import audit, chain_check, numbers
from companion.clinics.members import command_line
from companion.clinics.models import Bot, Clinic
from companion.clinics.refusals import Problem, Refused
from companion.delivery import lifecycle
from companion.listener import unanswered
from companion.planning import planner
from companion.restoring import replaying
from companion.restoring.models import Restoration
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from companion.service.models import Heartbeat
from companion.service.wake import ring

PAUSED_BY: Final = "the restore"
_AT_ONCE: Final = 100
_ENDED_BY_TIME: Final = (Reason.TOO_LATE, Reason.SUPERSEDED, Reason.GAVE_UP, Reason.BOT_UNAUTHORIZED)
"""Reasons that a dispatcher may have written if it ran on the restored database before the hold."""


def hold(
    *,
    taken_at: dt.datetime,
    now: dt.datetime,
    drill: bool = False,
    journals: Sequence[Path] = (),
    survived: bool = True,
) -> Restoration:
    """Pause every clinic and hold each Message that may have left since `taken_at`, unless a Journal knows its outcome.

    `journals` are the folders of all hosts' Journals. `survived` means that these folders were not replaced by older
    copies: then nothing happened that they don't record. A second call holds Messages that became due meanwhile.
    Raises Refused if `taken_at` is in the future.
    """
    if taken_at > now:
        raise Refused(Problem("taken", "This instant is in the future. Give the instant at which the copy was taken."))
    # Commit this first: then a dispatcher that is already running begins no more Attempts.
    _pause(now)
    with transaction.atomic():
        known = replaying.read(journals, writers=replaying.writers(taken_at), taken_at=taken_at)
        complete = known.complete and survived
        # The services that ran when the copy was taken may have run on another host, or have ended long ago.
        Heartbeat.objects.filter(beat_at__lte=taken_at).delete()
        _catch_up(now)
        unknown = Q(pk__in=replaying.replay(known, taken_at=taken_at))
        may_have_left = _left_open(now) if complete else _due_or_ended(taken_at, now)
        held = lifecycle.hold(Message.objects.filter(unknown | may_have_left), now=now)
        # The database has forgotten numbers that were assigned since the copy.
        numbers.begin_anew(*Bot.objects.values_list("id", flat=True), now=now)
        restoration = Restoration.objects.create(taken_at=taken_at, at=now, held=held, drill=drill, all_known=complete)
        for clinic in Clinic.objects.order_by("id"):
            changes = {chain_check.TAKEN: [None, taken_at.isoformat()]}
            caller = command_line(clinic)
            audit.record(caller, chain_check.RESTORED, "restoration", restoration.pk, now=now, changes=changes)
    return restoration


def latest() -> Restoration | None:
    """Return the newest restore of this database; None if it was never restored."""
    return Restoration.objects.order_by("-at").first()


def forgot_early(clinic: Clinic) -> bool:
    """Return whether a restore has paused the clinic, and nobody knows which Messages were sent early before it."""
    newest = latest()
    return clinic.sending_paused_by == PAUSED_BY and newest is not None and not newest.all_known


def is_drill() -> bool:
    """Return whether this database was restored for a drill: it must never reach anybody."""
    return Restoration.objects.filter(drill=True).exists()


def _pause(now: dt.datetime) -> None:
    with transaction.atomic():
        Clinic.objects.update(sending_paused_at=now, sending_paused_by=PAUSED_BY)
        ring()


def _catch_up(now: dt.datetime) -> None:
    """Make the Messages that are due by now. Otherwise the Planner would make them after the restore, unheld."""
    while schedules := planner.due_for_planning(now=now, limit=_AT_ONCE):
        for schedule in schedules:
            planner.plan_ahead(schedule, now=now)
    while unanswered.work_off(now=now, limit=_AT_ONCE):
        pass


def _left_open(now: dt.datetime) -> Q:
    """Select Messages that were on the wire when the copy was taken, and reminders of unanswered questions.

    The restore has just made these reminders, so the Journal knows them by other ids.
    """
    repeated = Q(follows__isnull=False, ready_at__lte=now)
    return Q(status=Status.PENDING) & (Q(open_attempt_id__isnull=False) | repeated)


def _due_or_ended(taken_at: dt.datetime, now: dt.datetime) -> Q:
    """Select Messages that may have been sent: pending and due by now, or on the wire when the copy was taken.

    Also selects Messages that a dispatcher failed after `taken_at`, on the restored database, because time had passed.
    """
    due = Q(status=Status.PENDING) & (Q(ready_at__lte=now) | Q(open_attempt_id__isnull=False))
    ended_since = Q(status=Status.FAILED, reason__in=_ENDED_BY_TIME, ended_at__gt=taken_at)
    return due | ended_since
