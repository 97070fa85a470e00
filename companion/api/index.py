"""The API's entry page: links to all resources, for people and programs that know only this address."""

from typing import Final

from django.http import HttpRequest
from ninja import Router

from companion import PRODUCT
from companion.api.operations import Operation, operation
from companion.api.values import Shape

router = Router(tags=["index"])
ROOT: Final = "/api/scheduler"
LINKS: Final = {
    "openapi": f"{ROOT}/openapi.json",
    "docs": f"{ROOT}/docs",
    "health": f"{ROOT}/health",
    "schedules": f"{ROOT}/schedules",
    "schedules_preview": f"{ROOT}/schedules/preview",
    "messages": f"{ROOT}/messages",
    "patients": f"{ROOT}/patients",
    "patients_import": f"{ROOT}/patients/import",
    "cohorts": f"{ROOT}/cohorts",
    "enrolments": f"{ROOT}/enrolments",
    "opt_outs": f"{ROOT}/opt-outs",
    "enrolment_notes": f"{ROOT}/enrolment-notes",
    "patient_pauses": f"{ROOT}/patient-pauses",
    "patient_sources": f"{ROOT}/patient-sources",
    "sync_runs": f"{ROOT}/sync-runs",
    "inbox": f"{ROOT}/inbox",
    "urgent_help": f"{ROOT}/urgent-help",
    "control_panel_status": "/api/mcp/status",
    "control_panel_diagnostics": "/api/mcp/diagnostics",
}


class Index(Shape):
    """The API's name and the addresses of its resources."""

    name: str
    links: dict[str, str]


@operation(router, Operation("GET", "", None, Index, {"name": PRODUCT, "links": LINKS}))
def read_index(request: HttpRequest) -> Index:
    """Link to all resources of the API."""
    return Index(name=PRODUCT, links=LINKS)
