"""`GET /messages/{id}/evidence`: the evidence packet of a message, as an HTML file. rights/evidence.py gathers it."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from companion.api.auth import Needs
from companion.api.operations import SECURITY, caller_of, check_parameters
from companion.api.problems import ProblemShape
from companion.clinics.models import Role
from companion.rights.downloads import HTML, saved
from companion.rights.evidence import packet
from companion.schedules import queries
from companion.service.clock import database_now

router = Router(tags=["messages"])
_ERRORS: Final = (401, 403, 404, 422, 429)


@router.api_operation(
    ["GET", "HEAD"],
    "/messages/{id}/evidence",
    auth=Needs(Role.PROVIDER),
    response=dict.fromkeys(_ERRORS, ProblemShape),
    summary="The evidence packet of a message",
    description=(
        "One HTML file with the plan, the consent, each attempt, the answers and the audit trail's entries. The file "
        "holds the same values as JSON, in the script element with the id `packet`. `companion audit verify FILE` "
        "checks the file. The download is recorded in the audit trail."
    ),
    operation_id="export_evidence",
    openapi_extra={
        "responses": {200: {"description": "The file", "content": {HTML: {"schema": {"type": "string"}}}}},
        "security": SECURITY,
        "x-role": Role.PROVIDER.value,
    },
)
def export_evidence(request: HttpRequest, id: UUID) -> HttpResponse:
    """Export the evidence packet of a message."""
    check_parameters(request, set())
    caller = caller_of(request)
    message = queries.message(caller.clinic, id)
    return saved(packet(caller, message, now=database_now()), f"evidence-{message.pk}.html")
