"""Working Marks off: after a change on which plans depend, exactly the affected Messages are replanned.

Small Marks are worked off at once in the caller's request, so that the answer can say how many Messages moved. The
Planner works off all others.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final, NamedTuple, TypeVar

from django.db.models import Model, Q, QuerySet

from companion.clinics.models import Clinic, Mark, MarkKind
from companion.patients.models import CohortMember
from companion.planning import farewells, recipients
from companion.planning.planner import Turn
from companion.planning.replan import Moves, replan
from companion.schedules.models import Message, Recipient, Schedule, State, Status

AT_ONCE: Final = 1000
"""Recipients up to which a change is worked off within the request that made it."""
FEW_SCHEDULES: Final = 50
"""Schedules up to which a change of the clinic is worked off at once."""
TOGETHER: Final = 500
"""Patients whose Marks are worked off in one go."""
_Row = TypeVar("_Row", bound=Model)
_PLANNED_STATES: Final = (State.ACTIVE, State.PAUSED, State.CANCELLED)


def oldest() -> list[Mark]:
    """The Marks that have waited longest, of one clinic and one kind, to be worked off together."""
    first = Mark.objects.select_related("clinic").order_by("created_at").first()
    if first is None:
        return []
    if first.kind != MarkKind.PATIENT:
        return [first]
    alike = Mark.objects.filter(clinic=first.clinic, kind=first.kind).select_related("clinic")
    return list(alike.order_by("created_at")[:TOGETHER])


def work_off(marks: Sequence[Mark], *, now: dt.datetime, turn: Turn = nullcontext) -> Moves:
    """Replan all that these Marks of one clinic affect, then remove them. After a crash this happens again."""
    moves = Moves()
    for schedule_id, patients in _touched(marks).items():
        moves.add(replan(schedule_id, patients, now=now, turn=turn))
    with turn():
        if any(mark.kind == MarkKind.CLINIC for mark in marks):
            _look_again(marks[0].clinic, now)
        farewells.say([mark.subject_id for mark in marks if mark.kind == MarkKind.PATIENT], now=now)
        Mark.objects.filter(clinic=marks[0].clinic, pk__in=[mark.pk for mark in marks]).delete()
    return moves


def work_off_if_small(mark: Mark, *, now: dt.datetime) -> Moves | None:
    """Work the Mark off at once if it is small; else return None, and the Planner does it."""
    return work_off([mark], now=now) if _is_small(mark) else None


def work_off_of(clinic: Clinic, subject_id: uuid.UUID, *, now: dt.datetime) -> Moves | None:
    """Work off the Marks about this row (a patient, the clinic) if they are small; else None: the Planner does it."""
    left = list(Mark.objects.filter(clinic=clinic, subject_id=subject_id).select_related("clinic"))
    if not left:
        return Moves()
    return work_off(left, now=now) if all(_is_small(mark) for mark in left) else None


def _is_small(mark: Mark) -> bool:
    match mark.kind:
        case MarkKind.PATIENT:
            return True
        case MarkKind.SCHEDULE:
            schedule = Schedule.objects.get(clinic=mark.clinic, pk=mark.subject_id)
            return _at_most(recipients.of_schedule(schedule), AT_ONCE)
        case MarkKind.CLINIC:
            pending = Message.objects.filter(clinic=mark.clinic, status=Status.PENDING)
            return _at_most(pending, AT_ONCE) and _at_most(_planned(mark.clinic), FEW_SCHEDULES)
        case _:
            return False


def _at_most(rows: QuerySet[_Row], most: int) -> bool:
    return rows.order_by()[: most + 1].count() <= most


def _look_again(clinic: Clinic, now: dt.datetime) -> None:
    """Let the Planner search for the next Occurrence again: with other days off it may be on an earlier day."""
    avoiding = Q(avoid_weekends=True) | Q(avoid_holidays=True) | Q(avoid_closed_days=True)
    waiting = Schedule.objects.filter(avoiding, clinic=clinic, state=State.ACTIVE, planned_until__isnull=False)
    waiting.update(next_plan_at=now)


def _touched(marks: Sequence[Mark]) -> dict[uuid.UUID, set[uuid.UUID] | None]:
    """The Schedules that the Marks affect, each with the affected patients (None: all of its patients)."""
    found: dict[uuid.UUID, set[uuid.UUID] | None] = {}
    changed = [mark.subject_id for mark in marks if mark.kind == MarkKind.PATIENT]
    for schedule_id, patient_id in _pairs(marks[0].clinic, changed):
        of_these = found.setdefault(schedule_id, set())
        if of_these is not None:
            of_these.add(patient_id)
    for mark in marks:
        found |= dict.fromkeys(_whole(mark))
    return found


def _whole(mark: Mark) -> list[uuid.UUID]:
    """The Schedules that a Mark affects for all of their patients; none for a Mark about a patient."""
    planned = _planned(mark.clinic)
    match mark.kind:
        case MarkKind.SCHEDULE:
            return [mark.subject_id]
        case MarkKind.COHORT:
            return list(planned.filter(cohort_id=mark.subject_id).values_list("id", flat=True))
        case MarkKind.CLINIC:
            return list(planned.values_list("id", flat=True))
        case _:
            return []


def _planned(clinic: Clinic) -> QuerySet[Schedule]:
    return Schedule.objects.filter(clinic=clinic, state__in=_PLANNED_STATES, planned_until__isnull=False)


class _Pair(NamedTuple):
    """A Schedule, and a patient whom it may reach."""

    schedule: uuid.UUID
    patient: uuid.UUID


def _pairs(clinic: Clinic, patients: list[uuid.UUID]) -> set[_Pair]:
    """The Schedules that name these patients or one of their cohorts, or have pending Messages for them."""
    active = {"schedule__state": State.ACTIVE, "schedule__planned_until__isnull": False}
    named = Recipient.objects.filter(clinic=clinic, patient_id__in=patients, **active)
    memberships = CohortMember.objects.filter(
        clinic=clinic,
        patient_id__in=patients,
        cohort__schedules__state=State.ACTIVE,
        cohort__schedules__planned_until__isnull=False,
    )
    pending = Message.objects.filter(
        clinic=clinic, patient_id__in=patients, status=Status.PENDING, schedule__isnull=False
    ).order_by()
    rows = (
        *named.values_list("schedule_id", "patient_id"),
        *memberships.values_list("cohort__schedules", "patient_id"),
        *pending.values_list("schedule_id", "patient_id").distinct(),
    )
    return {_Pair(schedule, patient) for schedule, patient in rows if schedule and patient}
