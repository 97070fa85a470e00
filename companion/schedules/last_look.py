"""The last look at a Message before its Attempt begins: may it go, now? Pure: rows and `now` in, a verdict out."""

import datetime as dt
import uuid
from dataclasses import dataclass

from companion.patients.models import Consent
from companion.schedules.models import Lane, Quiet, State
from companion.schedules.reasons import Reason
from companion.times.quiet import QuietHours, quiet_until

MARKED_WAIT = dt.timedelta(milliseconds=250)
"""How long a Message waits for the Planner to work off a Mark on it before it is looked at again."""
QUESTION_WAIT = dt.timedelta(seconds=15)
"""How long a Message waits for the answer to the consent question before it is looked at again."""
PAUSED_WAIT = dt.timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Looked:
    """A claimed Message with all that decides about it, read under lock in the transaction that begins it."""

    message: uuid.UUID
    lane: int
    due_at: dt.datetime
    ready_at: dt.datetime
    late_at: dt.datetime
    quiet_hours: str
    tries: int
    timezone: str
    quiet: QuietHours
    consent_required: bool
    answers_stop_or_start: bool
    by_hand: bool
    has_patient: bool
    consent: str
    consent_asked: bool
    patient_left: bool
    telegram_id: int | None
    schedule_state: str | None
    sending_paused: bool
    marked: bool
    newer_is_due: bool
    chat_free_at: dt.datetime | None
    paused_until: dt.datetime | None = None
    """The instant at which the patient's pause ends."""
    chat_opted_out: bool = False
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


def last_look(row: Looked, now: dt.datetime) -> Verdict:
    """Whether this Message goes now. The order is the order in which people would want to hear the reasons."""
    if row.patient_left:
        return End(Reason.PATIENT_LEFT)
    if row.schedule_state == State.CANCELLED and not row.by_hand:
        return End(Reason.SCHEDULE_ENDED)
    if (wall := _consent_wall(row)) is not None:
        return End(wall)
    if row.telegram_id is None:
        return End(Reason.NO_TELEGRAM_ID)
    if now >= row.late_at:
        return End(late_reason(tries=row.tries, question_open=row.consent_asked, bot_refused=False))
    if row.newer_is_due and not row.by_hand:
        return End(Reason.SUPERSEDED)
    return _wait(row, now) or Go()


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


def _wait(row: Looked, now: dt.datetime) -> Wait | None:
    if row.ready_at > now:
        return Wait(row.ready_at)
    if row.marked:
        return Wait(now + MARKED_WAIT)
    if row.sending_paused or (row.schedule_state == State.PAUSED and not row.by_hand):
        return Wait(now + PAUSED_WAIT)
    if row.paused_until and row.paused_until > now and row.lane != Lane.ANSWER:
        # Looked at again and again, since a person may end the pause before.
        return Wait(min(row.paused_until, now + PAUSED_WAIT))
    if row.consent_asked and row.consent == Consent.UNKNOWN and row.lane != Lane.ANSWER:
        return Wait(now + QUESTION_WAIT)
    if row.quiet_hours == Quiet.WAIT and (quiet_end := quiet_until(now, row.timezone, row.quiet)):
        return Wait(quiet_end, restart=True)
    if row.chat_free_at and row.chat_free_at > now:
        return Wait(row.chat_free_at)
    return None
