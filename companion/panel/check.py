"""What a check of the diagnostics gives back. The checks themselves stand beside."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Result = Literal["ok", "warning", "failed"]


class Group(StrEnum):
    """The groups, in the order in which trouble is looked for."""

    SERVICES = "Services"
    DATABASE = "Database"
    TELEGRAM_IDS = "Telegram IDs"
    NETWORK = "Network"
    CONFIGURATION = "Configuration"
    MACHINE = "Machine"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: what it is about, what was measured, and what to do ("" where it is well)."""

    name: str
    group: str
    result: Result
    value: str
    advice: str


def ok(group: Group, name: str, value: str) -> CheckResult:
    """It is well."""
    return CheckResult(name, group.value, "ok", value, "")


def warning(group: Group, name: str, value: str, advice: str) -> CheckResult:
    """It works, and somebody should look at it."""
    return CheckResult(name, group.value, "warning", value, advice)


def failed(group: Group, name: str, value: str, advice: str) -> CheckResult:
    """It doesn't work."""
    return CheckResult(name, group.value, "failed", value, advice)


def counted(count: int, word: str) -> str:
    """ "1 patient", "3 patients"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
