"""Checks of each bot at Telegram every 30 seconds, with stored results, so that no page waits for Telegram."""

import asyncio
import datetime as dt
import time
from dataclasses import dataclass
from typing import Final

import structlog
from django.conf import settings

from companion.clinics import bots
from companion.clinics.bot_api import bot_api_client
from companion.clinics.models import Bot
from companion.clinics.sealed import CannotOpen
from companion.delivery import closing
from companion.panel.models import BotCheck
from companion.service.clock import machine_now
from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.outcomes import Answer, Kind, Outcome

log = structlog.stdlib.get_logger(__name__)
EVERY: Final = dt.timedelta(seconds=30)
_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class BotAnswers:
    """Telegram's two answers about a bot, the time that they took, and the instant by this machine's clock."""

    me: Answer | Outcome
    webhook: Answer | Outcome
    milliseconds: float
    at: dt.datetime


def check_bots(*, now: dt.datetime) -> None:
    """Check the bots whose last check is old. Takes up to some seconds, so it must not run in an event loop."""
    lately = BotCheck.objects.filter(at__gt=now - EVERY).values("clinic")
    due = bots.serving(sandbox=settings.SANDBOX_ON).exclude(clinic__in=lately).defer("token").order_by("id")
    tokens = [(bot, token) for bot in due if (token := _token(bot))]
    if not tokens:
        return
    each = asyncio.run(_ask_all([token for _, token in tokens]))
    for (bot, _), answers in zip(tokens, each, strict=True):
        keep(bot, answers, now=now)


def keep(bot: Bot, answers: BotAnswers, *, now: dt.datetime) -> None:
    """Store Telegram's answers. A bot whose token is refused is closed before a message is tried."""
    accepted = isinstance(answers.me, Answer)
    if isinstance(answers.me, Outcome) and answers.me.kind is Kind.UNAUTHORIZED:
        # The dispatcher asks again after that time, and sends again once the token is accepted.
        closing.close(bot.pk, closing.refused(now))
    error = {} if isinstance(answers.me, Answer) else {"last_error": words(answers.me), "last_error_at": now}
    info = answers.webhook.result if isinstance(answers.webhook, Answer) else None
    pending = info.get("pending_update_count") if isinstance(info, dict) else None
    BotCheck.objects.update_or_create(
        clinic_id=bot.clinic_id,
        defaults={
            "at": now,
            "accepted": accepted,
            "latency_ms": round(answers.milliseconds, 1) if accepted else None,
            "webhook": webhook_of(answers),
            "pending_updates": pending if isinstance(pending, int) else None,
            "skew_seconds": _skew(answers),
            **error,
        },
    )


def webhook_of(answers: BotAnswers) -> bool | None:
    """Return whether a webhook is set, which keeps the listener from polling; None: unknown."""
    info = answers.webhook.result if isinstance(answers.webhook, Answer) else None
    return bool(info["url"]) if isinstance(info, dict) and "url" in info else None


def words(outcome: Outcome) -> str:
    """The reason why the check failed, in our own words."""
    if outcome.kind is Kind.UNAUTHORIZED:
        return "the token was refused"
    return (outcome.note or f"HTTP {outcome.error_code}")[:100]


async def ask(client: Client, token: BotToken) -> BotAnswers:
    """Ask Telegram by getMe and getWebhookInfo."""
    began = time.perf_counter()
    me = await _call(client, token, "getMe")
    took, at = (time.perf_counter() - began) * 1000, machine_now()
    return BotAnswers(me, await _call(client, token, "getWebhookInfo") if isinstance(me, Answer) else me, took, at)


async def _ask_all(tokens: list[BotToken]) -> list[BotAnswers]:
    async with bot_api_client(concurrency=10) as client:
        return await asyncio.gather(*(ask(client, token) for token in tokens))


async def _call(client: Client, token: BotToken, method: str) -> Answer | Outcome:
    try:
        return await client.call(token, method, {}, timeout=_SECONDS)
    except CallFailed as failure:
        return failure.outcome


def _skew(answers: BotAnswers) -> float | None:
    if answers.me.server_date is None:
        return None
    # Telegram's Date has whole seconds only: on average it is half a second behind.
    return round((answers.at - answers.me.server_date).total_seconds() - 0.5, 1)


def _token(bot: Bot) -> BotToken | None:
    try:
        return BotToken(bot.token)
    except (CannotOpen, ValueError):
        log.warning("a bot's token can't be opened", bot=str(bot.id))
        return None
