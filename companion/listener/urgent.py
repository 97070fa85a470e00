"""Words by which a patient asks for urgent help: a clinic's own list, found in what was written, whole words only.

Pure. What follows is handling.py's; whom to call is told along, so that the list asks for a number (clinics/help.py).
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_SPACELESS: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Thai, Lao, Burmese, Khmer, Japanese, Chinese; and Korean in the pieces that folding makes of it."""


def asks_for_help(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words, or words in a row, stands in the text, whatever its case, accents and punctuation."""
    said = f" {_plain(text)} "
    return any((wanted := _plain(word)) and _stands_in(wanted, said) for word in words)


def _stands_in(wanted: str, said: str) -> bool:
    # What is written without spaces has no whole words to look for.
    return wanted in said if _SPACELESS.search(wanted) else f" {wanted} " in said


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    # An apostrophe joins ("can't"), so that it may be left out as well.
    joined = bare.replace("'", "").replace("’", "")
    return " ".join("".join(char if _is_letter(char) else " " for char in joined).split())


def _is_letter(char: str) -> bool:
    # Vowel signs, too: without them a Hindi or Thai word falls apart.
    return char.isalnum() or unicodedata.category(char).startswith("M")
