"""The patients who get planned messages, in the order of their ids, read in batches.

planned_messages.py says when each patient gets which message.
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from django.db.models import Exists, OuterRef

from companion.patients.models import CohortMember
from companion.patients.pausing import pause_end
from companion.planning.occurrences import Coming
from companion.planning.planned_schedules import PlannedSchedules, zone_of
from companion.schedules.models import Message, Recipient, Schedule

SMALL: Final = 200
"""The most patients of a Schedule that are read at once, together with those of other Schedules."""

_COLUMNS: Final = ("patient", "patient__timezone", "patient__paused_until")


class _Row(NamedTuple):
    """A patient with zone and pause."""

    patient: uuid.UUID
    timezone: str
    paused_until: dt.date | None


@dataclass(slots=True)
class PatientsOf:
    """A reader of the patients whom Schedules reach, in batches of `size`; `back`: the last ids first."""

    plan: PlannedSchedules
    size: int
    back: bool
    _small: dict[uuid.UUID, list[_Row]] = field(default_factory=dict)

    def read_small(self, schedules: Sequence[Schedule]) -> None:
        """Read the patients of Schedules with few patients. It takes two queries for any number of Schedules."""
        new = [schedule for schedule in schedules if schedule.id not in self._small and self._is_small(schedule)]
        if not new:
            return
        named = Recipient.objects.filter(self.plan.whom, schedule__in=[schedule.id for schedule in new])
        members = CohortMember.objects.filter(self.plan.whom, cohort__in={schedule.cohort_id for schedule in new})
        rows: dict[uuid.UUID, list[_Row]] = defaultdict(list)
        for schedule, *row in named.order_by("patient").values_list("schedule", *_COLUMNS):
            rows[schedule].append(_Row(*row))
        for cohort, *row in members.order_by("patient").values_list("cohort", *_COLUMNS):
            rows[cohort].append(_Row(*row))
        self._small |= {schedule.id: rows[schedule.cohort_id or schedule.id] for schedule in new}

    def getting(self, schedule: Schedule, due: Coming, first: uuid.UUID | None) -> Iterator[uuid.UUID]:
        """The patients who get this Occurrence in its zone, from the patient `first` on."""
        for patient, zone, paused in self._rows(schedule, due, first):
            if zone_of(schedule, zone) == due.timezone and (not paused or due.due_at >= pause_end(paused, zone)):
                yield patient

    def _is_small(self, schedule: Schedule) -> bool:
        return sum(group.count for group in self.plan.groups[schedule.id]) <= SMALL

    def _rows(self, schedule: Schedule, due: Coming, first: uuid.UUID | None) -> Iterator[_Row]:
        if schedule.id not in self._small:
            return self._batches(schedule, due, first)
        rows = self._small[schedule.id]
        return iter(rows[::-1] if self.back else rows)

    def _batches(self, schedule: Schedule, due: Coming, first: uuid.UUID | None) -> Iterator[_Row]:
        """A large Schedule's patients, without those for whom the Planner has made the Message by now."""
        model = CohortMember if schedule.cohort_id else Recipient
        whose = {"cohort": schedule.cohort_id} if schedule.cohort_id else {"schedule": schedule.id}
        in_zone = {"patient__timezone": due.timezone} if schedule.timezone != due.timezone else {}
        made = Message.objects.filter(schedule=schedule.id, patient=OuterRef("patient"), occurrence=due.occurrence)
        found = model._default_manager.filter(self.plan.whom, ~Exists(made), **whose, **in_zone)
        found = found.order_by("-patient" if self.back else "patient")
        way = "lt" if self.back else "gt"
        begin = {f"patient__{way}e": first} if first else {}
        while rows := list(found.filter(**begin).values_list(*_COLUMNS)[: self.size]):
            yield from rows
            begin = {f"patient__{way}": rows[-1][0]}
