"""A patient's rights: all that is held, handed over; erased; two patients made one. The rules stand in rights/."""

from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Query, Router
from pydantic import Field

from companion.api.examples import rights as examples
from companion.api.operations import Operation, caller_of, operation
from companion.api.paging import Parameters
from companion.clinics.models import Role
from companion.patients import queries
from companion.rights import gathering
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
