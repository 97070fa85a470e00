"""Warnings about a second, similar message on a patient's day: the same text, or any text within ten minutes.

Only the first Occurrences and the first patients of a plan are checked. Reads only. A series may have several times a
day on purpose; they cause a warning only if two of them are within ten minutes.
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Final, NamedTuple

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.planning.drafts import Draft
from companion.planning.occurrences import Coming
from companion.planning.planned_messages import PlannedMessages
from companion.planning.planned_schedules import planned_schedules
from companion.planning.timing import PATIENT_ZONE
from companion.planning.warnings import NAMED, Warning
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.queries import MessageFilter
from companion.schedules.wording import newest_versions, template_of
from companion.times import clocks, walls

WITHIN: Final = dt.timedelta(minutes=10)
LOOKED_AT: Final = 200
"""The number of a plan's patients who are checked, in the order of their names."""
_SCHEDULES, _OTHERS = 100, 2000
"""The numbers of Schedules, and of their Occurrences, that are checked for messages that are not planned yet."""
_DAY: Final = dt.timedelta(days=1)
_Texts = Mapping[uuid.UUID, str]


@dataclass(frozen=True, slots=True)
class _Other:
    """Another message to a patient: when it is due, and its text with placeholders."""

    due_at: dt.datetime
    text: str


def of_similar(
    clinic: Clinic,
    people: Collection[Patient],
    draft: Draft,
    first: Sequence[Coming],
    *,
    now: dt.datetime,
    besides: Collection[uuid.UUID] = (),
) -> list[Warning]:
    """Warn about patients who get a similar message on a day of the draft's first instants.

    `besides`: the ids of Schedules that don't count, because they belong to the draft's series.
    """
    looked_at = sorted(people, key=lambda patient: (patient.name, patient.id))[:LOOKED_AT]
    own_zone = draft.timing.timezone == PATIENT_ZONE
    due: dict[uuid.UUID, list[dt.datetime]] = {
        patient.id: [each.due_at for each in first if not own_zone or each.timezone == patient.timezone]
        for patient in looked_at
    }
    return _warnings(clinic, looked_at, due, draft.text, now=now, besides=besides)


def of_similar_message(message: Message, *, now: dt.datetime) -> list[Warning]:
    """Warn about similar messages on the day of a single message that is planned already."""
    if message.patient is None or message.status != Status.PENDING:
        return []
    due = {message.patient.id: [message.due_at]}
    own = [message.pk, *([message.schedule_id] if message.schedule_id else [])]
    return _warnings(message.clinic, [message.patient], due, template_of(message), now=now, besides=own)


def _warnings(
    clinic: Clinic,
    people: Sequence[Patient],
    due: Mapping[uuid.UUID, list[dt.datetime]],
    text: str,
    *,
    now: dt.datetime,
    besides: Collection[uuid.UUID],
) -> list[Warning]:
    instants = [at for each in due.values() for at in each]
    if not instants:
        return []
    others = _others(
        clinic, [patient.id for patient in people], min(instants) - _DAY, max(instants) + _DAY, now, besides
    )
    found = [
        Warning(patient.id, "similar_same_day", sentence)
        for patient in people
        if (sentence := _sentence(clinic, patient, due[patient.id], text.strip(), others.get(patient.id, [])))
    ]
    named, more = found[:NAMED], len(found) - NAMED
    if more > 0:
        named.append(Warning(None, "similar_same_day", f"{more:,} more patients get a similar message the same day."))
    return named


def _sentence(
    clinic: Clinic, patient: Patient, due: Sequence[dt.datetime], text: str, others: Sequence[_Other]
) -> str | None:
    def written(at: dt.datetime) -> str:
        return clocks.day_and_time(walls.local(at, clinic.timezone), patient.timezone)

    for at in due:
        day = walls.local(at, patient.timezone).date()
        for other in others:
            if walls.local(other.due_at, patient.timezone).date() != day:
                continue
            if other.text == text:
                return f"{patient.name} gets another message with the same text on {written(other.due_at)}."
            if abs(other.due_at - at) <= WITHIN:
                return f"{patient.name} gets another message within ten minutes on {written(other.due_at)}."
    for earlier, later in combinations(sorted(due), 2):
        if later - earlier <= WITHIN:
            return f"{patient.name} gets two of these within ten minutes on {written(later)}."
    return None


def _others(
    clinic: Clinic,
    ids: Collection[uuid.UUID],
    since: dt.datetime,
    until: dt.datetime,
    now: dt.datetime,
    besides: Collection[uuid.UUID],
) -> Mapping[uuid.UUID, list[_Other]]:
    """Return each patient's other messages in this span of time, both existing and planned messages."""
    found: dict[uuid.UUID, list[_Other]] = defaultdict(list)
    there = Message.objects.filter(
        patient__in=ids, due_at__gte=since, due_at__lt=until, status__in=(Status.PENDING, Status.SENT), follows=None
    )
    for message in there.exclude(pk__in=besides).select_related("version")[:_OTHERS]:
        if message.patient_id and message.schedule_id not in besides:
            found[message.patient_id].append(_Other(message.due_at, template_of(message).strip()))
    for patient, other in _yet_to_come(clinic, ids, max(since, now), until, besides):
        found[patient].append(other)
    return found


class _OfPatient(NamedTuple):
    """A message that a patient will get."""

    patient: uuid.UUID
    other: _Other


def _yet_to_come(
    clinic: Clinic, ids: Collection[uuid.UUID], since: dt.datetime, until: dt.datetime, besides: Collection[uuid.UUID]
) -> Iterator[_OfPatient]:
    plan = planned_schedules(clinic, MessageFilter(), until=until, most=_SCHEDULES, few=list(ids))
    plan.schedules[:] = [schedule for schedule in plan.schedules if schedule.id not in besides]
    texts: _Texts = {
        schedule: version.text.strip()
        for schedule, version in newest_versions(clinic, [schedule.id for schedule in plan.schedules]).items()
    }
    for planned in islice(PlannedMessages(plan, LOOKED_AT).walk(since, until, None), _OTHERS):
        if planned.patient:
            yield _OfPatient(planned.patient, _Other(planned.coming.due_at, texts.get(planned.schedule.id, "")))


def family(schedule: Schedule) -> list[uuid.UUID]:
    """The ids of a series, of the series that it was split from, and of those that were split from it."""
    parts = [schedule.pk, *([schedule.split_from_id] if schedule.split_from_id else [])]
    return [
        *parts,
        *Schedule.objects.filter(clinic=schedule.clinic_id, split_from=schedule).values_list("pk", flat=True),
    ]
