"""What people do with a Schedule: make it, change it (all of it, or this and following), pause, resume, skip, cancel.

Each is one transaction that leaves a Mark; a small one is worked off right after it, a large one by the Planner.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from django.db import transaction

from companion.clinics import audit
from companion.clinics import marks as clinic_marks
from companion.clinics.access import Caller
from companion.clinics.models import MarkKind, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.delivery import lifecycle
from companion.planning import drafts, marks, planner, recipients
from companion.planning.drafts import REVIEW_AFTER, Draft
from companion.planning.occurrences import gives
from companion.planning.warnings import Warning, of_days, of_people
from companion.schedules import buttons
from companion.schedules.models import Message, Recipient, Schedule, State, Version
from companion.service.wake import ring
from companion.times import recurrence, rule_json, walls
from companion.times.rule import Recurrence


@dataclass(frozen=True, slots=True)
class Planned:
    """What came of it: the Schedule as it now is, how many Messages that touched so far, and what to know."""

    schedule: Schedule
    messages: int
    warnings: tuple[Warning, ...]
    complete: bool
    """False while the Planner is still at it."""


def create(caller: Caller, draft: Draft, *, now: dt.datetime) -> Planned:
    """Makes a Schedule. The first horizon of one for up to 1,000 patients is planned when this returns."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        schedule = _new(caller, draft, now)
        audit.record(caller, "schedule created", "schedule", schedule.id, now=now)
        warnings = of_people(caller.clinic, recipients.of_draft(caller.clinic, draft), now=now)
        small = recipients.of_schedule(schedule).order_by()[: marks.AT_ONCE + 1].count() <= marks.AT_ONCE
        planned = planner.plan_ahead(schedule.id, now=now) if small else 0
        ring()
    schedule.refresh_from_db()
    return Planned(schedule, planned, warnings, complete=small)


def change(
    caller: Caller, schedule: Schedule, draft: Draft, *, from_occurrence: str | None, now: dt.datetime
) -> Planned:
    """Changes a series: its whole future, or from one Occurrence on (the series splits). What was sent stays."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = _locked(caller, schedule)
        if locked.state in (State.CANCELLED, State.ENDED):
            raise Conflict(f"This schedule has {_over(locked)}. Plan a new one.")
        if from_occurrence is not None and from_occurrence > locked.starts_at:
            return _split(caller, locked, draft, from_occurrence, now)
        _overwrite(locked, draft, now)
        return _marked(caller, locked, "schedule changed", now)


def pause(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """Nothing is sent and nothing piles up until it is resumed."""
    return _to_state(caller, schedule, State.ACTIVE, State.PAUSED, "schedule paused", now)


def resume(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """Goes on with the next Occurrence in the future."""
    return _to_state(caller, schedule, State.PAUSED, State.ACTIVE, "schedule resumed", now)


def cancel(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """Ends it for good: what is pending is cancelled as `schedule_ended`."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = _locked(caller, schedule)
        if locked.state in (State.CANCELLED, State.ENDED):
            raise Conflict(f"This schedule has already {_over(locked)}.")
        locked.state, locked.next_plan_at = State.CANCELLED, None
        locked.save(update_fields=["state", "next_plan_at"])
        return _marked(caller, locked, "schedule cancelled", now)


def skip(caller: Caller, schedule: Schedule, occurrence: str, *, now: dt.datetime) -> Planned:
    """Leaves one Occurrence of a series out."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = _locked(caller, schedule)
        if locked.state not in (State.ACTIVE, State.PAUSED):
            raise Conflict(f"This schedule has {_over(locked)}: there is nothing left to skip.")
        draft = drafts.of(locked)
        wall = _occurrence_of(draft, occurrence)
        if draft.recurrence is None:
            raise Conflict("A one-time schedule has nothing to skip. Cancel it instead.")
        locked.recurrence = rule_json.to_json(replace(draft.recurrence, except_=(*draft.recurrence.except_, wall)))
        locked.save(update_fields=["recurrence"])
        return _marked(caller, locked, "occurrence skipped", now)


def reviewed(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Schedule:
    """Somebody looked at a series without an end: it goes on, and comes up again after REVIEW_AFTER."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = _locked(caller, schedule)
        if locked.review_on is None or locked.state != State.ACTIVE:
            raise Conflict("Nobody asked to look at this schedule again.")
        locked.review_on = walls.local(now, locked.clinic.timezone).date() + REVIEW_AFTER
        locked.save(update_fields=["review_on"])
        audit.record(caller, "schedule looked at again", "schedule", locked.id, now=now)
    return locked


