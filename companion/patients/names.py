"""Names: how somebody is addressed, and how they are folded for a search, so that "sao" finds "São Félix".

Pure. The queries stand in queries.py.
"""

import unicodedata

from companion.patients.characters import without_invisible

KEY_LENGTH = 320
"""Room of the column Patient.search."""


def first_name(name: str) -> str:
    """The name up to its first space, of whatever kind ("KRAUS, Anna" is addressed without the comma)."""
    words = name.split()
    return (words[0].rstrip(",，،") or words[0]) if words else ""


def search_key(name: str, external_id: str) -> str:
    """What is stored beside a patient for `q` to look in: name and external id, folded."""
    return _folded(f"{name} {external_id}")[:KEY_LENGTH]


def search_term(q: str) -> str:
    """What a person typed, folded as the stored key is; empty where there is nothing to look for."""
    return _folded(q)[:KEY_LENGTH].rstrip()


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", without_invisible(text))
    bare = "".join(char if _kept(char) else " " for char in decomposed if not unicodedata.combining(char))
    # Case folding can decompose once more ("İ"), hence a second pass over the accents.
    folded = unicodedata.normalize("NFKD", bare.casefold())
    return " ".join("".join(char for char in folded if not unicodedata.combining(char)).split())


def _kept(char: str) -> bool:
    # Control characters and lone surrogates can't be stored by every database, and nobody looks for them.
    return unicodedata.category(char) not in ("Cc", "Cs")
