"""A person's acts on a Schedule: create, change (the whole or from one Occurrence on), pause, resume, skip, cancel.

Each act is one transaction that leaves a Mark. A small Mark is worked off at once, a large one by the Planner.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, replace
from typing import Final

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

_NAMED_IN_AN_ENTRY: Final = 100
SKIPPED: Final = "occurrence skipped"
"""The name of a skip in the audit trail."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The result of an act: the Schedule as it is now, the number of Messages changed so far, and warnings."""

    schedule: Schedule
    messages: int
    warnings: tuple[Warning, ...]
    complete: bool
    """False if the Planner still has to change Messages."""


def create(caller: Caller, draft: Draft, *, now: dt.datetime) -> Planned:
    """Create a Schedule. For up to 1,000 patients the Messages of the first 48 hours exist when this returns."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        warnings = plan_warnings.of_new(caller.clinic, draft, now=now)
        schedule = _new(caller, draft, now)
        audit.record(caller, "schedule created", "schedule", schedule.id, now=now, changes=_changes(None, draft))
        small = recipients.of_schedule(schedule).order_by()[: marks.AT_ONCE + 1].count() <= marks.AT_ONCE
        planned = planner.plan_ahead(schedule.id, now=now) if small else 0
        ring()
    schedule.refresh_from_db()
    return Planned(schedule, planned, warnings, complete=small)


def change(
    caller: Caller, schedule: Schedule, draft: Draft, *, from_occurrence: str | None, now: dt.datetime
) -> Planned:
    """Change a series: its whole future, or from one Occurrence on (the series splits). Sent Messages stay."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = hold(caller, schedule)
        if locked.state in (State.CANCELLED, State.ENDED):
            raise Conflict(f"This schedule has {_over(locked)}. Plan a new schedule.")
        change = change_of(drafts.of(locked), draft, from_occurrence)
        known = plan_warnings.of_change(locked, change, now=now)
        if change.ended is not None:
            done = _split(caller, locked, change, change.ended, now)
        else:
            renaming.rename(locked, locked, change, now=now)
            _overwrite(locked, change.draft, now)
            renaming.keep_from_a_second_one_today(locked, change, now=now)
            done = _record_and_replan(caller, locked, "schedule changed", _changes(change.before, change.draft), now)
        return replace(done, warnings=(*done.warnings, *known))


def pause(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """Stop sending until the Schedule is resumed. Messages that are missed until then aren't sent later."""
    return _to_state(caller, schedule, State.ACTIVE, State.PAUSED, "schedule paused", now)


def resume(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """Resume sending, with the next Occurrence in the future."""
    return _to_state(caller, schedule, State.PAUSED, State.ACTIVE, "schedule resumed", now)


def cancel(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Planned:
    """End a Schedule for good. Its pending Messages are cancelled as `schedule_ended`."""
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
    """Skip one Occurrence of a series."""
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
        # Replanning doesn't touch Messages that a person edited, but the skip must cancel them, too.
        messages = Message.objects.filter(clinic=caller.clinic, schedule=locked, occurrence=walls.wall_name(wall))
        cancelled = lifecycle.stop(messages.filter(by_hand=True), Reason.BY_PERSON, now=now)
        done = audit_and_replan(caller, locked, SKIPPED, was, now)
        return replace(done, messages=done.messages + cancelled)


def reviewed(caller: Caller, schedule: Schedule, *, now: dt.datetime) -> Schedule:
    """Record that a person has reviewed a series without an end. The next review is due after REVIEW_AFTER."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        locked = hold(caller, schedule)
        if locked.review_on is None or locked.state != State.ACTIVE:
            raise Conflict("This schedule has no review.")
        was = columns(locked)
        locked.review_on = walls.local(now, locked.clinic.timezone).date() + REVIEW_AFTER
        locked.save(update_fields=["review_on"])
        changes = audit.differences(was, columns(locked))
        audit.record(caller, "schedule looked at again", "schedule", locked.id, now=now, changes=changes)
    return locked


def _new(caller: Caller, draft: Draft, now: dt.datetime, split_from: Schedule | None = None) -> Schedule:
    # A one-time message may be late by `late_after`. A series begins with its next Occurrence.
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
            Recipient(clinic_id=schedule.clinic_id, schedule=schedule, patient_id=patient)
            for patient in draft.patients
            if patient not in there
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


def _split(caller: Caller, old: Schedule, change: Change, ended: Recurrence, now: dt.datetime) -> Planned:
    """End the old series before the chosen Occurrence. A new series begins with it, and takes over its Messages."""
    new = _new(caller, change.draft, now, split_from=old)
    # The new series is planned as far as the old series was, and it is paused if that was paused.
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
    # The new series continues the old series. They differ in what the person changed.
    after = _record_and_replan(caller, new, "schedule created", _changes(change.before, change.draft), now)
    return replace(after, messages=before.messages + after.messages, warnings=(*before.warnings, *after.warnings))


def hold(caller: Caller, schedule: Schedule) -> Schedule:
    """Return the Schedule with its row locked, so that editing and planning wait for each other."""
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
            # Sending goes on with the next Occurrence in the future; messages missed in the pause are not sent later.
            # The Mark replans the Messages beyond now, also those of patients who left and are back.
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
    """Audit the act with the earlier `columns`, leave a Mark, and work it off at once if it is small."""
    return _record_and_replan(caller, schedule, action, audit.differences(was, columns(schedule)), now)


def _changes(before: Draft | None, after: Draft) -> audit.Changes:
    """Return the audit trail's record of a series that is new, or that a person changed as a whole."""
    was, now = (drafts.values_of(draft) if draft else {} for draft in (before, after))
    changes = dict(audit.differences(was, now, veiled=("text", "buttons")))
    if "patients" in changes:
        had, has = set(before.patients if before else ()), set(after.patients)
        changes["patients"] = [_named(had - has), _named(has - had)]
    return changes


def _named(patients: set[uuid.UUID]) -> object:
    """Return the ids, or only their number if they are too many for a person to read."""
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
