"""Queue updates for a bot, and hand them out by long polling as getUpdates does.

A poll waits in its thread. An update that is queued in the same process wakes the poll at once, an update of another
process within a second.
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

READ_SECONDS: Final = 1.0
"""A waiting poll reads the table at least this often, for updates from other processes."""
POLLS_AT_ONCE: Final = 6
MAY_WAIT: Final = threading.BoundedSemaphore(POLLS_AT_ONCE)
"""The polls that may wait in this process. Each holds a thread of the web service, which serves pages, too."""
KNOWN_KINDS: Final = ("message", "edited_message", "callback_query", "my_chat_member")
"""The kinds of update that the Sandbox makes."""

_queued = threading.Condition()
_queued_count = 0


def queue(bot: SandboxBot, kind: str, content: Json, now: datetime) -> None:
    """Queue an update if the bot asked for its kind. The caller has locked `bot` and saves it in its transaction."""
    if bot.allowed_updates and kind not in bot.allowed_updates:
        return
    bot.last_update_id += 1
    payload = {"update_id": bot.last_update_id, kind: content}
    SandboxUpdate.objects.create(bot=bot, update_id=bot.last_update_id, payload=payload, at=now)
    transaction.on_commit(_notify)


def begin_poll(bot: SandboxBot) -> int:
    """Return a number for a new poll. A poll that still waits ends with 409."""
    with transaction.atomic():
        SandboxBot.objects.filter(pk=bot.pk).update(poll_number=F("poll_number") + 1)
        number = SandboxBot.objects.values_list("poll_number", flat=True).get(pk=bot.pk)
    _notify()
    return number


def confirm(bot: SandboxBot, offset: int, now: datetime) -> None:
    """Delete updates below `offset` and those older than a day. A negative `offset` keeps that many of the newest."""
    waiting = SandboxUpdate.objects.filter(bot=bot)
    waiting.filter(at__lt=now - timedelta(hours=UPDATES_KEPT_HOURS)).delete()
    if offset < 0:
        kept = waiting.order_by("-update_id").values_list("update_id", flat=True)[-offset - 1 : -offset].first()
        offset = kept or 0
    if offset > 0:
        waiting.filter(update_id__lt=offset).delete()


def wait_for_updates(bot: SandboxBot, number: int, limit: int, seconds: float) -> list[Json]:
    """Return the oldest updates as soon as there are any, or none after `seconds`; at once if too many polls wait.

    Raises Refused (409) when another poll has begun, and (401) when the bot is gone.
    """
    may_wait = MAY_WAIT.acquire(blocking=False)
    try:
        return _wait_for_updates(bot, number, limit, seconds if may_wait else 0)
    finally:
        if may_wait:
            MAY_WAIT.release()


def _wait_for_updates(bot: SandboxBot, number: int, limit: int, seconds: float) -> list[Json]:
    until = time.monotonic() + seconds
    while True:
        seen = _queued_count
        newest = SandboxBot.objects.values_list("poll_number", flat=True).filter(pk=bot.pk).first()
        if newest is None:
            # The bot was removed with its clinic while the poll waited.
            raise Refused(401, "Unauthorized")
        if newest != number:
            words = "terminated by other getUpdates request; make sure that only one bot instance is running"
            raise Refused(409, f"Conflict: {words}")
        waiting = SandboxUpdate.objects.filter(bot=bot).order_by("update_id")
        updates: list[Json] = list(waiting.values_list("payload", flat=True)[:limit])
        left = until - time.monotonic()
        if updates or left <= 0:
            return updates
        with _queued:
            # An update that was queued since `seen` has notified already and won't notify again.
            if _queued_count == seen:
                _queued.wait(min(left, READ_SECONDS))


def pending(bot: SandboxBot) -> int:
    """Count the updates that wait for the bot."""
    return SandboxUpdate.objects.filter(bot=bot).count()


def _notify() -> None:
    global _queued_count  # noqa: PLW0603  (waiting threads compare this number, under their condition's lock)
    with _queued:
        _queued_count += 1
        _queued.notify_all()
