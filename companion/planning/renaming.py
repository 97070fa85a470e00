"""Messages of a Schedule whose times of day change: each keeps its Occurrence, which has a new name.

So what was sent, failed, cancelled or edited is never planned a second time. Not here: which name becomes which
(changing.py), and the planned Messages' new instants (replan.py).
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping

from django.db.models import Exists, OuterRef, QuerySet

from companion.delivery import lifecycle
from companion.planning import planner, recipients
from companion.planning.changing import Change, names_changed
from companion.planning.drafts import PATIENT_ZONE
from companion.planning.occurrences import coming, placed, times_of
from companion.planning.writing import Plan, insert
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.reasons import Reason
from companion.times import walls
from companion.times.recurrence import occurrences

_WINDOW = dt.timedelta(days=3)
"""What was due before that is past in every zone, whatever its Occurrence is called."""
_MONTH = dt.timedelta(days=31)


def rename(schedule: Schedule, change: Change, *, now: dt.datetime) -> None:
    """Gives the Messages of this Schedule the names that their Occurrences have after the change.

    A Message whose text alone was edited by hand moves to the new time; a Message whose time was edited stays there.
    """
    recent = Message.objects.filter(clinic_id=schedule.clinic_id, schedule=schedule, due_at__gte=now - _WINDOW)
    names = recent.order_by().values_list("occurrence", flat=True).distinct()
    changed = names_changed(change, names)
    if not changed:
        return
    moving = dict(_edited_in_words_only(schedule, change, changed, now))
    follows = Message.objects.filter(
        clinic_id=schedule.clinic_id, version__schedule=schedule, follows__isnull=False, due_at__gte=now - _WINDOW
    )
    for old, new in changed.items():
        # Where a Message has that name already, whatever a person did to it, it keeps it.
        there = Message.objects.filter(schedule=schedule, patient=OuterRef("patient"), occurrence=new)
        recent.filter(~Exists(there), occurrence=old).update(occurrence=new)
        follows.filter(occurrence=old).update(occurrence=new)
    for message, due_at in moving.items():
        columns = {"due_at": due_at, "ready_at": due_at, "late_at": due_at + schedule.late_after}
        lifecycle.move(Message.objects.filter(pk=message), **columns)


def keep_from_a_second_one_today(schedule: Schedule, change: Change, *, now: dt.datetime) -> None:
    """Cancels what a new time of day would bring to today for patients who have had one of the series today.

    An Occurrence that goes out on another day than its own (it waits for the end of quiet hours, or for a working day)
    may come to today in this way. Only a change of zone or of the rule's days may do that, with a warning.
    """
    if change.before.timezone != change.draft.timezone or change.changes_places:
        return
    people = recipients.of_schedule(schedule)
    for zone in recipients.zones(people, schedule.timezone, schedule.clinic.timezone):
        brought = _brought_to_today(schedule, change, zone, now)
        if not brought:
            continue
        had = _had_today(schedule, zone, now)
        plans = [Plan(patient, name, due_at) for name, due_at in brought.items() for patient in had]
        insert(schedule, planner.version_of(schedule).id, plans, now=now)
        theirs = Message.objects.filter(
            clinic_id=schedule.clinic_id, schedule=schedule, occurrence__in=brought, patient__in=had
        )
        lifecycle.stop(lifecycle.only_planned(theirs), Reason.BY_PERSON, now=now)


def _edited_in_words_only(
    schedule: Schedule, change: Change, changed: Mapping[str, str], now: dt.datetime
) -> Iterator[tuple[uuid.UUID, dt.datetime]]:
    """The pending Messages that still stand where the old rule put them, each with its new instant in the future."""
    times = times_of(schedule.clinic)
    edited = Message.objects.filter(
        lifecycle.NOT_BEGUN, clinic_id=schedule.clinic_id, schedule=schedule, by_hand=True, occurrence__in=changed
    )
    for message in edited.select_related("patient").defer("text"):
        zone = message.patient.timezone if message.patient and schedule.timezone == PATIENT_ZONE else schedule.timezone
        was = placed(change.before, walls.parse_wall(message.occurrence), zone, times)
        will = placed(change.draft, walls.parse_wall(changed[message.occurrence]), zone, times)
        if was and will and was.due_at == message.due_at and will.due_at > now:
            yield message.id, will.due_at


def _brought_to_today(schedule: Schedule, change: Change, zone: str, now: dt.datetime) -> Mapping[str, dt.datetime]:
    """The Occurrences that come today in this zone by their new time, and would have come on another day."""
    times = times_of(schedule.clinic)
    today = walls.local(now, zone).date()
    tomorrow = walls.place(dt.datetime.combine(today + dt.timedelta(days=1), dt.time.min), zone).at
    name_before = {change.new_name(name): name for name in _names_around(change, now, zone)}
    found: dict[str, dt.datetime] = {}
    for one in coming(change.draft, zone, times, after=now, until=tomorrow):
        name = name_before.get(one.occurrence)
        was = placed(change.before, walls.parse_wall(name), zone, times) if name else None
        if was and was.local.date() != today and one.local.date() == today:
            found[one.occurrence] = one.due_at
    return found


def _names_around(change: Change, now: dt.datetime, zone: str) -> Iterator[str]:
    """The old rule's Occurrences of about two months around today, by name."""
    here = walls.local(now, zone).replace(tzinfo=None)
    before = change.before
    for wall in occurrences(before.starts_at, before.recurrence, after=here - _MONTH):
        if wall > here + _MONTH:
            return
        yield walls.wall_name(wall)


def _had_today(schedule: Schedule, zone: str, now: dt.datetime) -> list[uuid.UUID]:
    """The patients who have had a Message of the series today, as the clocks in this zone have it."""
    midnight = walls.place(dt.datetime.combine(walls.local(now, zone).date(), dt.time.min), zone).at
    series = [one for one in (schedule.id, schedule.split_from_id) if one]
    sent: QuerySet[Message] = Message.objects.filter(
        clinic_id=schedule.clinic_id, schedule__in=series, status=Status.SENT, due_at__gte=midnight, due_at__lte=now
    )
    if schedule.timezone == PATIENT_ZONE:
        sent = sent.filter(patient__timezone=zone)
    return [one for one in sent.order_by().values_list("patient", flat=True).distinct() if one]
