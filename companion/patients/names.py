"""Names: how a patient is addressed, and how names are simplified for a search, so that "sao" finds "São Félix".

Pure functions. The queries are in queries.py.
"""

import unicodedata
from typing import Final

from companion.patients.characters import without_invisible

KEY_LENGTH: Final = 320
"""The length of the column Patient.search."""


def first_name(name: str) -> str:
    """The name up to its first space of any kind ("KRAUS, Anna" is addressed without the comma)."""
    words = name.split()
    return (words[0].rstrip(",，،") or words[0]) if words else ""


def search_key(name: str, external_id: str) -> str:
    """The stored search key of a patient: name and external id, folded."""
    return _folded(f"{name} {external_id}")[:KEY_LENGTH]


def search_term(q: str) -> str:
    """A typed search term, folded like the stored key; empty if nothing is left."""
    return _folded(q)[:KEY_LENGTH].rstrip()


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", without_invisible(text))
    bare = "".join(char if _kept(char) else " " for char in decomposed if not unicodedata.combining(char))
    # Case folding can decompose once more ("İ"), hence a second pass over the accents.
    folded = unicodedata.normalize("NFKD", bare.casefold())
    return " ".join("".join(char for char in folded if not unicodedata.combining(char)).split())


def _kept(char: str) -> bool:
    # Some databases can't store control characters and lone surrogates, and nobody searches for them.
    return unicodedata.category(char) not in ("Cc", "Cs")
