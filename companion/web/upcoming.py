"""The coming Occurrences of a Schedule, for people to choose from: to skip one, to change from one on."""

import datetime as dt
from dataclasses import dataclass

from companion.planning import drafts
from companion.planning.changing import given_before
from companion.planning.occurrences import Coming, next_few, times_of
from companion.schedules.models import Schedule
from companion.times import walls

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Counted:
    """How many Occurrences a series gives, and how many of them are left, both before exceptions."""

    left: int
    total: int


def upcoming(schedule: Schedule, *, now: dt.datetime, count: int = SHOWN) -> list[Coming]:
    """The next Occurrences in the Schedule's own zone; for "patient", as the clinic's clocks see them."""
    clinic, draft = schedule.clinic, drafts.of(schedule)
    zone = clinic.timezone if draft.timezone == drafts.PATIENT_ZONE else draft.timezone
    return next_few(draft, zone, times_of(clinic), after=now, count=count)


def counted(schedule: Schedule, from_occurrence: str, *, now: dt.datetime) -> Counted | None:
    """What is left of a series that ends after a number of times: from this Occurrence on, else from now on."""
    draft = drafts.of(schedule)
    if draft.recurrence is None or draft.recurrence.count is None:
        return None
    zone = schedule.clinic.timezone if draft.timezone == drafts.PATIENT_ZONE else draft.timezone
    since = walls.local(now, zone).replace(tzinfo=None, fold=0)
    if from_occurrence in {one.occurrence for one in upcoming(schedule, now=now)}:
        since = walls.parse_wall(from_occurrence)
    total = draft.recurrence.count
    return Counted(max(total - given_before(draft, since), 0), total)