def _new(caller: Caller, draft: Draft, now: dt.datetime, split_from: Schedule | None = None) -> Schedule:
    # A one-time start in the past is still good within its late_after; a series begins with its next Occurrence.
    floor = now if draft.recurrence else now - draft.late_after
    schedule = Schedule(
        clinic=caller.clinic,
        created_by_kind=caller.kind,
        created_by_name=caller.name,
        created_by_id=caller.id,
        created_at=now,
        split_from=split_from,
        planned_until=floor,
        next_plan_at=now,
    )
    _take_over(schedule, draft)
    schedule.save(force_insert=True)
    _name_recipients(schedule, draft)
    _word(schedule, draft, now)
    return schedule


def _take_over(schedule: Schedule, draft: Draft) -> None:
    schedule.starts_at = walls.wall_name(draft.starts_at)
    schedule.timezone = draft.timezone
    schedule.recurrence = rule_json.to_json(draft.recurrence) if draft.recurrence else None
    schedule.cohort_id = draft.cohort
    schedule.late_after = draft.late_after
    schedule.quiet_hours = draft.quiet_hours
    schedule.if_unknown = draft.if_unknown
    schedule.lane = draft.lane
    schedule.review_on = draft.review_on
    schedule.answer_within = draft.answer_within
    schedule.avoid_weekends, schedule.avoid_holidays = draft.avoid.weekends, draft.avoid.holidays
    schedule.avoid_closed_days, schedule.when_avoided = draft.avoid.closed_days, draft.when_avoided


def _overwrite(schedule: Schedule, draft: Draft, now: dt.datetime) -> None:
    _take_over(schedule, draft)
    if schedule.state == State.ACTIVE:
        schedule.next_plan_at = now
    schedule.save()
    _name_recipients(schedule, draft)
    version = planner.version_of(schedule)
    if (version.text, buttons.read(version.buttons)) != (draft.text, draft.buttons):
        _word(schedule, draft, now)


def _name_recipients(schedule: Schedule, draft: Draft) -> None:
    rows = Recipient.objects.filter(clinic_id=schedule.clinic_id, schedule=schedule)
    rows.exclude(patient_id__in=draft.patients).delete()
    there = set(rows.values_list("patient_id", flat=True))
    Recipient.objects.bulk_create(
        [
            Recipient(clinic_id=schedule.clinic_id, schedule=schedule, patient_id=one)
            for one in draft.patients
            if one not in there
        ],
        batch_size=1000,
    )


def _word(schedule: Schedule, draft: Draft, now: dt.datetime) -> None:
    number = Version.objects.filter(clinic_id=schedule.clinic_id, schedule=schedule).count() + 1
    Version.objects.create(
        clinic_id=schedule.clinic_id,
        schedule=schedule,
        number=number,
        text=draft.text,
        buttons=buttons.written(draft.buttons),
        created_at=now,
    )


