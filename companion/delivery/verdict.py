"""The verdict on a Message: it goes, it waits until an instant, or it ends for a reason. Pure: facts and `now` come in.

Every decision of the engine stands here, and nowhere in SQL. Not here: what became of what was sent (conclude.py, in
dispatch/), and how results are written down (lifecycle.py).
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from companion.delivery.facts import Facts
from companion.patients.models import Consent
from companion.patients.pausing import pause_end
from companion.schedules.models import IfUnknown, Lane, Quiet, State, Status
from companion.schedules.reasons import Reason
from companion.times import walls
from companion.times.quiet import QuietHours, quiet_until
from companion.times.workdays import Avoid, Calendar, WhenAvoided, kept_off, working_day

MARKED_WAIT = dt.timedelta(milliseconds=250)
"""How long a Message waits for the Planner to work off a Mark on it before it is looked at again."""
QUESTION_WAIT = dt.timedelta(seconds=15)
"""How long a Message waits for the answer to the consent question before it is looked at again."""
PAUSED_WAIT = dt.timedelta(seconds=10)
STRANGER_GAP = dt.timedelta(minutes=1)
"""Between two answers to a chat that nobody knows."""

CalendarOf = Callable[[], Calendar]
"""Reads the clinic's days off; called only where they matter."""


@dataclass(frozen=True, slots=True)
class Go:
    """Send it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until`. After quiet hours lateness counts anew: `late_at` moves along where `restart` says so."""

    until: dt.datetime
    restart: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """It will never go: failed, or for `patient_left` and `schedule_ended` cancelled."""

    reason: Reason


Verdict = Go | Wait | End
_GO = Go()


def verdicts(
    candidates: Sequence[Facts], now: dt.datetime, *, chat_gap: dt.timedelta, calendar: CalendarOf
) -> list[Verdict]:
    """The verdicts on the Messages of one round, of which each chat gets one at most."""
    found: list[Verdict] = []
    chats: set[int | None] = set()
    for one in candidates:
        judged = verdict(one, now, chat_gap=chat_gap, calendar=calendar)
        if isinstance(judged, Go) and one.telegram_id in chats:
            judged = Wait(now + chat_gap)
        if isinstance(judged, Go):
            chats.add(one.telegram_id)
        found.append(judged)
    return found


def verdict(facts: Facts, now: dt.datetime, *, chat_gap: dt.timedelta, calendar: CalendarOf) -> Verdict:
    """Whether this Message goes now.

    `chat_gap`: the time between the begins of two messages to one chat.
    """
    if (reason := ending(facts, now)) is not None:
        return End(reason)
    return _wait(facts, now, chat_gap, calendar) or _GO


def ending(facts: Facts, now: dt.datetime) -> Reason | None:
    """Why this Message will never go; None: it still may. The reasons come in the order that helps people most."""
    if facts.patient_left:
        return Reason.PATIENT_LEFT
    if facts.schedule_state == State.CANCELLED and not facts.by_hand:
        return Reason.SCHEDULE_ENDED
    if (wall := _consent_wall(facts)) is not None:
        return wall
    if facts.telegram_id is None:
        return Reason.NO_TELEGRAM_ID
    if now >= facts.late_at:
        return _too_late(facts)
    if facts.newer_is_due and not facts.by_hand:
        return Reason.SUPERSEDED
    return None


def after_unknown(if_unknown: str, resends: int) -> tuple[Status, Reason | None]:
    """The status of a Message whose request left and whose answer never came, with the reason of a failed one."""
    if if_unknown == IfUnknown.RESEND and resends == 0:
        return Status.PENDING, None
    return Status.FAILED, Reason.OUTCOME_UNKNOWN


def _too_late(facts: Facts) -> Reason:
    """Why a Message could not leave within its `late_after`."""
    if facts.bot_refused:
        return Reason.BOT_UNAUTHORIZED
    if facts.tries:
        return Reason.GAVE_UP
    return Reason.NO_CONSENT if facts.consent_asked else Reason.TOO_LATE


def _consent_wall(facts: Facts) -> Reason | None:
    if facts.answers_stop_or_start:
        return None
    if facts.chat_opted_out or facts.consent == Consent.WITHDRAWN:
        return Reason.OPTED_OUT
    if not facts.has_patient:
        return None
    is_answer = facts.lane == Lane.ANSWER
    if facts.consent_required and facts.consent != Consent.GIVEN and not facts.consent_asked and not is_answer:
        return Reason.NO_CONSENT
    return None


def _wait(facts: Facts, now: dt.datetime, chat_gap: dt.timedelta, calendar: CalendarOf) -> Wait | End | None:
    """How long the Message waits; None: not at all. End where the end of quiet hours lies on a day that is left out."""
    if facts.ready_at > now:
        return Wait(facts.ready_at)
    if facts.marked:
        return Wait(now + MARKED_WAIT)
    if facts.sending_paused or (facts.schedule_state == State.PAUSED and not facts.by_hand):
        return Wait(now + PAUSED_WAIT)
    is_answer = facts.lane == Lane.ANSWER
    if facts.paused_until and not is_answer and (end := pause_end(facts.paused_until, facts.timezone)) > now:
        # Looked at again and again, since a person may end the pause before.
        return Wait(min(end, now + PAUSED_WAIT))
    if facts.consent_asked and facts.consent == Consent.UNKNOWN and not is_answer:
        return Wait(now + QUESTION_WAIT)
    if facts.quiet_hours == Quiet.WAIT and (quiet := _after_quiet_hours(facts, now, calendar)):
        return quiet
    if facts.chat_last_at:
        free_at = facts.chat_last_at + (STRANGER_GAP if facts.lane == Lane.STRANGER else chat_gap)
        return Wait(free_at) if free_at > now else None
    return None


def _after_quiet_hours(facts: Facts, now: dt.datetime, calendar: CalendarOf) -> Wait | End | None:
    """The wait for the end of quiet hours, on a day that the Schedule does not avoid; None outside of quiet hours."""
    end = quiet_until(now, facts.timezone, QuietHours(facts.quiet_from, facts.quiet_until))
    if end is None:
        return None
    if facts.avoid and not facts.by_hand:
        avoid = kept_off(facts.day, facts.avoid, calendar()) if facts.day else facts.avoid
        end = on_a_working_day(end, facts.timezone, avoid, WhenAvoided(facts.when_avoided), calendar())
    return Wait(end, restart=True) if end else End(Reason.TOO_LATE)


def on_a_working_day(
    end: dt.datetime, zone: str, avoid: Avoid, when: WhenAvoided, calendar: Calendar
) -> dt.datetime | None:
    """The end of quiet hours that delay a Message; where that day is avoided, its wall time on the next working day.

    None where the Message is left out: its Schedule skips such days, or moves to the day before, which is over.
    """
    wall = walls.local(end, zone).replace(tzinfo=None, fold=0)
    day = working_day(wall.date(), avoid, when, calendar)
    if day is None or day < wall.date():
        return None
    return end if day == wall.date() else walls.place(dt.datetime.combine(day, wall.time()), zone).at
