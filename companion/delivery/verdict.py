"""The verdict on a Message: it goes, it waits until an instant, or it ends for a reason. Pure.

Every decision on whether a Message goes stands here, and none in SQL. results.py has the table of Outcomes, and
lifecycle.py writes changes of status.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from companion.delivery import traces
from companion.delivery.facts import Facts, Lapsed
from companion.delivery.traces import Doubtful
from companion.patients.models import Consent
from companion.patients.pausing import pause_end
from companion.schedules.models import Follow, IfUnknown, Lane, Quiet, State, Status
from companion.schedules.reasons import Reason
from companion.times.quiet import QuietHours, quiet_until
from companion.times.workdays import Calendar, WhenAvoided, kept_off, moved_to_working_day

MARKED_WAIT = dt.timedelta(milliseconds=250)
"""The time for which a Message with a Mark waits for the Planner before it is judged again."""
QUESTION_WAIT = dt.timedelta(seconds=15)
"""The time for which a Message waits for the answer to the consent question before it is judged again."""
PAUSED_WAIT = dt.timedelta(seconds=10)
"""The time for which a Message waits during a pause before it is judged again, since a person may end the pause."""
STRANGER_GAP = dt.timedelta(minutes=1)
"""The time between two answers to a chat that belongs to no patient."""

CalendarOf = Callable[[], Calendar]
"""Reads the clinic's days off; called only where a verdict depends on them."""


@dataclass(frozen=True, slots=True)
class Go:
    """Send the Message."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Send the Message no earlier than `until`. `restart`: its time until it is too late counts from there."""

    until: dt.datetime
    restart: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """Never send the Message: it fails, or is cancelled, as the reason says."""

    reason: Reason


Verdict = Go | Wait | End
_GO = Go()


def verdicts(
    candidates: Sequence[Facts], now: dt.datetime, *, chat_gap: dt.timedelta, calendar: CalendarOf
) -> list[Verdict]:
    """The verdicts on the Messages of one round, in which each chat gets at most one Message."""
    found: list[Verdict] = []
    chats: set[int | None] = set()
    for facts in candidates:
        judged = verdict(facts, now, chat_gap=chat_gap, calendar=calendar)
        if isinstance(judged, Go) and facts.telegram_id in chats:
            judged = Wait(now + chat_gap)
        if isinstance(judged, Go):
            chats.add(facts.telegram_id)
        found.append(judged)
    return found


def verdict(facts: Facts, now: dt.datetime, *, chat_gap: dt.timedelta, calendar: CalendarOf) -> Verdict:
    """The verdict on one Message. `chat_gap`: the time between the begins of two messages to one chat."""
    if (reason := ending(facts, now)) is not None:
        return End(reason)
    return _wait(facts, now, chat_gap, calendar) or _GO


def ending(facts: Facts, now: dt.datetime) -> Reason | None:
    """The reason why this Message will never go; None: it still may. The reason that helps people most comes first."""
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


@dataclass(frozen=True, slots=True)
class AfterUnknown:
    """The next status of a Message whose request left and whose answer never came."""

    status: Status
    reason: Reason | None
    """The reason, if it fails."""
    ready_at: dt.datetime | None
    """The instant at which it is sent again, once; None: by no means."""


def after_unknown(doubted: Facts | Lapsed, attempt: Doubtful, lease: dt.timedelta, now: dt.datetime) -> AfterUnknown:
    """Decides about a Message of unknown outcome: it is resent once if its Schedule wants that, and else fails.

    It waits for its trace, so that a Message that arrived is not sent again; but not where it would be too late then.
    """
    if doubted.if_unknown != IfUnknown.RESEND or doubted.resends:
        return AfterUnknown(Status.FAILED, Reason.OUTCOME_UNKNOWN, None)
    # To replace buttons twice changes nothing, and takes no number.
    waits = doubted.follow_kind != Follow.SHOWN
    at = traces.resend_at(attempt, lease) if waits else now
    return AfterUnknown(Status.PENDING, None, at.astimezone(dt.UTC) if at < doubted.late_at else now)


def may_ask(facts: Facts, chat: int) -> bool:
    """Return whether Telegram may be asked for a trace of this Message in this chat.

    The patient sees nothing of it. Yet nothing leaves for a chat that has opted out or is no longer the patient's.
    """
    gone = facts.patient_left or facts.sending_paused or _consent_wall(facts) is not None
    return not gone and facts.telegram_id == chat


def _too_late(facts: Facts) -> Reason:
    """The reason why a Message could not leave within its `late_after`."""
    if facts.resends:
        # What is too late is only its second sending: the first may have arrived.
        return Reason.OUTCOME_UNKNOWN
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
    """The wait of a Message that may still go; None: none. End where quiet hours end on a day that is left out."""
    if facts.ready_at > now:
        return Wait(facts.ready_at)
    if facts.marked:
        return Wait(now + MARKED_WAIT)
    if facts.sending_paused or (facts.schedule_state == State.PAUSED and not facts.by_hand):
        return Wait(now + PAUSED_WAIT)
    is_answer = facts.lane == Lane.ANSWER
    if facts.paused_until and not is_answer and (end := pause_end(facts.paused_until, facts.timezone)) > now:
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
    """The wait for the end of quiet hours, on a day that the Schedule does not avoid; None outside quiet hours."""
    end = quiet_until(now, facts.timezone, QuietHours(facts.quiet_from, facts.quiet_until))
    if end is None:
        return None
    if not facts.avoid or facts.by_hand:
        return Wait(end, restart=True)
    avoid = kept_off(facts.day, facts.avoid, calendar()) if facts.day else facts.avoid
    moved = moved_to_working_day(end, facts.timezone, avoid, WhenAvoided(facts.when_avoided), calendar())
    # A Schedule that skips such days leaves the Message out. One that moves to the day before is too late for that.
    return Wait(moved, restart=True) if moved and moved >= end else End(Reason.TOO_LATE)
