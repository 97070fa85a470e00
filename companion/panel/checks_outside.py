"""Checks of the surroundings: the network between services, Telegram, this machine's disk and clock."""

import asyncio
import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from companion.clinics import bots
from companion.clinics.bot_api import bot_api_client
from companion.clinics.models import Bot, Clinic, OtherReader
from companion.clinics.sealed import CannotOpen
from companion.panel import backups, bot_checks, facts, judge
from companion.panel.check import CheckResult, Group, failed, ok, warning
from companion.panel.direct import NoAnswer, ask
from companion.panel.facts import Beat
from companion.service import drill
from companion.service.clock import OFF_BY
from companion.service.models import Kind
from companion.telegram.client import BotToken, Client
from companion.telegram.outcomes import Answer, Outcome
from companion.telegram.outcomes import Kind as OutcomeKind

SAME_SETTINGS: Final = "Run this command with the COMPANION_ variables that the services have."
_TELEGRAM_SECONDS: Final = 5.0
_CLOCK_UNEASY: Final = dt.timedelta(seconds=5)
_LITTLE: Final = 1024**3
_NEXT_TO_NONE: Final = 100 * 1024**2
_READ_BY: Final = {
    OtherReader.WEBHOOK: (
        "a webhook is set",
        "Telegram sends updates to a webhook, so the listener gets no replies. The person who set it removes it "
        "(the Bot API's deleteWebhook), or an admin connects another bot in Settings.",
    ),
    OtherReader.PROGRAM: (
        "another program reads them, too",
        "Patients' STOPs and replies that it receives never reach this product. End it: a second listener, or another "
        "program with the bot's token. If nobody knows it, get a new token from @BotFather and enter it in Settings.",
    ),
}


@dataclass(frozen=True, slots=True)
class _BotAnswer:
    """Telegram's answer to one bot's getMe, and the instant of the answer by this machine's clock."""

    bot: Bot
    get_me: Answer | Outcome
    at: dt.datetime
    webhook: bool | None = None
    """True if a webhook is set; None: unknown."""


def network(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check the network between services, and to Telegram."""
    beats = facts.beats(now=now)
    yield from _between_services(beats, now)
    if facts.sandbox_of(beats, now=now) == settings.SANDBOX_ON:
        yield from _telegram(clinic)
    else:
        yield warning(Group.NETWORK, "Telegram", "not asked: the services have other settings", SAME_SETTINGS)


def _between_services(beats: tuple[Beat, ...], now: dt.datetime) -> Iterator[CheckResult]:
    """Check that each running service answers at its health address from here."""
    for beat in (beat for beat in beats if judge.alive(beat, now=now)):
        name = f"{Kind(beat.kind).label} answers on {beat.host}"
        health = ask(f"{beat.health_url.rstrip('/')}/health", seconds=_TELEGRAM_SECONDS)
        if isinstance(health, NoAnswer):
            advice = (
                "It is alive, but its health port can't be reached from here. Check COMPANION_HOST, "
                "COMPANION_HEALTH_PORT and the firewall."
            )
            yield warning(Group.NETWORK, name, health.why, advice)
        elif health.status == "ok" or beat.kind == Kind.WEB:
            yield ok(Group.NETWORK, name, "answers")
        else:
            yield warning(Group.NETWORK, name, health.status, health.detail or "Look into its log.")


def _telegram(clinic: Clinic | None) -> Iterator[CheckResult]:
    """Check that Telegram is reachable, each bot's token valid, and this machine's clock right."""
    if drill.is_on():
        yield ok(Group.NETWORK, "Telegram", "not asked: this is a drill")
        return
    connected = bots.serving(sandbox=settings.SANDBOX_ON).filter(**({"clinic": clinic} if clinic else {}))
    try:
        rows = list(connected.select_related("clinic").order_by("id"))
    except CannotOpen:
        yield failed(Group.NETWORK, "Telegram", "not asked", "The bot's token can't be opened; see Secret key.")
        return
    if not rows:
        advice = "Nothing is sent without a bot. An admin connects one in Settings."
        yield warning(Group.NETWORK, "Telegram", "no bot is connected", advice)
    answers = asyncio.run(_ask_all(rows))
    for answer in answers:
        yield _bot(answer)
        if reader := OtherReader.WEBHOOK if answer.webhook else OtherReader(answer.bot.other_reader):
            yield failed(Group.NETWORK, _updates(answer.bot), *_READ_BY[reader])
        elif answer.webhook is not None:
            yield ok(Group.NETWORK, _updates(answer.bot), "by polling")
    if dates := [answer for answer in answers if answer.get_me.server_date is not None]:
        yield _clock(dates[0])


async def _ask_all(rows: list[Bot]) -> list[_BotAnswer]:
    async with bot_api_client(concurrency=10) as client:
        return await asyncio.gather(*(_ask(client, row) for row in rows))


async def _ask(client: Client, bot: Bot) -> _BotAnswer:
    answers = await bot_checks.ask(client, BotToken(bot.token))
    return _BotAnswer(bot, answers.me, answers.at, bot_checks.webhook_of(answers))


def _bot(answer: _BotAnswer) -> CheckResult:
    name = f"Telegram takes the bot of {answer.bot.clinic.slug}"
    if isinstance(answer.get_me, Answer):
        return ok(Group.NETWORK, name, f"@{answer.bot.username}" if answer.bot.username else "token valid")
    if answer.get_me.kind is OutcomeKind.UNAUTHORIZED:
        advice = "The token is no longer valid. An admin enters a new token in Settings; @BotFather gives it."
        return failed(Group.NETWORK, name, "refused", advice)
    why = answer.get_me.note or f"HTTP {answer.get_me.error_code}"
    advice = f"Telegram can't be reached at {settings.COMPANION.bot_api_url}. See the connection, DNS and firewall."
    return failed(Group.NETWORK, name, why, advice)


def _updates(bot: Bot) -> str:
    return f"Updates of the bot of {bot.clinic.slug}"


def _clock(answer: _BotAnswer) -> CheckResult:
    # Telegram's Date has whole seconds only: on average it is half a second behind.
    date = answer.get_me.server_date or answer.at
    off = answer.at - date - dt.timedelta(milliseconds=500)
    value = f"{off.total_seconds():+.0f} s against Telegram's"
    advice = "Correct this machine's clock, and keep it right by NTP. If it is off by two minutes, sending stops."
    if abs(off) > OFF_BY:
        return failed(Group.MACHINE, "Clock", value, advice)
    return (
        warning(Group.MACHINE, "Clock", value, advice)
        if abs(off) > _CLOCK_UNEASY
        else ok(Group.MACHINE, "Clock", value)
    )


def machine(*, now: dt.datetime) -> Iterator[CheckResult]:
    """Check the disk of the data folder, and the backups."""
    folder = next(path for path in (settings.DATA_DIR, *settings.DATA_DIR.parents) if path.exists())
    yield _disk(shutil.disk_usage(folder).free)
    yield backups.check(settings.COMPANION.backup_dir, now=now)


def _disk(free: int) -> CheckResult:
    value = f"{free / 1024**3:.1f} GiB free"
    advice = "Make room: a full disk stops planning and sending."
    if free < _NEXT_TO_NONE:
        return failed(Group.MACHINE, "Disk", value, advice)
    return warning(Group.MACHINE, "Disk", value, advice) if free < _LITTLE else ok(Group.MACHINE, "Disk", value)
