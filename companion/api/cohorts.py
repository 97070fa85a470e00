"""Cohorts: named sets of patients. A patient's field `cohorts` names the cohorts to which the patient belongs."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from companion.api.examples import cohorts as examples
from companion.api.operations import JSON, Operation, caller_of, operation
from companion.api.paging import ListParameters, cursor_of, read_cursor
from companion.api.patient_shapes import CohortList, CohortShape, NewCohort
from companion.clinics.models import Role
from companion.patients import cohorts, queries
from companion.service.clock import database_now

router = Router(tags=["patients"])
_LIST: Final = "cohorts"


@operation(
    router,
    Operation(
        "POST",
        "/cohorts",
        Role.PROVIDER,
        CohortShape,
        examples.COHORT,
        body_example=examples.NEW_COHORT,
        media_type=JSON,
        creates=True,
    ),
)
def add_cohort(request: HttpRequest, body: NewCohort) -> CohortShape:
    """Add a cohort, empty at first."""
    cohort = cohorts.add(caller_of(request), body.name, now=database_now())
    return CohortShape(id=cohort.id, name=cohort.name, size=0)


@operation(router, Operation("GET", "/cohorts/{id}", Role.VIEWER, CohortShape, examples.COHORT))
def read_cohort(request: HttpRequest, id: UUID) -> CohortShape:
    """Read one cohort with its size. `GET /patients?cohort=` lists its patients."""
    cohort = queries.cohort(caller_of(request).clinic, id)
    return CohortShape(id=cohort.id, name=cohort.name, size=cohort.size)


@operation(router, Operation("GET", "/cohorts", Role.VIEWER, CohortList, examples.COHORTS, query=ListParameters))
def list_cohorts(request: HttpRequest, query: Query[ListParameters]) -> CohortList:
    """List cohorts by name."""
    cohorts = queries.cohorts(caller_of(request).clinic)
    if query.cursor:
        cohorts = cohorts.filter(name__gt=read_cursor(_LIST, query.cursor))
    rows = list(cohorts[: query.limit + 1])
    items = rows[: query.limit]
    after = cursor_of(_LIST, items[-1].name) if len(rows) > query.limit else None
    # The query computes `size`; the model's type doesn't have it.
    shapes = [CohortShape(id=cohort.id, name=cohort.name, size=vars(cohort)["size"]) for cohort in items]
    return CohortList(items=shapes, next=after)
