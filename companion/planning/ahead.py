"""What active Schedules will send beyond what is planned so far: computed, as the Planner would, and not stored.

Messages exist up to the horizon only (planner.py). Not here: those Messages; one Schedule's own year (year.py).
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, islice
from typing import Final

from django.db.models import Count, Q

from companion.clinics.models import Clinic
from companion.patients.models import CohortMember
from companion.patients.pausing import pause_end
from companion.planning import planner
from companion.planning.drafts import PATIENT_ZONE
from companion.planning.occurrences import Coming, coming, times_of
from companion.schedules.models import Recipient, Schedule, State, Status
from companion.schedules.queries import MessageFilter, few_patients, of_many

SCHEDULES: Final = 200
"""So many Schedules are looked at, those first of which something comes first."""
OCCURRENCES: Final = 5000
MEMBERS: Final = 1000
"""So many members of a cohort are looked at for their zones and their pauses; counts stop here."""
_INSTANT: Final = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Ahead:
    """One Occurrence that is still to be planned, for all patients who get it at this instant."""

    schedule: Schedule
    coming: Coming
    patients: int
    """Counted up to MEMBERS."""
    patient: uuid.UUID | None
    """The one whom it goes to, where that is all of them."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes, in its order, and whether that is all of it."""

    items: list[Ahead]
    whole: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """Recipients of a Schedule who share a zone and a pause."""

    timezone: str
    paused_until: dt.date | None
    count: int
    patient: uuid.UUID | None


_Found = tuple[Schedule, Coming, list[_Group]]


def ahead(
    clinic: Clinic, wanted: MessageFilter, *, since: dt.datetime, until: dt.datetime, now: dt.datetime
) -> Outlook:
    """What comes at or after `since` (and `now`) and before `until` and has no Message yet, as the filter says."""
    if wanted.status not in ("", Status.PENDING) or wanted.attention_since or until <= now:
        return Outlook([], True)
    few = few_patients(clinic, wanted)
    whom = of_many(wanted) if few is None else Q(patient__in=few)
    found = _schedules(clinic, wanted, few, until)
    groups = _groups(clinic, found[:SCHEDULES], whom)
    begin, end = max(since, now) - _INSTANT, until - _INSTANT
    each = [_of(clinic, schedule, groups[schedule.id], begin, end) for schedule in found[:SCHEDULES]]
    # Merged by their instants, so that where there are too many the latest are left out, whosever they are.
    soonest = list(islice(merge(*each, key=lambda one: one[1].due_at), OCCURRENCES + 1))
    whole = len(found) <= SCHEDULES and len(soonest) <= OCCURRENCES
    return Outlook(_together(soonest[:OCCURRENCES]), whole)


def _of(
    clinic: Clinic, schedule: Schedule, groups: Sequence[_Group], since: dt.datetime, until: dt.datetime
) -> Iterator[_Found]:
    """One Schedule's own, zone by zone."""
    draft, times = planner.draft_of(schedule), times_of(clinic)
    after = max(schedule.planned_until or since, since)

    def there(zone: str, who: list[_Group]) -> Iterator[_Found]:
        return ((schedule, one, who) for one in coming(draft, zone, times, after=after, until=until))

    zones = [there(zone, who) for zone, who in _by_zone(schedule, groups).items()]
    return merge(*zones, key=lambda one: one[1].due_at)


def _together(found: Sequence[_Found]) -> list[Ahead]:
    """Zones whose clocks show the same instant are one; who is on pause then doesn't count."""
    by_instant: dict[tuple[uuid.UUID, dt.datetime, str], _Found] = {}
    for schedule, one, groups in found:
        entry = by_instant.setdefault((schedule.id, one.due_at, one.occurrence), (schedule, one, []))
        entry[2].extend(group for group in groups if _gets(group, one.due_at))
    return [
        Ahead(schedule, one, min(count, MEMBERS), getting[0].patient if count == 1 else None)
        for schedule, one, getting in by_instant.values()
        if (count := sum(group.count for group in getting))
    ]


def _by_zone(schedule: Schedule, groups: Sequence[_Group]) -> Mapping[str, list[_Group]]:
    found: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        found[group.timezone if schedule.timezone == PATIENT_ZONE else schedule.timezone].append(group)
    return found


def _gets(group: _Group, due_at: dt.datetime) -> bool:
    return group.paused_until is None or due_at >= pause_end(group.paused_until, group.timezone)


def _schedules(
    clinic: Clinic, wanted: MessageFilter, few: list[uuid.UUID] | None, until: dt.datetime
) -> list[Schedule]:
    """One more than SCHEDULES of the active ones of which something may come, the soonest first."""
    # Looked at a horizon before what comes next (index `schedules_to_come`): who has nothing until then isn't read.
    found = Schedule.objects.filter(clinic=clinic, state=State.ACTIVE, next_plan_at__lt=until - planner.HORIZON)
    if wanted.schedule:
        found = found.filter(pk=wanted.schedule)
    if wanted.mine:
        found = found.filter(created_by_name=wanted.mine)
    found = found.order_by("next_plan_at")
    if few is None:
        return list(found[: SCHEDULES + 1])
    named = Recipient.objects.filter(clinic=clinic, patient__in=few).values("schedule")
    cohorts = CohortMember.objects.filter(clinic=clinic, patient__in=few).values("cohort")
    each = [list(found.filter(some)[: SCHEDULES + 1]) for some in (Q(pk__in=named), Q(cohort__in=cohorts))]
    return sorted(chain(*each), key=lambda one: one.next_plan_at or until)[: SCHEDULES + 1]


def _groups(clinic: Clinic, schedules: Sequence[Schedule], whom: Q) -> Mapping[uuid.UUID, list[_Group]]:
    """By Schedule, who gets it as things stand."""
    here = whom & Q(clinic=clinic, patient__left_at=None)
    by_schedule: dict[uuid.UUID, list[_Group]] = defaultdict(list)
    named = Recipient.objects.filter(here, schedule__in=[one for one in schedules if not one.cohort_id])
    columns = ("schedule", "patient__timezone", "patient__paused_until")
    counted = list(named.order_by().values_list(*columns).annotate(Count("pk")))
    single = [schedule for schedule, _, _, count in counted if count == 1]
    # Where a Schedule has two of one patient each, neither is all of them, and none is asked for.
    of_single = dict(named.filter(schedule__in=single).values_list("schedule", "patient"))
    for schedule, zone, paused, count in counted:
        by_schedule[schedule].append(_Group(zone, paused, count, of_single.get(schedule)))
    members = {cohort: _members(cohort, here) for cohort in {one.cohort_id for one in schedules if one.cohort_id}}
    by_schedule.update({one.id: members[one.cohort_id] for one in schedules if one.cohort_id})
    return by_schedule


def _members(cohort: uuid.UUID, here: Q) -> list[_Group]:
    """A cohort's patients; of a large one, the first of them stand for all."""
    found = CohortMember.objects.filter(here, cohort=cohort).order_by("patient")
    columns = ("patient", "patient__timezone", "patient__paused_until")
    by_group: dict[tuple[str, dt.date | None], list[uuid.UUID]] = defaultdict(list)
    for patient, zone, paused in found.values_list(*columns)[:MEMBERS]:
        by_group[zone, paused].append(patient)
    return [_Group(zone, paused, len(patients), patients[0]) for (zone, paused), patients in by_group.items()]
