"""The Schedules that will still plan Messages, with their recipients by zone and pause.

planned_groups.py computes their instants for groups of patients, and planned_messages.py patient by patient.
"""

import datetime as dt
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, NamedTuple

from django.db.models import Count, Q

from companion.clinics.models import Clinic
from companion.patients.models import CohortMember
from companion.patients.pausing import pause_end
from companion.planning import planner
from companion.planning.occurrences import ClinicTimes, Coming, coming, first_name_after, times_of
from companion.planning.timing import PATIENT_ZONE, Timing, timing_of
from companion.schedules.models import Message, Recipient, Schedule, State, Status
from companion.schedules.queries import MessageFilter, few_patients, of_many

MEMBERS: Final = 2000
"""The most members of a cohort whose zones and pauses are read; counts stop here."""
INSTANT: Final = dt.timedelta(microseconds=1)
"""The smallest difference between two instants."""
FIRST_AFTER: Final = planner.HORIZON - dt.timedelta(hours=27)
"""The least time from `next_plan_at` to the first due instant after the existing Messages.

It is the horizon, less some hours: a patient may have joined since, in whose zone the day begins earlier.
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Recipients of a Schedule who share a zone and a pause."""

    timezone: str
    paused_until: dt.date | None
    count: int
    patient: uuid.UUID | None
    """A patient of the group; if `count` is 1, its only patient."""

    def gets(self, due_at: dt.datetime) -> bool:
        """Return whether their pause is over at that instant."""
        return self.paused_until is None or due_at >= pause_end(self.paused_until, self.timezone)


class _Made(NamedTuple):
    """An Occurrence of a Schedule, for the patients of one zone and pause."""

    schedule: uuid.UUID
    occurrence: str
    timezone: str
    paused_until: dt.date | None


"""A Schedule, the name of an Occurrence, a zone and a pause."""


class Getting(NamedTuple):
    """A group that gets an Occurrence, and the number of its patients who have no Message for it yet."""

    group: Group
    left: int


@dataclass(frozen=True, slots=True)
class PlannedSchedules:
    """The active Schedules with messages to plan up to an instant, the soonest first, and their wanted patients."""

    clinic: Clinic
    schedules: list[Schedule]
    whom: Q
    """The condition on a row with a `patient`: in the clinic, not left, wanted."""
    groups: Mapping[uuid.UUID, list[Group]]
    made: Mapping[_Made, int]
    """The number of patients in a group for whom a person has already made the Message of an Occurrence."""
    whole: bool
    """False if there are more Schedules, or zones of large cohorts, than were read."""
    times: ClinicTimes
    _timings: dict[uuid.UUID, Timing] = field(default_factory=dict)

    def due_before(self, instant: dt.datetime) -> list[Schedule]:
        """The Schedules that may have a message due before this instant."""
        return [
            schedule
            for schedule in self.schedules
            if schedule.next_plan_at and schedule.next_plan_at < instant - FIRST_AFTER
        ]

    def zones(self, schedule: Schedule) -> set[str]:
        """The zones in which the Schedule reaches the wanted patients."""
        return {zone_of(schedule, group.timezone) for group in self.groups[schedule.id]}

    def coming(self, schedule: Schedule, zone: str, since: dt.datetime, until: dt.datetime) -> Iterator[Coming]:
        """A zone's Occurrences that are not planned yet and are due later than `since` and not later than `until`.

        They come in the order of their due instants.
        """
        timing = self._timings.get(schedule.id) or self._timings.setdefault(schedule.id, timing_of(schedule))
        return coming(timing, zone, self.times, after=max(schedule.planned_until or since, since), until=until)

    def getting(self, schedule: Schedule, due: Coming) -> list[Getting]:
        """The groups that get this Occurrence, with the number of their patients who have no Message for it yet."""
        return [
            Getting(group, left)
            for group in self.groups[schedule.id]
            if due.timezone == zone_of(schedule, group.timezone)
            and group.gets(due.due_at)
            and (left := group.count - self._made_of(schedule, due, group)) > 0
        ]

    def _made_of(self, schedule: Schedule, due: Coming, group: Group) -> int:
        return self.made.get(_Made(schedule.id, due.occurrence, group.timezone, group.paused_until), 0)


def planned_schedules(
    clinic: Clinic, wanted: MessageFilter, *, until: dt.datetime, most: int, few: list[uuid.UUID] | None = None
) -> PlannedSchedules:
    """Find up to `most` Schedules that match the filter and may have a message due before `until`.

    `few`: only these patients of the clinic, instead of the patients that the filter names.
    """
    few = few_patients(clinic, wanted) if few is None else few
    whose = of_many(wanted) if few is None else Q(patient__in=few)
    theirs = whose & Q(patient__left_at=None)
    whom = theirs & Q(clinic=clinic)
    found = [] if _planned_is_not(wanted) else _schedules(clinic, wanted, few, until, most + 1)
    schedules = found[:most]
    groups = _groups(schedules, whom)
    return PlannedSchedules(
        clinic=clinic,
        schedules=[schedule for schedule in schedules if groups.by_schedule.get(schedule.id)],
        whom=whom,
        groups=groups.by_schedule,
        made=_made(schedules, theirs),
        whole=len(found) <= most and groups.of_all_zones,
        times=times_of(clinic),
    )


