"""The Messages that the Planner will make, patient by patient and in order. Reads only.

planned_schedules.py finds the Schedules, and listing.py merges these messages with the existing Messages.
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, groupby, islice
from typing import Final, NamedTuple

from companion.delivery import store
from companion.delivery.store import OccurrenceOf
from companion.patients.models import Patient
from companion.planning.occurrences import Coming
from companion.planning.patients_of import PatientsOf
from companion.planning.planned_schedules import INSTANT, PlannedSchedules
from companion.schedules.models import Message, Schedule, Version

NIL: Final = uuid.UUID(int=0)
_TOGETHER: Final = 100
"""Instants whose patients are looked up together."""
_LONGEST: Final = dt.timedelta(days=366)
_FEW, _MANY = 50, 2000
"""The bounds of instants in a span of time: with fewer, the next span is twice as long; with more, half as long."""


class Position(NamedTuple):
    """The position of a row in a list. A Message keeps the position that it had when it was only planned.

    `id` distinguishes Messages without a schedule; for Messages of a Schedule it is NIL.
    """

    due_at: dt.datetime
    schedule: uuid.UUID
    patient: uuid.UUID
    occurrence: str
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """A message that the Planner will make, for one `patient`, or for several `patients` together."""

    schedule: Schedule
    coming: Coming
    patient: uuid.UUID | None
    patients: int = 1

    @property
    def position(self) -> Position:
        """The position in the list. A row for several patients comes before the row of any single patient."""
        return Position(self.coming.due_at, self.schedule.id, self.patient or NIL, self.coming.occurrence, NIL)


@dataclass(frozen=True, slots=True)
class _Firing:
    """Occurrences of one Schedule at one instant: a single Occurrence, or those of several zones."""

    due_at: dt.datetime
    schedule: Schedule
    coming: list[Coming]
    patients: int

    @property
    def key(self) -> tuple[dt.datetime, uuid.UUID]:
        return self.due_at, self.schedule.id


@dataclass(frozen=True, slots=True)
class PlannedMessages:
    """An iterator over planned messages, forward or `back`. An Occurrence for more than `fold` patients is one item."""

    plan: PlannedSchedules
    size: int
    back: bool = False
    fold: int | None = None

    def first(self, since: dt.datetime, until: dt.datetime) -> dt.datetime | None:
        """Return the first instant from `since` on and before `until` at which a patient gets a Message."""
        firings = PlannedMessages(self.plan, 1)._firings(since, until)
        return next((firing.due_at for firing in firings), None)

    def walk(self, since: dt.datetime, until: dt.datetime, after: Position | None) -> Iterator[PlannedMessage]:
        """Yield in order the Messages due from `since` on and before `until` that follow the position `after`."""
        if after:
            since, until = (since, min(until, after.due_at + INSTANT)) if self.back else (max(since, after[0]), until)
        patients = PatientsOf(self.plan, self.size, self.back)
        firings = (firing for firing in self._firings(since, until) if not after or self._behind(firing.key, after[:2]))
        while together := list(islice(firings, _TOGETHER)):
            patients.read_small([firing.schedule for firing in together if not self._folds(firing)])
            found = chain.from_iterable(self._of(firing, patients, after) for firing in together)
            while few := list(islice(found, self.size)):
                yield from _unmade(few)

    def _firings(self, since: dt.datetime, until: dt.datetime) -> Iterator[_Firing]:
        """Yield firings, span by span: moved Occurrences must be sorted, and a rule can't be computed backwards."""
        length = dt.timedelta(days=1)
        while since < until:
            if self.back:
                begin, end = max(since, until - length), until
                until = begin
            else:
                begin, end = since, min(until, since + length)
                since = end
            found = self._between(begin, end)
            yield from reversed(found) if self.back else found
            length = min(length * 2, _LONGEST) if len(found) < _FEW else length / 2 if len(found) > _MANY else length

    def _between(self, since: dt.datetime, until: dt.datetime) -> list[_Firing]:
        found = [
            ((due.due_at, schedule.id), schedule, due, sum(left for _, left in getting))
            for schedule in self.plan.due_before(until)
            for zone in self.plan.zones(schedule)
            for due in self.plan.coming(schedule, zone, since - INSTANT, until - INSTANT)
            if (getting := self.plan.getting(schedule, due))
        ]
        found.sort(key=lambda row: row[0])
        firings = []
        for (due_at, _), together in groupby(found, key=lambda row: row[0]):
            rows = list(together)
            firings.append(_Firing(due_at, rows[0][1], [row[2] for row in rows], sum(row[3] for row in rows)))
        return firings

    def _of(self, firing: _Firing, patients: PatientsOf, after: Position | None) -> Iterator[PlannedMessage]:
        """List the rows of a firing after the position."""
        here = after if after and after[:2] == firing.key else None
        if self._folds(firing):
            found: Iterator[PlannedMessage] = iter(
                [PlannedMessage(firing.schedule, firing.coming[0], None, firing.patients)]
            )
        else:
            first = here.patient if here else None
            each = [
                self._to(firing.schedule, due, patients.getting(firing.schedule, due, first)) for due in firing.coming
            ]
            found = merge(*each, key=lambda planned: planned.position, reverse=self.back)
        return (planned for planned in found if not here or self._behind(planned.position, here, equal=False))

    def _to(self, schedule: Schedule, due: Coming, patients: Iterator[uuid.UUID]) -> Iterator[PlannedMessage]:
        return (PlannedMessage(schedule, due, patient) for patient in patients)

    def _behind(self, position: tuple[object, ...], other: tuple[object, ...], *, equal: bool = True) -> bool:
        if position == other:
            return equal
        return position < other if self.back else position > other

    def _folds(self, firing: _Firing) -> bool:
        return self.fold is not None and firing.patients > self.fold


def future_message(schedule: Schedule, coming: Coming, version: Version, patient: Patient | None) -> Message:
    """Build the Message that the Planner will make, without storing it: lists show Messages only."""
    return Message(
        clinic=schedule.clinic,
        schedule=schedule,
        version=version,
        patient=patient,
        occurrence=coming.occurrence,
        lane=schedule.lane,
        due_at=coming.due_at,
        late_at=coming.due_at + schedule.late_after,
    )


def _unmade(few: Sequence[PlannedMessage]) -> list[PlannedMessage]:
    """Leave out messages that the Planner or a person has made by now: the list shows those Messages."""
    occurrences = [
        OccurrenceOf(planned.schedule.id, planned.patient or NIL, planned.coming.occurrence) for planned in few
    ]
    made = store.made(occurrences)
    return [planned for planned, occurrence in zip(few, occurrences, strict=True) if occurrence not in made]
