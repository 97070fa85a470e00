"""The look: everything that decides about claimed Messages and that their texts are made of, read in one statement.

It judges nothing (last_look.py does) and changes nothing. Runs inside the caller's transaction.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from companion.patients.pausing import pause_end
from companion.schedules import sql
from companion.schedules.last_look import Looked
from companion.schedules.models import Follow, Lane
from companion.schedules.queue import Candidate
from companion.times.quiet import QuietHours

# What follows another Message belongs to the schedule of its wording, and is superseded also by what was sent since.
# The coalesce keeps SQLite from going along everything of the schedule that is due: the patient's own few are asked.
_LOOK = """
SELECT m.id, m.lane, m.due_at, m.ready_at, m.late_at, m.quiet_hours, m.tries, m.answers_stop_or_start, m.by_hand,
       m.text, m.version_id, m.buttons, coalesce(m.telegram_id, p.telegram_id) AS chat, m.open_attempt_id,
       m.if_unknown, m.resends,
       p.id, p.name, p.language, p.timezone, p.consent, p.consent_asked_at, p.left_at, p.caregiver,
       s.state, c.name, c.timezone, c.quiet_from, c.quiet_until, c.consent_required, c.sending_paused_at,
       EXISTS (
           SELECT 1 FROM clinics_mark k WHERE k.clinic_id = m.clinic_id
           AND k.subject_id IN (s.id, m.patient_id, s.cohort_id, m.clinic_id)
       ) AS marked,
       EXISTS (
           SELECT 1 FROM schedules_message n
           WHERE n.schedule_id = s.id AND n.patient_id = m.patient_id AND n.occurrence > m.occurrence
           AND (n.status = 'pending' OR (n.status = 'sent' AND m.schedule_id IS NULL))
           AND coalesce(n.due_at, n.ready_at) <= %s
       ) AS newer_is_due,
       (
           SELECT max(a.began_at) FROM schedules_attempt a
           WHERE a.telegram_id = coalesce(m.telegram_id, p.telegram_id) AND a.clinic_id = m.clinic_id
       ) AS chat_last_at,
       p.paused_until, m.follow_kind, m.telegram_message_id, s.answer_within,
       CASE WHEN m.telegram_id IS NULL THEN false ELSE EXISTS (
           SELECT 1 FROM patients_patient w WHERE w.clinic_id = m.clinic_id AND w.telegram_id = m.telegram_id
           AND w.consent = 'withdrawn'
       ) AND NOT EXISTS (
           SELECT 1 FROM patients_patient w WHERE w.clinic_id = m.clinic_id AND w.telegram_id = m.telegram_id
           AND w.consent <> 'withdrawn'
       ) END AS chat_opted_out,
       CASE WHEN s.avoid_weekends OR s.avoid_holidays OR s.avoid_closed_days THEN s.id END AS avoiding, p.trouble
FROM {rows}
{then} schedules_message m ON m.id = r.message
{then} clinics_clinic c ON c.id = m.clinic_id
LEFT JOIN patients_patient p ON p.id = m.patient_id
LEFT JOIN schedules_version v ON v.id = m.version_id
LEFT JOIN schedules_schedule s ON s.id = coalesce(m.schedule_id, v.schedule_id)
WHERE m.status = 'pending' AND m.lease_token = r.lease AND (m.open_attempt_id IS NULL OR m.open_attempt_id = r.attempt)
{lock}
"""

_LOOK_ROWS = {"message": "uuid", "lease": "uuid", "attempt": "uuid"}


@dataclass(frozen=True, slots=True)
class Letter:
    """A look's row: what decides (`looked`), and what the text is made of. Never logged."""

    looked: Looked
    begun_already: bool
    if_unknown: str
    resends: int
    own_text: bytes | None
    version: uuid.UUID | None
    buttons: str | list[list[dict[str, str]]] | None
    patient_name: str
    language: str
    caregiver: bool
    clinic_name: str
    edits: int | None
    """The message_id of the one whose buttons it replaces; None: it is sent anew."""
    answer_within: dt.timedelta | None
    """How long an answer to it is waited for."""
    avoiding: uuid.UUID | None
    """Its schedule, where that avoids some days."""
    in_trouble: bool


