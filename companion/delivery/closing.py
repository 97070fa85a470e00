"""Close a bot for a while, so that no dispatcher sends through it, and open it again."""

import datetime as dt
import uuid
from typing import Final

import msgspec
from django.db.models import Q

from companion.clinics.models import Bot, Closed
from companion.telegram.outcomes import Kind, Outcome

ASK_AGAIN: Final = dt.timedelta(seconds=10)
"""The time for which a refused bot stays closed before Telegram is asked again (DESIGN.md: at least every 30 s)."""
FAILURES_TO_CLOSE: Final = 5
"""The number of failed requests in a row that closes the bot."""
LONGEST_CLOSED: Final = 15.0
"""The longest time, in seconds, for which failures close the bot."""
PROBE_LASTS: Final = dt.timedelta(seconds=10)
"""The time after which another dispatcher may probe a hanging bot, if the first probe has not ended."""
NEXT_PROBE: Final = dt.timedelta(seconds=1)
"""The time between a probe that got no answer and the next probe."""


class Closing(msgspec.Struct, frozen=True, gc=False):
    """The instant until which the bot sends nothing, and the reason."""

    until: dt.datetime
    why: Closed


def after_failures(in_a_row: int, now: dt.datetime) -> Closing | None:
    """Close the bot after some failures in a row, so that an outage costs few calls and recovery takes seconds."""
    if in_a_row < FAILURES_TO_CLOSE:
        return None
    seconds = min(2.0 ** min(in_a_row - FAILURES_TO_CLOSE, 10), LONGEST_CLOSED)
    return Closing(now + dt.timedelta(seconds=seconds), Closed.CIRCUIT)


def wait_of(outcome: Outcome, now: dt.datetime) -> Closing:
    """Close the bot for the time that Telegram asked for."""
    return Closing(now + dt.timedelta(seconds=outcome.retry_after or 1.0), Closed.RETRY_AFTER)


def refused(now: dt.datetime) -> Closing:
    """Close a bot whose token Telegram refuses, until Telegram is asked again."""
    return Closing(now + ASK_AGAIN, Closed.UNAUTHORIZED)


def after_call(outcome: Outcome, now: dt.datetime) -> Closing | None:
    """Close the bot if a call that sends nothing shows that the bot has to wait or is refused."""
    match outcome.kind:
        case Kind.TOO_MANY:
            return wait_of(outcome, now)
        case Kind.UNAUTHORIZED:
            return refused(now)
        case _:
            return None


def close(bot: uuid.UUID, closing: Closing) -> None:
    """Write a closing down for all dispatchers. It never ends a longer closing earlier."""
    longer = Q(closed_until__gt=closing.until)
    if closing.why == Closed.RETRY_AFTER:
        # Telegram has answered, so the bot hangs no more: the instant in its row is only the end of a probe's hold.
        longer &= ~Q(closed_why=Closed.HANGING)
    rows = Bot.objects.filter(pk=bot).exclude(longer)
    if closing.why != Closed.UNAUTHORIZED:
        rows = rows.exclude(closed_why=Closed.UNAUTHORIZED)
    rows.update(closed_until=closing.until, closed_why=closing.why)


def hanging(now: dt.datetime) -> Closing:
    """Close the bot until a probe is answered. The first probe may follow at once."""
    return Closing(now, Closed.HANGING)


def take_probe(bot: uuid.UUID, *, now: dt.datetime) -> Bot | None:
    """Take the next probe of a hanging bot for this dispatcher.

    Returns None if this dispatcher has the probe. Otherwise the bot no longer hangs, or another dispatcher probes it:
    returns the bot's present row.
    """
    free = Bot.objects.filter(pk=bot, closed_why=Closed.HANGING, closed_until__lte=now)
    if free.update(closed_until=now + PROBE_LASTS):
        return None
    return Bot.objects.filter(pk=bot).defer("token").first()


def probe_failed(bot: uuid.UUID, *, now: dt.datetime) -> None:
    """Let the next probe follow soon."""
    Bot.objects.filter(pk=bot, closed_why=Closed.HANGING).update(closed_until=now + NEXT_PROBE)


def reopen(bot: uuid.UUID, why: Closed, *, now: dt.datetime) -> None:
    """Open a bot that was closed for this reason and now answers again."""
    closed = Bot.objects.filter(pk=bot, closed_why=why)
    closed.update(closed_until=None, closed_why=Closed.NOT_CLOSED, last_answer_at=now)
