"""An Occurrence of a Schedule: each patient's Message, and the creation of its Messages ahead of time by a person.

A person creates the Messages (`detach`) in order to change them. The Planner never plans such an Occurrence a second
time. planner.py makes the other Messages, and listing.py lists many Occurrences.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.delivery import lifecycle, store
from companion.delivery.store import OccurrenceOf
from companion.patients.models import Patient
from companion.patients.pausing import is_paused, paused_words
from companion.planning import recipients
from companion.planning.listing import Item
from companion.planning.occurrences import Coming, gives, occurrence_at, times_of
from companion.planning.planned_messages import future_message
from companion.planning.planned_schedules import zone_of
from companion.planning.timing import Timing, timing_of
from companion.planning.writing import Plan, insert
from companion.schedules import queries
from companion.schedules.models import Message, Schedule, State
from companion.schedules.queries import MessageFilter
from companion.schedules.wording import newest_version
from companion.service.wake import ring
from companion.times import walls
from companion.times.rule import without_exceptions

MOST: Final = 200
"""The most patients for whom `detach` creates Messages at once. With more patients, the caller must name a patient."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An Occurrence with a page of its patients: each patient's Message, or the planned message."""

    schedule: Schedule
    occurrence: str
    skipped: bool
    items: list[Item]
    last: uuid.UUID | None
    """The last patient of the page if more patients follow, else None."""


def show(
    schedule: Schedule, occurrence: str, *, patient: uuid.UUID | None = None, after: uuid.UUID | None = None, limit: int
) -> Shown:
    """Read an Occurrence. Raises Unknown if the Schedule has no such Occurrence."""
    timing = timing_of(schedule)
    skipped = _is_skipped(timing, occurrence)
    people = recipients.expected(schedule, after=after).order_by("id")
    found = list((people.filter(pk=patient) if patient else people)[: limit + 1])
    if patient and not found:
        found = list(Patient.objects.filter(clinic_id=schedule.clinic_id, pk=patient))
    shown = found[:limit]
    own = queries.messages(schedule.clinic, MessageFilter(schedule=schedule.id)).filter(occurrence=occurrence)
    made = {message.patient_id: message for message in own.filter(patient__in=[person.id for person in shown])}
    to_come = {} if skipped or schedule.state != State.ACTIVE else _to_come(schedule, timing, occurrence, shown)
    version = newest_version(schedule)
    items = [
        Item(made[person.id])
        if person.id in made
        else Item(future_message(schedule, to_come[person.id], version, person), planned=True)
        for person in shown
        if person.id in made or person.id in to_come
    ]
    return Shown(schedule, occurrence, skipped, items, shown[-1].id if len(found) > limit else None)


@transaction.atomic
def detach(
    caller: Caller, schedule: Schedule, occurrence: str, *, patient: uuid.UUID | None = None, now: dt.datetime
) -> list[Message]:
    """Create the Messages of an Occurrence that is not planned yet, for one patient or for all (up to MOST).

    Raises Unknown if there is no such Occurrence, Refused for a patient whom the Schedule doesn't reach, and Conflict
    if the Occurrence is skipped or past, or has its Messages already.
    """
    caller.needs(Role.PROVIDER)
    # The row lock makes this call wait for other people's acts on the Schedule, and for the Planner.
    own = Schedule.objects.select_for_update(of=("self",)).select_related("clinic")
    locked = own.get(clinic=caller.clinic, pk=schedule.pk)
    timing = timing_of(locked)
    if _is_skipped(timing, occurrence):
        raise Conflict("This occurrence is skipped. Undo the skip first.")
    if locked.state != State.ACTIVE:
        raise Conflict(f"This schedule is {State(locked.state).label.lower()}, so it plans no messages to change.")
    people = _reached(locked, patient)
    plans = _plans(locked, timing, occurrence, people, alone=patient is not None, now=now)
    insert(locked, newest_version(locked).id, plans, now=now)
    new = Message.objects.filter(
        clinic=caller.clinic, schedule=locked, occurrence=occurrence, patient__in=[plan.patient for plan in plans]
    )
    lifecycle.move(new, by_hand=True)
    messages = list(queries.messages(caller.clinic, MessageFilter(schedule=locked.id)).filter(pk__in=new.values("pk")))
    changes = {message.pk: audit.differences({}, {"due_at": message.due_at, "by_hand": True}) for message in messages}
    audit.record_many(caller, "message made to be changed", "message", changes, now=now)
    ring()
    return messages


def _is_skipped(timing: Timing, occurrence: str) -> bool:
    """Return whether this Occurrence is skipped. Raises Unknown if the rule has no Occurrence of this name."""
    try:
        if gives(timing, occurrence):
            return False
    except ValueError as problem:
        raise Refused(Problem("occurrence", str(problem))) from None
    rule = timing.recurrence
    if rule and gives(replace(timing, recurrence=without_exceptions(rule)), occurrence):
        return True
    raise Unknown("This schedule has no such occurrence.")


def _to_come(schedule: Schedule, timing: Timing, occurrence: str, people: Sequence[Patient]) -> dict[uuid.UUID, Coming]:
    """Return for each patient the Occurrence that the Planner will make: not planned yet, and in no pause."""
    times, wall = times_of(schedule.clinic), walls.parse_wall(occurrence)
    zones = {zone_of(schedule, patient.timezone) for patient in people}
    by_zone = {zone: occurrence_at(timing, wall, zone, times) for zone in zones}
    return {
        patient.id: due
        for patient in people
        if (due := by_zone[zone_of(schedule, patient.timezone)])
        and patient.left_at is None
        and not is_paused(patient, due.due_at)
        and (schedule.planned_until is None or due.due_at > schedule.planned_until)
    }


def _reached(schedule: Schedule, patient: uuid.UUID | None) -> list[Patient]:
    reached = recipients.of_schedule(schedule).order_by("id")
    found = list((reached.filter(pk=patient) if patient else reached)[: MOST + 1])
    if patient and not found:
        raise Refused(Problem("patient", "This schedule doesn't reach such a patient."))
    if len(found) > MOST:
        raise Conflict(f"This goes to more than {MOST} patients. Name the patient whose message you want to change.")
    return found


def _plans(
    schedule: Schedule, timing: Timing, occurrence: str, people: Sequence[Patient], *, alone: bool, now: dt.datetime
) -> list[Plan]:
    """List the Messages to create. Raises Conflict with the reason if there is none."""
    times, wall = times_of(schedule.clinic), walls.parse_wall(occurrence)
    of_people = [OccurrenceOf(schedule.id, patient.id, occurrence) for patient in people]
    made = {of_one_patient.patient for of_one_patient in store.made(of_people)}
    plans = []
    why = "This schedule reaches no patient at present."
    for patient in people:
        due = occurrence_at(timing, wall, zone_of(schedule, patient.timezone), times)
        if patient.id in made:
            why = "The message exists already: change that message."
        elif due is None:
            why = "This occurrence isn't sent, because it falls on a day to avoid."
        elif due.due_at <= now:
            why = "The time of this occurrence is over."
        elif is_paused(patient, due.due_at):
            why = (
                f"The patient is {paused_words(patient)} and gets no message then."
                if alone
                else "The patients are paused then."
            )
        else:
            plans.append(Plan(patient.id, occurrence, due.due_at))
    if not plans:
        raise Conflict(why)
    return plans
