"""The queue as the Dispatcher works it off: named statements that claim, look, begin and give back.

None of them changes a status (lifecycle.py does). A lease is columns on a pending row; an index named
`messages_to_claim` holds just the rows that nobody holds, so that a claim costs the same at a thousand and at a
million Messages. All run inside the caller's transaction.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from companion.patients.pausing import pause_end
from companion.schedules import sql
from companion.schedules.last_look import Looked
from companion.schedules.models import Follow, Lane
from companion.times.quiet import QuietHours

_CLAIM = """
UPDATE schedules_message SET lease_token = %s, lease_until = %s
WHERE id IN (
    SELECT id FROM schedules_message
    WHERE clinic_id = %s AND lane = %s AND ready_at <= %s AND status = 'pending' AND lease_until IS NULL
    ORDER BY ready_at LIMIT %s {skip_locked}
) AND status = 'pending' AND lease_until IS NULL
RETURNING id, lane, ready_at
"""

_NEXT_READY = """
SELECT min(ready_at) FROM (
    SELECT (
        SELECT ready_at FROM schedules_message
        WHERE clinic_id = %s AND lane = lanes.lane AND status = 'pending' AND lease_until IS NULL
        ORDER BY ready_at LIMIT 1
    ) AS ready_at
    FROM (SELECT 0 AS lane UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS lanes
) AS firsts
"""

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

_INSERT_ATTEMPTS = """
INSERT INTO schedules_attempt (id, clinic_id, message_id, number, began_at, text, telegram_id, outcome, note)
SELECT r.attempt, m.clinic_id, m.id, m.tries + 1, r.began_at, {text}, r.chat, '', ''
FROM {rows} JOIN schedules_message m ON m.id = r.message
"""

_OPEN = """
UPDATE schedules_message SET open_attempt_id = r.attempt, tries = tries + 1
FROM {rows} WHERE schedules_message.id = r.message
"""

_GIVE_BACK = """
UPDATE schedules_message
SET lease_token = NULL, lease_until = NULL, ready_at = coalesce(r.ready_at, schedules_message.ready_at),
    late_at = coalesce(r.late_at, schedules_message.late_at)
FROM {rows}
WHERE schedules_message.id = r.message AND schedules_message.lease_token = r.lease
  AND schedules_message.open_attempt_id IS NULL AND schedules_message.status = 'pending'
"""

_LOOK_ROWS = {"message": "uuid", "lease": "uuid", "attempt": "uuid"}
_BEGIN_ROWS = {"message": "uuid", "attempt": "uuid", "began_at": "timestamptz", "text": "bytea", "chat": "bigint"}
_BACK_ROWS = {"message": "uuid", "lease": "uuid", "ready_at": "timestamptz", "late_at": "timestamptz"}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A Message that this Dispatcher holds: it may begin it from `ready_at` on, until the lease ends."""

    id: uuid.UUID
    lane: int
    ready_at: dt.datetime
    lease: uuid.UUID


@dataclass(frozen=True, slots=True)
class Candidate:
    """A claimed Message that is to begin now, with the id that its Attempt will have."""

    message: uuid.UUID
    lease: uuid.UUID
    attempt: uuid.UUID


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


@dataclass(frozen=True, slots=True)
class Begin:
    """An Attempt to be written down: who, when, and the sealed text that leaves."""

    message: uuid.UUID
    attempt: uuid.UUID
    began_at: dt.datetime
    sealed_text: bytes
    chat: int


@dataclass(frozen=True, slots=True)
class Back:
    """A claimed Message given back; `ready_at` and `late_at` change only where given."""

    message: uuid.UUID
    lease: uuid.UUID
    ready_at: dt.datetime | None = None
    late_at: dt.datetime | None = None


def claim(
    clinic: uuid.UUID, lane: int, *, ready_before: dt.datetime, limit: int, lease: uuid.UUID, until: dt.datetime
) -> list[Claimed]:
    """Takes the Messages of one lane that are ready by then, soonest first, and returns what it got."""
    statement = _CLAIM.format(skip_locked=sql.locking("FOR UPDATE SKIP LOCKED"))
    parameters = (sql.key(lease), sql.instant(until), sql.key(clinic), lane, sql.instant(ready_before), limit)
    found = sql.run(statement, parameters)
    return [Claimed(sql.as_uuid(row[0]), _int(row[1]), sql.as_instant(row[2]), lease) for row in found]


def next_ready(clinic: uuid.UUID) -> dt.datetime | None:
    """When the next unclaimed Message of this clinic is ready; four index look-ups."""
    found = sql.run(_NEXT_READY, (sql.key(clinic),))[0][0]
    return None if found is None else sql.as_instant(found)


def look(candidates: Sequence[Candidate], *, now: dt.datetime, chat_gap: float) -> list[Letter]:
    """Reads, under lock, what decides about each candidate that is still ours. `chat_gap`: seconds between a chat's
    messages; answers to strangers have a minute."""
    statement = _LOOK.format(rows=sql.rows(_LOOK_ROWS), then=sql.then(), lock=sql.locking("FOR UPDATE OF m"))
    rows = [{"message": c.message, "lease": c.lease, "attempt": c.attempt} for c in candidates]
    return [_letter(row, chat_gap) for row in sql.run(statement, (sql.instant(now), sql.parameter(rows)))]


def begin(begins: Sequence[Begin]) -> None:
    """Writes the Attempts down and puts their Messages on the wire. Must be committed before anything is sent."""
    if not begins:
        return
    rows = sql.parameter(
        {
            "message": b.message,
            "attempt": b.attempt,
            "began_at": b.began_at,
            "text": b.sealed_text.hex(),
            "chat": b.chat,
        }
        for b in begins
    )
    sql.run(_INSERT_ATTEMPTS.format(rows=sql.rows(_BEGIN_ROWS), text=sql.bytes_of("r.text")), (rows,))
    sql.run(_OPEN.format(rows=sql.rows({"message": "uuid", "attempt": "uuid"})), (rows,))


def give_back(backs: Sequence[Back]) -> int:
    """Ends the leases of Messages that were claimed and not begun; how many still were ours."""
    if not backs:
        return 0
    rows = sql.parameter(
        {"message": b.message, "lease": b.lease, "ready_at": b.ready_at, "late_at": b.late_at} for b in backs
    )
    return sql.changed(_GIVE_BACK.format(rows=sql.rows(_BACK_ROWS)), (rows,))


def _letter(row: sql.Row, chat_gap: float) -> Letter:
    (message, lane, due_at, ready_at, late_at, quiet_hours, tries, answers, by_hand) = row[:9]
    (own_text, version, buttons, chat, open_attempt, if_unknown, resends) = row[9:16]
    (patient, patient_name, language, timezone, consent, asked_at, left_at, caregiver) = row[16:24]
    (state, clinic_name, clinic_zone, quiet_from, quiet_until, required, paused_at) = row[24:31]
    (marked, newer, chat_last_at, patient_paused, follow_kind, message_id, answer_within, chat_opted_out) = row[31:39]
    avoiding, trouble = row[39:41]
    gap = dt.timedelta(seconds=60 if lane == Lane.STRANGER else chat_gap)
    looked = Looked(
        message=sql.as_uuid(message),
        lane=_int(lane),
        due_at=sql.as_instant(due_at),
        ready_at=sql.as_instant(ready_at),
        late_at=sql.as_instant(late_at),
        quiet_hours=str(quiet_hours),
        tries=_int(tries),
        timezone=str(timezone or clinic_zone),
        quiet=QuietHours(_time(quiet_from), _time(quiet_until)),
        consent_required=bool(required),
        answers_stop_or_start=bool(answers),
        by_hand=bool(by_hand),
        has_patient=patient is not None,
        consent=str(consent or ""),
        consent_asked=asked_at is not None,
        patient_left=left_at is not None,
        telegram_id=None if chat is None else _int(chat),
        schedule_state=None if state is None else str(state),
        sending_paused=paused_at is not None,
        marked=bool(marked),
        newer_is_due=bool(newer),
        chat_free_at=None if chat_last_at is None else sql.as_instant(chat_last_at) + gap,
        paused_until=None if patient_paused is None else pause_end(_date(patient_paused), str(timezone)),
        chat_opted_out=bool(chat_opted_out),
    )
    edits = _int(message_id) if follow_kind == Follow.SHOWN else None
    return Letter(
        looked=looked,
        begun_already=open_attempt is not None,
        if_unknown=str(if_unknown),
        resends=_int(resends),
        own_text=None if own_text is None else bytes(own_text),  # type: ignore[call-overload]  # bytes on both databases
        version=None if version is None else sql.as_uuid(version),
        buttons=buttons,  # type: ignore[arg-type]  # JSON: text on SQLite, lists on PostgreSQL
        patient_name=str(patient_name or ""),
        language=str(language or "en"),
        caregiver=bool(caregiver),
        clinic_name=str(clinic_name),
        edits=edits,
        # Once is enough: what reminds of an answer asks for none itself.
        answer_within=None if follow_kind in (Follow.SHOWN, Follow.REMINDER) else _length(answer_within),
        avoiding=None if avoiding is None else sql.as_uuid(avoiding),
        in_trouble=bool(trouble),
    )


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def _length(value: object) -> dt.timedelta | None:
    # SQLite keeps microseconds.
    return dt.timedelta(microseconds=value) if isinstance(value, int) else cast(dt.timedelta | None, value)


def _date(value: object) -> dt.date:
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))


def _time(value: object) -> dt.time:
    return value if isinstance(value, dt.time) else dt.time.fromisoformat(str(value))
