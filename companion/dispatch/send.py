"""One Message on the wire: wait for its slot, write, read, say what came of it. It decides only its time-outs."""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache

import structlog
from prometheus_client import Counter, Histogram

from companion.dispatch import pace
from companion.dispatch.begin import Begun
from companion.dispatch.clock_watch import suspicious
from companion.dispatch.conclude import Conclusion, conclude, never_left
from companion.dispatch.house import House
from companion.schedules.models import Lane
from companion.service import metrics
from companion.telegram.client import HELD_BACK, BotToken
from companion.telegram.outcomes import Kind, Outcome

REQUEST_SECONDS = 25.0
"""The most that one request may take; less where less of the lease is left."""
_SHORTEST_REQUEST = 0.5
NewSlot = Callable[[Begun], Awaitable[dt.datetime]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Line:
    """A bot as sending sees it."""

    token: BotToken
    failures: int = 0
    """Requests that failed one after the other."""
    date: dt.datetime | None = None
    """The last answer's."""


async def deliver(house: House, line: Line, begun: Begun, lease_end: float, new_slot: NewSlot) -> Conclusion:
    """Sends a begun Attempt at its slot and returns what came of it. A missed slot is exchanged for a new one."""
    slot = begun.slot
    while True:
        while (ahead := (slot - house.clock.now()).total_seconds()) > 0:  # noqa: ASYNC110  (time itself is waited for)
            # A timer may fire a hair early; never early is a promise, so what is left is waited for again.
            await asyncio.sleep(ahead)
        left = lease_end - house.lease_margin - time.monotonic()
        if left < _SHORTEST_REQUEST:
            return never_left(begun, now=house.clock.now(), note="its lease was almost over")
        outcome = await _request(house, line, begun, min(left, REQUEST_SECONDS), late_already=-ahead)
        if outcome.note != HELD_BACK:
            break
        slot = await new_slot(begun)
    now = house.clock.now()
    conclusion = conclude(begun, outcome, now=now, failures=line.failures, dice=house.dice)
    line.failures = line.failures + 1 if outcome.kind in (Kind.TRANSIENT, Kind.UNKNOWN) else 0
    _tell(begun, outcome, now)
    if outcome.server_date != line.date:
        # A Date counts seconds: whatever else came within this one says the same.
        line.date = outcome.server_date
        house.clock_suspect = house.clock_suspect or suspicious(house, outcome.server_date) is not None
    return conclusion


def _request(house: House, line: Line, begun: Begun, seconds: float, late_already: float) -> Awaitable[Outcome]:
    paced = house.limits.per_second <= pace.UNPACED
    # From the slot on, not from now: what the event loop has lost already counts as lateness.
    leave_by = time.monotonic() - late_already + pace.LATENESS if paced else None
    if (edits := begun.facts.edits) is not None:
        return house.client.replace_buttons(
            line.token, begun.chat, edits, begun.buttons or [], timeout=seconds, leave_by=leave_by
        )
    return house.client.send_message(
        line.token,
        begun.chat,
        begun.text,
        timeout=seconds,
        reply_markup={"inline_keyboard": begun.buttons} if begun.buttons else None,
        leave_by=leave_by,
    )


def _tell(begun: Begun, outcome: Outcome, now: dt.datetime) -> None:
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


# Finding a metric's child by its label costs more than counting.
@cache
def _attempts(kind: Kind) -> Counter:
    return metrics.ATTEMPTS.labels(outcome=kind.value)


@cache
def _sent_in(lane: int) -> tuple[Counter, Histogram]:
    name = Lane(lane).name.lower()
    return metrics.MESSAGES_SENT.labels(lane=name), metrics.DELIVERY_LAG.labels(lane=name)
