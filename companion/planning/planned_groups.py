"""The messages that active Schedules will send beyond the horizon (planner.py), for groups of patients. Reads only.

The calendar shows them. planned_messages.py computes them patient by patient, and year.py for a single Schedule.
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Final, NamedTuple

from companion.clinics.models import Clinic
from companion.planning.occurrences import Coming
from companion.planning.planned_schedules import INSTANT, MEMBERS, Getting, PlannedSchedules, planned_schedules
from companion.schedules.models import Schedule
from companion.schedules.queries import MessageFilter

SCHEDULES: Final = 200
"""The most Schedules that are read, the soonest first."""
OCCURRENCES: Final = 5000


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """An Occurrence that is not planned yet, for all patients who get it at this instant."""

    schedule: Schedule
    coming: Coming
    patients: int
    """Counted up to MEMBERS."""
    patient: uuid.UUID | None
    """The patient, if the group has a single patient; else None."""


@dataclass(frozen=True, slots=True)
class PlannedGroups:
    """Groups that will be sent, in order, and whether these are all."""

    items: list[PlannedGroup]
    whole: bool


class _Found(NamedTuple):
    """An Occurrence of a Schedule, and the groups that get it."""

    schedule: Schedule
    coming: Coming
    getting: list[Getting]


def planned_groups(
    clinic: Clinic, wanted: MessageFilter, *, since: dt.datetime, until: dt.datetime, now: dt.datetime
) -> PlannedGroups:
    """Compute the groups that match the filter, are due from `since` (and `now`) on and before `until`, and have no
    Message yet.
    """
    if until <= now:
        return PlannedGroups([], True)
    plan = planned_schedules(clinic, wanted, until=until, most=SCHEDULES)
    begin, end = max(since, now) - INSTANT, until - INSTANT
    each = [_of(plan, schedule, begin, end) for schedule in plan.schedules]
    # All Schedules are merged by their instants, so that if there are too many Occurrences the latest are left out.
    soonest = list(islice(merge(*each, key=lambda occurrence: occurrence.coming.due_at), OCCURRENCES + 1))
    return PlannedGroups(_together(soonest[:OCCURRENCES]), plan.whole and len(soonest) <= OCCURRENCES)


def _of(plan: PlannedSchedules, schedule: Schedule, since: dt.datetime, until: dt.datetime) -> Iterator[_Found]:
    """List a Schedule's Occurrences, all zones together."""
    zones = [plan.coming(schedule, zone, since, until) for zone in sorted(plan.zones(schedule))]
    for due in merge(*zones, key=lambda due: due.due_at):
        yield _Found(schedule, due, plan.getting(schedule, due))


def _together(found: Sequence[_Found]) -> list[PlannedGroup]:
    """Join the groups of different zones that get an Occurrence at the same instant."""
    by_instant: dict[tuple[uuid.UUID, dt.datetime, str], _Found] = {}
    for schedule, due, getting in found:
        entry = by_instant.setdefault((schedule.id, due.due_at, due.occurrence), _Found(schedule, due, []))
        entry.getting.extend(getting)
    return [
        PlannedGroup(
            schedule,
            due,
            min(count, MEMBERS),
            _only(getting) if count == 1 else None,
        )
        for schedule, due, getting in by_instant.values()
        if (count := sum(left for _, left in getting))
    ]


def _only(getting: Sequence[Getting]) -> uuid.UUID | None:
    """The patient of these groups, if they have a single patient; else None."""
    first = getting[0].group
    return first.patient if first.count == 1 else None
