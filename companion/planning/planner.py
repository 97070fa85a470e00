"""The Planner: makes the Messages of each active Schedule for the next 48 hours. Later messages are only computed.

It works in small transactions and may be stopped between them: the next run makes only the Messages that are missing.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from companion.clinics import audit
from companion.clinics.members import own_service
from companion.delivery import lifecycle
from companion.patients.models import Patient
from companion.planning import recipients
from companion.planning.occurrences import Coming, coming, times_of
from companion.planning.timing import timing_of
from companion.planning.writing import Plan, insert
from companion.schedules.models import Message, Schedule, State
from companion.schedules.wording import newest_version

Turn = Callable[[], AbstractContextManager[object]]
HORIZON: Final = dt.timedelta(hours=48)
_OVER_AFTER: Final = dt.timedelta(minutes=10)
"""The time after a Schedule's last due instant at which the Planner checks whether the Schedule has ended."""
BATCH: Final = 200
"""The patients who are planned in one transaction, which holds a lock for about ten milliseconds."""


def due_for_planning(*, now: dt.datetime, limit: int) -> list[uuid.UUID]:
    """The Schedules of all clinics that are to be planned now, by the index `schedules_to_plan`."""
    waiting = Schedule.objects.filter(next_plan_at__lte=now, state=State.ACTIVE).order_by("next_plan_at")
    return list(waiting.values_list("id", flat=True)[:limit])


def next_planning() -> dt.datetime | None:
    """Return the next instant at which a Schedule is to be planned."""
    waiting = Schedule.objects.filter(next_plan_at__isnull=False, state=State.ACTIVE).order_by("next_plan_at")
    return waiting.values_list("next_plan_at", flat=True).first()


def plan_ahead(
    schedule_id: uuid.UUID,
    *,
    now: dt.datetime,
    turn: Turn = nullcontext,
    on_batch: Callable[[int], None] | None = None,
) -> int:
    """Plan one Schedule up to the horizon, batch by batch. Returns the number of Messages made.

    `turn` waits until this process may write (SQLite has one writer). `on_batch` is called after each batch's commit.
    """
    until = now + HORIZON
    made = 0
    last: uuid.UUID | None = None
    while True:
        with turn(), transaction.atomic():
            schedule = _locked(schedule_id)
            if schedule is None or schedule.planned_until is None:
                return made
            # If a clock was set back, `until` would be earlier than before; planned Messages stay planned.
            until = max(until, schedule.planned_until)
            rest = recipients.of_schedule(schedule, after=last)
            batch = recipients.addressees(rest, schedule.timezone, BATCH)
            if not batch:
                _planned(schedule, recipients.expected(schedule), until, now)
                return made
            count = _plan_batch(schedule, batch, until, now)
        made += count
        last = batch[-1].patient
        if on_batch:
            on_batch(count)


def _locked(schedule_id: uuid.UUID) -> Schedule | None:
    # The row lock makes planning and editing of a Schedule wait for each other.
    found = Schedule.objects.select_for_update(of=("self",)).select_related("clinic").filter(pk=schedule_id)
    return found.filter(state=State.ACTIVE).first()


def _plan_batch(schedule: Schedule, batch: list[recipients.Addressee], until: dt.datetime, now: dt.datetime) -> int:
    timing, times = timing_of(schedule), times_of(schedule.clinic)
    floor = schedule.planned_until or now
    by_zone: dict[str, list[Coming]] = {}
    plans = []
    for addressee in batch:
        if addressee.timezone not in by_zone:
            by_zone[addressee.timezone] = list(coming(timing, addressee.timezone, times, after=floor, until=until))
        plans += [
            Plan(addressee.patient, due.occurrence, due.due_at)
            for due in by_zone[addressee.timezone]
            if addressee.gets(due.due_at)
        ]
    return insert(schedule, newest_version(schedule).id, plans, now=now)


def _planned(schedule: Schedule, people: QuerySet[Patient], until: dt.datetime, now: dt.datetime) -> None:
    """Store how far the Schedule is planned and when to plan it again: a horizon before the next due instant.

    The Schedule ends when no Occurrence is left and no Message waits. Waiting Messages count because a clock may be
    wrong, and Occurrences in the horizon count because a patient who has left may come back.
    """
    timing, times = timing_of(schedule), times_of(schedule.clinic)
    zones = recipients.zones(people, schedule.timezone, schedule.clinic.timezone)
    beyond = [due for zone in zones if (due := next(coming(timing, zone, times, after=until), None))]
    schedule.planned_until = until
    if beyond:
        schedule.next_plan_at = min(due.due_at for due in beyond) - HORIZON
    else:
        still = [due.due_at for zone in zones for due in coming(timing, zone, times, after=now, until=until)]
        waits = Message.objects.filter(clinic_id=schedule.clinic_id, schedule=schedule).filter(lifecycle.waiting(now))
        if still:
            schedule.next_plan_at = max(still) + min(schedule.late_after, _OVER_AFTER)
        elif waits.order_by().exists():
            schedule.next_plan_at = now + schedule.late_after
        else:
            schedule.next_plan_at = None
            _end(schedule, now)
    schedule.save(update_fields=["planned_until", "next_plan_at", "state"])


def _end(schedule: Schedule, now: dt.datetime) -> None:
    """End a Schedule of which nothing is left, without saving it."""
    changes = audit.differences({"state": schedule.state}, {"state": State.ENDED})
    schedule.state = State.ENDED
    planner = own_service(schedule.clinic, "planner")
    audit.record(planner, "schedule ended", "schedule", schedule.pk, now=now, changes=changes)
