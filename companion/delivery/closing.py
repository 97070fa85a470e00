"""The closing of a bot, which keeps all dispatchers from sending through it for a while."""

import datetime as dt
import uuid

import msgspec

from companion.clinics.models import Bot, Closed

ASK_AGAIN = dt.timedelta(seconds=10)
"""How long a refused bot stays closed before Telegram is asked again (DESIGN.md: at least every 30 s)."""
FAILURES_TO_CLOSE = 5
"""How many requests must fail in a row to close the bot."""
LONGEST_CLOSED = 15.0


class Closing(msgspec.Struct, frozen=True, gc=False):
    """Until when the bot sends nothing, and why."""

    until: dt.datetime
    why: Closed


def after_failures(in_a_row: int, now: dt.datetime) -> Closing | None:
    """Closes the bot after some failures in a row: an outage costs few calls, and recovery takes seconds."""
    if in_a_row < FAILURES_TO_CLOSE:
        return None
    seconds = min(2.0 ** min(in_a_row - FAILURES_TO_CLOSE, 10), LONGEST_CLOSED)
    return Closing(now + dt.timedelta(seconds=seconds), Closed.CIRCUIT)


def close(bot: uuid.UUID, closing: Closing) -> None:
    """Closes a bot for all dispatchers. A wait that Telegram asked for is never cut short."""
    rows = Bot.objects.filter(pk=bot).exclude(closed_until__gt=closing.until)
    if closing.why != Closed.UNAUTHORIZED:
        rows = rows.exclude(closed_why=Closed.UNAUTHORIZED)
    rows.update(closed_until=closing.until, closed_why=closing.why)


def reopen(bot: uuid.UUID, *, now: dt.datetime) -> None:
    """Opens a bot whose token Telegram has accepted again."""
    Bot.objects.filter(pk=bot).update(closed_until=None, closed_why=Closed.NOT_CLOSED, last_answer_at=now)
