"""Read FHIR's HumanName (hl7.org/fhir/R4/datatypes.html#HumanName) as a patient's name. Pure functions."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_Object = Mapping[str, object]

_COMMA: Final = re.compile(r"\s*[,，،]\s*")
_TITLES: Final = frozenset(
    {
        *("mr", "mrs", "ms", "miss", "mx", "mister", "dr", "doctor", "prof", "professor", "sir", "madam", "rev", "drs"),
        *("herr", "frau", "hr", "ddr", "dres", "dipl-ing", "señor", "señora", "señorita", "srta", "sra", "doña", "dña"),
        *("dra", "profa", "monsieur", "madame", "mademoiselle", "mme", "mlle", "signor", "signora", "dott", "dottssa"),
        *("dhr", "mevr"),
    }
)
"""Titles in small letters, without their dots."""
_TITLES_BY_DOT: Final = frozenset(
    ("m", "d", "sr", "fr", "sig", "med", "dent", "vet", "mag", "ing", "univ", "habil", "h", "c", "hc", "st", "dn")
)
"""Titles only if a dot follows; without a dot they may be names."""
_SUFFIXES: Final = frozenset(("jr", "sr", "ii", "iii", "iv", "md", "phd", "dds", "rn", "esq", "dvm", "jun"))


def name_of(names: Sequence[_Object]) -> str:
    """Given names and family name: of the official name, else of the usual name, else of another name. Empty if all
    are empty. The caller leaves out names that are no longer in use.
    """
    order = {"official": 0, "usual": 1}
    sorted_names = sorted(names, key=lambda name: order.get(str(name.get("use")), 2))
    return next(filter(None, map(_name, sorted_names)), "")


def _name(human_name: _Object) -> str:
    """The name from its parts, since a text may have any order; from the text if the parts hold only titles."""
    listed = human_name.get("given")
    given = _own(" ".join(filter(None, map(_clean, listed if isinstance(listed, list) else []))))
    family, text = _clean(human_name.get("family")), from_text(_clean(human_name.get("text")))
    if given and (family or not text.startswith(given)):
        return f"{given} {family}".strip()
    return text or family


def from_text(text: str) -> str:
    """Read a name written in one piece ("KRAUS, Anna", "Mr. John Smith"): given name first, no title."""
    before, *behind = _COMMA.split(text.strip(" ,，،"))
    suffixes = [part for part in behind if _is_suffix(part)]
    given = [own for part in behind if not _is_suffix(part) and (own := _own(part))]
    return " ".join(filter(None, [*given, _own(before), *suffixes]))


def _clean(value: object) -> str:
    return " ".join(value.split()).strip(" ,，،") if isinstance(value, str) else ""


def _own(words: str) -> str:
    """The words without the titles before them; empty if all are titles."""
    left = words.split()
    while left and _is_title(left[0]):
        left.pop(0)
    return " ".join(left)


def _is_title(word: str) -> bool:
    bare = word.casefold().replace(".", "")
    return bare in _TITLES or ("." in word and bare in _TITLES_BY_DOT)


def _is_suffix(words: str) -> bool:
    return all(word.casefold().replace(".", "") in _SUFFIXES for word in words.split())
