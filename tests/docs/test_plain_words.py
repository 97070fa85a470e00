"""Plain words: phrases that no page, refusal or command may show again, and the first words of docstrings."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import companion

_PRODUCT = Path(companion.__file__).parent
_PROJECT = _PRODUCT.parent
_PYTHON = ("companion", "bench", "tests", "tools")
_NEITHER_VERB_NOR_NOUN = frozenset(
    [
        "What",
        "Who",
        "Whom",
        "Whose",
        "Whoever",
        "Whatever",
        "Whether",
        "Which",
        "How",
        "Where",
        "When",
        "While",
        "Why",
        "This",
        "That",
        "These",
        "Those",
        "There",
        "It",
        "Its",
        "He",
        "She",
        "They",
        "We",
        "One",
        "None",
        "Of",
        "If",
        "As",
        "At",
        "By",
        "For",
        "From",
        "Has",
        "In",
        "Is",
        "On",
        "Without",
    ]
)
_OF_A_THIRD_PERSON = re.compile(
    "Begins|Breaks|Clears|Closes|Drops|Ends|Fills|Finds|Gives|Keeps|Kills|Lets|Makes|Prints|Puts|Reads|Removes|Returns|"
    "Runs|Seals|Sends|Serves|Sets|Starts|Stores|Syncs|Takes|Tells|Tries|Waits|Withdraws|Writes"
)
"""Verbs that tell what a function does. A function's docstring says it in the imperative: "Begin"."""
_RIDDLES = re.compile(r"\b(whoever|whatever|whichever|of whom)\b", re.IGNORECASE)
_FOR_A_NOUN = re.compile(
    r"\bones\b|\b(this|another|new|next|last|first|second|old|older|newer|earlier|later|whole|wrong|missing|former) one"
    r"(?=[.,;:)!?\"]|$| (that|which|who|is|was|has|by|at|in|of|from|for|to|before|after|begins|waits)\b)"
)
"""The word "one" or "ones" in place of a noun, so that a reader must look back to know what is meant."""
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
    "Whoever",
    "whoever",
    "nothing watches for",
    "Four answers before",
    "is locked out at once",
    "are not concerned",
    "are led to set it up",
    "; where no mail server is set",
    "the tries of others",
    "was taken without it",
    "none was tried since",
    "What is planned goes out",
    "all its times are over",
    "Take them out of it",
    "has another number of times",
    "Which ones change",
    "this one only",
    "Don't send this one",
    "has it already",
    "It is done already",
    "too late to take this back",
)


def test_no_page_shows_a_phrase_that_reads_like_a_translation() -> None:
    shown = {path: path.read_text() for path in _PRODUCT.rglob("*.html")}

    assert list(_said(shown)) == []


def test_no_sentence_of_the_code_reads_like_a_translation() -> None:
    shown = {path: "\n".join(_strings(path)) for path in _PRODUCT.rglob("*.py") if "migrations" not in path.parts}

    assert list(_said(shown)) == []


def test_each_docstring_opens_with_a_verb_or_a_noun_and_is_no_riddle() -> None:
    found = [
        f"{path.relative_to(_PROJECT)}:{line}: {text.splitlines()[0]}"
        for room in _PYTHON
        for path in sorted((_PROJECT / room).rglob("*.py"))
        if "migrations" not in path.parts
        for line, text in _docstrings(path)
        if _first_word(text) in _NEITHER_VERB_NOR_NOUN or _RIDDLES.search(text)
    ]

    assert found == [], "These docstrings open with neither a verb nor a noun, or say “whoever”:\n" + "\n".join(found)


def test_no_document_holds_a_riddle() -> None:
    documents = [*_PROJECT.glob("*.md"), *(_PROJECT / "docs").rglob("*.md")]

    found = [
        f"{path.relative_to(_PROJECT)}:{number}: {line}"
        for path in documents
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if _RIDDLES.search(line)
    ]

    assert found == []


def test_no_line_says_one_in_place_of_a_noun() -> None:
    documents = [*_PROJECT.glob("*.md"), *(_PROJECT / "docs").rglob("*.md"), *_PRODUCT.rglob("*.html")]
    modules = [path for room in _PYTHON for path in (_PROJECT / room).rglob("*.py") if "migrations" not in path.parts]

    found = [
        f"{path.relative_to(_PROJECT)}:{number}: {line}"
        for path in sorted([*documents, *modules])
        if path.name != Path(__file__).name
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if _FOR_A_NOUN.search(line)
    ]

    assert found == []


def test_no_variable_is_named_one() -> None:
    found = [
        f"{path.relative_to(_PROJECT)}:{node.lineno}"
        for room in _PYTHON
        for path in sorted((_PROJECT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Name) and node.id == "one") or (isinstance(node, ast.arg) and node.arg == "one")
    ]

    assert found == [], "Name these variables after the thing: a patient, a message, an answer."


def test_no_tests_name_is_a_riddle() -> None:
    found = [
        f"{path.relative_to(_PROJECT)}:{node.lineno}: {node.name}"
        for path in sorted((_PROJECT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_")
        if _RIDDLES.search(words := node.name.replace("_", " "))
        or _FOR_A_NOUN.search(words)
        or words.startswith(("test what ", "test who "))
    ]

    assert found == []


def test_a_function_is_described_in_the_imperative() -> None:
    found = [
        f"{path.relative_to(_PROJECT)}:{node.lineno}: {text}"
        for room in _PYTHON
        for path in sorted((_PROJECT / room).rglob("*.py"))
        if "migrations" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node))
        if _OF_A_THIRD_PERSON.fullmatch(_first_word(text))
    ]

    assert found == []


def _docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring: of the module, a class, a function, or an attribute."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value.strip()


def _first_word(text: str) -> str:
    return re.split(r"[^A-Za-z-]", text, maxsplit=1)[0]


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
