"""Characters that look like a space or that nobody can see. Pure functions."""

import re
from typing import Final

# Unicode's Default_Ignorable_Code_Point, the annotation marks, and the blank of braille.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Invisible characters that are needed to spell names in Persian, Hindi, Mongolian, Korean and Japanese (joiners,
# variants, fillers) are not among these.
_NO_PART_OF_A_NAME: Final = re.compile(
    "[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u2800\ufeff\ufff0-\ufffb\U000e0000-\U000e007f]"
)
_SPACE: Final = re.compile(r"[^\S\r\n\t\v\f\x1c-\x1f\x85\u2028\u2029]")
"""All of Unicode's spaces, except those that end a line or a cell."""


def without_invisible(text: str) -> str:
    """Remove the characters that nobody can see."""
    return _INVISIBLE.sub("", text)


def without_strays(name: str) -> str:
    """Remove the invisible characters that belong in no name."""
    return _NO_PART_OF_A_NAME.sub("", name)


def with_plain_spaces(text: str) -> str:
    """Replace each of Unicode's spaces by a plain space."""
    return _SPACE.sub(" ", text)
