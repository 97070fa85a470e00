"""Undoing the cancel of a Message, the skip of an Occurrence, and the end of a series.

A cancel and an end can be undone within UNDO_FOR, a skip while its Occurrence is in the future. lifecycle.py makes the
guarded updates: a Message is reopened only if it is not too late. The dispatcher then judges it like any other Message.
"""

import datetime as dt
from dataclasses import replace
from typing import Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics import marks as clinic_marks
from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry, MarkKind, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.delivery import lifecycle
from companion.planning import edit, marks
from companion.planning.edit import Planned
from companion.planning.timing import PATIENT_ZONE, Timing, timing_of
from companion.schedules.models import Message, Schedule, State, Status
from companion.schedules.reasons import Reason
from companion.service.wake import ring
from companion.times import rule_json, walls
from companion.times.retiming import Times

UNDO_FOR: Final = dt.timedelta(seconds=10)
"""The time for which a page offers to undo an act."""
_CLICKS_WAY: Final = dt.timedelta(seconds=5)
"""The time that we allow for a click at the last moment to reach the server."""
_LAST_ZONE: Final = "Etc/GMT+12"
"""The zone in which a wall time of each patient's own zone comes last."""


@transaction.atomic
def undo(caller: Caller, message: Message, *, now: dt.datetime) -> Message:
    """Undo the cancel of a Message, so that it is sent. Raises Conflict if it is too late."""
    caller.needs(Role.PROVIDER)
    own = Message.objects.filter(clinic=caller.clinic, pk=message.pk)
    if not lifecycle.undo(own, Reason.BY_PERSON, since=now - UNDO_FOR - _CLICKS_WAY, now=now):
        raise Conflict(_why_not(message))
    changes = audit.differences({"status": Status.CANCELLED}, {"status": Status.PENDING})
    audit.record(caller, "cancelling taken back", "message", message.pk, now=now, changes=changes)
    if message.schedule_id and message.patient_id:
        # Changes of the plan since the cancel (a skipped day, another time) apply to this Message, too.
        left = clinic_marks.leave(caller.clinic, MarkKind.PATIENT, message.patient_id, now=now)
        marks.work_off([left], now=now)
        if not own.filter(status=Status.PENDING).exists():
            raise Conflict("The plan was changed since then, and this message is no longer part of it.")
    ring()
    message.refresh_from_db()
    return message


def undo_end(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """Undo the end of a Schedule, which then continues as before. Raises Conflict if it is too late."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = edit.hold(caller, schedule)
        if locked.state != State.CANCELLED:
            raise Conflict(f"This schedule is {State(locked.state).label.lower()}: there is nothing to undo.")
        ended_at = locked.cancelled_at
        if ended_at is None or ended_at < now - UNDO_FOR - _CLICKS_WAY:
            raise Conflict("It is too late to undo this: ten seconds are over. Plan a new schedule.")
        was = edit.columns(locked)
        locked.state, locked.cancelled_at = State(locked.cancelled_from), None
        locked.next_plan_at = now if locked.state == State.ACTIVE else None
        locked.save(update_fields=["state", "cancelled_at", "next_plan_at"])
        ended = Message.objects.filter(clinic=caller.clinic, schedule=locked)
        back = lifecycle.undo(ended, Reason.SCHEDULE_ENDED, since=ended_at, now=now)
        done = edit.audit_and_replan(caller, locked, "ending taken back", was, now)
        return replace(done, messages=done.messages + back)


def unskip(caller: Caller, schedule: Schedule, occurrence: str, *, now: dt.datetime) -> Planned:
    """Undo the skip of an Occurrence. Raises Refused if it isn't skipped, and Conflict if it is over."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = edit.hold(caller, schedule)
        if locked.state not in (State.ACTIVE, State.PAUSED):
            raise Conflict("This schedule is over: it sends no more messages.")
        timing = timing_of(locked)
        wall = _skipped(timing, occurrence)
        zone = _LAST_ZONE if timing.timezone == PATIENT_ZONE else timing.timezone
        if walls.resolve(wall, zone).at <= now:
            raise Conflict("This occurrence is over: it can't be sent any more.")
        was = edit.columns(locked)
        locked.recurrence = _without(timing, wall)
        locked.save(update_fields=["recurrence"])
        # A message that was due today stayed on record as failed when its day was skipped.
        dropped = Message.objects.filter(clinic=caller.clinic, schedule=locked, occurrence=walls.wall_name(wall))
        back = lifecycle.reopen(dropped.filter(lifecycle.UNTOUCHED, reason=Reason.TOO_LATE, due_at__gt=now))
        # The skip cancelled edited Messages at its own instant. Messages that a person cancelled before stay cancelled.
        skips = AuditEntry.objects.filter(clinic=caller.clinic, subject_id=locked.pk, action=edit.SKIPPED)
        edited = dropped.filter(by_hand=True, ended_at__in=skips.values("at"))
        back += lifecycle.undo(edited, Reason.BY_PERSON, since=locked.created_at, now=now)
        done = edit.audit_and_replan(caller, locked, "skip taken back", was, now)
        return replace(done, messages=done.messages + back)


def _skipped(timing: Timing, occurrence: str) -> dt.datetime:
    try:
        wall = walls.parse_wall(occurrence)
    except ValueError as problem:
        raise Refused(Problem("occurrence", str(problem))) from None
    skipped = timing.recurrence.except_ if timing.recurrence else ()
    if wall not in Times(timing.starts_at, timing.recurrence).on(wall.date()):
        raise Refused(Problem("occurrence", "The series has no occurrence at this time."))
    if wall not in skipped and wall.date() not in skipped:
        raise Refused(Problem("occurrence", "This occurrence is not skipped."))
    return wall


def _without(timing: Timing, wall: dt.datetime) -> dict[str, object] | None:
    """Return the rule without this exception. If the whole day was an exception, its other times stay exceptions."""
    rule = timing.recurrence
    if rule is None:
        return None
    kept = [exception for exception in rule.except_ if exception not in (wall, wall.date())]
    if wall.date() in rule.except_:
        of_the_day = Times(timing.starts_at, rule).on(wall.date())
        kept += [other for other in of_the_day if other != wall and other not in kept]
    return rule_json.to_json(replace(rule, except_=tuple(kept)))


def _why_not(message: Message) -> str:
    message.refresh_from_db()
    if message.status != Status.CANCELLED:
        return f"The message is {Status(message.status).label.lower()}: there is nothing to undo."
    if message.reason != Reason.BY_PERSON:
        return "No person cancelled this message, so its cancel can't be undone."
    return "It is too late to undo this: ten seconds, or the message's own time, are over."
