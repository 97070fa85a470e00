"""The last look at a Message before its Attempt begins: may it go, now? Pure: rows and `now` in, a verdict out."""

import datetime as dt
from dataclasses import dataclass

import msgspec

from companion.patients.models import Consent
from companion.patients.pausing import pause_end
from companion.schedules.models import Lane, Quiet, State
from companion.schedules.reasons import Reason
from companion.schedules.sql import Flag
from companion.times.quiet import QuietHours, quiet_until

MARKED_WAIT = dt.timedelta(milliseconds=250)
"""How long a Message waits for the Planner to work off a Mark on it before it is looked at again."""
QUESTION_WAIT = dt.timedelta(seconds=15)
"""How long a Message waits for the answer to the consent question before it is looked at again."""
PAUSED_WAIT = dt.timedelta(seconds=10)
STRANGER_GAP = dt.timedelta(minutes=1)
"""Between two answers to a chat that nobody knows."""


class Looked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What decides about a Message that is next in line, read under lock in the transaction that begins it.

    The order of the fields is that of the columns in letters.py.
    """

    lane: int
    due_at: dt.datetime
    ready_at: dt.datetime
    late_at: dt.datetime
    quiet_hours: str
    tries: int
    timezone: str
    quiet_from: dt.time
    quiet_until: dt.time
    consent_required: Flag
    answers_stop_or_start: Flag
    by_hand: Flag
    has_patient: Flag
    consent: str
    consent_asked: Flag
    patient_left: Flag
    telegram_id: int | None
    schedule_state: str | None
    sending_paused: Flag
    marked: Flag
    newer_is_due: Flag
    chat_last_at: dt.datetime | None
    """When the last Attempt to this chat was begun."""
    paused_until: dt.date | None = None
    """The day with which the patient's pause ends."""
    chat_opted_out: Flag = False
    """It goes to a chat by its own number, and all who are reached there have opted out."""


@dataclass(frozen=True, slots=True)
class Go:
    """Send it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until`. Quiet hours count anew from their end: `late_at` moves with it where `restart` says so."""

    until: dt.datetime
    restart: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """It will never go: failed, or for `patient_left` and `schedule_ended` cancelled."""

    reason: Reason


Verdict = Go | Wait | End
_GO = Go()


def last_look(row: Looked, now: dt.datetime, *, chat_gap: dt.timedelta) -> Verdict:
    """Whether this Message goes now. The order is the order in which people would want to hear the reasons.

    `chat_gap`: the time between the begins of two messages to one chat.
    """
    if row.patient_left:
        return End(Reason.PATIENT_LEFT)
    if row.schedule_state == State.CANCELLED and not row.by_hand:
        return End(Reason.SCHEDULE_ENDED)
    if (wall := _consent_wall(row)) is not None:
        return End(wall)
    if row.telegram_id is None:
        return End(Reason.NO_TELEGRAM_ID)
    if now >= row.late_at:
        return End(late_reason(tries=row.tries, question_open=bool(row.consent_asked), bot_refused=False))
    if row.newer_is_due and not row.by_hand:
        return End(Reason.SUPERSEDED)
    return _wait(row, now, chat_gap) or _GO


def late_reason(*, tries: int, question_open: bool, bot_refused: bool) -> Reason:
    """Why a Message that could not leave within its `late_after` failed."""
    if bot_refused:
        return Reason.BOT_UNAUTHORIZED
    if tries:
        return Reason.GAVE_UP
    return Reason.NO_CONSENT if question_open else Reason.TOO_LATE


def _consent_wall(row: Looked) -> Reason | None:
    if row.answers_stop_or_start:
        return None
    if row.chat_opted_out or row.consent == Consent.WITHDRAWN:
        return Reason.OPTED_OUT
    if not row.has_patient:
        return None
    is_answer = row.lane == Lane.ANSWER
    if row.consent_required and row.consent != Consent.GIVEN and not row.consent_asked and not is_answer:
        return Reason.NO_CONSENT
    return None


def _wait(row: Looked, now: dt.datetime, chat_gap: dt.timedelta) -> Wait | None:
    if row.ready_at > now:
        return Wait(row.ready_at)
    if row.marked:
        return Wait(now + MARKED_WAIT)
    if row.sending_paused or (row.schedule_state == State.PAUSED and not row.by_hand):
        return Wait(now + PAUSED_WAIT)
    if row.paused_until and row.lane != Lane.ANSWER and (end := pause_end(row.paused_until, row.timezone)) > now:
        # Looked at again and again, since a person may end the pause before.
        return Wait(min(end, now + PAUSED_WAIT))
    if row.consent_asked and row.consent == Consent.UNKNOWN and row.lane != Lane.ANSWER:
        return Wait(now + QUESTION_WAIT)
    if row.quiet_hours == Quiet.WAIT:
        quiet = QuietHours(row.quiet_from, row.quiet_until)
        if quiet_end := quiet_until(now, row.timezone, quiet):
            return Wait(quiet_end, restart=True)
    if row.chat_last_at:
        free_at = row.chat_last_at + (STRANGER_GAP if row.lane == Lane.STRANGER else chat_gap)
        return Wait(free_at) if free_at > now else None
    return None
