"""The result of a diagnostic check. The files checks_*.py hold the checks."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Result = Literal["ok", "warning", "failed"]


class Group(StrEnum):
    """The groups of checks, in the order of troubleshooting."""

    SERVICES = "Services"
    DATABASE = "Database"
    TELEGRAM_IDS = "Telegram IDs"
    NETWORK = "Network"
    CONFIGURATION = "Configuration"
    MACHINE = "Machine"
    NUMBERS = "Message numbers"
    """Only `companion doctor --probe-ids` checks them (message_numbers.py)."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check's result: its subject, the measured value, and what to do ("" if all is well)."""

    name: str
    group: str
    result: Result
    value: str
    advice: str


def ok(group: Group, name: str, value: str) -> CheckResult:
    """Report that all is well."""
    return CheckResult(name, group.value, "ok", value, "")


def warning(group: Group, name: str, value: str, advice: str) -> CheckResult:
    """Report something that works, but that a person should look at."""
    return CheckResult(name, group.value, "warning", value, advice)


def failed(group: Group, name: str, value: str, advice: str) -> CheckResult:
    """Report something that doesn't work."""
    return CheckResult(name, group.value, "failed", value, advice)


def counted(count: int, word: str) -> str:
    """Write a count with its noun, like "1 patient" or "3 patients"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
