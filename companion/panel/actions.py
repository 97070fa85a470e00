"""Admins' acts in the Control Panel: pause and resume sending, retry all failures of one code, decide unknown
outcomes, acknowledge lost services.

Each act is audited. The changes of a Message's status are in planning/acts.py.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from companion.clinics import audit, members
from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry, Clinic, Member, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.panel import facts, health, judge
from companion.panel.models import Alert
from companion.planning import acts
from companion.schedules.models import Message, Status
from companion.schedules.queries import COUNTED_TO
from companion.schedules.reasons import Reason
from companion.service.models import Heartbeat
from companion.service.wake import ring

AT_ONCE: Final = 500
"""The most messages that one call retries; its result says how many are left."""
_CHUNK: Final = 50
"""The messages of one transaction, during which the dispatcher has to wait on SQLite."""
LATELY: Final = dt.timedelta(days=7)
_HORIZONS: Final = (1, 4, 12, 24)


class Decision(StrEnum):
    """A person's decision about a message whose outcome is unknown."""

    RESEND = "resend"
    ARRIVED = "arrived"
    LEAVE = "leave"


_DECIDED: Final = {Decision.ARRIVED: "unknown message: arrived", Decision.LEAVE: "unknown message: left"}


@dataclass(frozen=True, slots=True)
class Loss:
    """The number of messages that fail unless sending is resumed by `by`, at most COUNTED_TO."""

    by: dt.datetime
    count: int


@dataclass(frozen=True, slots=True)
class Decided:
    """The number of decided messages, and of those still undecided, at most COUNTED_TO."""

    done: int
    left: int


@dataclass(frozen=True, slots=True)
class Unknowns:
    """A selection of messages of unknown outcome: those that match every given part."""

    ids: Sequence[UUID] | None = None
    schedule: UUID | None = None
    due_from: dt.datetime | None = None
    due_to: dt.datetime | None = None
    """Both ends are included."""
    held_by_restore: bool | None = None
    """True: only messages held since the database was restored; False: only the others."""
    no_trace: bool | None = None
    """True: only messages of which Telegram shows no trace; False: only the others."""


CAUSES: Final = {
    "restore": Unknowns(held_by_restore=True),
    "line": Unknowns(held_by_restore=False),
    "no-trace": Unknowns(no_trace=True),
}
"""Selections by cause, as the page and the command name them."""


@dataclass(frozen=True, slots=True)
class Retried:
    """The number of messages made pending again, and of those of the code that are left, at most COUNTED_TO."""

    done: int
    left: int


def losses(clinic: Clinic, *, now: dt.datetime) -> list[Loss]:
    """Count the messages that would become too late in a pause, for several lengths of the pause."""
    return [Loss(by, _lost(clinic, by)) for by in (now + dt.timedelta(hours=hours) for hours in _HORIZONS)]


def pause(caller: Caller, *, now: dt.datetime) -> None:
    """Hold back all of the clinic's messages. Raises Conflict if sending is paused already."""
    caller.needs(Role.ADMIN)
    own = Clinic.objects.filter(pk=caller.clinic.pk, sending_paused_at=None)
    with transaction.atomic():
        if not own.update(sending_paused_at=now, sending_paused_by=caller.name):
            raise Conflict("Sending is paused already.")
        changes = audit.differences({}, {"sending_paused_at": now})
        audit.record(caller, "sending paused", "clinic", caller.clinic.pk, now=now, changes=changes)
        ring()


def resume(caller: Caller, *, now: dt.datetime) -> None:
    """Resume sending for the clinic. Raises Conflict if sending isn't paused."""
    caller.needs(Role.ADMIN)
    own = Clinic.objects.filter(pk=caller.clinic.pk, sending_paused_at__isnull=False)
    with transaction.atomic():
        since = own.values_list("sending_paused_at", flat=True).first()
        if not own.update(sending_paused_at=None, sending_paused_by=""):
            raise Conflict("Sending isn't paused.")
        changes = audit.differences({"sending_paused_at": since}, {})
        audit.record(caller, "sending resumed", "clinic", caller.clinic.pk, now=now, changes=changes)
        ring()


def acknowledge_losses(caller: Caller, *, now: dt.datetime) -> None:
    """Stop reporting lost services while other services of their kind run. Raises Conflict if there are none.

    Services belong to no clinic, so this takes effect for all clinics. A service that starts again is watched again.
    """
    caller.needs(Role.ADMIN)
    beats = facts.beats(now=now)
    lost = [kind for kind in judge.LOST if judge.gone(beats, kind, now=now)]
    lost = [kind for kind in lost if any(beat.kind == kind and judge.alive(beat, now=now) for beat in beats)]
    if not lost:
        raise Conflict("No service is missing.")
    with transaction.atomic():
        Heartbeat.objects.filter(kind__in=lost, beat_at__lt=now - facts.ALIVE_FOR).delete()
        causes = [judge.LOST[kind][0] for kind in lost]
        Alert.objects.filter(closed_at=None, cause__in=causes).update(closed_at=now)
        changes = audit.differences({"lost services": [kind.value for kind in lost]}, {})
        audit.record(caller, "lost services acknowledged", "clinic", caller.clinic.pk, now=now, changes=changes)
    health.forget()


def administered(caller: Caller) -> list[Caller]:
    """Return a Caller for each other clinic in which the person is an admin, by the clinics' names."""
    if caller.kind != "member" or caller.id is None:
        return []
    same = Member.objects.filter(user__memberships=caller.id, role=Role.ADMIN, joined_at__isnull=False).exclude(
        pk=caller.id
    )
    ordered = same.select_related("clinic", "user").order_by("clinic__name", "id")
    return [members.caller_of_member(member) for member in ordered]


