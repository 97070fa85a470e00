"""Checks what is said of a patient, field by field, whichever door it comes through (page, API, CSV).

Pure: no database, hence nothing here about who else has the same id. Every wrong field is named, not only the first.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypedDict, cast

from babel import Locale, UnknownLocaleError

from companion.clinics.refusals import Problem, Refused
from companion.telegram.limits import telegram_id_problem
from companion.times.walls import is_zone

EARLIEST_BIRTH: Final = dt.date(1890, 1, 1)
COHORT_SEPARATOR: Final = "|"
"""Stands between cohorts in a cell of a CSV, and therefore in no cohort's name."""

_LENGTHS: Final = {"external_id": 100, "name": 200, "phone": 50, "caregiver": 200, "cohort": 100}
_LANGUAGE: Final = re.compile(r"(?!und|root)[A-Za-z]{2,3}([_-][A-Za-z0-9]+)*")


class Wrong(Exception):
    """A value that can't be taken; the message is a sentence for people."""


class Given(TypedDict, total=False):
    """What was said, checked and in its own type; a field that was not said is not there."""

    external_id: str
    name: str
    telegram_id: int | None
    birth_date: dt.date | None
    phone: str
    caregiver: str
    timezone: str
    language: str
    cohorts: tuple[str, ...]


def read_given(values: Mapping[str, object], *, today: dt.date) -> Given:
    """The values as they came (texts from a form or a CSV, JSON from the API), checked.

    `today` is a date no zone has left behind yet: what lies after it can't be a birth date. Raises Refused with every
    wrong field.
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
    # Each reader of the table below gives its own field's type.
    return cast("Given", given)


def read_cohort_name(value: object) -> str:
    """A cohort's name. Raises Wrong with a sentence for people."""
    name = _text(value, "cohort", "Give the cohort a name.")
    if COHORT_SEPARATOR in name:
        raise Wrong("A cohort's name can't hold a vertical bar, which stands between cohorts in a CSV.")
    return name


def _text(value: object, field: str, missing: str) -> str:
    """A text of one line, in one spelling of its characters. `missing` is the sentence for none; "" allows none."""
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise Wrong("This must be a text.")
    text = unicodedata.normalize("NFC", value).strip()
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
        raise Wrong("This holds a line break or another control character. Write it in one line.")
    if not text and missing:
        raise Wrong(missing)
    if len(text) > _LENGTHS[field]:
        raise Wrong(f"This is longer than {_LENGTHS[field]} characters.")
    return text


def _external_id(value: object) -> str:
    return _text(value, "external_id", "Say by which id this patient is known to you.")


def _name(value: object) -> str:
    return _text(value, "name", "Give the patient's name.")


def _phone(value: object) -> str:
    phone = _text(value, "phone", "")
    if phone and not any(char.isdecimal() for char in phone):
        raise Wrong("A phone number has digits.")
    return phone


def _caregiver(value: object) -> str:
    return _text(value, "caregiver", "")


def _telegram_id(value: object) -> int | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Wrong("A Telegram ID is a number of the digits 0 to 9, and nothing else.")
    problem = telegram_id_problem(value)
    if problem:
        raise Wrong(problem)
    return int(value)


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
    """An IANA name. Raises Wrong with a sentence for people."""
    if not isinstance(value, str) or not is_zone(value.strip()):
        raise Wrong("This is no time zone that we know. Use an IANA name, like Europe/Berlin.")
    return value.strip()


def read_language(value: object) -> str:
    """A BCP 47 tag in its usual spelling ("de", "pt-BR"). Raises Wrong with a sentence for people."""
    tag = _canonical_language(value.strip()) if isinstance(value, str) else None
    if tag is None:
        raise Wrong("This is no language that we know. Use a code like en, de or pt-BR.")
    return tag


@lru_cache(maxsize=512)
def _canonical_language(tag: str) -> str | None:
    if len(tag) > 16 or not _LANGUAGE.fullmatch(tag):
        return None
    try:
        locale = Locale.parse(tag.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        return None
    return "-".join(filter(None, (locale.language, locale.script, locale.territory)))


def _cohorts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise Wrong("Give a list of cohorts' names.")
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
"""How each field is read; there are no others."""
