"""The preview of a new Schedule or of a change: next instants, texts, the year at a glance, warnings. Reads only."""

import datetime as dt
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.planning import drafts, foresight, plan_warnings, recipients
from companion.planning.changing import Change, change_of
from companion.planning.drafts import Draft
from companion.planning.occurrences import Coming, coming, next_few, times_of
from companion.planning.plan_warnings import Finished
from companion.planning.warnings import Warning, of_days
from companion.planning.year import Year, year_of
from companion.schedules import text
from companion.schedules.models import Schedule
from companion.times import walls

SHOWN_TEXTS: Final = 20
SHOWN_ZONES: Final = plan_warnings.ZONES
_MOST_MOVED: Final = dt.timedelta(days=15)
"""The farthest that an Occurrence moves to an earlier working day."""


@dataclass(frozen=True, slots=True)
class PatientText:
    """The text as this patient gets it the first time."""

    patient: Patient
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview of a draft."""

    occurrences: tuple[Coming, ...]
    texts: tuple[PatientText, ...]
    warnings: tuple[Warning, ...]
    year: Year | None
    """The year at a glance; None for a one-time schedule."""
    since: dt.datetime | None = None
    """The wall time with which the new series begins, if the change starts from an Occurrence."""
    instead_of: tuple[Coming, ...] = ()
    """The next instants that a change removes."""


def preview(clinic: Clinic, draft: Draft, *, now: dt.datetime, count: int = 5) -> Preview:
    """Preview a new Schedule, with the next `count` instants in each zone of its recipients."""
    return _preview(clinic, draft, {}, plan_warnings.of_new(clinic, draft, now=now), now, count)


def preview_of_change(
    schedule: Schedule, wanted: Draft, from_occurrence: str | None, *, now: dt.datetime, count: int = 5
) -> Preview:
    """Preview a change: the instants that come, and those that go. Raises Refused and Conflict as the change does."""
    change = change_of(drafts.of(schedule), wanted, from_occurrence)
    days = of_days(foresight.days_of(schedule, change, now=now))
    known = (*days, *plan_warnings.of_change(schedule, change, now=now))
    finished = plan_warnings.finished_occurrences(schedule, change, now=now)
    found = _preview(schedule.clinic, change.draft, finished, known, now, count)
    return replace(
        found,
        since=change.draft.timing.starts_at if change.since else None,
        instead_of=_instead_of(schedule.clinic, change, found.occurrences, now, count),
    )


def _instead_of(
    clinic: Clinic, change: Change, will: tuple[Coming, ...], now: dt.datetime, count: int
) -> tuple[Coming, ...]:
    """The next instants of the series before the change at which no message goes out any more."""
    instants = {(due.timezone, due.due_at) for due in will}
    times = times_of(clinic)
    found: list[Coming] = []
    for zone in dict.fromkeys(due.timezone for due in will):
        # An Occurrence before the chosen Occurrence stays with the old series.
        after = max(now, walls.resolve(change.since, zone).at - _MOST_MOVED) if change.since else now
        coming_then = coming(change.before.timing, zone, times, after=after)
        goes = (due for due in coming_then if change.since is None or walls.parse_wall(due.occurrence) >= change.since)
        found += [due for due in islice(goes, count) if (zone, due.due_at) not in instants]
    return tuple(found)


def _preview(
    clinic: Clinic, draft: Draft, finished: Finished, known: tuple[Warning, ...], now: dt.datetime, count: int
) -> Preview:
    people = recipients.of_draft(clinic, draft)
    zones = recipients.zones(people, draft.timing.timezone, clinic.timezone)[:SHOWN_ZONES]
    times, floor = times_of(clinic), plan_warnings.floor_of(draft, now)
    by_zone = {
        zone: next_few(draft.timing, zone, times, after=floor, count=count, without=finished.get(zone, frozenset()))
        for zone in zones
    }
    each = tuple(due for few in by_zone.values() for due in few)
    drawn = year_of(clinic, draft, now=now) if draft.timing.recurrence else None
    texts = tuple(
        _text(clinic, draft, patient, by_zone, now) for patient in people.order_by("name", "id")[:SHOWN_TEXTS]
    )
    return Preview(each, texts, known, drawn)


def _text(
    clinic: Clinic, draft: Draft, patient: Patient, by_zone: dict[str, list[Coming]], now: dt.datetime
) -> PatientText:
    few = by_zone.get(patient.timezone) or next(iter(by_zone.values()), [])
    at = few[0].due_at if few else now
    return PatientText(patient, text.fill(draft.text, text.reader_of(patient, clinic), at))
