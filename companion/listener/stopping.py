"""Tell a STOP from ordinary words. Pure functions: patient_messages.py decides what follows.

A message is a STOP if it has only words of stop_words.py, with any punctuation or emoji. Any other mention of stopping
is for the clinic's staff. A probable STOP ("please stop", or a stop sign alone) makes us ask the chat.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum, auto
from typing import Final, NamedTuple

from companion.listener.stop_words import (
    LOOK_ALIKES,
    ORDINARY_ELSEWHERE,
    PLEASE_SIGNS,
    PLEASE_WORDS,
    QUESTION_OPENINGS,
    QUESTION_PARTS,
    QUESTION_SIGNS,
    STOP_SIGNS,
    STOP_WORDS,
)


class Verdict(Enum):
    """The meaning of a message."""

    STOP = auto()
    """The chat opts out."""
    STOP_AND_STAFF = auto()
    """The chat opts out, and staff reads the rest."""
    ASK = auto()
    """Nobody can know what is meant: staff reads the message, and the chat is asked."""
    WORDS = auto()
    """Ordinary words, for staff."""


class _StopWords(Enum):
    """The result of looking for STOP words in a text."""

    CERTAIN = auto()
    """The text has only STOP words."""
    ORDINARY = auto()
    """The text has only STOP words of the person's language, and they have an ordinary meaning, too."""
    NOTHING = auto()
    """The text has other words."""


