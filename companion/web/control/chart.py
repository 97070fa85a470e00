"""The geometry of a bar chart in SVG: sent messages at the bottom, failed messages on top. Nothing is counted here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from companion.panel.charts import Bar

_WIDTH: Final = 600
_HEIGHT: Final = 120
_LEAST: Final = 3
"""The smallest height of failed messages, so that a failure stays visible beside thousands of sent messages."""


@dataclass(frozen=True, slots=True)
class Column:
    """A bar, with lengths in the drawing's units."""

    x: int
    width: int
    sent_y: int
    sent_height: int
    failed_y: int
    failed_height: int
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing, with its words for people who can't see it."""

    title: str
    summary: str
    columns: tuple[Column, ...]
    labels: tuple[str, str, str]
    """The names of the first, the middle and the last column."""
    most: int
    """The number at the top of the drawing."""
    width: int = _WIDTH
    height: int = _HEIGHT


def chart(title: str, bars: Sequence[Bar]) -> Chart:
    """Draw at least one bar; the highest bar reaches the top."""
    most = max(bar.sent + bar.failed for bar in bars)
    sent, failed = sum(bar.sent for bar in bars), sum(bar.failed for bar in bars)
    summary = f"{sent:,} sent, {failed:,} failed" if most else "Nothing was sent, nothing failed"
    step = _WIDTH // len(bars)
    columns = tuple(_column(bar, number * step, step - 2, most) for number, bar in enumerate(bars))
    labels = (bars[0].label, bars[len(bars) // 2].label, bars[-1].label)
    return Chart(title, summary, columns, labels, most)


def _column(bar: Bar, x: int, width: int, most: int) -> Column:
    failed = max(_height_of(bar.failed, most), _LEAST if bar.failed else 0)
    sent = min(max(_height_of(bar.sent, most), 1 if bar.sent else 0), _HEIGHT - failed)
    words = f"{bar.label}: {bar.sent:,} sent, {bar.failed:,} failed"
    return Column(x, width, _HEIGHT - sent, sent, _HEIGHT - sent - failed, failed, words)


def _height_of(count: int, most: int) -> int:
    return round(count * _HEIGHT / most) if most else 0
