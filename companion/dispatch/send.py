"""Send one Message: wait for its slot, write the request, read the answer, return the result. Only time-outs are
decided here.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

import msgspec
import structlog
from prometheus_client import Counter, Histogram

from companion.delivery.begin import Begun
from companion.delivery.results import Result, never_left, result_of
from companion.dispatch import pace
from companion.dispatch.answer_times import AnswerTimes
from companion.dispatch.clock_watch import wrong_clock
from companion.dispatch.state import DispatcherState
from companion.schedules.models import Lane
from companion.service import metrics
from companion.telegram.client import HELD_BACK, BotToken
from companion.telegram.outcomes import Kind, Outcome

REQUEST_SECONDS: Final = 25.0
"""The longest time that a request may take; it is shorter if less of the lease is left."""
_SHORTEST_REQUEST: Final = 0.5
NewSlot = Callable[[Begun], Awaitable[dt.datetime]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class BotState:
    """The state of a bot in this process."""

    token: BotToken
    failures: int = 0
    """The number of requests that failed in a row."""
    answers: AnswerTimes = field(default_factory=AnswerTimes)
    last_date: dt.datetime | None = None
    """The Date of the last answer."""


async def send(dispatcher: DispatcherState, bot: BotState, begun: Begun, lease_end: float, new_slot: NewSlot) -> Result:
    """Send a begun Attempt at its slot, and return its result. If it missed its slot, `new_slot` gives another."""
    slot = begun.slot
    while True:
        while (ahead := (slot - dispatcher.clock.now()).total_seconds()) > 0:  # noqa: ASYNC110  (a slot is an instant, no event)
            # Loop, because a timer may fire a little too early, and no message may leave early.
            await asyncio.sleep(ahead)
        left = lease_end - dispatcher.lease_margin - time.monotonic()
        if left < _SHORTEST_REQUEST:
            return never_left(begun, now=dispatcher.clock.now(), note="its lease was almost over")
        bot.answers.request_written(begun.attempt, time.monotonic())
        outcome = await _request(dispatcher, bot, begun, min(left, REQUEST_SECONDS), late_already=-ahead)
        answered = outcome.kind not in (Kind.TRANSIENT, Kind.UNKNOWN)
        news = bot.answers.ended(begun.attempt, time.monotonic(), answered=answered)
        if outcome.note != HELD_BACK:
            break
        slot = await new_slot(begun)
    now = dispatcher.clock.now()
    result = result_of(begun, outcome, now=now, lease=dispatcher.lease, failures=bot.failures, dice=dispatcher.dice)
    if outcome.kind is Kind.UNKNOWN and not news:
        # This request hung with others, before the bot was found to answer again. Don't close the bot for it.
        result = msgspec.structs.replace(result, closing=None)
    bot.failures = bot.failures + 1 if outcome.kind in (Kind.TRANSIENT, Kind.UNKNOWN) else 0
    _count(begun, outcome, now)
    if outcome.server_date != bot.last_date:
        # A Date has whole seconds only, so compare it once a second.
        bot.last_date = outcome.server_date
        dispatcher.clock_suspect = dispatcher.clock_suspect or bool(wrong_clock(dispatcher, outcome.server_date))
    return result


def _request(
    dispatcher: DispatcherState, bot: BotState, begun: Begun, seconds: float, late_already: float
) -> Awaitable[Outcome]:
    # Count from the slot and not from now: the time that the event loop has lost is lateness, too.
    leave_by = time.monotonic() - late_already + pace.LATENESS if dispatcher.paced else None
    if (edits := begun.facts.edits) is not None:
        return dispatcher.client.replace_buttons(
            bot.token, begun.chat, edits, begun.buttons or [], timeout=seconds, leave_by=leave_by
        )
    return dispatcher.client.send_message(
        bot.token,
        begun.chat,
        begun.text,
        timeout=seconds,
        reply_markup={"inline_keyboard": begun.buttons} if begun.buttons else None,
        leave_by=leave_by,
    )


def count_from_zero() -> None:
    """Make all series of the metrics at the start: otherwise the rate of a series would miss the first event."""
    for kind in Kind:
        _attempts(kind)
    for lane in Lane:
        _sent_in(lane)


def _count(begun: Begun, outcome: Outcome, now: dt.datetime) -> None:
    """Count the Attempt in the metrics, and log an Attempt that did not end as sent."""
    _attempts(outcome.kind).inc()
    if outcome.kind is Kind.SENT:
        sent, lag = _sent_in(begun.facts.lane)
        sent.inc()
        lag.observe(max((now - begun.facts.due_at).total_seconds(), 0))
        return
    log.warning(
        "an attempt did not end as sent",
        message_id=str(begun.message),
        outcome=outcome.kind.value,
        reason=outcome.reason,
        error_code=outcome.error_code,
        note=outcome.note,
    )


# Keep the metrics: to find a metric by its label costs more than to count.
@cache
def _attempts(kind: Kind) -> Counter:
    return metrics.ATTEMPTS.labels(outcome=kind.value)


class _SentIn(NamedTuple):
    """The metrics of a lane's sent Messages: their number, and their lag."""

    sent: Counter
    lag: Histogram


@cache
def _sent_in(lane: int) -> _SentIn:
    name = Lane(lane).name.lower()
    return _SentIn(metrics.MESSAGES_SENT.labels(lane=name), metrics.DELIVERY_LAG.labels(lane=name))