def pause_each(callers: Sequence[Caller], *, now: dt.datetime) -> int:
    """Hold back the messages of all these clinics, and return how many were not paused before."""
    return sum(_done(pause, caller, now) for caller in callers)


def resume_each(callers: Sequence[Caller], *, now: dt.datetime) -> int:
    """Resume sending for all these clinics, and return how many were paused."""
    return sum(_done(resume, caller, now) for caller in callers)


def retryable(clinic: Clinic, reason: str, *, now: dt.datetime) -> QuerySet[Message]:
    """The failed messages of this code that were due within a week. Raises Refused for a code that can't be
    retried in bulk.
    """
    retried = sorted(known.value for known in Reason if known.retry)
    if reason not in retried:
        raise Refused(Problem("reason", f"Only these can be retried all at once: {', '.join(retried)}."))
    return Message.objects.filter(clinic=clinic, status=Status.FAILED, due_at__gte=now - LATELY, reason=reason)


def retry_all(caller: Caller, reason: str, *, now: dt.datetime) -> Retried:
    """Retry at most AT_ONCE failed messages of one code, the newest first. They keep quiet hours and `late_after`."""
    caller.needs(Role.ADMIN)
    found = retryable(caller.clinic, reason, now=now)
    wanted = list(found.select_related("clinic", "patient").order_by("-due_at", "-id")[:AT_ONCE])
    done = 0
    for start in range(0, len(wanted), _CHUNK):
        with transaction.atomic():
            done += sum(acts.retry_again(caller, message, now=now) for message in wanted[start : start + _CHUNK])
    return Retried(done, found.order_by()[:COUNTED_TO].count())


def undecided(clinic: Clinic, *, now: dt.datetime) -> QuerySet[Message]:
    """The messages that ended within a week as unknown and still need a decision, the newest first."""
    decided = AuditEntry.objects.filter(
        clinic=clinic, subject_id=OuterRef("pk"), at__gte=OuterRef("ended_at"), action__in=_DECIDED.values()
    )
    unknown = Message.objects.filter(
        clinic=clinic, status=Status.FAILED, ended_at__gte=now - LATELY, reason=Reason.OUTCOME_UNKNOWN
    )
    return unknown.exclude(Exists(decided)).select_related("patient").order_by("-due_at", "-id")


def decide(caller: Caller, message: Message, decision: Decision, *, now: dt.datetime) -> None:
    """Send the message again, although it may arrive twice, or record why not.

    A decision never sets the status to sent; only Telegram's confirmation does. Raises Conflict if the outcome is not
    unknown.
    """
    with _undecided_one(caller, message, now):
        if decision is Decision.RESEND:
            acts.retry(caller, message, now=now, may_arrive_twice=True)
        else:
            _note(caller, message, decision, now)


@contextmanager
def _undecided_one(caller: Caller, message: Message, now: dt.datetime) -> Iterator[None]:
    """Open a transaction with an undecided message, locked. Raises Conflict if the message is decided or not
    unknown.
    """
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        # The lock makes a second person who decides at the same moment see the first decision.
        Message.objects.select_for_update().filter(clinic=caller.clinic, pk=message.pk).first()
        if not undecided(caller.clinic, now=now).filter(pk=message.pk).exists():
            raise Conflict("This message needs no decision any more. Open its page to see why.")
        yield


def undecided_of(clinic: Clinic, which: Unknowns, *, now: dt.datetime) -> QuerySet[Message]:
    """The undecided messages that `which` selects, the newest first."""
    found = undecided(clinic, now=now)
    if which.ids is not None:
        found = found.filter(pk__in=which.ids)
    if which.schedule is not None:
        found = found.filter(Q(schedule=which.schedule) | Q(version__schedule=which.schedule))
    if which.due_from is not None:
        found = found.filter(due_at__gte=which.due_from)
    if which.due_to is not None:
        found = found.filter(due_at__lte=which.due_to)
    if which.held_by_restore is not None:
        found = found.filter(held_by_restore=which.held_by_restore)
    if which.no_trace is not None:
        found = found.filter(no_trace_at__isnull=not which.no_trace)
    return found


def decide_many(caller: Caller, which: Unknowns, decision: Decision, *, now: dt.datetime) -> Decided:
    """Decide at most AT_ONCE of the messages, the newest first, each with its own audit entry.

    Messages that are sent again keep their quiet hours, as in every bulk retry.
    """
    caller.needs(Role.ADMIN)
    found = undecided_of(caller.clinic, which, now=now)
    wanted = list(found[:AT_ONCE])
    done = sum(_decided(caller, message, decision, now) for message in wanted)
    return Decided(done, found.order_by()[:COUNTED_TO].count())


def _decided(caller: Caller, message: Message, decision: Decision, now: dt.datetime) -> bool:
    """Decide about one of many messages; False if somebody else has decided about it."""
    try:
        with _undecided_one(caller, message, now):
            if decision is not Decision.RESEND:
                _note(caller, message, decision, now)
                return True
            return acts.retry_again(caller, message, now=now, may_arrive_twice=True)
    except Conflict:
        return False


def _note(caller: Caller, message: Message, decision: Decision, now: dt.datetime) -> None:
    changes = audit.differences({}, {"decision": decision.value})
    audit.record(caller, _DECIDED[decision], "message", message.pk, now=now, changes=changes)


def _done(act: Callable[..., None], caller: Caller, now: dt.datetime) -> bool:
    try:
        act(caller, now=now)
    except Conflict:
        return False
    return True


def _lost(clinic: Clinic, by: dt.datetime) -> int:
    # A message is never too late before it is due. This condition limits what the index messages_by_status must read.
    pending = Message.objects.filter(clinic=clinic, status=Status.PENDING, due_at__lte=by, late_at__lte=by)
    return pending.order_by()[:COUNTED_TO].count()
