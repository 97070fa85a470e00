"""Read a FHIR Patient (R4, R5; parsed JSON) into our fields. Pure functions.

See hl7.org/fhir/R4/patient.html and datatypes.html (ContactPoint, Identifier). fhir_names.py reads names,
fhir_periods.py reads periods.
"""

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from companion.patients.languages import canonical
from companion.patients.sources.fhir_names import name_of
from companion.patients.sources.fhir_periods import is_current
from companion.patients.sources.source import WITHOUT, Found
from companion.telegram.limits import telegram_id_problem


@dataclass(frozen=True, slots=True)
class TelegramAt:
    """The mark of a ContactPoint that holds a Telegram ID: either the URL of an extension on it, or the beginning of
    its value ("telegram:4711").
    """

    mark: str


DEFAULT_TELEGRAM: Final = TelegramAt("telegram:")

_Object = Mapping[str, object]


def read_patient(resource: _Object, *, identifier_system: str, telegram: TelegramAt, now: dt.datetime) -> Found:
    """Read the patient. A wrong value is left out; if the patient needs it, `trouble` names it.

    Identifiers, names and telecoms count only during their periods. `now` has the zone in which dates are meant.
    """
    own_id = str(resource.get("id", ""))
    place = f"Patient/{own_id}"
    gone = resource.get("active") is False or _is_dead(resource)
    external_id = _identifier(resource, identifier_system, now, ended_too=gone) if identifier_system else own_id
    if not external_id:
        return Found(place, {}, changed=_updated(resource), trouble=_NO_IDENTIFIER)
    left = gone or _is_replaced(resource)
    telecoms = _objects(resource.get("telecom"))
    current = _by_rank(_current(telecoms, now))
    ended = [telecom for telecom in telecoms if telecom not in current]
    number, problem = _telegram(current, telegram)
    given: dict[str, object] = {
        "external_id": external_id,
        "name": name_of(
            [
                human_name
                for human_name in _current(_objects(resource.get("name")), now)
                if human_name.get("use") != "maiden"
            ]
        ),
        "birth_date": _birth_date(resource),
        "phone": _phone(current),
        "language": _language(resource),
        "telegram_id": "" if problem else number,
    }
    values = {name: value for name, value in given.items() if value}
    # A number that has ended on the server must get no more messages, so it is removed here too.
    if not number and any(_telegrams(ended, telegram)):
        values["telegram_id"] = None
    if "phone" not in values and _phone(ended):
        values["phone"] = ""
    trouble = f"telegram_id: {problem} {WITHOUT}" if problem and not left else ""
    return Found(place, values, left=left, changed=_updated(resource), trouble=trouble)


_NO_IDENTIFIER: Final = "It has no current identifier of the system that you named."


def _objects(value: object) -> list[_Object]:
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _identifier(resource: _Object, system: str, now: dt.datetime, *, ended_too: bool) -> str:
    """The current identifier of the system; for a patient who has left also an identifier that has ended."""
    fitting = [identifier for identifier in _objects(resource.get("identifier")) if identifier.get("system") == system]
    found = [*_current(fitting, now), *(fitting if ended_too else [])]
    return next(filter(None, (_text(identifier.get("value")) for identifier in found)), "")


def _is_replaced(resource: _Object) -> bool:
    """Return whether another record has replaced this patient's record."""
    return any(link.get("type") == "replaced-by" for link in _objects(resource.get("link")))


def _is_dead(resource: _Object) -> bool:
    return resource.get("deceasedBoolean") is True or bool(resource.get("deceasedDateTime"))


def _birth_date(resource: _Object) -> str:
    """The birth date, if day and month are given: FHIR also allows a year alone, which can't tell people apart."""
    born = _text(resource.get("birthDate"))
    return born if len(born) == len("1980-12-24") else ""


def _phone(telecoms: Sequence[_Object]) -> str:
    """The phone of the best rank; a mobile phone before others of the same rank."""
    points = [telecom for telecom in telecoms if telecom.get("system") == "phone" and _text(telecom.get("value"))]
    points.sort(key=lambda telecom: (_rank(telecom), telecom.get("use") != "mobile"))
    return _text(points[0].get("value")) if points else ""


def _language(resource: _Object) -> str:
    """The first valid language code, the preferred language first; else the first code, which will be refused."""
    spoken = _objects(resource.get("communication"))
    spoken.sort(key=lambda communication: communication.get("preferred") is not True)
    concepts = [communication.get("language") for communication in spoken]
    codings = [_objects(concept.get("coding")) for concept in concepts if isinstance(concept, dict)]
    codes = [code for of_concept in codings for coding in of_concept if (code := _text(coding.get("code")))]
    return next(filter(canonical, codes), codes[0] if codes else "")


class _TelegramId(NamedTuple):
    """A value for a Telegram ID, and the reason why it can't be an ID, or ""."""

    value: str
    problem: str


def _telegram(telecoms: Sequence[_Object], at: TelegramAt) -> _TelegramId:
    """The first value that can be a Telegram ID, or else the first value, which will be refused."""
    found = [_TelegramId(value, telegram_id_problem(value) or "") for value in _telegrams(telecoms, at)]
    return next((candidate for candidate in found if not candidate.problem), found[0] if found else _TelegramId("", ""))


def _telegrams(telecoms: Sequence[_Object], at: TelegramAt) -> Iterator[str]:
    for point in telecoms:
        value = _text(point.get("value"))
        is_marked = any(extension.get("url") == at.mark for extension in _objects(point.get("extension")))
        if (is_marked or value.startswith(at.mark)) and (number := value.removeprefix(at.mark).strip()):
            yield number


def _current(elements: Sequence[_Object], now: dt.datetime) -> list[_Object]:
    return [element for element in elements if element.get("use") != "old" and is_current(element, now)]


def _by_rank(telecoms: Sequence[_Object]) -> list[_Object]:
    return sorted(telecoms, key=_rank)


def _rank(telecom: _Object) -> float:
    """The rank of a contact: 1 is preferred most; a contact without a rank comes last."""
    rank = telecom.get("rank")
    return rank if isinstance(rank, int) and not isinstance(rank, bool) and rank > 0 else math.inf


def _updated(resource: _Object) -> dt.datetime | None:
    meta = resource.get("meta")
    try:
        at = dt.datetime.fromisoformat(_text(meta.get("lastUpdated") if isinstance(meta, dict) else None))
        return at.astimezone(dt.UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        # In UTC the first and the last hours of Python's calendar may lie outside it.
        return None
