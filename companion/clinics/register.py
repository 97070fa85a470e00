"""The register of clinics, for the people who run the server: add a clinic, rename it, list all clinics.

planning/archiving.py archives a clinic; restoring/removing.py removes it.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypedDict

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, Q, QuerySet

from companion.clinics import audit
from companion.clinics.clinics import change_clinic, read_settings
from companion.clinics.members import command_line
from companion.clinics.models import Clinic
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Counts(TypedDict):
        """The number of Members, and the last sign-in of any of them."""

        people: int
        last_sign_in: dt.datetime | None

    CountedClinic = WithAnnotations[Clinic, _Counts]

_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SLUG_LENGTH: Final = 50


def add(slug: str, name: str, timezone: str, *, now: dt.datetime) -> Clinic:
    """Add a clinic without members and bot. Raises Refused with every wrong field."""
    problems = list(_slug_problems(slug))
    try:
        values = read_settings({"name": name, "timezone": timezone})
    except Refused as refusal:
        raise Refused(*problems, *refusal.problems) from None
    if problems:
        raise Refused(*problems)
    try:
        with transaction.atomic():
            clinic = Clinic.objects.create(slug=slug, created_at=now, **values)
            changes = audit.differences({}, {"slug": slug, **values})
            audit.record(command_line(clinic), "clinic added", "clinic", clinic.id, now=now, changes=changes)
    except IntegrityError:
        raise Refused(Problem("slug", "There is a clinic of this slug. `companion clinic list` shows all.")) from None
    return clinic


def rename(clinic: Clinic, name: str, *, now: dt.datetime) -> Clinic:
    """Give the clinic another name; the slug stays, because configuration files use it. Raises Refused."""
    return change_clinic(command_line(clinic), {"name": name}, now=now)


def called(slug: str) -> Clinic:
    """The clinic of this slug, archived or not. Raises Unknown."""
    found = Clinic.objects.filter(slug=slug).first()
    if found is None:
        raise Unknown("There is no clinic of this slug. `companion clinic list` shows all.")
    return found


def archived(slug: str) -> Clinic:
    """The archived clinic of this slug. Raises Unknown, and Conflict if it is in use."""
    clinic = called(slug)
    if clinic.archived_at is None:
        raise Conflict(f"{clinic.name} is in use. Archive it first: `companion clinic archive {slug}`.")
    return clinic


def all_clinics() -> "QuerySet[CountedClinic]":
    """All clinics by name, archived clinics last."""
    joined = Q(members__joined_at__isnull=False)
    counted = Clinic.objects.annotate(
        people=Count("members", filter=joined), last_sign_in=Max("members__user__last_login", filter=joined)
    )
    return counted.order_by(F("archived_at").asc(nulls_first=True), "name", "id")


def _slug_problems(slug: str) -> Iterator[Problem]:
    if not _SLUG.fullmatch(slug) or len(slug) > _SLUG_LENGTH:
        yield Problem("slug", "A slug is made of small letters, digits and single hyphens, like linden-clinic.")
