"""The runbook (docs/runbook.md) for the Control Panel: a page for each alert and failure code, split into its parts."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from django.conf import settings
from django.urls import reverse

FILE: Final = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"
WEBHOOK: Final = "webhook_unanswered"
"""The alert's cause when a clinic's webhook is closed, or its receiver takes no calls."""
URGENT: Final = "urgent_help"
"""The cause of an alert about a call for urgent help; after it comes a code for the single call."""
_HEADING: Final = re.compile(r"^(#{2,3}) (.+)$", re.MULTILINE)
_PART: Final = re.compile(r"\*\*(?P<label>[^*]+)\.\*\*\s+(?P<words>.*)", re.DOTALL)


class Part(NamedTuple):
    """A paragraph with its label ("What it means")."""

    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Page:
    """An alert or code: its name, and its parts ("What it means", …) with the words of each."""

    name: str
    parts: tuple[Part, ...]

    @property
    def anchor(self) -> str:
        """The anchor of the page, in the Control Panel and on a page that shows the file."""
        return anchor(self.name)


@dataclass(frozen=True, slots=True)
class Chapter:
    """Pages of one kind, under one title."""

    title: str
    pages: tuple[Page, ...]


def anchor(name: str) -> str:
    """The anchor that common Markdown viewers give to a heading."""
    return re.sub(r"[^a-z0-9_ -]", "", name.lower()).replace(" ", "-")


def name_of(cause: str) -> str:
    """The page's name for an alert's cause: a failure's code; one page for all calls for help."""
    if cause.startswith(f"{URGENT}:"):
        return URGENT
    return f"failed {cause.removeprefix('failed:')}" if cause.startswith("failed:") else cause


def link(cause: str) -> str:
    """The address of the page that explains an alert."""
    return f"{settings.COMPANION.public_url}{reverse('runbook')}#{anchor(name_of(cause))}"


@cache
def chapters() -> tuple[Chapter, ...]:
    """All chapters. Raises OSError if the file is not installed."""
    return tuple(read(FILE.read_text()))


def read(text: str) -> list[Chapter]:
    """Split a text into its chapters (##) and their pages (###)."""
    found: list[tuple[str, list[Page]]] = []
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=True):
        level, name = heading.groups()
        if level == "##":
            found.append((name, []))
        elif found:
            found[-1][1].append(Page(name, _parts(text[heading.end() : end])))
    return [Chapter(title, tuple(pages)) for title, pages in found]


def _parts(text: str) -> tuple[Part, ...]:
    paragraphs = (_PART.fullmatch(" ".join(paragraph.split())) for paragraph in text.strip().split("\n\n"))
    return tuple(Part(paragraph["label"], paragraph["words"]) for paragraph in paragraphs if paragraph)
