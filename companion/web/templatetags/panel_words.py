"""Words of the Control Panel."""

import datetime as dt
from collections.abc import Mapping
from typing import Final, NamedTuple

from django import template
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from companion.panel.judge import age
from companion.panel.runbook import anchor, name_of
from companion.web.templatetags.times import exactly

register = template.Library()

SOURCES: Final = {
    "direct": "the dispatcher itself",
    "mcp": "the Control Panel's status",
    "database": "what the database shows",
}
FACTS: Final = {
    "engine": "Kind",
    "version": "Version",
    "latency_ms": "Latency",
    "size_bytes": "Size",
    "migrations": "Migrations",
    "bot": "Bot",
    "sandbox": "Practice bot",
    "closed_why": "Sends nothing because",
    "accepted": "Token accepted",
    "asked_at": "Asked",
    "updates_by": "Updates by",
    "other_reader": "Another program reads its messages",
    "other_reader_since": "Since",
    "pending_updates": "Updates waiting",
    "last_answer_at": "Last answer",
    "last_error": "Last error",
    "last_error_at": "Last error at",
    "disk_free_bytes": "Disk free",
    "disk_total_bytes": "Disk in total",
    "clock_against_telegram_seconds": "Clock against Telegram",
    "backup_age_seconds": "Newest backup",
}
"""The names of the Control Panel's small facts."""


@register.filter
def source_words(layer: str) -> str:
    """Name this layer of the health chain, for use inside a sentence."""
    return SOURCES[layer]


class Fact(NamedTuple):
    """A small fact with its name."""

    name: str
    value: str


@register.filter
def facts(values: Mapping[str, object]) -> list[Fact]:
    """Name the Control Panel's small facts. Facts without a name or a value are left out."""
    return [Fact(FACTS[key], _value(key, value)) for key, value in values.items() if key in FACTS and value is not None]


def _value(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if key.endswith("_bytes"):
        return filesizeformat(str(value))
    if key.endswith("_at"):
        return exactly(dt.datetime.fromisoformat(str(value)))
    if key == "backup_age_seconds":
        return f"{age(dt.timedelta(seconds=float(str(value))))} old"
    if key.endswith("_seconds"):
        return f"{float(str(value)):+.1f} s"
    return f"{value} ms" if key.endswith("_ms") else str(value)


@register.filter
def runbook(cause: str) -> str:
    """Return the address of the runbook's part about this alert or failure code."""
    return f"{reverse('runbook')}#{anchor(name_of(cause))}"


@register.filter
def code_marks(words: str) -> SafeString:
    """Show text between `backticks` as code."""
    pieces = words.split("`")
    return format_html_join(
        "",
        "{}",
        ((format_html("<code>{}</code>", piece) if index % 2 else piece,) for index, piece in enumerate(pieces)),
    )
