"""Notes on the Bot's row that somebody else takes the bot's updates, so that every process can say so.

Telegram answers getUpdates with 409 then. The updates that the other one takes never come here: a STOP among them is
lost. Two pollers take turns, so that one poll which succeeds proves little: the note stays until none has been
disturbed for a while.
"""

import datetime as dt
import uuid
from typing import Final

from django.db.models import F
from django.db.models.functions import Coalesce

from companion.clinics.models import Bot, Reader
from companion.telegram.outcomes import Outcome

CALM: Final = dt.timedelta(seconds=60)
"""Longer than a poller waits after its 409."""
CONFLICT: Final = 409
_WEBHOOK: Final = "webhook"


def reader_of(outcome: Outcome) -> Reader | None:
    """Who takes the updates, as a failed getUpdates tells; None where it failed for another reason."""
    if outcome.error_code != CONFLICT:
        return None
    return Reader.WEBHOOK if _WEBHOOK in outcome.description.lower() else Reader.PROGRAM


def met(bot_id: uuid.UUID, reader: Reader, *, now: dt.datetime) -> None:
    """A poll was refused since this one takes the updates."""
    since = Coalesce(F("other_reader_since"), now)
    Bot.objects.filter(pk=bot_id).update(other_reader=reader, other_reader_since=since, other_reader_at=now)


def undisturbed(bot_id: uuid.UUID, *, now: dt.datetime, calm: dt.timedelta = CALM) -> bool:
    """A poll succeeded; whether nobody else takes the updates now. No poll succeeds while a webhook is set."""
    noted = Bot.objects.filter(pk=bot_id).exclude(other_reader=Reader.NOBODY)
    over = noted.filter(other_reader=Reader.WEBHOOK) | noted.filter(other_reader_at__lte=now - calm)
    over.update(other_reader=Reader.NOBODY, other_reader_since=None, other_reader_at=None)
    return not noted.exists()
