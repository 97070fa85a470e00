"""A patient's rights: export all that is held, erase a patient. The rules are in companion/rights/."""

import uuid

from django.contrib import messages as flash
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Refused
from companion.patients import queries
from companion.rights import erasing
from companion.rights.downloads import download
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.templatetags.counts import plural


@require_GET
@page(Role.PROVIDER, fresh=True)
def export(request: PageRequest, patient_id: uuid.UUID) -> HttpResponseBase:
    """Download all that is held about the patient, as one zip."""
    return download(request.caller, queries.patient(request.caller.clinic, patient_id), "zip", now=database_now())


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN, fresh=True)
def erase(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Erase the patient, once the patient's name is typed."""
    patient = queries.patient(request.caller.clinic, patient_id)
    context: dict[str, object] = {"patient": patient}
    if request.method == "GET":
        return render(request, "patients/erase.html", context)
    try:
        done = erasing.erase(request.caller, patient, request.POST.get("name", ""), now=database_now())
    except Refused as no:
        return render(request, "patients/erase.html", context | {"error": no.problems[0].message}, status=422)
    except Conflict as no:
        return render(request, "patients/erase.html", context | {"error": str(no)}, status=409)
    deleted = f" {plural(done.to_delete, 'message')} will be deleted from Telegram." if done.to_delete else ""
    flash.success(request, f"The patient was erased.{deleted}")
    return redirect("patients")
