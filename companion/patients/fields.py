"""Check a patient's values field by field, for the pages, the API, imports and sources.

Pure functions without a database, so other patients' ids are not checked here. Every wrong field is named, not only
the first.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final, TypedDict, cast

from companion.clinics.refusals import Problem, Refused
from companion.patients.characters import with_plain_spaces, without_invisible, without_strays
from companion.patients.languages import canonical
from companion.telegram.limits import SHORTENED_SENTENCE, is_shortened, telegram_id_problem
from companion.times.walls import is_zone

EARLIEST_BIRTH: Final = dt.date(1890, 1, 1)
NO_EXTERNAL_ID: Final = "Give the id by which you know this patient."
COHORT_SEPARATOR: Final = "|"
"""Separates cohorts in a CSV cell, so no cohort's name contains it."""
MOST_COHORTS: Final = 100
"""The cohorts of one patient. Each new cohort takes a millisecond, and a body has room for 200,000 of them."""

_LENGTHS: Final = {"external_id": 100, "name": 200, "phone": 50, "caregiver": 200, "cohort": 100}
_FRACTION_OR_SIGN: Final = re.compile(r"[.,+\s]")


class Wrong(Exception):
    """A value that is refused; the message is a sentence for people."""


class Given(TypedDict, total=False):
    """The given values, checked and in their types; fields that were not given are missing."""

    external_id: str
    external_id_written: str
    """The id with its invisible characters, if it has any; else empty."""
    name: str
    telegram_id: int | None
    birth_date: dt.date | None
    phone: str
    caregiver: str
    timezone: str
    language: str
    cohorts: tuple[str, ...]


def read_given(values: Mapping[str, object], *, today: dt.date) -> Given:
    """Check the values in the form in which they came: texts from a form or a CSV, JSON from the API.

    `today` is the latest date in any zone: a birth date after it is wrong. Raises Refused with every wrong field.
    """
    given: dict[str, object] = {}
    problems = []
    for field, value in values.items():
        try:
            given[field] = _READERS.get(field, _no_such_field)(value)
        except Wrong as wrong:
            problems.append(Problem(field, str(wrong)))
    born = given.get("birth_date")
    if isinstance(born, dt.date) and born > today:
        problems.append(Problem("birth_date", "This birth date is still to come."))
    if problems:
        raise Refused(*problems)
    if "external_id" in given:
        given["external_id_written"] = _as_written(values["external_id"], given["external_id"])
    # Each reader in the table below returns its own field's type.
    return cast("Given", given)


def wrong_in(field: str, value: object) -> str:
    """A sentence for people that says why the value is refused; empty if it is right."""
    try:
        _READERS.get(field, _no_such_field)(value)
    except Wrong as wrong:
        return str(wrong)
    return ""


def read_cohort_name(value: object) -> str:
    """Read a cohort's name. Raises Wrong with a sentence for people."""
    name = without_strays(_text(value, "cohort", "Give the cohort a name.")).strip()
    if COHORT_SEPARATOR in name:
        raise Wrong("A cohort's name can't contain a vertical bar (|), because it separates cohorts in a CSV.")
    return name


def _text(value: object, field: str, missing: str) -> str:
    """A text of one line in Unicode's normal form, with plain spaces.

    `missing` is the sentence for an empty text; "" allows an empty text.
    """
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise Wrong("This must be a text.")
    text = _normal(value)
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
        raise Wrong("This contains a line break or another control character. Write it in one line.")
    if missing and not without_invisible(text).strip():
        raise Wrong(missing)
    if len(text) > _LENGTHS[field]:
        raise Wrong(f"This is longer than {_LENGTHS[field]} characters.")
    return text


def _normal(value: str) -> str:
    return with_plain_spaces(unicodedata.normalize("NFC", value)).strip()


def _external_id(value: object) -> str:
    text = without_invisible(_text(value, "external_id", NO_EXTERNAL_ID)).strip()
    # "12E4" may be an id; a spreadsheet always writes a fraction or the sign.
    if is_shortened(text) and _FRACTION_OR_SIGN.search(text):
        raise Wrong(SHORTENED_SENTENCE)
    return text


def _as_written(value: object, read: object) -> str:
    written = _normal(str(value))
    return "" if written == read else written


def _name(value: object) -> str:
    return without_strays(_text(value, "name", "Give the patient's name.")).strip()


def _phone(value: object) -> str:
    phone = without_invisible(_text(value, "phone", "")).strip()
    if is_shortened(phone):
        raise Wrong(SHORTENED_SENTENCE)
    if phone and not any(char.isdecimal() for char in phone):
        raise Wrong("A phone number has digits.")
    return phone


def _caregiver(value: object) -> str:
    return without_strays(_text(value, "caregiver", "")).strip()


def _telegram_id(value: object) -> int | None:
    if value is None or (isinstance(value, str) and not without_invisible(value).strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Wrong("A Telegram ID consists of the digits 0 to 9 only.")
    number = without_invisible(value) if isinstance(value, str) else value
    problem = telegram_id_problem(number)
    if problem:
        raise Wrong(problem)
    return int(number)


def _birth_date(value: object) -> dt.date | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        born = value
    else:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value.strip()):
            raise Wrong("Write the birth date as year, month, day, like 1980-12-24.")
        try:
            born = dt.date.fromisoformat(value.strip())
        except ValueError:
            raise Wrong("There is no such date. Write year, month, day, like 1980-12-24.") from None
    if born < EARLIEST_BIRTH:
        raise Wrong(f"Nobody alive was born before {EARLIEST_BIRTH.year}.")
    return born


def read_timezone(value: object) -> str:
    """Read an IANA zone name. Raises Wrong with a sentence for people."""
    if not isinstance(value, str) or not is_zone(value.strip()):
        raise Wrong("We don't know this time zone. Use an IANA name, like Europe/Berlin.")
    return value.strip()


def read_language(value: object) -> str:
    """Read a BCP 47 tag and return its usual spelling ("de", "pt-BR"). Raises Wrong with a sentence for people."""
    tag = canonical(value) if isinstance(value, str) else None
    if tag is None:
        raise Wrong("This is no language code. Write a code like en, pt-BR or hmn (ISO 639), not the language's name.")
    return tag


def _cohorts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise Wrong("Give a list of cohorts' names.")
    if len(value) > MOST_COHORTS:
        raise Wrong(f"A patient can be in at most {MOST_COHORTS} cohorts. Give fewer names.")
    return tuple(dict.fromkeys(read_cohort_name(name) for name in value))


def _no_such_field(_: object) -> object:
    raise Wrong("A patient has no such field.")


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "external_id": _external_id,
    "name": _name,
    "telegram_id": _telegram_id,
    "birth_date": _birth_date,
    "phone": _phone,
    "caregiver": _caregiver,
    "timezone": read_timezone,
    "language": read_language,
    "cohorts": _cohorts,
}
"""The reader of each field; there are no other fields."""
