"""The look: everything that decides about the next Messages in line and that their texts are made of, in one statement.

It judges nothing (last_look.py does) and changes nothing. Runs inside the caller's transaction.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from functools import cache

import msgspec

from companion.schedules import queue, sql
from companion.schedules.buttons import Rows
from companion.schedules.last_look import Looked
from companion.schedules.models import Follow
from companion.schedules.queue import Places
from companion.schedules.sql import Flag, bytes_out, instant_out, length_out
from companion.telegram.discreet import Discreet


class Letter(Discreet, frozen=True, array_like=True, gc=False):
    """A look's row: what decides (`looked`), and what the text is made of.

    The order of the fields is that of the columns below.
    """

    hidden = frozenset({"own_text", "buttons", "patient_name"})

    message: uuid.UUID
    looked: Looked
    begun_by: uuid.UUID | None
    """The Attempt that has put it on the wire already."""
    if_unknown: str
    resends: int
    own_text: str | None
    """Sealed, hexadecimal."""
    version: uuid.UUID | None
    buttons: str | Rows | None
    """JSON: text on SQLite, lists on PostgreSQL."""
    patient_name: str
    language: str
    caregiver: Flag
    clinic_name: str
    follow_kind: str
    telegram_message_id: int | None
    answer_microseconds: int | None
    """See `answer_within`."""
    avoiding: uuid.UUID | None
    """Its schedule, where that avoids some days."""
    in_trouble: Flag
    """Whether the patient bears a mark, which a success clears."""

    @property
    def edits(self) -> int | None:
        """The message_id of the one whose buttons it replaces; None: it is sent anew."""
        return self.telegram_message_id if self.follow_kind == Follow.SHOWN else None

    @property
    def answer_within(self) -> dt.timedelta | None:
        """How long an answer to it is waited for."""
        # Once is enough: what reminds of an answer asks for none itself.
        if self.answer_microseconds is None or self.follow_kind in (Follow.SHOWN, Follow.REMINDER):
            return None
        return dt.timedelta(microseconds=self.answer_microseconds)

    @property
    def tries(self) -> int:
        """Attempts before the one that begins, or has begun, with this look."""
        return self.looked.tries - (1 if self.begun_by else 0)


def look(clinic: uuid.UUID, places: Places, most: int, *, now: dt.datetime) -> list[Letter]:
    """Reads, under lock, what decides about the next Messages in line that are ready and that nobody has begun.

    They come in the order in which they go, at most `most`. What a person is changing at this moment is left out.
    """
    line = queue.along_the_line(clinic, places, most, now=now)
    return _read(_look(), (*line, sql.instant(now)))


def look_again(attempts: Sequence[uuid.UUID], *, now: dt.datetime) -> list[Letter]:
    """As `look`, of the Messages that these Attempts have put on the wire."""
    return _read(_look_again(), (sql.parameter([{"attempt": one} for one in attempts]), sql.instant(now)))


def _read(statement: str, parameters: sql.Parameters) -> list[Letter]:
    ((found,),) = sql.run(statement, parameters)
    return sorted(_LETTERS.decode(str(found)), key=lambda one: (one.looked.lane, one.looked.ready_at, one.message))


_LETTERS = msgspec.json.Decoder(list[Letter])


@cache
def _look() -> str:
    read = sql.select_json(_columns(), _source(_NEXT) + sql.locking("FOR UPDATE OF m SKIP LOCKED"))
    return f"WITH r AS MATERIALIZED ({queue.in_line()}) {read}"


@cache
def _look_again() -> str:
    read = sql.select_json(_columns(), _source(_BEGUN) + sql.locking("FOR UPDATE OF m"))
    (statement,) = sql.with_rows({"attempt": "uuid"}, read)
    return statement


def _source(messages: str) -> str:
    return _SOURCE.format(messages=messages, then="{then}").format(then=sql.then())


def _columns() -> str:
    looked = _LOOKED.format(
        due_at=instant_out("m.due_at"),
        ready_at=instant_out("m.ready_at"),
        late_at=instant_out("m.late_at"),
        began_at=instant_out("max(a.began_at)"),
    )
    return f"""
        m.id, {sql.nested(looked)}, m.open_attempt_id, m.if_unknown, m.resends, {bytes_out("m.text")},
        m.version_id, m.buttons, coalesce(p.name, ''), coalesce(nullif(p.language, ''), 'en'),
        coalesce(p.caregiver, '') <> '', c.name, m.follow_kind, m.telegram_message_id, {length_out("s.answer_within")},
        CASE WHEN s.avoid_weekends OR s.avoid_holidays OR s.avoid_closed_days THEN s.id END,
        coalesce(p.trouble, '') <> ''
    """


# What follows another Message belongs to the schedule of its wording, and is superseded also by what was sent since.
# The coalesce keeps SQLite from going along everything of the schedule that is due: the patient's own few are asked.
# Whether there is any mark is asked once a look: there is seldom one.
_LOOKED = """
    m.lane, {due_at}, {ready_at}, {late_at}, m.quiet_hours, m.tries,
    coalesce(nullif(p.timezone, ''), c.timezone), c.quiet_from, c.quiet_until, c.consent_required,
    m.answers_stop_or_start, m.by_hand, p.id IS NOT NULL, coalesce(p.consent, ''), p.consent_asked_at IS NOT NULL,
    p.left_at IS NOT NULL, coalesce(m.telegram_id, p.telegram_id), s.state, c.sending_paused_at IS NOT NULL,
    EXISTS (SELECT 1 FROM clinics_mark) AND EXISTS (
        SELECT 1 FROM clinics_mark k WHERE k.clinic_id = m.clinic_id
        AND k.subject_id IN (s.id, m.patient_id, s.cohort_id, m.clinic_id)
    ),
    EXISTS (
        SELECT 1 FROM schedules_message n
        WHERE n.schedule_id = s.id AND n.patient_id = m.patient_id AND n.occurrence > m.occurrence
        AND (n.status = 'pending' OR (n.status = 'sent' AND m.schedule_id IS NULL))
        AND coalesce(n.due_at, n.ready_at) <= %s
    ),
    (
        SELECT {began_at} FROM schedules_attempt a
        WHERE a.telegram_id = coalesce(m.telegram_id, p.telegram_id) AND a.clinic_id = m.clinic_id
    ),
    p.paused_until,
    CASE WHEN m.telegram_id IS NULL THEN false ELSE EXISTS (
        SELECT 1 FROM patients_patient w WHERE w.clinic_id = m.clinic_id AND w.telegram_id = m.telegram_id
        AND w.consent = 'withdrawn'
    ) AND NOT EXISTS (
        SELECT 1 FROM patients_patient w WHERE w.clinic_id = m.clinic_id AND w.telegram_id = m.telegram_id
        AND w.consent <> 'withdrawn'
    ) END
    """


_NEXT = """
{then} schedules_message m ON m.id = r.id AND m.status = 'pending' AND m.open_attempt_id IS NULL
"""
_BEGUN = """
{then} schedules_attempt b ON b.id = r.attempt
{then} schedules_message m ON m.id = b.message_id AND m.open_attempt_id = b.id AND m.status = 'pending'
"""
_SOURCE = """
FROM r {messages}
{then} clinics_clinic c ON c.id = m.clinic_id
LEFT JOIN patients_patient p ON p.id = m.patient_id
LEFT JOIN schedules_version v ON v.id = m.version_id
LEFT JOIN schedules_schedule s ON s.id = coalesce(m.schedule_id, v.schedule_id)
"""
