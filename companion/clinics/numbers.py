"""The numbers of messages that a bot received, and since when we know all of them.

Telegram numbers all messages of a bot's private chats, sent and received, with one counter. The numbers of messages
that we sent are stored with the Attempts. delivery/traces.py uses both to find out whether a message arrived.
"""

import datetime as dt
import uuid
from typing import Final

from companion.clinics.models import Bot, HeardNumber

KEPT: Final = dt.timedelta(days=8)
"""The time for which numbers are kept: longer than the dispatcher looks for a message of unknown outcome."""


def heard(bot: uuid.UUID, number: int, *, given_at: dt.datetime | None, now: dt.datetime) -> None:
    """Store the number of a message that came in, unless the number is stored already."""
    row = HeardNumber(bot_id=bot, number=number, given_at=given_at, heard_at=now)
    HeardNumber.objects.bulk_create([row], ignore_conflicts=True)


def begin_anew(*bots: uuid.UUID, now: dt.datetime) -> None:
    """Count the numbers as known from now on. Earlier numbers may be incomplete, or belong to another counter."""
    Bot.objects.filter(pk__in=bots).update(numbers_since=now)


def drop_old(*, now: dt.datetime) -> None:
    """Delete numbers that are no longer needed."""
    HeardNumber.objects.filter(heard_at__lt=now - KEPT).delete()
