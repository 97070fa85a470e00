"""The API's own front door: links to all of it, for people and programs that were given one address."""

from django.http import HttpRequest
from ninja import Router

from companion.api import examples
from companion.api.operations import Operation, operation
from companion.api.values import Shape

router = Router(tags=["index"])
ROOT = "/api/scheduler"
LINKS = {
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
    """Where what is."""

    name: str
    links: dict[str, str]


@operation(router, Operation("GET", "", None, Index, examples.INDEX))
def read_index(request: HttpRequest) -> Index:
    """Links to all of the API."""
    return Index(name="AI Companion Scheduler", links=LINKS)
