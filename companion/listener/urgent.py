"""Words by which a patient asks for urgent help: a clinic's own list, found in what was written, whole words only.

Pure. What follows is handling.py's; whom to call is told along, so that the list asks for a number (clinics/help.py).
"""

import unicodedata
from collections.abc import Iterable


def asks_for_help(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words, or words in a row, stands in the text, whatever its case, accents and punctuation."""
    said = f" {_plain(text)} "
    return any((wanted := _plain(word)) and f" {wanted} " in said for word in words)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    # An apostrophe joins ("can't"), so that it may be left out as well.
    joined = bare.replace("'", "").replace("’", "")
    return " ".join("".join(char if char.isalnum() else " " for char in joined).split())
