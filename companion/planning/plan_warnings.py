"""The list of all warnings about a plan or a change, for the preview and for the answer after the act. Reads only.

warnings.py, hand_edits.py, first_date.py and similar.py make the warnings.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from django.db.models import Count

from companion.clinics.models import Clinic
from companion.planning import recipients, warnings
from companion.planning.changing import Change
from companion.planning.drafts import Draft
from companion.planning.first_date import of_first_date
from companion.planning.hand_edits import of_hand_edits
from companion.planning.occurrences import next_few, times_of
from companion.planning.similar import LOOKED_AT, family, of_similar
from companion.planning.timing import PATIENT_ZONE
from companion.planning.warnings import Warning
from companion.schedules.models import Message, Schedule, Status

FIRST: Final = 5
"""The most Occurrences of each zone that are checked."""
ZONES: Final = 40
_RECENT: Final = dt.timedelta(days=3)

Finished = Mapping[str, frozenset[str]]
"""The names of the Occurrences that no patient gets any more, by zone."""


def of_new(clinic: Clinic, draft: Draft, *, now: dt.datetime) -> tuple[Warning, ...]:
    """Collect the warnings about a new Schedule."""
    return _of_draft(clinic, draft, {}, (), now)


def of_change(schedule: Schedule, change: Change, *, now: dt.datetime) -> tuple[Warning, ...]:
    """Collect the warnings about a change, without those about emptier or fuller days (foresight.py)."""
    finished = finished_occurrences(schedule, change, now=now)
    known = _of_draft(schedule.clinic, change.draft, finished, family(schedule), now)
    return (*of_hand_edits(schedule, change, now=now), *known)


def floor_of(draft: Draft, now: dt.datetime) -> dt.datetime:
    """The instant after which a new Schedule sends. A one-time message may be late by `late_after`."""
    return now if draft.timing.recurrence else now - draft.late_after


def finished_occurrences(schedule: Schedule, change: Change, *, now: dt.datetime) -> Finished:
    """The Occurrences, by their new names, whose Messages have ended for all recipients of a zone."""
    over = Message.objects.filter(
        clinic_id=schedule.clinic_id, schedule=schedule, due_at__gte=now - _RECENT, patient__left_at=None
    ).exclude(status=Status.PENDING)
    columns = ("patient__timezone", "occurrence")
    timezone = change.draft.timing.timezone
    fixed = None if timezone == PATIENT_ZONE else timezone
    had: Counter[tuple[str, str]] = Counter()
    counted = list(over.order_by().values_list(*columns).annotate(Count("patient", distinct=True)))
    names = change.new_names({name for _, name, _ in counted if name})
    for zone, name, count in counted:
        if name:
            had[fixed or zone, names[name]] += count
    people = recipients.of_draft(schedule.clinic, change.draft).order_by()
    reached: Counter[str] = Counter()
    for zone, count in people.values_list("timezone").annotate(Count("pk")):
        reached[fixed or zone] += count
    return {
        zone: frozenset(name for (there, name), count in had.items() if there == zone and count >= reached[zone])
        for zone in reached
    }


def _of_draft(
    clinic: Clinic, draft: Draft, gone: Finished, besides: Collection[uuid.UUID], now: dt.datetime
) -> tuple[Warning, ...]:
    people = recipients.of_draft(clinic, draft)
    zones = recipients.zones(people, draft.timing.timezone, clinic.timezone)
    times, floor = times_of(clinic), floor_of(draft, now)
    by_zone = {
        zone: next_few(draft.timing, zone, times, after=floor, count=FIRST, without=gone.get(zone, frozenset()))
        for zone in zones[:ZONES]
    }
    first = [few[0] for few in by_zone.values() if few]
    each = [due for few in by_zone.values() for due in few]
    return (
        *warnings.of_text(draft.text),
        *of_first_date(clinic, draft, zones[0], now=now),
        *warnings.of_times(clinic, draft, first, list(by_zone), now=now),
        *of_similar(clinic, people.order_by("name", "id")[:LOOKED_AT], draft, each, now=now, besides=besides),
        *warnings.of_size(draft, people.order_by().count()),
        *warnings.of_people(clinic, people, now=now),
    )
