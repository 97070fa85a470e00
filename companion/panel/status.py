"""The Control Panel's numbers for one clinic. They are fast even with a million messages: each count has a limit."""

import datetime as dt
import shutil
import time
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import QuerySet

from companion.clinics.models import Bot, Clinic
from companion.panel import backups, facts, finding, health, judge, message_counts
from companion.panel.hour_counts import attempts_ended, attempts_sent
from companion.panel.message_counts import COUNTED_TO, Measure
from companion.panel.models import BotCheck
from companion.patients.models import Patient
from companion.patients.reach import unreachable
from companion.schedules.models import Attempt, Message, Status

_DAY: Final = dt.timedelta(days=1)
_RATE_OVER: Final = dt.timedelta(seconds=10)
_Values = dict[str, str | int | float | bool | None]
_LAGS: Final = 1000
"""The most messages over which the lag is measured, the newest first."""


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A process. `state` is "alive", or "silent" if its last heartbeat is older than 15 s."""

    kind: str
    host: str
    version: str
    state: str
    last_beat_at: dt.datetime
    started_at: dt.datetime
    leases: int | None
    """The messages that the dispatcher holds, on the wire or waiting for their slot; None for other services."""


@dataclass(frozen=True, slots=True)
class MessageNumbers:
    """Counts, each at most COUNTED_TO. `due`: ready to be sent now; `overdue`: ready for 30 s or longer."""

    pending: int
    due: int
    overdue: int
    oldest_overdue_seconds: float | None
    next_hour: int
    on_wire: int
    sent_today: int
    failed_today: int
    sent_24h: int
    failed_24h: int


@dataclass(frozen=True, slots=True)
class Lag:
    """The seconds from due instant to Telegram's confirmation, for the newest thousand messages of the last day."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Rate:
    """The bot's Attempts a second over the last ten seconds, and the limit."""

    per_second: float
    limit: float


@dataclass(frozen=True, slots=True)
class PanelStatus:
    """The Control Panel's numbers, in the shape of the API."""

    status: finding.Status
    services: tuple[ServiceProcess, ...]
    messages: MessageNumbers
    delivery_lag_seconds: Lag
    rate: Rate
    failures: tuple[message_counts.Failures, ...]
    unreachable_patients: int
    database: _Values
    telegram: _Values
    machine: _Values


def status(clinic: Clinic, *, now: dt.datetime) -> PanelStatus:
    """Compute the numbers now. Raises django.db.Error if the database can't be asked."""
    report = health.check(now=now, clinic=clinic)
    return PanelStatus(
        status=report.status,
        services=_services(now),
        messages=_messages(clinic, now),
        delivery_lag_seconds=_lag(clinic, now),
        rate=_rate(clinic, now),
        failures=tuple(message_counts.failures(clinic, now=now)),
        unreachable_patients=_unreachable(clinic),
        database=_database(),
        telegram=_telegram(clinic),
        machine=_machine(clinic, now),
    )


def _services(now: dt.datetime) -> tuple[ServiceProcess, ...]:
    """The running processes first; then, for each other kind and host, the process that was last alive."""
    beats = facts.beats(now=now)
    living = [beat for beat in beats if judge.alive(beat, now=now)]
    newest = {(beat.kind, beat.host): beat for beat in reversed(beats)}
    gone = [beat for beat in newest.values() if beat not in living]
    shown = [(beat, "alive") for beat in living] + [(beat, "silent") for beat in gone]
    return tuple(
        ServiceProcess(beat.kind, beat.host, beat.version, state, beat.beat_at, beat.started_at, _leases(beat))
        for beat, state in sorted(shown, key=lambda row: (row[1], row[0].kind, row[0].host, row[0].pid))
    )


def _leases(beat: facts.Beat) -> int | None:
    number = beat.state.get("on_wire")
    return number if isinstance(number, int) else None


def _messages(clinic: Clinic, now: dt.datetime) -> MessageNumbers:
    pending = Message.objects.filter(clinic=clinic, status=Status.PENDING)
    overdue = message_counts.narrow(pending, clinic, Measure.OVERDUE, now=now)
    since = overdue.order_by("ready_at").values_list("ready_at", flat=True).first()
    return MessageNumbers(
        pending=_capped(pending),
        oldest_overdue_seconds=(now - since).total_seconds() if since else None,
        **{name.value: message_counts.count(clinic, name, now=now) for name in Measure},
    )


