"""Languages by their BCP 47 tags (RFC 5646), and the order in which texts are looked up (RFC 4647, lookup).

Pure functions. A tag is kept even if we have no texts in it; only a malformed tag is refused.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError

ENGLISH: Final = "en"
LONGEST: Final = 100
"""The longest tag; RFC 5646 (4.4.1) asks for room for 35 characters."""

_PRIVATE: Final = r"x(-[a-z0-9]{1,8})+"
# The grammar also reserves codes of 4 to 8 letters. They are refused here: no language has such a code, and people
# write "german". "und" (undetermined) is refused too.
_TAG: Final = re.compile(
    r"(?!und\b)[a-z]{2,3}(-[a-z]{3}){0,3}"
    r"(-[a-z]{4})?"
    r"(-([a-z]{2}|[0-9]{3}))?"
    r"(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(-[0-9a-wy-z](-[a-z0-9]{2,8})+)*"
    rf"(-{_PRIVATE})?|{_PRIVATE}"
)
_IRREGULAR: Final = {
    tag.casefold(): tag
    for tag in (
        *("en-GB-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux", "i-mingo"),
        *("i-navajo", "i-pwn", "i-tao", "i-tay", "i-tsu", "sgn-BE-FR", "sgn-BE-NL", "sgn-CH-DE"),
    )
}
_ALSO: Final = {"no": "nb", "nb": "no", "nn": "no", "iw": "he", "in": "id", "ji": "yi", "tl": "fil", "mo": "ro"}
"""Languages with two codes, and languages whose speakers can read another language."""


@lru_cache(maxsize=512)
def canonical(tag: str) -> str | None:
    """The tag in its usual case ("pt_br" becomes "pt-BR"); None if it is malformed."""
    small = tag.strip().replace("_", "-").lower()
    if small in _IRREGULAR:
        return _IRREGULAR[small]
    if len(small) > LONGEST or not small.isascii() or not _TAG.fullmatch(small):
        return None
    return "-".join(_cased(small.split("-")))


def _cased(parts: list[str]) -> list[str]:
    """Apply the case rules of RFC 5646, 2.1.1: regions in capitals, scripts with one capital, extensions in small
    letters.
    """
    single = next((index for index, part in enumerate(parts) if len(part) == 1), len(parts))
    plain = [parts[0], *(_subtag_cased(part) for part in parts[1:single])] if single else []
    return plain + parts[single:]


def _subtag_cased(part: str) -> str:
    if len(part) == 4 and part.isalpha():
        return part.title()
    return part.upper() if len(part) == 2 else part


@lru_cache(maxsize=512)
def fallbacks(tag: str) -> tuple[str, ...]:
    """The tags in which to look for texts, the nearest first: "zh-Hant-TW", "zh-Hant", "zh", and English last."""
    parts = (canonical(tag) or ENGLISH).split("-")
    found = []
    while parts:
        found.append("-".join(parts))
        parts.pop()
        if parts and len(parts[-1]) == 1:
            parts.pop()
    found += [_ALSO[found[-1]]] if found[-1] in _ALSO else []
    return tuple(dict.fromkeys([*found, ENGLISH]))


def nearest(tag: str, known: Collection[str]) -> str:
    """The known language that a speaker of this language reads best; English if there is none."""
    return next((fallback for fallback in fallbacks(tag) if fallback in known), ENGLISH)


@lru_cache(maxsize=512)
def locale_of(tag: str) -> Locale:
    """Babel's locale for dates and times in this language; the English one if Babel has none."""
    for fallback in fallbacks(tag):
        if locale := _locale(fallback):
            return locale
    return Locale(ENGLISH)


def language_name(tag: str) -> str:
    """The language's English name; the tag itself if we know no name."""
    locale = _locale(tag)
    if locale and (name := locale.get_display_name(ENGLISH)):
        return name
    primary = tag.partition("-")[0]
    name = Locale(ENGLISH).languages.get(primary)
    return tag if name is None else f"{name} ({tag})" if tag != primary else str(name)


def _locale(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return None