def _split(caller: Caller, old: Schedule, draft: Draft, from_occurrence: str, now: dt.datetime) -> Planned:
    """Ends the old series before that Occurrence and begins a new one with it, which takes over what people touched."""
    before = drafts.of(old)
    wall = _occurrence_of(before, from_occurrence)
    if before.recurrence is None:
        raise Conflict("A one-time schedule can't be split. Change it as a whole.")
    if draft.recurrence and draft.recurrence.count and draft.recurrence == before.recurrence:
        given = sum(1 for _ in takewhile(lambda one: one < wall, _all(before)))
        draft = replace(draft, recurrence=replace(draft.recurrence, count=max(draft.recurrence.count - given, 1)))
    if draft.starts_at == before.starts_at:
        draft = replace(draft, starts_at=wall)
    new = _new(caller, draft, now, split_from=old)
    # What a person touched, or what has already gone out, is not planned a second time by the new series.
    following = Message.objects.filter(clinic=caller.clinic, schedule=old, occurrence__gte=from_occurrence)
    following.exclude(lifecycle.ONLY_PLANNED).update(schedule=new)
    old.recurrence = rule_json.to_json(_ending_before(before, before.recurrence, wall))
    old.review_on = None  # it has an end now
    old.next_plan_at = now if old.state == State.ACTIVE else None
    old.save(update_fields=["recurrence", "review_on", "next_plan_at"])
    ended = _marked(caller, old, "schedule split", now)
    marked = _marked(caller, new, "schedule created", now)
    moved = ended.messages + marked.messages
    return replace(marked, messages=moved, warnings=(*ended.warnings, *marked.warnings))


def _ending_before(draft: Draft, rule: Recurrence, wall: dt.datetime) -> Recurrence:
    same_day = [
        one for one in takewhile(lambda one: one.date() <= wall.date(), _all(draft)) if one.date() == wall.date()
    ]
    if same_day[0] == wall:
        return replace(rule, until=wall.date() - dt.timedelta(days=1))
    later = tuple(one for one in same_day if one >= wall)
    return replace(rule, until=wall.date(), except_=(*rule.except_, *later))


def _all(draft: Draft) -> Iterator[dt.datetime]:
    return recurrence.occurrences(draft.starts_at, draft.recurrence)


def _occurrence_of(draft: Draft, name: str) -> dt.datetime:
    """The wall time that this names. Raises Refused where it is no Occurrence of the series."""
    try:
        wall = walls.parse_wall(name)
    except ValueError as problem:
        raise Refused(Problem("occurrence", str(problem))) from None
    if not gives(draft, name):
        raise Refused(Problem("occurrence", "The series has no occurrence at this time."))
    return wall


def _locked(caller: Caller, schedule: Schedule) -> Schedule:
    # The row lock makes editing and planning one Schedule take turns.
    own = Schedule.objects.select_for_update(of=("self",)).select_related("clinic")
    return own.get(clinic=caller.clinic, pk=schedule.pk)


def _to_state(
    caller: Caller, schedule: Schedule, expected: State, state: State, action: str, now: dt.datetime
) -> Planned:
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = _locked(caller, schedule)
        if locked.state != expected:
            raise Conflict(f"This schedule is {State(locked.state).label.lower()}, not {expected.label.lower()}.")
        locked.state = state
        if state == State.ACTIVE:
            # From the next Occurrence in the future on: what the pause swallowed is not made up for. What had been
            # planned beyond now is settled by the Mark, which also knows what patients who are back get again.
            locked.resumed_at = locked.next_plan_at = now
            locked.planned_until = max(now, locked.planned_until or now)
        locked.save(update_fields=["state", "resumed_at", "planned_until", "next_plan_at"])
        return _marked(caller, locked, action, now)


def _marked(caller: Caller, schedule: Schedule, action: str, now: dt.datetime) -> Planned:
    """Audits, leaves the Mark, and works it off at once where that is quick."""
    audit.record(caller, action, "schedule", schedule.id, now=now)
    mark = clinic_marks.leave(caller.clinic, MarkKind.SCHEDULE, schedule.id, now=now)
    moves = marks.work_off_if_small(mark, now=now)
    if moves is not None and schedule.state == State.ACTIVE:
        moves.planned += planner.plan_ahead(schedule.id, now=now)
    ring()
    schedule.refresh_from_db()
    warnings = of_days(moves.days) if moves else ()
    return Planned(schedule, moves.messages if moves else 0, warnings, complete=moves is not None)


def _over(schedule: Schedule) -> str:
    return "been cancelled" if schedule.state == State.CANCELLED else "ended"
