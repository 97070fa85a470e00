"""Acts on many patients at once: put patients into a cohort, take them out of it, pause their messages."""

import datetime as dt
import uuid
from typing import Annotated
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Router
from pydantic import Field, StrictStr

from companion.api.examples import cohorts as examples
from companion.api.operations import JSON, Operation, caller_of, operation
from companion.api.patient_shapes import CohortShape
from companion.api.values import Body, Day, Id, Shape
from companion.clinics.models import Role
from companion.clinics.refusals import Problem, Refused
from companion.patients import group_acts, pausing, queries
from companion.service.clock import database_now

router = Router(tags=["patients"])


class Places(Body):
    """The patients to put into a cohort and to take out of it. Other patients of the cohort stay in it."""

    add: Annotated[list[Id], Field(max_length=group_acts.MOST)] = []
    remove: Annotated[list[Id], Field(max_length=group_acts.MOST)] = []


class NewPauses(Body):
    """The patients whose messages are to be paused, with the end and the reason of the pause."""

    patients: Annotated[list[Id], Field(min_length=1, max_length=group_acts.MOST)]
    paused_until: Annotated[
        Day, Field(description="No message goes out before this day begins in the patient's time zone.")
    ]
    paused_reason: StrictStr


class PauseRefusal(Shape):
    """A patient whose messages were not paused, and why."""

    patient: uuid.UUID
    message: str


class Pauses(Shape):
    """The number of patients whose messages are now paused, and those who were refused."""

    paused: int
    refused: list[PauseRefusal]


@operation(
    router,
    Operation(
        "POST",
        "/cohorts/{id}/patients",
        Role.PROVIDER,
        CohortShape,
        examples.COHORT,
        body_example=examples.PLACES,
        media_type=JSON,
    ),
)
def place_patients(request: HttpRequest, id: UUID, body: Places) -> CohortShape:
    """Put patients into a cohort and take others out of it."""
    caller, now = caller_of(request), database_now()
    clinic = caller.clinic
    if set(body.add) & set(body.remove):
        raise Refused(Problem("remove", "Name each patient in one of the two lists: to add or to remove."))
    with transaction.atomic():
        cohort = queries.cohort(clinic, id)
        group_acts.add_to_cohort(caller, cohort, queries.some(clinic, body.add), now=now)
        group_acts.remove_from_cohort(caller, cohort, queries.some(clinic, body.remove), now=now)
    counted = queries.cohort(clinic, id)
    return CohortShape(id=counted.id, name=counted.name, size=counted.size)


@operation(
    router,
    Operation(
        "POST",
        "/patient-pauses",
        Role.PROVIDER,
        Pauses,
        examples.PAUSES,
        body_example=examples.NEW_PAUSES,
        media_type=JSON,
        refuses=frozenset({404}),
    ),
)
def pause_patients(request: HttpRequest, body: NewPauses) -> Pauses:
    """Pause the messages of many patients."""
    caller = caller_of(request)
    try:
        until = dt.date.fromisoformat(body.paused_until)
    except ValueError:
        raise Refused(Problem("paused_until", "Write the date like 2027-03-03.")) from None
    if wrong := pausing.reason_problems(body.paused_reason):
        raise Refused(*wrong)
    people = queries.some(caller.clinic, body.patients)
    not_paused = group_acts.pause(caller, people, until, body.paused_reason, now=database_now())
    refused = [
        PauseRefusal(patient=row.patient.id, message=" ".join(problem.message for problem in row.why.problems))
        for row in not_paused
    ]
    return Pauses(paused=len(people) - len(not_paused), refused=refused)