def zone_of(schedule: Schedule, own: str) -> str:
    """The zone that decides when the Schedule reaches a patient with this zone."""
    return own if schedule.timezone == PATIENT_ZONE else schedule.timezone


def _planned_is_not(wanted: MessageFilter) -> bool:
    """Return whether no planned message can match the filter: planned messages are all pending."""
    return wanted.status not in ("", Status.PENDING) or wanted.attention_since is not None


def _schedules(
    clinic: Clinic, wanted: MessageFilter, few: list[uuid.UUID] | None, until: dt.datetime, most: int
) -> list[Schedule]:
    """The active Schedules that may still send messages, the soonest first."""
    # The index `schedules_to_come` leaves out Schedules without a message until then.
    found = Schedule.objects.filter(clinic=clinic, state=State.ACTIVE, next_plan_at__lt=until - FIRST_AFTER)
    if wanted.schedule:
        found = found.filter(pk=wanted.schedule)
    if wanted.mine:
        found = found.filter(created_by_name=wanted.mine)
    found = found.select_related("clinic").order_by("next_plan_at")
    if few is None:
        return list(found[:most])
    named = Recipient.objects.filter(clinic=clinic, patient__in=few).values("schedule")
    cohorts = CohortMember.objects.filter(clinic=clinic, patient__in=few).values("cohort")
    each = [list(found.filter(some)[:most]) for some in (Q(pk__in=named), Q(cohort__in=cohorts))]
    return sorted(chain(*each), key=lambda schedule: schedule.next_plan_at or until)[:most]


class _Groups(NamedTuple):
    """The present groups of recipients by Schedule, and whether these include all zones."""

    by_schedule: Mapping[uuid.UUID, list[Group]]
    of_all_zones: bool


def _groups(schedules: Sequence[Schedule], whom: Q) -> _Groups:
    by_schedule: dict[uuid.UUID, list[Group]] = defaultdict(list)
    named = Recipient.objects.filter(whom, schedule__in=[schedule for schedule in schedules if not schedule.cohort_id])
    columns = ("schedule", "patient__timezone", "patient__paused_until")
    counted = list(named.order_by().values_list(*columns).annotate(Count("pk")))
    single = [schedule for schedule, _, _, count in counted if count == 1]
    # If a Schedule has two groups of one patient each, zone and pause say to which group the patient belongs.
    of_single = {row[:3]: row[3] for row in named.filter(schedule__in=single).values_list(*columns, "patient")}
    for schedule, zone, paused, count in counted:
        by_schedule[schedule].append(Group(zone, paused, count, of_single.get((schedule, zone, paused))))
    members = {
        cohort: _members(cohort, whom)
        for cohort in {schedule.cohort_id for schedule in schedules if schedule.cohort_id}
    }
    by_schedule.update(
        {schedule.id: members[schedule.cohort_id].groups for schedule in schedules if schedule.cohort_id}
    )
    in_own_zones = [schedule for schedule in schedules if schedule.cohort_id and schedule.timezone == PATIENT_ZONE]
    return _Groups(by_schedule, all(members[schedule.cohort_id].all for schedule in in_own_zones if schedule.cohort_id))


class _Members(NamedTuple):
    """A cohort's patients by group, and whether these are all."""

    groups: list[Group]
    all: bool


def _members(cohort: uuid.UUID, whom: Q) -> _Members:
    """Read the first patients of a cohort, which are all but for a large cohort."""
    found = CohortMember.objects.filter(whom, cohort=cohort).order_by("patient")
    columns = ("patient", "patient__timezone", "patient__paused_until")
    rows = list(found.values_list(*columns)[: MEMBERS + 1])
    by_group: dict[tuple[str, dt.date | None], list[uuid.UUID]] = defaultdict(list)
    for patient, zone, paused in rows[:MEMBERS]:
        by_group[zone, paused].append(patient)
    groups = [Group(zone, paused, len(patients), patients[0]) for (zone, paused), patients in by_group.items()]
    return _Members(groups, all=len(rows) <= MEMBERS)


def _made(schedules: Sequence[Schedule], theirs: Q) -> Mapping[_Made, int]:
    """Count the Messages that a person has made ahead of the Planner (index `messages_by_hand`).

    The schedules imply the clinic. If the query named the clinic, too, SQLite would read all of its Messages.
    """
    planned = [schedule.planned_until for schedule in schedules if schedule.planned_until]
    if not planned:
        return {}
    ids = [schedule.id for schedule in schedules]
    found = Message.objects.filter(
        theirs, schedule__in=ids, by_hand=True, occurrence__gte=first_name_after(min(planned))
    )
    columns = ("schedule", "occurrence", "patient__timezone", "patient__paused_until")
    counted = found.order_by().values_list(*columns).annotate(Count("pk"))
    return Counter(
        {_Made(schedule, name, zone, paused): count for schedule, name, zone, paused, count in counted if schedule}
    )
