"""Replanning after a change: turns the pending Messages of a Schedule into those that the new plan gives.

Only future Messages that nobody has touched are moved or removed. A Message stays if it has an Attempt, has ended, or
was changed by a person, and its Occurrence is not planned again.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import QuerySet

from companion.clinics import audit
from companion.clinics.members import own_service
from companion.delivery import lifecycle
from companion.planning import planner, recipients
from companion.planning.day_changes import DayChanges, Key, day_changes
from companion.planning.occurrences import Coming, coming, gives, occurrence_at, times_of
from companion.planning.planner import Turn
from companion.planning.recipients import Addressee
from companion.planning.timing import Timing, timing_of
from companion.planning.writing import Plan, insert, shift
from companion.schedules.models import Message, Schedule, State, Status, Version
from companion.schedules.reasons import Reason
from companion.schedules.wording import newest_version
from companion.times import walls


@dataclass(slots=True)
class Moves:
    """The numbers of Messages that a change made, moved and dropped."""

    planned: int = 0
    moved: int = 0
    dropped: int = 0
    days: DayChanges = field(default_factory=DayChanges)

    @property
    def messages(self) -> int:
        """The number of Messages that the change touched."""
        return self.planned + self.moved + self.dropped

    def add(self, other: "Moves") -> None:
        """Add the numbers of another batch."""
        self.planned += other.planned
        self.moved += other.moved
        self.dropped += other.dropped
        self.days.add(other.days)


def replan(
    schedule_id: uuid.UUID, patients: Iterable[uuid.UUID] | None, *, now: dt.datetime, turn: Turn = nullcontext
) -> Moves:
    """Replan a Schedule in small transactions: for these patients, or for all patients whom it
    reaches or who have Messages of it.
    """
    moves = Moves()
    if patients is not None:
        moves.add(_batch(schedule_id, list(patients), now, turn))
        return moves
    for ids in _everybody(schedule_id):
        moves.add(_batch(schedule_id, ids, now, turn))
    return moves


def _everybody(schedule_id: uuid.UUID) -> Iterable[list[uuid.UUID]]:
    """Yield the Schedule's recipients, then other patients who still have a pending Message from it."""
    schedule = Schedule.objects.get(pk=schedule_id)
    reached = recipients.of_schedule(schedule)
    for batch in recipients.batches(schedule, planner.BATCH):
        yield [addressee.patient for addressee in batch]
    pending = Message.objects.filter(schedule=schedule, status=Status.PENDING).exclude(patient__in=reached)
    while left := list(
        lifecycle.only_planned(pending).order_by().values_list("patient_id", flat=True).distinct()[: planner.BATCH]
    ):
        yield [patient for patient in left if patient]


def _batch(schedule_id: uuid.UUID, ids: list[uuid.UUID], now: dt.datetime, turn: Turn) -> Moves:
    with turn(), transaction.atomic():
        schedule = Schedule.objects.select_for_update(of=("self",)).select_related("clinic").get(pk=schedule_id)
        moves = _replan_batch(schedule, ids, now)
        _record(schedule, ids, moves, now)
        return moves


def _record(schedule: Schedule, ids: list[uuid.UUID], moves: Moves, now: dt.datetime) -> None:
    """Note in the audit trail what the Planner did, in one entry for the batch, by the numbers of Messages."""
    if not moves.messages:
        return
    made = {"planned": moves.planned, "moved": moves.moved, "taken out": moves.dropped}
    values: dict[str, object] = {name: number for name, number in made.items() if number}
    if len(ids) == 1:
        values["patient"] = ids[0]
    planner = own_service(schedule.clinic, "planner")
    changes = audit.differences({}, values)
    audit.record(planner, "messages planned anew", audit.PLAN, schedule.pk, now=now, changes=changes)


