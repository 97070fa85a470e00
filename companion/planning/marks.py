"""Working Marks off: each change that plans may depend on replans exactly what it touches.

Small ones at once, in the caller's request, so that the caller can say how many Messages moved; the Planner the rest.
"""

import datetime as dt
import uuid
from contextlib import nullcontext

from companion.clinics.models import Mark, MarkKind
from companion.patients.models import CohortMember
from companion.planning import recipients
from companion.planning.planner import Turn
from companion.planning.replan import Moves, replan
from companion.schedules.models import Message, Schedule, State, Status

AT_ONCE = 1000
"""Recipients up to which a change is worked off within the request that made it."""
_PLANNED_STATES = (State.ACTIVE, State.PAUSED, State.CANCELLED)


def oldest() -> Mark | None:
    """The Mark that waits longest, of any clinic."""
    return Mark.objects.select_related("clinic").order_by("created_at").first()


def work_off(mark: Mark, *, now: dt.datetime, turn: Turn = nullcontext) -> Moves:
    """Replans what the Mark touches, then removes it. Stopped midway, it is simply worked off again."""
    moves = Moves()
    for schedule_id, patients in _touched(mark):
        moves.add(replan(schedule_id, patients, now=now, turn=turn))
    with turn():
        mark.delete()
    return moves


def work_off_if_small(mark: Mark, *, now: dt.datetime) -> Moves | None:
    """Works the Mark off at once where that is quick; None: the Planner does it next."""
    if mark.kind == MarkKind.SCHEDULE:
        schedule = Schedule.objects.get(clinic=mark.clinic, pk=mark.subject_id)
        if recipients.of_schedule(schedule).order_by()[: AT_ONCE + 1].count() > AT_ONCE:
            return None
    elif mark.kind != MarkKind.PATIENT:
        return None
    return work_off(mark, now=now)


def _touched(mark: Mark) -> list[tuple[uuid.UUID, list[uuid.UUID] | None]]:
    """The Schedules that a Mark may touch, each with the patients that it is about (None: all of them)."""
    own = Schedule.objects.filter(clinic=mark.clinic, state__in=_PLANNED_STATES)
    if mark.kind == MarkKind.SCHEDULE:
        return [(mark.subject_id, None)]
    if mark.kind == MarkKind.PATIENT:
        return [(schedule, [mark.subject_id]) for schedule in _schedules_of(mark)]
    if mark.kind == MarkKind.COHORT:
        own = own.filter(cohort_id=mark.subject_id)
    return [(schedule, None) for schedule in own.filter(planned_until__isnull=False).values_list("id", flat=True)]


def _schedules_of(mark: Mark) -> list[uuid.UUID]:
    """A patient's Schedules: those that name the patient or a cohort of theirs, and those with a Message pending."""
    planned = Schedule.objects.filter(clinic=mark.clinic, state=State.ACTIVE, planned_until__isnull=False)
    named = planned.filter(recipient_rows__patient_id=mark.subject_id).values_list("id", flat=True)
    cohorts = CohortMember.objects.filter(clinic=mark.clinic, patient_id=mark.subject_id).values("cohort_id")
    joined = planned.filter(cohort_id__in=cohorts).values_list("id", flat=True)
    pending = Message.objects.filter(
        clinic=mark.clinic, patient_id=mark.subject_id, status=Status.PENDING, schedule__isnull=False
    ).values_list("schedule_id", flat=True)
    return sorted({one for one in (*named, *joined, *pending.order_by().distinct()) if one})
