"""Ask Telegram in the background whether the bot knows the chats of imported Telegram IDs (getChat). Nothing is sent.

Chats are asked about one after the other, a few a minute, each in a slot of the bot's rate, and only while no message
waits.
"""

import asyncio
import datetime as dt
import uuid
from typing import Final, NamedTuple

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from companion.clinics.models import Bot
from companion.delivery import begin
from companion.dispatch import pace
from companion.listener.database import Database
from companion.listener.poller import PolledBot
from companion.patients import consent
from companion.patients.models import Patient, Verified
from companion.patients.reach import Why
from companion.schedules.models import Message, Status
from companion.service.clock import database_now
from companion.telegram.client import CallFailed, Client
from companion.telegram.methods import get_chat
from companion.telegram.outcomes import BLOCKED, Kind, Outcome

log = structlog.get_logger(__name__)
EVERY_SECONDS: Final = 15.0
AFTER_TROUBLE: Final = 300.0


class Verifier:
    """A task that verifies the Telegram IDs of a bot's clinic until it is cancelled."""

    def __init__(self, client: Client, database: Database, bot: PolledBot, every: float = EVERY_SECONDS) -> None:
        self._client: Final = client
        self._database: Final = database
        self._bot: Final = bot
        self._every: Final = every

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            wait = await self._verify_next()
            await asyncio.sleep(wait or self._every)

    async def _verify_next(self) -> float | None:
        """Verify the next Telegram ID, if there is any. Return the seconds to wait if Telegram has trouble."""
        claimed = await self._database.patiently(claim, self._bot.id)
        if claimed is None:
            return None
        telegram_id, wait = claimed
        await asyncio.sleep(wait)
        try:
            await get_chat(self._client, self._bot.token, telegram_id)
        except CallFailed as failure:
            verified = verdict(failure.outcome)
            if verified is None:
                log.info("verifying waits", bot=str(self._bot.id), outcome=failure.outcome.kind.value)
                return failure.outcome.retry_after or AFTER_TROUBLE
        else:
            verified = Verified.FOUND
        await self._database.patiently(note, self._bot.id, telegram_id, verified)
        return None


class Claim(NamedTuple):
    """The next Telegram ID to verify, and the seconds until its slot."""

    telegram_id: int
    seconds: float


def claim(bot_id: uuid.UUID) -> Claim | None:
    """Claim the next Telegram ID and a slot for it; None while messages wait, or if no ID is left to verify."""
    now = database_now()
    with transaction.atomic():
        bot = Bot.objects.select_for_update().filter(pk=bot_id).first()
        if bot is None or bot.closed_why or _messages_wait(bot, now):
            return None
        telegram_id = unverified(bot)
        if telegram_id is None:
            return None
        limits = pace.limits(settings.COMPANION.rate_per_second, settings.COMPANION.rate_per_chat)
        slot = begin.take_slot(bot_id, limits, now=now)
    return Claim(telegram_id, max((slot - now).total_seconds(), 0.0))


def unverified(bot: Bot) -> int | None:
    """Return a Telegram ID of the bot's clinic that is not verified yet: new patients' IDs first, then changed IDs."""
    patients = Patient.objects.filter(clinic_id=bot.clinic_id, left_at__isnull=True, telegram_id__isnull=False)
    new = patients.filter(verified_id__isnull=True).order_by("id")
    changed = patients.filter(verified_id__isnull=False).exclude(verified_id=F("telegram_id"))
    first = new.values_list("telegram_id", flat=True).first()
    return first or changed.order_by().values_list("telegram_id", flat=True).first()


def verdict(outcome: Outcome) -> Verified | None:
    """Judge a failed getChat; None if the failure says nothing about the chat."""
    if outcome.kind is not Kind.PERMANENT:
        return None
    return Verified.BLOCKED if outcome.reason == BLOCKED else Verified.NOT_FOUND


def note(bot_id: uuid.UUID, telegram_id: int, verified: Verified) -> None:
    """Store the result for all patients of the chat.

    If the chat is found, only the mark "chat not found" is removed: other trouble that a message met stays.
    """
    bot = Bot.objects.select_related("clinic").filter(pk=bot_id).first()
    if bot is None:
        return
    with transaction.atomic():
        chat = Patient.objects.filter(clinic=bot.clinic, telegram_id=telegram_id)
        if verified == Verified.FOUND:
            chat.filter(trouble=Why.CHAT_NOT_FOUND).update(trouble="", trouble_at=None)
        else:
            trouble = Why.BLOCKED if verified == Verified.BLOCKED else Why.CHAT_NOT_FOUND
            consent.mark_trouble(bot.clinic, telegram_id, trouble, now=database_now())
        chat.update(verified=verified, verified_id=telegram_id)
    log.info("a chat was verified", bot=str(bot_id), found=verified.value)


def _messages_wait(bot: Bot, now: dt.datetime) -> bool:
    waiting = Message.objects.filter(clinic_id=bot.clinic_id, status=Status.PENDING, due_at__lte=now)
    return waiting.exists()
