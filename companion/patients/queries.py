"""Find patients and cohorts, always within one clinic. Nothing here changes a row."""

import base64
import binascii
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from companion.clinics.models import Clinic
from companion.clinics.refusals import Unknown, no_cursor
from companion.clinics.sealed import CannotOpen, seal, unseal
from companion.patients import former_patients
from companion.patients.models import Cohort, CohortMember, Patient
from companion.patients.names import search_term
from companion.patients.reach import BY_CODE, Why, helped_by_an_invitation, unreachable

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Size(TypedDict):
        size: int

    SizedCohort = WithAnnotations[Cohort, _Size]
    """A Cohort with the number of its patients."""

_CURSOR: Final = "patients.queries.cursor"


@dataclass(frozen=True, slots=True)
class Page:
    """Some patients in order of their names, and the cursor for the patients after them (None: no more)."""

    items: list[Patient]
    next: str | None


def patients(
    clinic: Clinic, *, q: str = "", cohort: str = "", reachable: bool | None = None, why: Why | None = None
) -> QuerySet[Patient]:
    """The clinic's patients, unordered, with their cohorts; those who left only if `why` asks for them.

    `q` looks for each of its words in names and external ids. `cohort` is an id or a name; an unknown cohort is
    empty. `why` is the obstacle to reaching them.
    """
    found = Patient.objects.filter(clinic=clinic, left_at__isnull=why is not Why.LEFT)
    if why is not None:
        found = found.filter(BY_CODE[why].query)
    for word in search_term(q).split():
        found = found.filter(search__contains=word)
    if cohort:
        found = found.filter(memberships__cohort__in=_cohorts_called(clinic, cohort))
    if reachable is not None:
        found = found.filter(~unreachable(clinic) if reachable else unreachable(clinic))
    return found.prefetch_related(Prefetch("cohorts", Cohort.objects.filter(clinic=clinic).order_by("name")))


def to_invite(clinic: Clinic, cohort: str, *, everybody: bool = False) -> QuerySet[Patient]:
    """The patients of a cohort (by id or name) who get an invitation card: those whom it makes reachable, or all."""
    found = patients(clinic, cohort=cohort)
    return found if everybody else found.filter(helped_by_an_invitation(clinic))


def some(clinic: Clinic, ids: Collection[uuid.UUID]) -> list[Patient]:
    """The clinic's patients with these ids who have not left, by name. Raises Unknown if a patient is missing."""
    found = list(Patient.objects.filter(clinic=clinic, pk__in=ids, left_at__isnull=True).order_by("name", "id"))
    if len(found) != len(set(ids)):
        raise Unknown("One of these patients is no longer there.")
    return found


def page(queryset: QuerySet[Patient], after: str | None, limit: int) -> Page:
    """The next `limit` patients by name, after a cursor. Raises Refused if the cursor isn't valid."""
    if after is not None:
        name, last = _read_cursor(after)
        # The index patients_by_name_searched can start from the first condition.
        queryset = queryset.filter(name__gte=name).filter(Q(name__gt=name) | Q(id__gt=last))
    found = list(queryset.order_by("name", "id")[: limit + 1])
    items = found[:limit]
    return Page(items, _cursor(items[-1]) if len(found) > limit else None)


def patient(clinic: Clinic, id: uuid.UUID | str) -> Patient:
    """The clinic's patient with this id, even if the patient has left. Raises Unknown, and Merged."""
    wanted = _uuid(id)
    found = Patient.objects.filter(clinic=clinic, pk=wanted).first() if wanted else None
    if found is None:
        if wanted:
            former_patients.refuse_gone(clinic, wanted)
        raise Unknown("There is no such patient.")
    return found


def patient_called(clinic: Clinic, id: str) -> Patient:
    """The clinic's patient with this external id or this UUID. Raises Unknown."""
    own = Patient.objects.filter(clinic=clinic, external_id=id.strip()).first() if id.isprintable() else None
    return own or patient(clinic, id)


def cohort(clinic: Clinic, id_or_name: uuid.UUID | str) -> "SizedCohort":
    """The clinic's cohort with this id or name, with its size. Raises Unknown."""
    found = _with_size(_cohorts_called(clinic, id_or_name), clinic).first()
    if found is None:
        raise Unknown("There is no such cohort.")
    return found


def cohorts(clinic: Clinic) -> "QuerySet[SizedCohort]":
    """The clinic's cohorts by name, each with its `size`: its patients who have not left."""
    return _with_size(cohort_names(clinic), clinic).order_by("name")


def cohort_names(clinic: Clinic) -> QuerySet[Cohort]:
    """The clinic's cohorts by name, without counts, for a choice."""
    return Cohort.objects.filter(clinic=clinic).order_by("name")


def _with_size(found: QuerySet[Cohort], clinic: Clinic) -> "QuerySet[SizedCohort]":
    """Add the size: all members minus those who have left. These are few; reading every patient would take a second."""
    left = Patient.objects.filter(clinic=clinic, left_at__isnull=False).values("pk")
    memberships = CohortMember.objects.filter(cohort=OuterRef("pk"))
    return found.annotate(size=_counted(memberships) - _counted(memberships.filter(patient__in=left)))


def _counted(memberships: QuerySet[CohortMember]) -> Coalesce:
    counted = memberships.order_by().values("cohort").annotate(size=Count("pk")).values("size")
    return Coalesce(Subquery(counted), 0)


def _cohorts_called(clinic: Clinic, id_or_name: uuid.UUID | str) -> QuerySet[Cohort]:
    of_clinic = Cohort.objects.filter(clinic=clinic)
    wanted = _uuid(id_or_name)
    if wanted:
        return of_clinic.filter(pk=wanted)
    # No stored name contains a NUL, and PostgreSQL refuses a query with a NUL.
    return of_clinic.none() if "\0" in str(id_or_name) else of_clinic.filter(name=str(id_or_name).strip())


def _uuid(value: uuid.UUID | str) -> uuid.UUID | None:
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(value)
    except ValueError:
        return None


def _cursor(last: Patient) -> str:
    # Sealed, because a name would otherwise stand in an address, and proxies log addresses.
    return base64.urlsafe_b64encode(seal(f"{last.id}{last.name}", _CURSOR)).decode().rstrip("=")


class _Position(NamedTuple):
    """A patient's place in the order of a list."""

    name: str
    id: uuid.UUID


def _read_cursor(cursor: str) -> _Position:
    try:
        sealed = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        text = unseal(sealed, _CURSOR)
        return _Position(text[36:], uuid.UUID(text[:36]))
    except (binascii.Error, CannotOpen, ValueError):
        raise no_cursor() from None
