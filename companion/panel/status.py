"""The Management Control Panel's own numbers for one clinic. Flat at a million messages: each count has a limit."""

import datetime as dt
import time
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from companion.clinics.models import Bot, Clinic
from companion.panel import facts, health, judge
from companion.schedules.models import Attempt, AttemptOutcome, Message, Status

COUNTED_TO: Final = 10_000
"""Counts stop here; from there on a page says "10,000+"."""
_DAY: Final = dt.timedelta(days=1)
_LATEST_END: Final = dt.timedelta(days=8)
"""A message ends within its late_after, seven days at most, of its due instant."""
_LAGS: Final = 1000
"""The lag is measured on so many of the newest."""


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One process. `state` is "alive", or "silent" where it gave no sign of life within 15 s."""

    kind: str
    host: str
    version: str
    state: str
    last_beat_at: dt.datetime
    started_at: dt.datetime


@dataclass(frozen=True, slots=True)
class MessageNumbers:
    """How many there are, each at most COUNTED_TO. `due`: ready to leave now; `overdue`: for 30 s or longer."""

    pending: int
    due: int
    overdue: int
    oldest_overdue_seconds: float | None
    sent_24h: int
    failed_24h: int


@dataclass(frozen=True, slots=True)
class Lag:
    """Seconds from a message's due instant to Telegram's yes, among the newest thousand of the last day."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class PanelStatus:
    """DESIGN's Panel."""

    status: judge.Status
    services: tuple[ServiceLine, ...]
    messages: MessageNumbers
    delivery_lag_seconds: Lag
    database: dict[str, str | int | float | bool | None]
    telegram: dict[str, str | int | float | bool | None]


def status(clinic: Clinic, *, now: dt.datetime) -> PanelStatus:
    """The numbers as they are now. Raises django.db.Error where the database can't be asked."""
    report = health.check(now=now, clinic=clinic)
    return PanelStatus(
        status=report.status,
        services=_services(now),
        messages=_messages(clinic, now),
        delivery_lag_seconds=_lag(clinic, now),
        database=_database(),
        telegram=_telegram(clinic),
    )


def _services(now: dt.datetime) -> tuple[ServiceLine, ...]:
    return tuple(
        ServiceLine(
            beat.kind,
            beat.host,
            beat.version,
            "alive" if judge.alive(beat, now=now) else "silent",
            beat.beat_at,
            beat.started_at,
        )
        for beat in facts.beats(now=now)
    )


def _messages(clinic: Clinic, now: dt.datetime) -> MessageNumbers:
    own = Message.objects.filter(clinic=clinic)
    pending = own.filter(status=Status.PENDING)
    late = now - judge.OVERDUE
    oldest = pending.filter(due_at__lte=now, ready_at__lte=late).order_by("ready_at").values_list("ready_at", flat=True)
    since = oldest.first()
    failed = own.filter(status=Status.FAILED, due_at__gte=now - _LATEST_END, ended_at__gte=now - _DAY)
    return MessageNumbers(
        pending=_capped(pending),
        due=_capped(pending.filter(due_at__lte=now, ready_at__lte=now)),
        overdue=_capped(pending.filter(due_at__lte=now, ready_at__lte=late)),
        oldest_overdue_seconds=(now - since).total_seconds() if since else None,
        sent_24h=_capped(_sent(clinic, now)),
        failed_24h=_capped(failed),
    )


def _sent(clinic: Clinic, now: dt.datetime) -> QuerySet[Attempt]:
    # By attempts_by_end: no index leads to Messages by the time they were sent.
    return Attempt.objects.filter(clinic=clinic, ended_at__gte=now - _DAY, outcome=AttemptOutcome.SENT)


def _lag(clinic: Clinic, now: dt.datetime) -> Lag:
    newest = _sent(clinic, now).order_by("-ended_at").values_list("ended_at", "message__due_at")[:_LAGS]
    lags = sorted(max((ended - due).total_seconds(), 0.0) for ended, due in newest if ended)
    return Lag(_share(lags, 0.5), _share(lags, 0.99))


def _share(lags: list[float], share: float) -> float | None:
    """The smallest that `share` of them don't exceed; None of none."""
    return round(lags[min(int(len(lags) * share), len(lags) - 1)], 3) if lags else None


def _database() -> dict[str, str | int | float | bool | None]:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        milliseconds = round((time.perf_counter() - began) * 1000, 2)
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database()), current_setting('server_version')")
        else:
            cursor.execute("SELECT page_count * page_size, sqlite_version() FROM pragma_page_count, pragma_page_size")
        size, version = cursor.fetchone()
    return {"engine": connection.vendor, "ok": True, "version": version, "latency_ms": milliseconds, "size_bytes": size}


def _telegram(clinic: Clinic) -> dict[str, str | int | float | bool | None]:
    # Not the token: nothing here needs it opened.
    bot = Bot.objects.filter(clinic=clinic).defer("token").first()
    if bot is None:
        return {"bot": None, "ok": False, "sandbox": settings.SANDBOX_ON, "closed_why": None, "last_answer_at": None}
    return {
        "bot": bot.username or None,
        "ok": bot.sandbox == settings.SANDBOX_ON and not bot.closed_why,
        "sandbox": bot.sandbox,
        "closed_why": bot.get_closed_why_display() if bot.closed_why else None,
        "last_answer_at": bot.last_answer_at.isoformat() if bot.last_answer_at else None,
    }


def _capped(found: "QuerySet[Message] | QuerySet[Attempt]") -> int:
    return found.order_by()[:COUNTED_TO].count()
