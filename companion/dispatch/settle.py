"""Writing conclusions down: Attempts closed, Messages ended, patients and bots marked. Inside a ledger transaction."""

import datetime as dt
import uuid
from collections.abc import Sequence

from companion.clinics.models import Bot, Closed
from companion.delivery import lifecycle, store
from companion.delivery.store import Marked
from companion.dispatch.conclude import Closing, Conclusion


def settle(conclusions: Sequence[Conclusion]) -> None:
    """Writes down what came of these Attempts, and closes the bots that may not go on."""
    lifecycle.record([one.record for one in conclusions])
    store.mark_patients(
        [Marked(one.record.message, one.trouble, one.record.at) for one in conclusions if one.trouble is not None]
    )
    for one in conclusions:
        if one.closing is not None:
            close(one.bot, one.closing)


def close(bot: uuid.UUID, closing: Closing) -> None:
    """Closes a bot for all dispatchers. A wait that Telegram asked for is never cut short by another one."""
    rows = Bot.objects.filter(pk=bot).exclude(closed_until__gt=closing.until)
    if closing.why != Closed.UNAUTHORIZED:
        rows = rows.exclude(closed_why=Closed.UNAUTHORIZED)
    rows.update(closed_until=closing.until, closed_why=closing.why)


def reopen(bot: uuid.UUID, *, now: dt.datetime) -> None:
    """The bot was asked and answered: it may send again."""
    Bot.objects.filter(pk=bot).update(closed_until=None, closed_why=Closed.NOT_CLOSED, last_answer_at=now)
