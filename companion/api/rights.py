"""A patient's rights: all that is held, handed over; erased; two patients made one. The rules stand in rights/."""

from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Query, Router
from pydantic import Field, StrictStr

from companion.api.examples import rights as examples
from companion.api.operations import Operation, act, caller_of, operation
from companion.api.paging import Parameters
from companion.api.values import Body, Instant, Shape
from companion.clinics.models import Role
from companion.patients import queries
from companion.rights import erasing, gathering
from companion.rights.downloads import HTML, ZIP, download
from companion.rights.shapes import PatientExport
from companion.service.clock import database_now

router = Router(tags=["patients"])


class ExportParameters(Parameters):
    """The form of the export."""

    format: Annotated[
        Literal["json", "html", "zip"],
        Field(description="json; html, the same for people; zip, both with the files that the patient sent."),
    ] = "json"


@operation(
    router,
    Operation(
        "GET",
        "/patients/{id}/export",
        Role.PROVIDER,
        PatientExport,
        examples.EXPORT,
        query=ExportParameters,
        also=(HTML, ZIP),
    ),
)
def export_patient(request: HttpRequest, id: UUID, query: Query[ExportParameters]) -> PatientExport | HttpResponseBase:
    """Export all that is held about a patient. The audit trail notes the export."""
    caller = caller_of(request)
    patient = queries.patient(caller.clinic, id)
    if query.format == "json":
        return gathering.everything(caller, patient, now=database_now())
    return download(caller, patient, query.format, now=database_now())


class EraseBody(Body):
    """The confirmation of an erasure."""

    name: Annotated[
        StrictStr,
        Field(min_length=1, description="The patient's name, typed again. Case and spaces make no difference."),
    ]


class ErasureShape(Shape):
    """What came of an erasure."""

    id: UUID
    erased_at: Instant
    kept: Annotated[int, Field(description="Messages that stay on record, without name and text.")]
    cancelled: int
    to_delete: Annotated[int, Field(description="Messages of the last 48 hours that are now deleted from Telegram.")]


@operation(
    router,
    act(
        "/patients/{id}/erase",
        ErasureShape,
        examples.ERASURE,
        body_example=examples.ERASE,
        role=Role.ADMIN,
    ),
)
def erase_patient(request: HttpRequest, id: UUID, body: EraseBody) -> ErasureShape:
    """Erase a patient for good. It stays known that messages were sent, when and by whom, without name or text."""
    caller, now = caller_of(request), database_now()
    done = erasing.erase(caller, queries.patient(caller.clinic, id), body.name, now=now)
    return ErasureShape(id=done.id, erased_at=now, kept=done.kept, cancelled=done.cancelled, to_delete=done.to_delete)
