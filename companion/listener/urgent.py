"""Recognise words that ask for urgent help: whole words of the clinic's list. Pure functions.

The answer to such words names a number to call, so the list needs a number (clinics/urgent_words.py).
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_SPACELESS: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts without spaces: Thai, Lao, Burmese, Khmer, Japanese, Chinese; and Korean letters as NFKD splits
them.
"""


def asks_for_help(text: str, words: Iterable[str]) -> bool:
    """Return whether the text has one of these words or phrases, ignoring case, accents and punctuation."""
    plain = f" {_plain(text)} "
    return any((wanted := _plain(word)) and _contains(plain, wanted) for word in words)


def _contains(plain: str, wanted: str) -> bool:
    # In a script without spaces, look for the word anywhere in the text.
    return wanted in plain if _SPACELESS.search(wanted) else f" {wanted} " in plain


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    # Remove apostrophes, so that "can't" and "cant" are the same.
    joined = bare.replace("'", "").replace("’", "")
    return " ".join("".join(char if _is_letter(char) else " " for char in joined).split())


def _is_letter(char: str) -> bool:
    # Vowel signs count as letters: otherwise they would split a Hindi or Thai word.
    return char.isalnum() or unicodedata.category(char).startswith("M")