def _replan_batch(schedule: Schedule, ids: list[uuid.UUID], now: dt.datetime) -> Moves:
    pending = Message.objects.filter(clinic_id=schedule.clinic_id, schedule=schedule, patient_id__in=ids)
    if schedule.state == State.CANCELLED:
        return Moves(dropped=lifecycle.stop(pending, Reason.SCHEDULE_ENDED, now=now))
    people = recipients.of_schedule(schedule).filter(id__in=ids)
    reached = recipients.addressees(people, schedule.timezone, len(ids))
    gone = set(ids) - {addressee.patient for addressee in reached}
    moves = Moves(dropped=_take_out(pending.filter(patient_id__in=gone), now))
    if schedule.state == State.PAUSED:
        moves.dropped += _take_out(pending.exclude(patient_id__in=gone), now)
    elif schedule.state == State.ACTIVE and schedule.planned_until:
        moves.dropped += _take_out_of_pauses(pending, reached, now)
        moves.add(_replan_reached(schedule, reached, now))
    return moves


def _take_out(messages: QuerySet[Message], now: dt.datetime) -> int:
    """Cancel the Messages of patients who left, and delete the other Messages, which were only planned."""
    left = lifecycle.stop(messages.filter(patient__left_at__isnull=False), Reason.PATIENT_LEFT, now=now)
    return left + lifecycle.unplan(messages)


def _take_out_of_pauses(pending: QuerySet[Message], reached: list[Addressee], now: dt.datetime) -> int:
    """Remove Messages in a patient's pause, so that they are neither sent later nor counted as failed."""
    paused = [addressee for addressee in reached if addressee.paused_until and addressee.paused_until > now]
    return sum(
        _take_out(pending.filter(patient_id=addressee.patient, due_at__lt=addressee.paused_until), now)
        for addressee in paused
    )


def _replan_reached(schedule: Schedule, reached: list[Addressee], now: dt.datetime) -> Moves:
    """Compare a batch's Messages with the Schedule's plan, and make, move or remove Messages where they differ."""
    version = newest_version(schedule)
    zones = {addressee.patient: addressee.timezone for addressee in reached}
    wanted = wanted_of(timing_of(schedule), schedule, reached, now)
    there = {key_of(message): message for message in there_of(schedule, reached, now)}
    back = _bring_back(schedule, there, wanted, now)
    ours = {key: message for key, message in there.items() if is_planned(message, now) or key in back}
    should = wanted | _beyond_the_plan(schedule, reached, there, wanted, now)
    shifts = {
        message.id: due.due_at
        for key, message in there.items()
        if (key in ours or _is_only_reworded(message, now))
        and (due := should.get(key))
        and _differs(schedule, version, message, due)
    }
    unwanted = ours.keys() - wanted.keys()
    plans = [Plan(key.patient, key.occurrence, wanted[key].due_at) for key in sorted(wanted.keys() - there.keys())]
    return Moves(
        planned=len(back) + insert(schedule, version.id, plans, now=now),
        moved=shift(schedule, version.id, shifts),
        dropped=_drop([ours[key] for key in unwanted - should.keys()], zones, now),
        days=day_changes(there, wanted, unwanted, zones, now),
    )


def _bring_back(
    schedule: Schedule, there: Mapping[Key, Message], wanted: Mapping[Key, Coming], now: dt.datetime
) -> set[Key]:
    """Reopen future Messages that were cancelled when their patients left, for patients who are back."""
    timing = timing_of(schedule)
    back = {
        key
        for key, message in there.items()
        if message.reason == Reason.PATIENT_LEFT
        # A Message that a person changed keeps its time, if the series still has its Occurrence.
        and ((message.due_at > now and gives(timing, key.occurrence)) if message.by_hand else key in wanted)
    }
    lifecycle.come_back(Message.objects.filter(id__in=[there[key].id for key in back]))
    for key in back:
        there[key].status, there[key].reason = Status.PENDING, ""
    return back


