"""Messages of a Schedule whose times of day change: each keeps its Occurrence, which has a new name.

So what was sent, failed, cancelled or edited is never planned a second time. Not here: which name becomes which
(changing.py), and the planned Messages' new instants (replan.py).
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

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

_MIGHT_HAVE_ARRIVED = (
    Q(status=Status.SENT) | Q(status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN) | lifecycle.ON_THE_WIRE
)


def rename(old: Schedule, new: Schedule, change: Change, *, now: dt.datetime) -> None:
    """Gives Messages the names that their Occurrences have after the change, and in a split the new Schedule.

    Not those whose Occurrences are past in every zone, whatever they are called.
    """
    names = new_names(old, change, now=now)
    # In a split all of them go over.
    to_rename = {was: name for was, name in names.items() if was != name or old != new}
    # Two that trade their names do so by way of a name that no Occurrence has.
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
    """Cancels what a new time of day would bring to today for patients who have had one of the series today.

    An Occurrence that goes out on another day than its own (it waits for the end of quiet hours, or for a working day)
    may come to today in this way. Only a change of zone or of the rule's days may do that, with a warning.
    """
    series = [one for one in (schedule.id, schedule.split_from_id) if one]
    for patients, brought in second_ones_today(schedule, series, change, now=now):
        plans = [Plan(patient, name, due_at) for name, due_at in brought.items() for patient in patients]
        insert(schedule, newest_version(schedule).id, plans, now=now)
        theirs = Message.objects.filter(
            clinic_id=schedule.clinic_id, schedule=schedule, occurrence__in=brought, patient__in=patients
        )
        lifecycle.stop(lifecycle.only_planned(theirs), Reason.BY_PERSON, now=now)


class SecondOnes(NamedTuple):
    """Patients of a zone who had a message of the series today, and the Occurrences that would come today, too."""

    patients: list[uuid.UUID]
    brought: Mapping[str, dt.datetime]
    """The due instants, by the names of the Occurrences."""


def second_ones_today(
    schedule: Schedule, series: Sequence[uuid.UUID], change: Change, *, now: dt.datetime
) -> Iterator[SecondOnes]:
    """Patients who had one of these series today, with what the change would bring them today, by Occurrence."""
    if change.before.timing.timezone != change.draft.timing.timezone:
        return
    people = recipients.of_draft(schedule.clinic, change.draft)
    for zone in recipients.zones(people, change.draft.timing.timezone, schedule.clinic.timezone):
        if brought := _brought_to_today(schedule, change, zone, now):
            yield SecondOnes(_had_today(schedule, series, zone, now), brought)


def _brought_to_today(schedule: Schedule, change: Change, zone: str, now: dt.datetime) -> Mapping[str, dt.datetime]:
    """The Occurrences that come today in this zone by their new time, and would have come on another day."""
    times = times_of(schedule.clinic)
    today = walls.local(now, zone).date()
    tomorrow = walls.resolve(dt.datetime.combine(today + dt.timedelta(days=1), dt.time.min), zone).at
    found: dict[str, dt.datetime] = {}
    for one in coming(change.draft.timing, zone, times, after=now, until=tomorrow):
        wall = change.old_wall(one.occurrence)
        was = occurrence_at(change.before.timing, wall, zone, times) if wall else None
        if was and was.local.date() != today and one.local.date() == today:
            found[one.occurrence] = one.due_at
    return found


def _had_today(schedule: Schedule, series: Sequence[uuid.UUID], zone: str, now: dt.datetime) -> list[uuid.UUID]:
    """The patients who have had, or may have had, a Message of these series today by the clocks of this zone."""
    midnight = walls.resolve(dt.datetime.combine(walls.local(now, zone).date(), dt.time.min), zone).at
    sent = Message.objects.filter(
        _MIGHT_HAVE_ARRIVED, clinic_id=schedule.clinic_id, schedule__in=series, due_at__gte=midnight, due_at__lte=now
    )
    if schedule.timezone == PATIENT_ZONE:
        sent = sent.filter(patient__timezone=zone)
    return [one for one in sent.order_by().values_list("patient", flat=True).distinct() if one]
