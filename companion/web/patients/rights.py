"""A patient's rights: export all that is held. The rules are in companion/rights/."""

import uuid

from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from companion.clinics.models import Role
from companion.patients import queries
from companion.rights.downloads import download
from companion.service.clock import database_now
from companion.web.access import PageRequest, page


@require_GET
@page(Role.PROVIDER)
def export(request: PageRequest, patient_id: uuid.UUID) -> HttpResponseBase:
    """Download all that is held about the patient, as one zip."""
    return download(request.caller, queries.patient(request.caller.clinic, patient_id), "zip", now=database_now())
