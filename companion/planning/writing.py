"""Writing plans down, many in one statement: new Messages made, planned ones moved. No status changes here."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from companion.clinics.keys import new_id
from companion.schedules import sql
from companion.schedules.models import Schedule

# One Message per Schedule, Patient and Occurrence: the constraint, not a look beforehand, keeps it so.
_INSERT = """
INSERT INTO schedules_message (
    id, clinic_id, schedule_id, version_id, patient_id, occurrence, lane, status, reason, due_at, ready_at, late_at,
    quiet_hours, if_unknown, by_hand, answers_stop_or_start, created_by_kind, created_by_name, created_at,
    tries, resends
)
SELECT r.id, s.clinic_id, s.id, {version}, r.patient, r.occurrence, s.lane, 'pending', '',
       r.due_at, r.due_at, r.late_at, s.quiet_hours, s.if_unknown, {no}, {no}, '', '', {now}, 0, 0
FROM r JOIN schedules_schedule s ON s.id = {schedule} WHERE true
ON CONFLICT DO NOTHING
"""
# Planned is not history, and only what is planned moves: no Attempt, no end, no person's hand.
_SHIFT = """
UPDATE schedules_message
SET due_at = r.due_at, ready_at = r.due_at, late_at = r.late_at, version_id = {version}, lane = s.lane,
    quiet_hours = s.quiet_hours, if_unknown = s.if_unknown
FROM r JOIN schedules_schedule s ON s.id = {schedule}
WHERE schedules_message.id = r.id AND schedules_message.status = 'pending' AND schedules_message.tries = 0
  AND schedules_message.open_attempt_id IS NULL AND NOT schedules_message.by_hand
"""
_ROWS = {
    "id": "uuid",
    "patient": "uuid",
    "occurrence": "text",
    "due_at": "timestamptz",
    "late_at": "timestamptz",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A Message to be: whom, which Occurrence, and the instant at which it is due."""

    patient: uuid.UUID
    occurrence: str
    due_at: dt.datetime


def insert(schedule: Schedule, version: uuid.UUID, plans: Sequence[Plan], *, now: dt.datetime) -> int:
    """Makes the Messages that don't exist yet; how many that were."""
    if not plans:
        return 0
    rows = sql.parameter(
        [
            {
                "id": new_id(),
                "patient": plan.patient,
                "occurrence": plan.occurrence,
                "due_at": plan.due_at,
                "late_at": plan.due_at + schedule.late_after,
            }
            for plan in plans
        ]
    )
    now_type = "%s::timestamptz" if sql.is_postgresql() else "%s"
    (statement,) = sql.with_rows(_ROWS, _INSERT.format(version=_id(), no="false", now=now_type, schedule="%s"))
    return sql.changed(statement, (rows, sql.key(version), sql.instant(now), sql.key(schedule.id)))


def shift(schedule: Schedule, version: uuid.UUID, shifts: Mapping[uuid.UUID, dt.datetime]) -> int:
    """Gives planned Messages, by their ids, new due instants and the Schedule's present wording; how many moved."""
    if not shifts:
        return 0
    rows = sql.parameter(
        [
            {"id": message, "due_at": due_at, "late_at": due_at + schedule.late_after}
            for message, due_at in shifts.items()
        ]
    )
    columns = {name: _ROWS[name] for name in ("id", "due_at", "late_at")}
    (statement,) = sql.with_rows(columns, _SHIFT.format(version=_id(), schedule="%s"))
    return sql.changed(statement, (rows, sql.key(version), sql.key(schedule.id)))


def _id() -> str:
    return "%s::uuid" if sql.is_postgresql() else "%s"
