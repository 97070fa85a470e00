"""One FHIR R4 Patient in our fields. Pure: a resource as parsed JSON in, what we have use for out.

Sources: hl7.org/fhir/R4/patient.html, datatypes.html (HumanName, ContactPoint, Identifier).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from companion.patients.sources.source import WITHOUT, Found
from companion.telegram.limits import telegram_id_problem


@dataclass(frozen=True, slots=True)
class TelegramAt:
    """What marks a ContactPoint of system "other" (or "url") as Telegram's: an extension of this address on it, or a
    value that begins with it ("telegram:4711")."""

    mark: str


DEFAULT_TELEGRAM: Final = TelegramAt("telegram:")

_Object = Mapping[str, object]


def read_patient(resource: _Object, *, identifier_system: str, telegram: TelegramAt) -> Found:
    """What cannot be read is left out, or named as trouble where nothing can be done without it."""
    own_id = str(resource.get("id", ""))
    place = f"Patient/{own_id}"
    external_id = _identifier(resource, identifier_system) if identifier_system else own_id
    if not external_id:
        return Found(
            place, {}, changed=_updated(resource), trouble="It has no identifier of the system that you named."
        )
    left = resource.get("active") is False or _is_dead(resource)
    number = _telegram(resource, telegram)
    given: dict[str, object] = {
        "external_id": external_id,
        "name": _name(resource),
        "birth_date": _birth_date(resource),
        "phone": _phone(resource),
        "language": _language(resource),
        "telegram_id": "" if (problem := telegram_id_problem(number)) else number,
    }
    trouble = f"telegram_id: {problem} {WITHOUT}" if number and problem else ""
    values = {name: value for name, value in given.items() if value}
    return Found(place, values, left=left, changed=_updated(resource), trouble="" if left else trouble)


def _objects(value: object) -> list[_Object]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _identifier(resource: _Object, system: str) -> str:
    fitting = [one for one in _objects(resource.get("identifier")) if one.get("system") == system]
    return next((_text(one.get("value")) for one in fitting if one.get("use") != "old"), "")


def _is_dead(resource: _Object) -> bool:
    return resource.get("deceasedBoolean") is True or bool(resource.get("deceasedDateTime"))


def _name(resource: _Object) -> str:
    """The name in use: its text, else given names and family name."""
    names = [one for one in _objects(resource.get("name")) if one.get("use") not in ("old", "maiden")]
    for use in ("official", "usual", None):
        for one in names:
            if use is None or one.get("use") == use:
                given = one.get("given")
                parts = [*(given if isinstance(given, list) else []), one.get("family")]
                if found := _text(one.get("text")) or " ".join(filter(None, map(_text, parts))):
                    return found
    return ""


def _birth_date(resource: _Object) -> str:
    """Only a whole date tells namesakes apart; FHIR allows a year alone."""
    born = _text(resource.get("birthDate"))
    return born if len(born) == len("1980-12-24") else ""


def _phone(resource: _Object) -> str:
    points = [one for one in _current(resource) if one.get("system") == "phone"]
    first = next((one for one in points if one.get("use") == "mobile"), next(iter(points), {}))
    return _text(first.get("value"))


def _language(resource: _Object) -> str:
    spoken = _objects(resource.get("communication"))
    spoken.sort(key=lambda one: one.get("preferred") is not True)
    for one in spoken:
        concept = one.get("language")
        for coding in _objects(concept.get("coding") if isinstance(concept, dict) else None):
            if code := _text(coding.get("code")):
                return code
    return ""


def _telegram(resource: _Object, at: TelegramAt) -> str:
    """The Telegram ID, or whatever stands in its place; "" for none."""
    for point in _current(resource):
        value = _text(point.get("value"))
        if any(extension.get("url") == at.mark for extension in _objects(point.get("extension"))):
            return value
        if value.startswith(at.mark):
            return value.removeprefix(at.mark).strip()
    return ""


def _current(resource: _Object) -> list[_Object]:
    return [one for one in _objects(resource.get("telecom")) if one.get("use") != "old"]


def _updated(resource: _Object) -> dt.datetime | None:
    meta = resource.get("meta")
    try:
        at = dt.datetime.fromisoformat(_text(meta.get("lastUpdated") if isinstance(meta, dict) else None))
    except ValueError:
        return None
    return at if at.tzinfo else None
