"""The next instants at which Schedules really send messages, computed for many Schedules at once. Reads only.

Up to `planned_until` they come from the pending Messages; beyond it from the rule, without Messages that exist already.
planned_groups.py says how many patients get each message.
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from companion.clinics.models import Clinic
from companion.delivery import store
from companion.patients.models import CohortMember
from companion.patients.pausing import pause_end
from companion.planning import recipients
from companion.planning.occurrences import Coming, coming, first_name_after, times_of
from companion.planning.timing import PATIENT_ZONE, timing_of
from companion.schedules.models import Message, Recipient, Schedule, State

_LOOKED_AT: Final = 100
"""The number of Occurrences beyond `planned_until` that are searched for those that a patient gets."""
_Name = tuple[uuid.UUID, str]
"""A Schedule and the name of one of its Occurrences."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Recipients of a Schedule who share a zone and a pause."""

    timezone: str
    paused_until: dt.date | None

    def gets(self, due_at: dt.datetime) -> bool:
        return self.paused_until is None or due_at >= pause_end(self.paused_until, self.timezone)


def next_instants(
    clinic: Clinic, schedules: Sequence[Schedule], *, now: dt.datetime, count: int = 5
) -> dict[uuid.UUID, list[dt.datetime]]:
    """Return the next due instants of each of these Schedules of the clinic, each once; none if it is inactive."""
    active = [schedule for schedule in schedules if schedule.state == State.ACTIVE]
    found: dict[uuid.UUID, list[dt.datetime]] = {schedule.id: [] for schedule in schedules}
    if not active:
        return found
    planned = _pending(active, after=now, count=count)
    groups = _groups(clinic, active)
    made = _made_ahead(active)
    for schedule in active:
        beyond = _beyond(clinic, schedule, groups[schedule.id], made, now=now, count=count)
        found[schedule.id] = sorted({*planned[schedule.id], *beyond})[:count]
    return found


def _pending(schedules: Sequence[Schedule], *, after: dt.datetime, count: int) -> Mapping[uuid.UUID, list[dt.datetime]]:
    """Return for each Schedule the first `count` instants at which Messages are pending."""
    found: dict[uuid.UUID, list[dt.datetime]] = defaultdict(list)
    last = dict.fromkeys([schedule.id for schedule in schedules], after.astimezone(dt.UTC))
    for _ in range(count):
        last = store.pending_instants(last)
        for schedule, due in last.items():
            found[schedule].append(due)
    return found


def _beyond(
    clinic: Clinic, schedule: Schedule, groups: set[_Group], made: set[_Name], *, now: dt.datetime, count: int
) -> set[dt.datetime]:
    """The first instants after `planned_until` at which a patient gets a message that is not planned yet."""
    timing, times = timing_of(schedule), times_of(clinic)
    after = max(now, schedule.planned_until or now)
    by_zone: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        by_zone[group.timezone if schedule.timezone == PATIENT_ZONE else schedule.timezone].append(group)
    found: set[dt.datetime] = set()
    for zone, here in by_zone.items():
        due = (
            occurrence.due_at
            for occurrence in islice(coming(timing, zone, times, after=after), _LOOKED_AT)
            if any(group.gets(occurrence.due_at) for group in here)
            and ((schedule.id, occurrence.occurrence) not in made or _somebody_is_left(schedule, occurrence))
        )
        # Take a day's Occurrences more than were asked for: a moved Occurrence may be due before an Occurrence that
        # the rule gives earlier.
        found.update(islice(due, count + len(timing.recurrence.times if timing.recurrence else ()) + 1))
    return found


def _groups(clinic: Clinic, schedules: Sequence[Schedule]) -> Mapping[uuid.UUID, set[_Group]]:
    """Return for each Schedule the zones and pauses of its patients, by two queries for all Schedules."""
    found: dict[uuid.UUID, set[_Group]] = defaultdict(set)
    here = {"clinic": clinic, "patient__left_at": None}
    named = Recipient.objects.filter(
        **here, schedule__in=[schedule.id for schedule in schedules if not schedule.cohort_id]
    )
    columns = ("patient__timezone", "patient__paused_until")
    for schedule, zone, paused in named.order_by().values_list("schedule", *columns).distinct():
        found[schedule].add(_Group(zone, paused))
    members = CohortMember.objects.filter(
        **here, cohort__in={schedule.cohort_id for schedule in schedules if schedule.cohort_id}
    )
    by_cohort: dict[uuid.UUID, set[_Group]] = defaultdict(set)
    for cohort, zone, paused in members.order_by().values_list("cohort", *columns).distinct():
        by_cohort[cohort].add(_Group(zone, paused))
    found.update({schedule.id: by_cohort[schedule.cohort_id] for schedule in schedules if schedule.cohort_id})
    return found


def _made_ahead(schedules: Sequence[Schedule]) -> set[_Name]:
    """The Occurrences for which a person made Messages ahead of the Planner, even if their times were moved since."""
    planned = [schedule.planned_until for schedule in schedules if schedule.planned_until]
    if not planned:
        return set()
    ids = [schedule.id for schedule in schedules]
    # Index `messages_by_hand`. The schedules imply the clinic. If the query named it, SQLite would use another index.
    ahead = Message.objects.filter(schedule__in=ids, by_hand=True, occurrence__gte=first_name_after(min(planned)))
    return {
        (schedule, name)
        for schedule, name in ahead.order_by().values_list("schedule", "occurrence").distinct()
        if schedule
    }


def _somebody_is_left(schedule: Schedule, due: Coming) -> bool:
    """Return whether a patient in this zone gets this Occurrence and has no Message for it yet."""
    reached = recipients.of_schedule(schedule)
    if schedule.timezone == PATIENT_ZONE:
        reached = reached.filter(timezone=due.timezone)
    have = Message.objects.filter(clinic_id=schedule.clinic_id, schedule=schedule, occurrence=due.occurrence)
    return reached.exclude(id__in=have.values("patient")).order_by().exists()
