"""A message's text: its placeholders, checked when it is written and filled in when it is sent. Plain text only."""

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from babel.dates import format_date, format_time

from companion.clinics.models import Clinic
from companion.patients.languages import locale_of
from companion.patients.models import Patient
from companion.patients.names import first_name
from companion.telegram.discreet import Discreet
from companion.telegram.limits import TEXT_UNITS, utf16_units
from companion.times import walls

PLACEHOLDERS: Mapping[str, str] = {
    "first_name": "first name",
    "name": "full name",
    "clinic": "clinic",
    "date": "date of sending",
    "time": "time of sending",
}
_KNOWN: Final = f"Known are {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}; write {{{{ for a brace."
_DOUBLED: Final = re.compile(r"(?<!\{)\{\{\s*(\w+)\s*\}")
_LONGEST_DATE, _LONGEST_TIME = 60, 30
"""Upper bounds in UTF-16 units; no known language reaches them."""
_PIECE: Final = re.compile(r"\{\{|\{(\w*)\}|\{")


def as_typed(text: str) -> str:
    """The text with each line end as a plain newline. Browsers and files write line ends in other ways."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def literal_braces(template: str) -> list[str]:
    """The placeholders in double braces, such as "{{first_name}}": they are not filled in, and patients see them."""
    return list(dict.fromkeys(name for name in _DOUBLED.findall(template) if name in PLACEHOLDERS))


def problems_of(template: str) -> list[str]:
    """The problems of a text as typed, each in a sentence that names the line and the character."""
    if not template.strip():
        return ["Write the text that the patient gets."]
    found = [_stray_character(template, i) for i, char in enumerate(template) if _is_control(char)]
    for piece in _PIECE.finditer(template):
        if piece.group() == "{{" or piece.group(1) in PLACEHOLDERS:
            continue
        shown = piece.group() if piece.group(1) else template[piece.start() : piece.start() + 12]
        found.append(f"{_position(template, piece.start())}: {shown} is no placeholder. {_KNOWN}")
    return found


def too_long(filled: str) -> str | None:
    """A sentence if a filled-in text is longer than Telegram's limit (Bot API, sendMessage); else None."""
    over = utf16_units(filled) - TEXT_UNITS
    if over <= 0:
        return None
    return (
        f"The text is {over} character{'' if over == 1 else 's'} too long once filled in: Telegram takes {TEXT_UNITS}."
    )


def most_units(template: str, *, clinic_name: str, name_characters: int) -> int:
    """An upper bound for the filled-in text in UTF-16 units, if no name is longer than `name_characters`."""
    name = 2 * name_characters
    lengths = {"clinic": utf16_units(clinic_name), "date": _LONGEST_DATE, "time": _LONGEST_TIME}
    pieces = _pieces(template)
    return (
        name
        + utf16_units("For : ")
        + sum(lengths.get(piece, name) if is_placeholder else utf16_units(piece) for piece, is_placeholder in pieces)
    )


def as_it_stands(words: str) -> str:
    """A template that shows these words unchanged, also if they contain braces."""
    return words.replace("{", "{{")


def words_of(template: str) -> str:
    """The words of which `as_it_stands` made this template."""
    return template.replace("{{", "{")


class _Piece(NamedTuple):
    """A piece of a text: its words or, for a placeholder, the placeholder's name."""

    words: str
    is_placeholder: bool = False


class Reader(Discreet, frozen=True, gc=False):
    """The reader of a text: the names, the language and the zone that fill its placeholders."""

    hidden = frozenset({"name"})

    name: str
    clinic: str
    language: str
    timezone: str
    caregiver: bool = False
    """True if the text goes to the phone of another person, the caregiver."""


def reader_of(patient: Patient | None, clinic: Clinic) -> Reader:
    """The patient as a reader. A chat without a patient reads in the clinic's language and zone."""
    if patient is None:
        return Reader("", clinic.name, clinic.language, clinic.timezone)
    return Reader(patient.name, clinic.name, patient.language, patient.timezone, bool(patient.caregiver))


def fill(template: str, reader: Reader, at: dt.datetime) -> str:
    """Fill the placeholders for this reader. `at` is the instant of sending, for the date and the time."""
    # Date and time show no seconds, so all texts of one minute share the cached words.
    minute = at.replace(second=0, microsecond=0)
    body = "".join(
        _value(piece, reader, minute) if is_placeholder else piece for piece, is_placeholder in _pieces(template)
    )
    return f"For {first_name(reader.name)}: {body}" if reader.caregiver else body


def _value(placeholder: str, reader: Reader, minute: dt.datetime) -> str:
    match placeholder:
        case "first_name":
            return first_name(reader.name)
        case "name":
            return reader.name
        case "clinic":
            return reader.clinic
        case "date":
            return _date_words(minute, reader.timezone, reader.language)
        case _:
            return _time_words(minute, reader.timezone, reader.language)


@lru_cache(maxsize=64)  # a Schedule's many Messages share their template
def _pieces(template: str) -> tuple[_Piece, ...]:
    """The text cut at its placeholders."""
    pieces: list[_Piece] = []
    behind = 0
    for found in _PIECE.finditer(template):
        pieces.append(_Piece(template[behind : found.start()]))
        is_placeholder = found.group(1) in PLACEHOLDERS
        pieces.append(_Piece(found.group(1), True) if is_placeholder else _Piece(found.group().replace("{{", "{")))
        behind = found.end()
    pieces.append(_Piece(template[behind:]))
    return tuple(pieces)


@lru_cache(maxsize=256)
def _date_words(at: dt.datetime, timezone: str, language: str) -> str:
    return format_date(walls.local(at, timezone), "long", locale=locale_of(language))


@lru_cache(maxsize=256)
def _time_words(at: dt.datetime, timezone: str, language: str) -> str:
    return format_time(walls.local(at, timezone), "short", locale=locale_of(language))


@lru_cache(maxsize=512)
def longest_instant(language: str) -> dt.datetime:
    """An instant whose date and time, in UTC, have the most characters in this language."""
    days = [dt.datetime(2028, month, 28, tzinfo=dt.UTC) for month in range(1, 13)]
    day = max(days, key=lambda at: utf16_units(_date_words(at, "UTC", language)))
    hours = [day + dt.timedelta(hours=hour, minutes=58) for hour in range(24)]
    return max(hours, key=lambda at: utf16_units(_time_words(at, "UTC", language)))


def _is_control(char: str) -> bool:
    # Cs: half of a surrogate pair, which no UTF-8 can carry
    return unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"


def _stray_character(template: str, index: int) -> str:
    return f"{_position(template, index)}: there is a control character (U+{ord(template[index]):04X}). Remove it."


def _position(template: str, index: int) -> str:
    line = template.count("\n", 0, index) + 1
    column = index - template.rfind("\n", 0, index)
    return f"Line {line}, character {column}"
