"""A finding of health: its severity, its words, and its cause. judge.py finds them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from companion.service.outages import Trouble

Status = Literal["ok", "degraded", "down"]
STATUSES: Final[tuple[Status, ...]] = ("ok", "degraded", "down")


class Cause(StrEnum):
    """The possible causes, by the names that alerts and the runbook (docs/runbook.md) use."""

    DATABASE_GONE = "database_gone"
    DATABASE_READ_ONLY = "database_read_only"
    DATABASE_LOCKED = "database_locked"
    DATABASE_CONNECTIONS = "database_connections"
    DATABASE_LOGIN = "database_login"
    DATABASE_CERTIFICATE = "database_certificate"
    DATABASE_POOLER = "database_pooler"
    DATABASE_DISK_FULL = "database_disk_full"
    NOT_MIGRATED = "not_migrated"
    DISPATCHER_MISSING = "dispatcher_missing"
    LISTENER_MISSING = "listener_missing"
    WEB_MISSING = "web_missing"
    DISPATCHER_LOST = "dispatcher_lost"
    LISTENER_LOST = "listener_lost"
    WEB_LOST = "web_lost"
    DISPATCHER_HANGS = "dispatcher_hangs"
    LISTENER_HANGS = "listener_hangs"
    LISTENER_UNWELL = "listener_unwell"
    DISPATCHER_NO_ANSWER = "dispatcher_no_answer"
    DISPATCHER_UNWELL = "dispatcher_unwell"
    PANEL_NO_ANSWER = "panel_no_answer"
    PANEL_UNWELL = "panel_unwell"
    OVERDUE = "overdue"
    PAUSED = "paused"
    RESTORED = "restored"
    DRILL = "drill"
    NO_BOT = "no_bot"
    BOT_OF_OTHER_MODE = "bot_of_other_mode"
    BOT_REFUSED = "bot_refused"
    TELEGRAM_AWAY = "telegram_away"
    OTHER_READER = "other_reader"
    PLANS_WAIT = "plans_wait"
    CLOCK_OFF = "clock_off"


OF_THE_DATABASE: Final = frozenset(map(Cause, Trouble))
"""The causes that are troubles of the database itself. Any service may report them."""
STOPPED: Final = OF_THE_DATABASE | {
    Cause.DISPATCHER_MISSING,
    Cause.DISPATCHER_HANGS,
    Cause.LISTENER_MISSING,
    Cause.LISTENER_HANGS,
}
"""Causes for which messages aren't sent or aren't read, although health may be only degraded."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding: its severity, its sentence, and its cause. Numbers in the sentence may change; the cause stays."""

    status: Status
    words: str
    cause: Cause


def worst(statuses: Iterable[Status]) -> Status:
    """The worst status; "ok" if there is none."""
    return max(statuses, key=STATUSES.index, default="ok")


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, the worst first; a finding that several clinics share is reported once."""
    return sorted(dict.fromkeys(findings), key=lambda finding: -STATUSES.index(finding.status))
