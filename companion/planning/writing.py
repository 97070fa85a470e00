"""Storing plans, many in one statement: create new Messages, and move planned Messages. It changes no status."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from companion.clinics.ids import new_id
from companion.delivery import store
from companion.delivery.store import Planned, Shifted
from companion.schedules.models import Schedule


@dataclass(frozen=True, slots=True)
class Plan:
    """A Message to create: its patient, its Occurrence, and the instant at which it is due."""

    patient: uuid.UUID
    occurrence: str
    due_at: dt.datetime


def insert(schedule: Schedule, version: uuid.UUID, plans: Sequence[Plan], *, now: dt.datetime) -> int:
    """Create the Messages that don't exist yet. Returns their number."""
    rows = [
        Planned(new_id(), plan.patient, plan.occurrence, plan.due_at, plan.due_at + schedule.late_after)
        for plan in plans
    ]
    return store.plan(schedule.id, version, rows, now=now)


def shift(schedule: Schedule, version: uuid.UUID, shifts: Mapping[uuid.UUID, dt.datetime]) -> int:
    """Give planned Messages, by their ids, new due instants and the Schedule's present text. Returns their number."""
    rows = [Shifted(message, due_at, due_at + schedule.late_after) for message, due_at in shifts.items()]
    return store.shift(schedule.id, version, rows)
