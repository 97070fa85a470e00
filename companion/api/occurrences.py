"""An Occurrence of a Schedule: read it, and create its Messages ahead of time so that a person can change them."""

import uuid
from typing import Annotated, Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Body as InBody
from ninja import Query, Router
from pydantic import Field

from companion.api.examples import messages as examples
from companion.api.message_answers import shapes_of_items
from companion.api.message_shapes import MessageShape
from companion.api.operations import Operation, act, caller_of, operation
from companion.api.paging import ListParameters, cursor_of, read_cursor
from companion.api.values import NOT_NULL, Body, Id, Shape
from companion.clinics.models import Role
from companion.listener import readings
from companion.planning import detaching
from companion.planning.detaching import Shown
from companion.planning.listing import Item
from companion.schedules import queries
from companion.service.clock import database_now

router = Router(tags=["schedules"])
_ONE: Final = "/schedules/{id}/occurrences/{occurrence}"
_LIST: Final = "occurrence"


class OccurrenceParameters(ListParameters):
    """The filter for the patients of an occurrence."""

    patient: Annotated[Id | None, Field(description="Only this patient.")] = None


class DetachWish(Body):
    """The patient whose message is to be created."""

    patient: Annotated[
        Id | None,
        Field(
            description=f"Only this patient's messages. If left out: those of all patients, {detaching.MOST} at most."
        ),
        NOT_NULL,
    ] = None


DetachBody = Annotated[DetachWish | None, InBody()]
"""The body may be left out."""


class OccurrenceShape(Shape):
    """An occurrence of a schedule, with a page of its patients."""

    schedule: uuid.UUID
    occurrence: str
    skipped: bool
    items: Annotated[list[MessageShape], Field(description="Each patient's message. `planned`: it is not created yet.")]
    next: str | None


@operation(
    router,
    Operation("GET", _ONE, Role.VIEWER, OccurrenceShape, examples.OCCURRENCE, query=OccurrenceParameters),
)
def read_occurrence(
    request: HttpRequest, id: UUID, occurrence: str, query: Query[OccurrenceParameters]
) -> OccurrenceShape:
    """Read one occurrence of a schedule, patient by patient: the messages that exist and those that are planned."""
    caller = caller_of(request)
    schedule = queries.schedule(caller.clinic, id)
    after = UUID(read_cursor(_LIST, query.cursor)) if query.cursor else None
    shape = _shape(detaching.show(schedule, occurrence, patient=query.patient, after=after, limit=query.limit))
    readings.of_list(caller, (item.answer for item in shape.items), now=database_now())
    return shape


@operation(
    router,
    act(
        f"{_ONE}/detach",
        OccurrenceShape,
        examples.DETACHED,
        body_example=examples.DETACH,
        role=Role.PROVIDER,
    ),
)
def detach_occurrence(request: HttpRequest, id: UUID, occurrence: str, body: DetachBody = None) -> OccurrenceShape:
    """Create an occurrence's messages now, so that a person can change them. The Planner then leaves them alone."""
    caller = caller_of(request)
    schedule = queries.schedule(caller.clinic, id)
    patient = body.patient if body else None
    messages = detaching.detach(caller, schedule, occurrence, patient=patient, now=database_now())
    return _shape(Shown(schedule, occurrence, False, [Item(message) for message in messages], None))


def _shape(shown: Shown) -> OccurrenceShape:
    return OccurrenceShape(
        schedule=shown.schedule.id,
        occurrence=shown.occurrence,
        skipped=shown.skipped,
        items=shapes_of_items(shown.items),
        next=cursor_of(_LIST, str(shown.last)) if shown.last else None,
    )
