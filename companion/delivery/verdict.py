"""The verdict on a Message: it goes, it waits until an instant, or it ends for a reason. Pure.

Every decision on whether a Message goes is made here, and none in SQL. results.py has the table of Outcomes, and
lifecycle.py changes statuses.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from companion.delivery import traces
from companion.delivery.facts import Facts, Lapsed
from companion.delivery.traces import Doubtful
from companion.patients.models import Consent
from companion.patients.pausing import pause_end
from companion.schedules.models import Follow, IfUnknown, Lane, Quiet, State, Status
from companion.schedules.reasons import Reason
from companion.times.quiet import QuietHours, quiet_until
from companion.times.workdays import Calendar, WhenAvoided, kept_off, moved_to_working_day

MARKED_WAIT: Final = dt.timedelta(milliseconds=250)
"""The time after which a Message that waits for the Planner, because of a Mark, is judged again."""
QUESTION_WAIT: Final = dt.timedelta(seconds=15)
"""The time after which a Message that waits for the answer to the consent question is judged again."""
PAUSED_WAIT: Final = dt.timedelta(seconds=10)
"""The time after which a Message that waits because of a pause is judged again: a person may have ended the pause."""
STRANGER_GAP: Final = dt.timedelta(minutes=1)
"""The time between two answers to a chat that belongs to no patient."""

CalendarOf = Callable[[], Calendar]
"""A function that reads the clinic's days off. It is called only if a verdict depends on them."""


@dataclass(frozen=True, slots=True)
class Go:
    """Send the Message."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Send the Message no earlier than `until`. `restart`: its `late_after` counts from that instant."""

    until: dt.datetime
    restart: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """Never send the Message: it fails or is cancelled; the reason says which."""

    reason: Reason


Verdict = Go | Wait | End
_GO: Final = Go()


def verdicts(
    candidates: Sequence[Facts], now: dt.datetime, *, chat_gap: dt.timedelta, calendar: CalendarOf
) -> list[Verdict]:
    """Return the verdicts on the Messages of one round. Each chat gets at most one Message in a round."""
    judgements: list[Verdict] = []
    chats: set[int | None] = set()
    for facts in candidates:
        judged = verdict(facts, now, chat_gap=chat_gap, calendar=calendar)
        if isinstance(judged, Go) and facts.telegram_id in chats:
            judged = Wait(now + chat_gap)
        if isinstance(judged, Go):
            chats.add(facts.telegram_id)
        judgements.append(judged)
    return judgements


def verdict(facts: Facts, now: dt.datetime, *, chat_gap: dt.timedelta, calendar: CalendarOf) -> Verdict:
    """Return the verdict on a Message. `chat_gap` is the time between the begins of two messages to one chat."""
    if (reason := ending(facts, now)) is not None:
        return End(reason)
    return _wait(facts, now, chat_gap, calendar) or _GO


def ending(facts: Facts, now: dt.datetime) -> Reason | None:
    """Return the reason why this Message will never go; None if it still may.

    If several reasons hold, the reason that helps people most is returned.
    """
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
    """The next status of a Message whose request was sent, but whose answer never came."""

    status: Status
    reason: Reason | None
    """The reason, if it fails."""
    ready_at: dt.datetime | None
    """The instant at which it is sent again, once; None if it is not sent again."""


def after_unknown(doubted: Facts | Lapsed, attempt: Doubtful, lease: dt.timedelta, now: dt.datetime) -> AfterUnknown:
    """Decide about a Message of unknown outcome: it is resent once if its Schedule says so, and fails otherwise.

    Before it is resent, it waits while its trace is looked for, so that a Message that arrived is not sent again. It
    doesn't wait if it would be too late after the wait.
    """
    if doubted.if_unknown != IfUnknown.RESEND or doubted.resends:
        return AfterUnknown(Status.FAILED, Reason.OUTCOME_UNKNOWN, None)
    # A second replacement of buttons changes nothing, and leaves no trace that could be found.
    waits = doubted.follow_kind != Follow.SHOWN
    at = traces.resend_at(attempt, lease) if waits else now
    return AfterUnknown(Status.PENDING, None, at.astimezone(dt.UTC) if at < doubted.late_at else now)


def may_ask(facts: Facts, chat: int) -> bool:
    """Return whether Telegram may be asked about a trace of this Message in this chat.

    The patient sees nothing of the question. Still, nothing is asked about a chat that has opted out or is no longer
    the patient's chat.
    """
    forbidden = facts.patient_left or facts.sending_paused or _consent_wall(facts) is not None
    return not forbidden and facts.telegram_id == chat


def _too_late(facts: Facts) -> Reason:
    """Return the reason why a Message could not leave within its `late_after`."""
    if facts.resends:
        # Only the second sending is too late. The first may have arrived.
        return Reason.OUTCOME_UNKNOWN
    if facts.bot_refused:
        return Reason.BOT_UNAUTHORIZED
    if facts.tries:
        return Reason.GAVE_UP
    return Reason.NO_CONSENT if facts.consent_asked else Reason.TOO_LATE


def _consent_wall(facts: Facts) -> Reason | None:
    """Return the reason why consent forbids this Message; None if it doesn't."""
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
    """Return the wait of a Message that may still go; None if it goes now; End if quiet hours end on a skipped day."""
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
    """Return the wait for the end of quiet hours, on a day that the Schedule allows; None outside quiet hours."""
    end = quiet_until(now, facts.timezone, QuietHours(facts.quiet_from, facts.quiet_until))
    if end is None:
        return None
    if not facts.avoid or facts.by_hand:
        return Wait(end, restart=True)
    avoid = kept_off(facts.day, facts.avoid, calendar()) if facts.day else facts.avoid
    moved = moved_to_working_day(end, facts.timezone, avoid, WhenAvoided(facts.when_avoided), calendar())
    # End the Message if its Schedule skips such days, or moves to the day before, which has passed.
    return Wait(moved, restart=True) if moved and moved >= end else End(Reason.TOO_LATE)
