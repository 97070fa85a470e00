"""Note on the Bot's row that another program reads the bot's updates, so that every process can report it.

Telegram answers getUpdates with 409 in that case. Updates that the other program gets never come here; a STOP among
them is lost. Two pollers get updates by turns, so one successful poll proves little: the note stays until no poll was
refused for a while.
"""

import datetime as dt
import uuid
from typing import Final

from django.db.models import F
from django.db.models.functions import Coalesce

from companion.clinics.models import Bot, OtherReader
from companion.telegram.outcomes import Outcome

CALM: Final = dt.timedelta(seconds=60)
"""The time without a 409 after which the note is removed: longer than a poller waits after a 409."""
CONFLICT: Final = 409
_WEBHOOK: Final = "webhook"


def reader_of(outcome: Outcome) -> OtherReader | None:
    """Return the other reader that made getUpdates fail; None if it failed for another reason."""
    if outcome.error_code != CONFLICT:
        return None
    return OtherReader.WEBHOOK if _WEBHOOK in outcome.description.lower() else OtherReader.PROGRAM


def met(bot_id: uuid.UUID, reader: OtherReader, *, now: dt.datetime) -> None:
    """Note that a poll was refused because of this reader."""
    since = Coalesce(F("other_reader_since"), now)
    Bot.objects.filter(pk=bot_id).update(
        # The other reader may send, too, so nobody knows which messages the earlier numbers belong to.
        numbers_since=now,
        other_reader=reader,
        other_reader_since=since,
        other_reader_at=now,
    )


def undisturbed(bot_id: uuid.UUID, *, now: dt.datetime, calm: dt.timedelta = CALM) -> bool:
    """Note that a poll succeeded, and return whether no other reader is noted any more.

    While a webhook is set, no poll succeeds. So the note about a webhook is removed at once.
    """
    noted = Bot.objects.filter(pk=bot_id).exclude(other_reader=OtherReader.NOBODY)
    over = noted.filter(other_reader=OtherReader.WEBHOOK) | noted.filter(other_reader_at__lte=now - calm)
    over.update(other_reader=OtherReader.NOBODY, other_reader_since=None, other_reader_at=None, numbers_since=now)
    return not noted.exists()