# An emoji may be made of ordinary characters: a digit in a keycap, a letter that is shown as a symbol.
_EMOJI: Final = re.compile(r"[0-9#*]\ufe0f?\u20e3|\u2139|[^\w\s]\ufe0f|[\U0001f200-\U0001f2ff]|[™℠]")
# Tatweel, variation selectors, the grapheme joiner and letters without a shape. _readable also removes format
# characters (Cf).
_UNSEEN: Final = re.compile("[\u0640\u034f\u115f\u1160\u3164\uffa0\u180b-\u180d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_WORD: Final = re.compile(r"\w+")
_COMMAND: Final = re.compile(r"/stop(?![^\W_])(?:@\w+)?(.*)", re.IGNORECASE | re.DOTALL)
# The marks that end a sentence, as they are after NFKC, which turns "！" and "‼" into "!".
_ENDS: Final = re.compile("[.!?;。؟۔।॥։။።፧⸮‽՞❓❔❗❕\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_ASKS: Final = re.compile("[?؟፧⸮‽՞❓❔\u037e¿]")
_GREEK: Final = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")
# Letters in white on a black circle or square, which NFKC leaves as they are.
_FRAMED: Final = {first + position: 0x41 + position for first in (0x1F150, 0x1F170) for position in range(26)}
_LONG_DRAWN: Final = re.compile(r"(\w)\1{2,}")
# In the order of LOOK_ALIKES.
_ALPHABETS: Final = tuple(map(re.compile, ("[a-z\xdf-\u024f]", "[\u0370-\u03ff]", "[\u0400-\u052f]")))
_TO_ALPHABET: Final = tuple(
    {ord(letter): row[position] for row in LOOK_ALIKES if row[position] != "·" for letter in row if letter != "·"}
    for position in range(len(_ALPHABETS))
)


def verdict(text: str, languages: Iterable[str], *, question_open: bool) -> Verdict:
    """Judge a whole message.

    `languages` are the languages of the chat's patients and of their Telegram. A STOP word that has another meaning
    somewhere counts only in these languages. `question_open` is True if the chat has yet to answer a question.
    """
    readable = _readable(text)
    if command := _COMMAND.fullmatch(readable.strip()):
        return Verdict.STOP_AND_STAFF if _bare(command[1]) else Verdict.STOP
    first, rest = _split(readable)
    found = _stop_in(readable, languages)
    whole = found is not _StopWords.NOTHING
    if not whole:
        found = _stop_in(first, languages)
    if found is _StopWords.NOTHING:
        probable = _is_stop_sign(text, readable) or _asks_politely(readable) or _asks_politely(first)
        return Verdict.ASK if probable else Verdict.WORDS
    if (found is _StopWords.ORDINARY and question_open) or _is_question(
        first, readable if whole else rest, whole=whole
    ):
        return Verdict.ASK
    return Verdict.STOP if whole else Verdict.STOP_AND_STAFF


def has_question_mark(text: str) -> bool:
    """Return whether the text has a question mark of any script."""
    return bool(_ASKS.search(_readable(text)))


def _readable(text: str) -> str:
    """Remove invisible characters, and emoji made of ordinary characters. Fold widths, letter forms and look-alikes."""
    # Replace the Greek question mark first: folding would turn it into a semicolon.
    marked = _EMOJI.sub(" ", text.replace("\u037e", "?").translate(_FRAMED))
    seen = "".join(char for char in _UNSEEN.sub("", marked) if unicodedata.category(char) not in ("Cf", "Cs"))
    folded = _UNSEEN.sub("", unicodedata.normalize("NFKC", seen))
    return _WORD.sub(lambda word: _in_one_alphabet(word[0]), folded)


def _in_one_alphabet(word: str) -> str:
    """Write a word that mixes alphabets in one alphabet, if that alphabet has a look-alike for each of its letters."""
    small = word.casefold()
    if sum(bool(alphabet.search(small)) for alphabet in _ALPHABETS) < 2:
        return word
    for here, letters in zip(_ALPHABETS, _TO_ALPHABET, strict=True):
        folded = small.translate(letters)
        if not any(other.search(folded) for other in _ALPHABETS if other is not here):
            return folded
    return word


class _Split(NamedTuple):
    """A text as its first sentence, including the mark at its end, and the rest."""

    first: str
    rest: str


def _split(readable: str) -> _Split:
    begins = next((at for at, char in enumerate(readable) if char.isalnum()), len(readable))
    end = _ENDS.search(readable, begins)
    return _Split(readable[: end.end()], readable[end.end() :]) if end else _Split(readable, "")


def _is_question(first: str, rest: str, *, whole: bool) -> bool:
    """Return whether the STOP, or the text after it, is a question."""
    if _ASKS.search(first) or _ASKS.search(rest):
        return True
    if whole:
        return False
    if rest.rstrip().endswith(";") or (";" in rest and _GREEK.search(rest)):
        return True
    return any(sign in rest for sign in QUESTION_SIGNS) or any(map(_asks, _ENDS.split(rest)))


def _asks(sentence: str) -> bool:
    words = _bare(sentence)
    opens = any(f"{words} ".startswith(f"{opening} ") for opening in _OPENINGS)
    return opens or any(f" {part} " in f" {words} " for part in _PARTS)


def _stop_in(readable: str, languages: Iterable[str]) -> _StopWords:
    """Look for a text that has only STOP words, once or several times."""
    # A Turkish keyboard writes "unsubscrıbe".
    bare = _LONG_DRAWN.sub(r"\1", _joined(_bare(readable))).replace("ı", "i")
    if not _ONLY_STOP_WORDS.fullmatch(bare):
        return _StopWords.NOTHING
    words = set(_STOP_WORD.findall(bare))
    if not words <= ORDINARY_ELSEWHERE:
        return _StopWords.CERTAIN
    written = _LONG_DRAWN.sub(r"\1", _joined(_cased(readable)))
    if written != bare:
        # The right accents make it a STOP word; other accents make another word ("dừng": stop, "dùng": to take).
        return _StopWords.CERTAIN if set(written.split()) <= _WITH_ACCENTS else _StopWords.NOTHING
    spoken = {_primary(language) for language in languages}
    in_their_language = any(words & _FOLDED.get(language, frozenset()) for language in spoken)
    return _StopWords.ORDINARY if in_their_language else _StopWords.NOTHING


def _is_stop_sign(text: str, readable: str) -> bool:
    """Return whether the message is a stop sign without any words."""
    return not _bare(readable) and any(sign in text for sign in STOP_SIGNS)


def _asks_politely(readable: str) -> bool:
    """Return whether the text has only STOP words and a "please", each in any language."""
    written = " " + _LONG_DRAWN.sub(r"\1", _cased(readable)) + " "
    without = _PLEASE.sub(" ", written)
    return without != written and _stop_in(without, STOP_WORDS) is not _StopWords.NOTHING


def _cased(text: str) -> str:
    """Return only the words, in small letters, with their accents."""
    small = unicodedata.normalize("NFC", text.casefold())
    return " ".join("".join(char if _is_letter(char) else " " for char in small).split())


def _bare(text: str) -> str:
    """Return only the words, in small letters, without accents and without the vowel marks of Arabic and Hebrew."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join("".join(char if _is_letter(char) else " " for char in plain).split())


def _is_letter(char: str) -> bool:
    # Vowel signs count as letters: without them a Hindi word falls apart. Frames around a character (Me) don't.
    return char.isalnum() or unicodedata.category(char) in ("Mn", "Mc")


def _joined(words: str) -> str:
    """Join letters that are spelled out ("S.T.O.P.") to a word."""
    letters = words.split()
    return "".join(letters) if all(len(letter) == 1 for letter in letters) else words


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()


_FOLDED: Final = {language: frozenset(map(_bare, words)) for language, words in STOP_WORDS.items()}
_WITH_ACCENTS: Final = frozenset(
    token for words in STOP_WORDS.values() for word in words for token in _cased(word).split()
)
_PLEASE: Final = re.compile(
    "|".join(
        [*PLEASE_SIGNS, *(f"(?<= ){re.escape(form(word))}(?= )" for word in PLEASE_WORDS for form in (_cased, _bare))]
    )
)
_OPENINGS: Final = frozenset(map(_bare, QUESTION_OPENINGS))
_PARTS: Final = frozenset(map(_bare, QUESTION_PARTS))
# The longest word comes first, and nothing is tried twice, so that a long message is read in one pass.
_ALL: Final = "|".join(sorted(map(re.escape, frozenset().union(*_FOLDED.values())), key=len, reverse=True))
_STOP_WORD: Final = re.compile(f"(?:{_ALL})")
_ONLY_STOP_WORDS: Final = re.compile(f"(?:(?>{_ALL}) ?)++")
