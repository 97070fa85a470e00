"""New names for Messages when a Schedule's times of day change: each Message keeps its Occurrence under a new name.

So an Occurrence that was sent, failed, cancelled or edited is never planned a second time. changing.py computes the
names, and replan.py the new instants of planned Messages.
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from django.db.models import Case, Q, QuerySet, Value, When

from companion.delivery import lifecycle, store
from companion.planning import recipients
from companion.planning.changing import Change
from companion.planning.occurrences import FARTHEST_MOVE, coming, occurrence_at, times_of
from companion.planning.timing import PATIENT_ZONE
from companion.planning.writing import Plan, insert
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.reasons import Reason
from companion.schedules.wording import newest_version
from companion.times import walls

_MIGHT_HAVE_ARRIVED: Final = (
    Q(status=Status.SENT) | Q(status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN) | lifecycle.ON_THE_WIRE
)


def rename(old: Schedule, new: Schedule, change: Change, *, now: dt.datetime) -> None:
    """Give Messages the new names of their Occurrences, and in a split the new Schedule.

    Messages whose Occurrences are past in every zone keep their names.
    """
    names = new_names(old, change, now=now)
    # In a split all of them move to the new Schedule.
    to_rename = {was: name for was, name in names.items() if was != name or old != new}
    # If Occurrences exchange their names, they first get a temporary name that no Occurrence can have.
    aside = {was: f"~{was[1:]}" for was in to_rename if was in names.values() and names[was] != was}
    store.rename(old.id, old.id, aside)
    store.rename(old.id, new.id, {was: name for was, name in to_rename.items() if was not in aside})
    store.rename(old.id, new.id, {aside[was]: names[was] for was in aside})
    follows = Message.objects.filter(_coming(old, change, now), version__schedule=old, follows__isnull=False)
    if theirs := change.new_names(_names(follows)):
        renamed = [When(occurrence=was, then=Value(name)) for was, name in theirs.items()]
        follows.update(occurrence=Case(*renamed, default="occurrence"))


def new_names(old: Schedule, change: Change, *, now: dt.datetime) -> dict[str, str]:
    """Return the new names of Occurrences with Messages, by their present names; not for those past in every zone."""
    return change.new_names(_names(Message.objects.filter(_coming(old, change, now), schedule=old)))


def _coming(old: Schedule, change: Change, now: dt.datetime) -> Q:
    first = change.since or (now - FARTHEST_MOVE).replace(tzinfo=None, microsecond=0)
    return Q(clinic_id=old.clinic_id, occurrence__gte=walls.wall_name(first))


def _names(messages: QuerySet[Message]) -> list[str]:
    return list(messages.order_by().values_list("occurrence", flat=True).distinct())


def keep_from_a_second_one_today(schedule: Schedule, change: Change, *, now: dt.datetime) -> None:
    """Cancel Messages that a new time of day would move to today, for patients who had a message of the series today.

    This can happen to an Occurrence that goes out on another day than its nominal day (after quiet hours, or on a
    working day). Only a change of the zone or of the rule's days may give a patient a second message today, with a
    warning.
    """
    series = [part for part in (schedule.id, schedule.split_from_id) if part]
    for patients, brought in second_ones_today(schedule, series, change, now=now):
        plans = [Plan(patient, name, due_at) for name, due_at in brought.items() for patient in patients]
        insert(schedule, newest_version(schedule).id, plans, now=now)
        theirs = Message.objects.filter(
            clinic_id=schedule.clinic_id, schedule=schedule, occurrence__in=brought, patient__in=patients
        )
        lifecycle.stop(lifecycle.only_planned(theirs), Reason.BY_PERSON, now=now)


class SecondOnes(NamedTuple):
    """The patients of a zone who had a message of the series today, and the Occurrences that would also come today."""

    patients: list[uuid.UUID]
    brought: Mapping[str, dt.datetime]
    """The due instants, by the names of the Occurrences."""


def second_ones_today(
    schedule: Schedule, series: Sequence[uuid.UUID], change: Change, *, now: dt.datetime
) -> Iterator[SecondOnes]:
    """Find patients who had a message of these series today and would get another message today by the change."""
    if change.before.timing.timezone != change.draft.timing.timezone:
        return
    people = recipients.of_draft(schedule.clinic, change.draft)
    for zone in recipients.zones(people, change.draft.timing.timezone, schedule.clinic.timezone):
        if brought := _brought_to_today(schedule, change, zone, now):
            yield SecondOnes(_had_today(schedule, series, zone, now), brought)


def _brought_to_today(schedule: Schedule, change: Change, zone: str, now: dt.datetime) -> Mapping[str, dt.datetime]:
    """The Occurrences that the new time moves from another day to today, in this zone."""
    times = times_of(schedule.clinic)
    today = walls.local(now, zone).date()
    tomorrow = walls.resolve(dt.datetime.combine(today + dt.timedelta(days=1), dt.time.min), zone).at
    found: dict[str, dt.datetime] = {}
    for due in coming(change.draft.timing, zone, times, after=now, until=tomorrow):
        wall = change.old_wall(due.occurrence)
        was = occurrence_at(change.before.timing, wall, zone, times) if wall else None
        if was and was.local.date() != today and due.local.date() == today:
            found[due.occurrence] = due.due_at
    return found


def _had_today(schedule: Schedule, series: Sequence[uuid.UUID], zone: str, now: dt.datetime) -> list[uuid.UUID]:
    """The patients who have got, or may have got, a Message of these series today, in this zone."""
    midnight = walls.resolve(dt.datetime.combine(walls.local(now, zone).date(), dt.time.min), zone).at
    sent = Message.objects.filter(
        _MIGHT_HAVE_ARRIVED, clinic_id=schedule.clinic_id, schedule__in=series, due_at__gte=midnight, due_at__lte=now
    )
    if schedule.timezone == PATIENT_ZONE:
        sent = sent.filter(patient__timezone=zone)
    return [patient for patient in sent.order_by().values_list("patient", flat=True).distinct() if patient]