def _beyond_the_plan(
    schedule: Schedule,
    reached: list[Addressee],
    there: Mapping[Key, Message],
    wanted: Mapping[Key, Coming],
    now: dt.datetime,
) -> dict[Key, Coming]:
    """Compute new instants for Messages whose Occurrences still come, but later than `planned_until`.

    A change to a zone further west may move a planned Message there, and a Message that a person reworded may be
    there already.
    """
    timing, times, floor = timing_of(schedule), times_of(schedule.clinic), _floor(schedule, now)
    whom = {addressee.patient: addressee for addressee in reached}
    later = {}
    for key, message in there.items():
        reworded = _is_only_reworded(message, now)
        if key in wanted or not (reworded or is_planned(message, now)) or not gives(timing, key.occurrence):
            continue
        to = whom[key.patient]
        due = occurrence_at(timing, walls.parse_wall(key.occurrence), to.timezone, times)
        after = floor if reworded else max(floor, schedule.planned_until or floor)
        if due and due.due_at > after and to.gets(due.due_at):
            later[key] = due
    return later


def _floor(schedule: Schedule, now: dt.datetime) -> dt.datetime:
    """The instant after which the Schedule sends."""
    return max(now, schedule.resumed_at or now)


def wanted_of(timing: Timing, schedule: Schedule, reached: list[Addressee], now: dt.datetime) -> dict[Key, Coming]:
    """Compute the Messages that should be pending: each future Occurrence until the end of the Schedule's plan."""
    times = times_of(schedule.clinic)
    by_zone = {
        zone: list(coming(timing, zone, times, after=_floor(schedule, now), until=schedule.planned_until))
        for zone in {addressee.timezone for addressee in reached}
    }
    return {
        Key(addressee.patient, due.occurrence): due
        for addressee in reached
        for due in by_zone[addressee.timezone]
        if addressee.gets(due.due_at)
    }


def there_of(schedule: Schedule, reached: list[Addressee], now: dt.datetime) -> list[Message]:
    """The Schedule's Messages for these patients that were due within the last two days, or are due later."""
    of_these = Message.objects.filter(
        clinic_id=schedule.clinic_id,
        schedule=schedule,
        patient_id__in=[addressee.patient for addressee in reached],
        due_at__gte=now - dt.timedelta(days=2),
    )
    return list(of_these.defer("text", "buttons"))


def is_planned(message: Message, now: dt.datetime) -> bool:
    """Return whether this Message is only planned, and due in the future."""
    return lifecycle.is_only_planned(message) and message.due_at > now


def _is_only_reworded(message: Message, now: dt.datetime) -> bool:
    """Return whether a person changed the Message, but not its time: then it still moves with the series."""
    by_hand = message.by_hand and not message.time_by_hand
    return by_hand and lifecycle.is_untried(message) and message.due_at > now


def _differs(schedule: Schedule, version: Version, message: Message, due: Coming) -> bool:
    there = (message.due_at, message.late_at, message.version_id, message.lane, message.quiet_hours, message.if_unknown)
    late_at = due.due_at + schedule.late_after
    wording = message.version_id if message.by_hand else version.id
    return there != (due.due_at, late_at, wording, schedule.lane, schedule.quiet_hours, schedule.if_unknown)


def _drop(unwanted: list[Message], zones: dict[uuid.UUID, str], now: dt.datetime) -> int:
    """Remove planned Messages. A Message that was due today stays on record as failed."""
    today = [m.id for m in unwanted if _same_day(zones, m.patient_id, m.due_at, now)]
    kept = lifecycle.stop(lifecycle.only_planned(Message.objects.filter(id__in=today)), Reason.TOO_LATE, now=now)
    others = Message.objects.filter(id__in=[m.id for m in unwanted if m.id not in today])
    return kept + lifecycle.unplan(others)


def key_of(message: Message) -> Key:
    """The patient and the Occurrence of a Schedule's Message."""
    if message.patient_id is None:
        raise ValueError("a Schedule's Message has a patient")
    return Key(message.patient_id, message.occurrence)


def _same_day(zones: dict[uuid.UUID, str], patient: uuid.UUID | None, at: dt.datetime, now: dt.datetime) -> bool:
    zone = zones[patient] if patient else "UTC"
    return walls.local(at, zone).date() == walls.local(now, zone).date()
