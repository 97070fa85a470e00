"""What a bot has yet to fetch: queueing updates, and handing them out by long polling as getUpdates does.

A poll waits in its own thread; what queues in the same process wakes it at once, anything else within a second.
"""

import threading
import time
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F

from companion.sandbox.models import SandboxBot, SandboxUpdate
from companion.sandbox.payloads import Json
from companion.sandbox.rules import Refused
from companion.telegram.limits import UPDATES_KEPT_HOURS

LOOK_SECONDS: Final = 1.0
"""A waiting poll looks at the table at least so often, for what other processes queue."""
KNOWN_KINDS: Final = ("message", "edited_message", "callback_query", "my_chat_member")
"""The kinds of update that the Sandbox makes."""

_queued = threading.Condition()
_queued_count = 0


def queue(bot: SandboxBot, kind: str, content: Json, now: datetime) -> None:
    """Queues an update, if the bot asked for its kind. `bot` is locked by the caller's transaction, which saves it."""
    if bot.allowed_updates and kind not in bot.allowed_updates:
        return
    bot.last_update_id += 1
    payload = {"update_id": bot.last_update_id, kind: content}
    SandboxUpdate.objects.create(bot=bot, update_id=bot.last_update_id, payload=payload, at=now)
    transaction.on_commit(_ring)


def begin_poll(bot: SandboxBot) -> int:
    """A new poll's number; it ends the poll that waits, which then answers 409."""
    with transaction.atomic():
        SandboxBot.objects.filter(pk=bot.pk).update(poll_number=F("poll_number") + 1)
        number = SandboxBot.objects.values_list("poll_number", flat=True).get(pk=bot.pk)
    _ring()
    return number


def confirm(bot: SandboxBot, offset: int, now: datetime) -> None:
    """Forgets what is below `offset` (all but the last -offset where it is negative), and what is older than a day."""
    waiting = SandboxUpdate.objects.filter(bot=bot)
    waiting.filter(at__lt=now - timedelta(hours=UPDATES_KEPT_HOURS)).delete()
    if offset < 0:
        kept = waiting.order_by("-update_id").values_list("update_id", flat=True)[-offset - 1 : -offset].first()
        offset = kept or 0
    if offset > 0:
        waiting.filter(update_id__lt=offset).delete()


def wait_for_updates(bot: SandboxBot, number: int, limit: int, seconds: float) -> list[Json]:
    """The oldest updates, as soon as there are any, or none after `seconds`. Refused (409) when another poll began."""
    until = time.monotonic() + seconds
    while True:
        seen = _queued_count
        if SandboxBot.objects.values_list("poll_number", flat=True).get(pk=bot.pk) != number:
            words = "terminated by other getUpdates request; make sure that only one bot instance is running"
            raise Refused(409, f"Conflict: {words}")
        waiting = SandboxUpdate.objects.filter(bot=bot).order_by("update_id")
        updates: list[Json] = list(waiting.values_list("payload", flat=True)[:limit])
        left = until - time.monotonic()
        if updates or left <= 0:
            return updates
        with _queued:
            # What was queued since `seen` has rung already and would not ring again.
            if _queued_count == seen:
                _queued.wait(min(left, LOOK_SECONDS))


def pending(bot: SandboxBot) -> int:
    """How many updates wait for the bot."""
    return SandboxUpdate.objects.filter(bot=bot).count()


def _ring() -> None:
    global _queued_count  # noqa: PLW0603  (what the waiting threads compare, under their condition's lock)
    with _queued:
        _queued_count += 1
        _queued.notify_all()
