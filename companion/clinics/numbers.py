"""The numbers of messages to a bot, and since when they are known.

Telegram numbers all messages of a bot's private chats, sent and received, with one counter. The numbers of what we
sent stand with the Attempts. Both are evidence: delivery/traces.py concludes from them.
"""

import datetime as dt
import uuid
from typing import Final

from companion.clinics.models import Bot, HeardNumber

KEPT: Final = dt.timedelta(days=8)
"""The time for which numbers are kept: longer than anybody looks for a trace."""


def heard(bot: uuid.UUID, number: int, *, given_at: dt.datetime | None, now: dt.datetime) -> None:
    """Note the number of a message that came in. The first note of a number stays."""
    row = HeardNumber(bot_id=bot, number=number, given_at=given_at, heard_at=now)
    HeardNumber.objects.bulk_create([row], ignore_conflicts=True)


def begin_anew(*bots: uuid.UUID, now: dt.datetime) -> None:
    """Count the numbers as known from now on: what was before may lack some, or belong to another counter."""
    Bot.objects.filter(pk__in=bots).update(numbers_since=now)


def drop_old(*, now: dt.datetime) -> None:
    """Delete numbers that nobody needs any more."""
    HeardNumber.objects.filter(heard_at__lt=now - KEPT).delete()
