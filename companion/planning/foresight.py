"""The days on which a patient would get no message, or a second message, after a change of a series. Reads only.

It compares plans as replanning does (replan.py), with the Messages under their new names (renaming.py), before the
change is made.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from companion.planning import recipients, renaming, replan
from companion.planning.changing import Change
from companion.planning.day_changes import DayChanges, Key, day_changes
from companion.planning.drafts import Draft
from companion.planning.marks import AT_ONCE
from companion.planning.recipients import Addressee
from companion.planning.timing import Timing
from companion.schedules.models import Message, Schedule, State, Status


def days_of(schedule: Schedule, change: Change, *, now: dt.datetime) -> DayChanges:
    """Compute the days if the change is small enough to be worked off at once; else return none, as the change does."""
    days = DayChanges()
    if schedule.state != State.ACTIVE or not schedule.planned_until:
        return days
    names = renaming.new_names(schedule, change, now=now)
    if change.ended is not None:
        before = replace(change.before, timing=replace(change.before.timing, recurrence=change.ended))
        reached = _reached(schedule, before)
        there = {key: message for key, message in _there(schedule, reached, now).items() if key.occurrence not in names}
        days.add(_days(schedule, before.timing, reached, there, now))
    reached = _reached(schedule, change.draft)
    there = _renamed(_there(schedule, reached, now), names, whole=change.ended is None)
    _without_second_ones(there, schedule, change, now)
    days.add(_days(schedule, change.draft.timing, reached, there, now))
    return days


def _reached(schedule: Schedule, draft: Draft) -> list[Addressee]:
    people = recipients.of_draft(schedule.clinic, draft)
    found = recipients.addressees(people, draft.timing.timezone, AT_ONCE + 1)
    return found if len(found) <= AT_ONCE else []


def _there(schedule: Schedule, reached: list[Addressee], now: dt.datetime) -> dict[Key, Message]:
    return {replan.key_of(message): message for message in replan.there_of(schedule, reached, now)}


def _renamed(there: Mapping[Key, Message], names: Mapping[str, str], *, whole: bool) -> dict[Key, Message]:
    """The Messages by their new names; in a split, only those that move to the new series."""
    return {
        Key(key.patient, names.get(key.occurrence, key.occurrence)): message
        for key, message in there.items()
        if whole or key.occurrence in names
    }


def _without_second_ones(there: dict[Key, Message], schedule: Schedule, change: Change, now: dt.datetime) -> None:
    """Mark Messages as cancelled that the change would move to today for patients who already had a message today."""
    series = [schedule.id] if change.ended or not schedule.split_from_id else [schedule.id, schedule.split_from_id]
    for second in renaming.second_ones_today(schedule, series, change, now=now):
        for key in (Key(patient, name) for patient in second.patients for name in second.brought):
            if key not in there or replan.is_planned(there[key], now):
                due_at = there[key].due_at if key in there else second.brought[key.occurrence]
                there[key] = Message(
                    patient_id=key.patient, occurrence=key.occurrence, due_at=due_at, status=Status.CANCELLED
                )


def _days(
    schedule: Schedule, timing: Timing, reached: list[Addressee], there: Mapping[Key, Message], now: dt.datetime
) -> DayChanges:
    wanted = replan.wanted_of(timing, schedule, reached, now)
    planned = {key for key, message in there.items() if replan.is_planned(message, now)}
    zones = {addressee.patient: addressee.timezone for addressee in reached}
    return day_changes(there, wanted, planned - wanted.keys(), zones, now)
