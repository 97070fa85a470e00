"""Act on a Schedule: create it, change it (whole, or this and following), pause, resume, skip, cancel.

Each is one transaction that leaves a Mark; a small one is worked off right after it, a large one by the Planner.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, replace

from django.db import transaction

from companion.clinics import audit
from companion.clinics import marks as clinic_marks
from companion.clinics.access import Caller
from companion.clinics.models import MarkKind, Role
from companion.clinics.refusals import Conflict
from companion.delivery import lifecycle
from companion.planning import drafts, marks, plan_warnings, planner, recipients, renaming
from companion.planning.changing import Change, change_of, occurrence_of
from companion.planning.drafts import REVIEW_AFTER, Draft
from companion.planning.timing import timing_of
from companion.planning.warnings import Warning, of_days
from companion.schedules import buttons
from companion.schedules.models import Message, Recipient, Schedule, State, Version
from companion.schedules.reasons import Reason
from companion.schedules.wording import newest_version
from companion.service.wake import ring
from companion.times import rule_json, walls
from companion.times.rule import Recurrence

_NAMED_IN_AN_ENTRY = 100
SKIPPED = "occurrence skipped"
"""The name of a skip in the audit trail."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Result of an act: the Schedule as it is now, the number of Messages changed so far, and warnings."""

    schedule: Schedule
    messages: int
    warnings: tuple[Warning, ...]
    complete: bool
    """False while the Planner is still at it."""


def create(caller: Caller, draft: Draft, *, now: dt.datetime) -> Planned:
    """Makes a Schedule. The first horizon of one for up to 1,000 patients is planned when this returns."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        warnings = plan_warnings.of_new(caller.clinic, draft, now=now)
        schedule = _new(caller, draft, now)
        audit.record(caller, "schedule created", "schedule", schedule.id, now=now, changes=_told(None, draft))
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
        locked = hold(caller, schedule)
        if locked.state in (State.CANCELLED, State.ENDED):
            raise Conflict(f"This schedule has {_over(locked)}. Plan a new one.")
        before = drafts.of(locked)
        change = change_of(before, draft, from_occurrence)
        known = plan_warnings.of_change(locked, change, now=now)
        if change.ended is not None:
            done = _split(caller, locked, change, change.ended, before, now)
        else:
            renaming.rename(locked, locked, change, now=now)
            _overwrite(locked, change.draft, now)
            renaming.keep_from_a_second_one_today(locked, change, now=now)
            done = _record_and_replan(caller, locked, "schedule changed", _told(before, change.draft), now)
        return replace(done, warnings=(*done.warnings, *known))


def pause(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """Stop sending until the Schedule is resumed. Messages missed meanwhile aren't sent later."""
    return _to_state(caller, schedule, State.ACTIVE, State.PAUSED, "schedule paused", now)