def _rate(clinic: Clinic, now: dt.datetime) -> Rate:
    return Rate(
        _capped(attempts_ended(clinic, now - _RATE_OVER)) / _RATE_OVER.total_seconds(),
        settings.COMPANION.rate_per_second,
    )


def _unreachable(clinic: Clinic) -> int:
    here = Patient.objects.filter(unreachable(clinic), clinic=clinic, left_at=None)
    return here.order_by()[:COUNTED_TO].count()


def _lag(clinic: Clinic, now: dt.datetime) -> Lag:
    newest = attempts_sent(clinic, now - _DAY).order_by("-began_at").values_list("ended_at", "message__due_at")[:_LAGS]
    lags = sorted(max((ended - due).total_seconds(), 0.0) for ended, due in newest if ended)
    return Lag(_share(lags, 0.5), _share(lags, 0.99))


def _share(lags: list[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values don't exceed; None if there are no values."""
    return round(lags[min(int(len(lags) * share), len(lags) - 1)], 3) if lags else None


def _database() -> _Values:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        milliseconds = round((time.perf_counter() - began) * 1000, 2)
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database()), current_setting('server_version')")
        else:
            cursor.execute("SELECT page_count * page_size, sqlite_version() FROM pragma_page_count, pragma_page_size")
        size, version = cursor.fetchone()
    return {
        "engine": connection.vendor,
        "ok": True,
        "version": version,
        "latency_ms": milliseconds,
        "size_bytes": size,
        "migrations": _migrations(),
    }


def _migrations() -> str:
    loader = MigrationLoader(connection)
    missing = len(loader.graph.nodes.keys() - loader.applied_migrations.keys())
    return f"{missing} missing: run companion migrate" if missing else "all applied"


def _telegram(clinic: Clinic) -> _Values:
    # The token is not read, since it isn't needed here.
    bot = Bot.objects.filter(clinic=clinic).defer("token").first()
    if bot is None:
        return {"bot": None, "ok": False, "sandbox": settings.SANDBOX_ON, "closed_why": None, "last_answer_at": None}
    return {
        "bot": bot.username or None,
        "ok": bot.sandbox == settings.SANDBOX_ON and not bot.closed_why,
        "sandbox": bot.sandbox,
        "closed_why": bot.get_closed_why_display() if bot.closed_why else None,
        "last_answer_at": bot.last_answer_at.isoformat() if bot.last_answer_at else None,
        "other_reader": bot.get_other_reader_display() if bot.other_reader else None,
        "other_reader_since": bot.other_reader_since.isoformat() if bot.other_reader_since else None,
        **_last_check(BotCheck.objects.filter(clinic=clinic).first()),
    }


def _last_check(check: BotCheck | None) -> _Values:
    """Telegram's latest answers about the bot, as the dispatcher or the listener asked for them."""
    if check is None:
        return {}
    return {
        "asked_at": check.at.isoformat(),
        "accepted": check.accepted,
        "latency_ms": check.latency_ms,
        "updates_by": {True: "webhook", False: "polling", None: None}[check.webhook],
        "pending_updates": check.pending_updates,
        "last_error": check.last_error or None,
        "last_error_at": check.last_error_at.isoformat() if check.last_error_at else None,
    }


def _machine(clinic: Clinic, now: dt.datetime) -> _Values:
    folder = next(path for path in (settings.DATA_DIR, *settings.DATA_DIR.parents) if path.exists())
    disk = shutil.disk_usage(folder)
    skew = BotCheck.objects.filter(clinic=clinic).values_list("skew_seconds", flat=True).first()
    return {
        "disk_free_bytes": disk.free,
        "disk_total_bytes": disk.total,
        "clock_against_telegram_seconds": skew,
        "backup_age_seconds": backups.age_seconds(settings.COMPANION.backup_dir, now=now),
    }


def _capped(found: "QuerySet[Message] | QuerySet[Attempt]") -> int:
    return found.order_by()[:COUNTED_TO].count()