class _Row(NamedTuple):
    """The look's columns, in their order."""

    message: object
    lane: object
    due_at: object
    ready_at: object
    late_at: object
    quiet_hours: object
    tries: object
    answers: object
    by_hand: object
    own_text: object
    version: object
    buttons: object
    chat: object
    open_attempt: object
    if_unknown: object
    resends: object
    patient: object
    patient_name: object
    language: object
    timezone: object
    consent: object
    asked_at: object
    left_at: object
    caregiver: object
    state: object
    clinic_name: object
    clinic_zone: object
    quiet_from: object
    quiet_until: object
    required: object
    paused_at: object
    marked: object
    newer: object
    chat_last_at: object
    patient_paused: object
    follow_kind: object
    message_id: object
    answer_within: object
    chat_opted_out: object
    avoiding: object
    trouble: object


def look(candidates: Sequence[Candidate], *, now: dt.datetime, chat_gap: float) -> list[Letter]:
    """Reads, under lock, what decides about each candidate that is still ours. `chat_gap`: seconds between a chat's
    messages; answers to strangers have a minute."""
    statement = _LOOK.format(rows=sql.rows(_LOOK_ROWS), then=sql.then(), lock=sql.locking("FOR UPDATE OF m"))
    rows = [{"message": c.message, "lease": c.lease, "attempt": c.attempt} for c in candidates]
    return [_letter(_Row(*row), chat_gap) for row in sql.run(statement, (sql.instant(now), sql.parameter(rows)))]


def _letter(row: _Row, chat_gap: float) -> Letter:
    edits = sql.as_int(row.message_id) if row.follow_kind == Follow.SHOWN else None
    return Letter(
        looked=_looked(row, chat_gap),
        begun_already=row.open_attempt is not None,
        if_unknown=str(row.if_unknown),
        resends=sql.as_int(row.resends),
        own_text=None if row.own_text is None else bytes(cast(bytes | memoryview, row.own_text)),
        version=None if row.version is None else sql.as_uuid(row.version),
        buttons=row.buttons,  # type: ignore[arg-type]  # JSON: text on SQLite, lists on PostgreSQL
        patient_name=str(row.patient_name or ""),
        language=str(row.language or "en"),
        caregiver=bool(row.caregiver),
        clinic_name=str(row.clinic_name),
        edits=edits,
        # Once is enough: what reminds of an answer asks for none itself.
        answer_within=None if row.follow_kind in (Follow.SHOWN, Follow.REMINDER) else _length(row.answer_within),
        avoiding=None if row.avoiding is None else sql.as_uuid(row.avoiding),
        in_trouble=bool(row.trouble),
    )


def _looked(row: _Row, chat_gap: float) -> Looked:
    gap = dt.timedelta(seconds=60 if row.lane == Lane.STRANGER else chat_gap)
    return Looked(
        message=sql.as_uuid(row.message),
        lane=sql.as_int(row.lane),
        due_at=sql.as_instant(row.due_at),
        ready_at=sql.as_instant(row.ready_at),
        late_at=sql.as_instant(row.late_at),
        quiet_hours=str(row.quiet_hours),
        tries=sql.as_int(row.tries),
        timezone=str(row.timezone or row.clinic_zone),
        quiet=QuietHours(_time(row.quiet_from), _time(row.quiet_until)),
        consent_required=bool(row.required),
        answers_stop_or_start=bool(row.answers),
        by_hand=bool(row.by_hand),
        has_patient=row.patient is not None,
        consent=str(row.consent or ""),
        consent_asked=row.asked_at is not None,
        patient_left=row.left_at is not None,
        telegram_id=None if row.chat is None else sql.as_int(row.chat),
        schedule_state=None if row.state is None else str(row.state),
        sending_paused=row.paused_at is not None,
        marked=bool(row.marked),
        newer_is_due=bool(row.newer),
        chat_free_at=None if row.chat_last_at is None else sql.as_instant(row.chat_last_at) + gap,
        paused_until=None if row.patient_paused is None else pause_end(_date(row.patient_paused), str(row.timezone)),
        chat_opted_out=bool(row.chat_opted_out),
    )


def _length(value: object) -> dt.timedelta | None:
    # SQLite keeps microseconds.
    return dt.timedelta(microseconds=value) if isinstance(value, int) else cast(dt.timedelta | None, value)


def _date(value: object) -> dt.date:
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))


def _time(value: object) -> dt.time:
    return value if isinstance(value, dt.time) else dt.time.fromisoformat(str(value))