def resume(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """Goes on with the next Occurrence in the future."""
    return _to_state(caller, schedule, State.PAUSED, State.ACTIVE, "schedule resumed", now)


def cancel(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """Ends it for good: what is pending is cancelled as `schedule_ended`."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = hold(caller, schedule)
        if locked.state in (State.CANCELLED, State.ENDED):
            raise Conflict(f"This schedule has already {_over(locked)}.")
        was = columns(locked)
        locked.cancelled_at, locked.cancelled_from = now, locked.state
        locked.state, locked.next_plan_at = State.CANCELLED, None
        locked.save(update_fields=["state", "next_plan_at", "cancelled_at", "cancelled_from"])
        return audit_and_replan(caller, locked, "schedule cancelled", was, now)


def skip(caller: Caller, schedule: Schedule, occurrence: str, *, now: dt.datetime) -> Planned:
    """Leaves one Occurrence of a series out."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = hold(caller, schedule)
        if locked.state not in (State.ACTIVE, State.PAUSED):
            raise Conflict(f"This schedule has {_over(locked)}: there is nothing left to skip.")
        timing = timing_of(locked)
        wall = occurrence_of(timing, occurrence)
        if timing.recurrence is None:
            raise Conflict("A one-time schedule has nothing to skip. Cancel it instead.")
        was = columns(locked)
        locked.recurrence = rule_json.to_json(replace(timing.recurrence, except_=(*timing.recurrence.except_, wall)))
        locked.save(update_fields=["recurrence"])
        # Replanning leaves a Message alone that a person edited; to skip the Occurrence means that Message, too.
        own = Message.objects.filter(clinic=caller.clinic, schedule=locked, occurrence=walls.wall_name(wall))
        cancelled = lifecycle.stop(own.filter(by_hand=True), Reason.BY_PERSON, now=now)
        done = audit_and_replan(caller, locked, SKIPPED, was, now)
        return replace(done, messages=done.messages + cancelled)


def reviewed(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Schedule:
    """Note that a person has reviewed a series without an end. The next review is due after REVIEW_AFTER."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = hold(caller, schedule)
        if locked.review_on is None or locked.state != State.ACTIVE:
            raise Conflict("Nobody asked to look at this schedule again.")
        was = columns(locked)
        locked.review_on = walls.local(now, locked.clinic.timezone).date() + REVIEW_AFTER
        locked.save(update_fields=["review_on"])
        told = audit.differences(was, columns(locked))
        audit.record(caller, "schedule looked at again", "schedule", locked.id, now=now, changes=told)
    return locked


def _new(caller: Caller, draft: Draft, now: dt.datetime, split_from: Schedule | None = None) -> Schedule:
    # A one-time start in the past is still good within its late_after; a series begins with its next Occurrence.
    floor = now if draft.timing.recurrence else now - draft.late_after
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
    drafts.set_columns(schedule, draft)
    schedule.save(force_insert=True)
    _name_recipients(schedule, draft)
    _word(schedule, draft, now)
    return schedule


def _overwrite(schedule: Schedule, draft: Draft, now: dt.datetime) -> None:
    drafts.set_columns(schedule, draft)
    if schedule.state == State.ACTIVE:
        schedule.next_plan_at = now
    schedule.save()
    _name_recipients(schedule, draft)
    version = newest_version(schedule)
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


def _split(caller: Caller, old: Schedule, change: Change, ended: Recurrence, draft: Draft, now: dt.datetime) -> Planned:
    """Ends the old series before the chosen Occurrence and begins a new one with it, which takes over its Messages."""
    new = _new(caller, change.draft, now, split_from=old)
    # What the old series was, the new one is: planned as far, and paused where it is paused.
    new.state, new.resumed_at = old.state, old.resumed_at
    new.planned_until = max(filter(None, (new.planned_until, old.planned_until)))
    new.save(update_fields=["state", "resumed_at", "planned_until"])
    renaming.rename(old, new, change, now=now)
    renaming.keep_from_a_second_one_today(new, change, now=now)
    was = columns(old)
    old.recurrence = rule_json.to_json(ended)
    old.review_on = None  # it has an end now
    old.next_plan_at = now if old.state == State.ACTIVE else None
    old.save(update_fields=["recurrence", "review_on", "next_plan_at"])
    before = audit_and_replan(caller, old, "schedule split", was, now)
    # The new series goes on for the old one: what differs between them is what the person changed.
    after = _record_and_replan(caller, new, "schedule created", _told(draft, change.draft), now)
    return replace(after, messages=before.messages + after.messages, warnings=(*before.warnings, *after.warnings))


def hold(caller: Caller, schedule: Schedule) -> Schedule:
    """The Schedule with its row locked: editing and planning one take turns."""
    own = Schedule.objects.select_for_update(of=("self",)).select_related("clinic")
    return own.get(clinic=caller.clinic, pk=schedule.pk)


def _to_state(
    caller: Caller, schedule: Schedule, expected: State, state: State, action: str, now: dt.datetime
) -> Planned:
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = hold(caller, schedule)
        if locked.state != expected:
            raise Conflict(f"This schedule is {State(locked.state).label.lower()}, not {expected.label.lower()}.")
        was = columns(locked)
        locked.state = state
        if state == State.ACTIVE:
            # From the next Occurrence in the future on: what the pause swallowed is not made up for. What had been
            # planned beyond now is settled by the Mark, which also knows what patients who are back get again.
            locked.resumed_at = locked.next_plan_at = now
            locked.planned_until = max(now, locked.planned_until or now)
        locked.save(update_fields=["state", "resumed_at", "planned_until", "next_plan_at"])
        return audit_and_replan(caller, locked, action, was, now)


def columns(schedule: Schedule) -> dict[str, object]:
    """The columns that acts change, except a change of the whole series; for the audit trail."""
    return audit.columns(schedule, ("state", "recurrence", "review_on"))


def audit_and_replan(
    caller: Caller, schedule: Schedule, action: str, was: dict[str, object], now: dt.datetime
) -> Planned:
    """Audit the act by the `columns` of before, leave the Mark, and work it off at once where that is quick."""
    return _record_and_replan(caller, schedule, action, audit.differences(was, columns(schedule)), now)


def _told(before: Draft | None, after: Draft) -> audit.Changes:
    """Return what the audit trail tells of a series that is new, or that a person changed as a whole."""
    was, now = (drafts.values_of(one) if one else {} for one in (before, after))
    told = dict(audit.differences(was, now, veiled=("text", "buttons")))
    if "patients" in told:
        had, has = set(before.patients if before else ()), set(after.patients)
        told["patients"] = [_named(had - has), _named(has - had)]
    return told


def _named(patients: set[uuid.UUID]) -> object:
    """The ids, or of many their number: an entry is read by a person."""
    return sorted(map(str, patients)) if len(patients) <= _NAMED_IN_AN_ENTRY else f"{len(patients)} patients"


def _record_and_replan(
    caller: Caller, schedule: Schedule, action: str, changes: audit.Changes, now: dt.datetime
) -> Planned:
    audit.record(caller, action, "schedule", schedule.id, now=now, changes=changes)
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
