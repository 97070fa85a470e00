"""Compute what active Schedules will send after the Messages that exist, as the Planner would; store nothing.

Messages exist up to the horizon only (planner.py). Here for groups of patients, as the calendar draws it. Not here: the
same patient by patient (planned_messages.py); one Schedule's own year (year.py).
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
from companion.planning.planned_schedules import MEMBERS, Getting, PlannedSchedules, planned_schedules
from companion.schedules.models import Schedule
from companion.schedules.queries import MessageFilter

SCHEDULES: Final = 200
"""The most Schedules that are read, the soonest first."""
OCCURRENCES: Final = 5000
_INSTANT: Final = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """An Occurrence that is still to be planned, for all patients who get it at this instant."""

    schedule: Schedule
    coming: Coming
    patients: int
    """Counted up to MEMBERS."""
    patient: uuid.UUID | None
    """The one whom it goes to, where that is all of them."""


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
    """Compute the filtered groups from `since` (and `now`) until before `until` that have no Message yet."""
    if until <= now:
        return PlannedGroups([], True)
    plan = planned_schedules(clinic, wanted, until=until, most=SCHEDULES)
    begin, end = max(since, now) - _INSTANT, until - _INSTANT
    each = [_of(plan, schedule, begin, end) for schedule in plan.schedules]
    # Merged by their instants, so that where there are too many the latest are left out, whosever they are.
    soonest = list(islice(merge(*each, key=lambda one: one.coming.due_at), OCCURRENCES + 1))
    return PlannedGroups(_together(soonest[:OCCURRENCES]), plan.whole and len(soonest) <= OCCURRENCES)


def _of(plan: PlannedSchedules, schedule: Schedule, since: dt.datetime, until: dt.datetime) -> Iterator[_Found]:
    """List a Schedule's Occurrences, all zones together."""
    zones = [plan.coming(schedule, zone, since, until) for zone in sorted(plan.zones(schedule))]
    for one in merge(*zones, key=lambda one: one.due_at):
        yield _Found(schedule, one, plan.getting(schedule, one))


def _together(found: Sequence[_Found]) -> list[PlannedGroup]:
    """Zones whose clocks show the same instant are one."""
    by_instant: dict[tuple[uuid.UUID, dt.datetime, str], _Found] = {}
    for schedule, one, getting in found:
        entry = by_instant.setdefault((schedule.id, one.due_at, one.occurrence), _Found(schedule, one, []))
        entry.getting.extend(getting)
    return [
        PlannedGroup(
            schedule,
            one,
            min(count, MEMBERS),
            _only(getting) if count == 1 else None,
        )
        for schedule, one, getting in by_instant.values()
        if (count := sum(left for _, left in getting))
    ]


def _only(getting: Sequence[Getting]) -> uuid.UUID | None:
    """The one patient of these groups, where they have no other."""
    first = getting[0].group
    return first.patient if first.count == 1 else None
