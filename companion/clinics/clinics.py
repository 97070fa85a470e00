"""The clinics: make the first clinic, find a clinic by its slug, and change a clinic's settings."""

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from django.db import transaction

from companion.clinics import audit, marks
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Demand, MarkKind, Role
from companion.clinics.refusals import Problem, Refused, Unknown
from companion.service.wake import ring
from companion.times.walls import is_zone
from companion.times.workdays import Calendar, regions_by_country

FIRST_SLUG: Final = "clinic"
FIRST_NAME: Final = "My clinic"


def first_clinic(*, now: dt.datetime) -> Clinic:
    """Return the oldest clinic, which is created if there is none yet."""
    first = Clinic.objects.order_by("created_at", "id").first()
    if first:
        return first
    # If two processes run this at once, the slug, which is unique, lets only one of them create the clinic.
    return Clinic.objects.get_or_create(slug=FIRST_SLUG, defaults={"name": FIRST_NAME, "created_at": now})[0]


def the_clinic(slug: str | None, *, archived: bool = False) -> Clinic:
    """Return the clinic of this slug, or the only clinic in use. Raises Unknown with a sentence that says what to do.

    `archived`: the slug may also be that of an archived clinic, for acts that only read, or shut people out.
    """
    clinics = {clinic.slug: clinic for clinic in Clinic.objects.order_by("slug")}
    in_use = [clinic for clinic in clinics.values() if clinic.archived_at is None]
    if slug is None and len(in_use) == 1:
        return in_use[0]
    if not clinics:
        raise Unknown("There is no clinic yet. Run `companion migrate` first.")
    if slug is None and not in_use:
        raise Unknown("Every clinic is archived. `companion clinic list` shows them.")
    named = ", ".join(clinic.slug for clinic in in_use)
    if slug is None:
        raise Unknown(f"There are several clinics. Choose one by --clinic: {named}.")
    if slug not in clinics:
        raise Unknown(f"There is no clinic of this slug. There are: {named}.")
    if clinics[slug].archived_at and not archived:
        raise Unknown(f"{slug} is archived. `companion clinic archive {slug} --undo` opens it again.")
    return clinics[slug]


def change_clinic(caller: Caller, values: Mapping[str, object], *, now: dt.datetime) -> Clinic:
    """Change settings of the caller's clinic, and return the clinic.

    `values` may hold: name, timezone, quiet_from, quiet_until ("21:00"), country, region, closed_days (ISO dates),
    consent_required, second_factor. Other settings stay, but a new country empties the region. Raises Refused with
    every wrong field, and NotAllowed.
    """
    caller.needs(Role.ADMIN)
    read = read_settings(values)
    with transaction.atomic():
        clinic = Clinic.objects.select_for_update().get(pk=caller.clinic.pk)
        before, was = _times(clinic), audit.columns(clinic, read)
        if "country" in read and read["country"] != clinic.country:
            clinic.region = ""
            read.setdefault("region", "")
        for field, value in read.items():
            setattr(clinic, field, value)
        if clinic.region and clinic.region not in regions_by_country().get(clinic.country, ()):
            raise Refused(
                Problem("region", "This country has no such region. Choose a region of this country, or none.")
            )
        clinic.save(update_fields=list(read))
        if before != _times(clinic):
            marks.leave(clinic, MarkKind.CLINIC, clinic.id, now=now)
            ring()
        changes = audit.differences(was, audit.columns(clinic, was))
        audit.record(caller, "clinic changed", "clinic", clinic.id, now=now, changes=changes)
    return clinic


def calendar_of(clinic: Clinic) -> Calendar:
    """The clinic's days off."""
    closed = frozenset(dt.date.fromisoformat(day) for day in clinic.closed_days)
    return Calendar(clinic.country, clinic.region, closed)


def _times(clinic: Clinic) -> tuple[object, ...]:
    """Every setting on which plans depend."""
    return (clinic.timezone, clinic.quiet_from, clinic.quiet_until, calendar_of(clinic))


def read_settings(values: Mapping[str, object]) -> dict[str, object]:
    """Check settings of a clinic, and return them as the row holds them. Raises Refused with every wrong field."""
    read: dict[str, object] = {}
    problems = []
    for field, value in values.items():
        try:
            read[field] = _read_field(field, value)
        except ValueError as wrong:
            problems.append(Problem(field, str(wrong)))
    if problems:
        raise Refused(*problems)
    return read


def _read_field(field: str, value: object) -> object:
    match field, value:
        case "name", str(name) if 0 < len(name.strip()) <= 100 and name.strip().isprintable():
            return name.strip()
        case "name", _:
            raise ValueError("Give the clinic a name of 1 to 100 characters.")
        case "timezone", str(zone) if is_zone(zone):
            return zone
        case "timezone", _:
            raise ValueError("We don't know this time zone. Use an IANA name, like Europe/Berlin.")
        case "quiet_from" | "quiet_until", str(text):
            return _time(text)
        case "quiet_from" | "quiet_until", dt.time():
            return value
        case "country", str(code) if code in regions_by_country() or not code:
            return code
        case "country", _:
            raise ValueError("We don't know this country's public holidays. Write a country as two letters, like DE.")
        case "region", str(code):
            return code
        case "closed_days", list() | tuple():
            return sorted({_date(day) for day in value})
        case "consent_required", bool():
            return value
        case "second_factor", str(demand) if demand in Demand.values:
            return demand
        case "second_factor", _:
            raise ValueError("A second step can be required from nobody, from admins, or from all members.")
        case _:
            raise ValueError("This can't be set.")


def _date(day: object) -> str:
    if isinstance(day, str):
        with suppress(ValueError):
            return dt.date.fromisoformat(day.strip()).isoformat()
    raise ValueError("Write each closed day as year, month, day, like 2026-12-24.")


def _time(text: str) -> dt.time:
    try:
        return dt.datetime.strptime(text.strip()[:5], "%H:%M").replace(tzinfo=dt.UTC).time()
    except ValueError:
        raise ValueError("Write a time of day like 21:00.") from None
