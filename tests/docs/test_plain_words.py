"""Phrases that read like a translation, which no page, refusal or command may show again."""

import ast
from collections.abc import Iterator
from pathlib import Path

import companion

_PRODUCT = Path(companion.__file__).parent
_NOT_SAID = (
    "What falls on such a day",
    "On one clock",
    "I take it",
    "Give it back",
    "Who has it",
    "What came",
    "So many times",
    "Look at it again on",
    "A day that a month doesn't have",
    "Nobody waits for an answer",
    "How late is still good",
    "Still good until",
    "If nobody can know whether it arrived",
    "Leave without planning",
    "Put on pause",
    "nothing piles up",
    "messages on the list moved",
    "Nothing left: Telegram",
    "What is wrong for 20 seconds is told",
    "This isn't yours to do",
    "Write only to patients who gave their consent",
    "Take it out of",
)


def test_no_page_shows_a_phrase_that_reads_like_a_translation() -> None:
    shown = {path: path.read_text() for path in _PRODUCT.rglob("*.html")}

    assert list(_said(shown)) == []


def test_no_sentence_of_the_code_reads_like_a_translation() -> None:
    shown = {path: "\n".join(_strings(path)) for path in _PRODUCT.rglob("*.py") if "migrations" not in path.parts}

    assert list(_said(shown)) == []


def _said(shown: dict[Path, str]) -> Iterator[str]:
    for path, text in shown.items():
        yield from (f"{path.relative_to(_PRODUCT)}: {phrase}" for phrase in _NOT_SAID if phrase in text)


def _strings(path: Path) -> Iterator[str]:
    """Yield a module's strings, pieces of f-strings among them, but no docstring."""
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value
