"""A patient's rights: export the patient's data, erase the patient, merge two entries of the same person.

The rules are in companion/rights/.
"""

import datetime as dt
import uuid
from typing import Final

from django.contrib import messages as flash
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from companion.api.limits import hold
from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Refused
from companion.patients import queries
from companion.patients.models import Patient
from companion.planning import marks
from companion.rights import erasing, merge_preview, merging
from companion.rights.downloads import download
from companion.service.clock import database_now
from companion.service.slots import LONG
from companion.web.access import PageRequest, page
from companion.web.messages.rows import mixed
from companion.web.templatetags.counts import plural

MATCHES: Final = 10
"""The largest number of patients that the search for the other entry lists."""


@require_GET
@page(Role.PROVIDER, fresh=True)
def export(request: PageRequest, patient_id: uuid.UUID) -> HttpResponseBase:
    """Download everything that is stored about the patient, as one zip file."""
    patient = queries.patient(request.caller.clinic, patient_id)
    hold(request, LONG, request.caller)
    return download(request.caller, patient, "zip", now=database_now())


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN, fresh=True)
def erase(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Ask for the patient's name (GET), and erase the patient if the name is typed right (POST)."""
    patient = queries.patient(request.caller.clinic, patient_id)
    context: dict[str, object] = {"patient": patient}
    if request.method == "GET":
        return render(request, "patients/erase.html", context)
    try:
        done = erasing.erase(request.caller, patient, request.POST.get("name", ""), now=database_now())
    except Refused as refusal:
        return render(request, "patients/erase.html", context | {"error": refusal.problems[0].message}, status=422)
    except Conflict as refusal:
        return render(request, "patients/erase.html", context | {"error": str(refusal)}, status=409)
    deleted = f" {plural(done.to_delete, 'message')} will be deleted from Telegram." if done.to_delete else ""
    flash.success(request, f"The patient was erased.{deleted}")
    return redirect("patients")


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def merge(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Let the member choose the other entry, show both plans, and merge the two after a confirmation."""
    clinic, now = request.caller.clinic, database_now()
    patient = queries.patient(clinic, patient_id)
    into = request.POST.get("into") or request.GET.get("into")
    if not into:
        return render(request, "patients/merge_find.html", {"patient": patient} | _matches(request, patient))
    try:
        other = merging.other_of(clinic, patient, into)
    except Refused as refusal:
        context = {"patient": patient, "error": refusal.problems[0].message}
        return render(request, "patients/merge_find.html", context, status=422)
    if request.method == "GET":
        return _preview(request, patient, other, now)
    try:
        merging.merge(request.caller, patient, other, now=now)
    except Conflict as refusal:
        return _preview(request, patient, other, now, error=str(refusal))
    moves = marks.work_off_of(clinic, other.pk, now=now)
    moved = f" {plural(moves.messages, 'message')} moved." if moves and moves.messages else ""
    flash.success(request, f"The two entries are merged.{moved}")
    return redirect("patient", other.pk)


def _matches(request: PageRequest, patient: Patient) -> dict[str, object]:
    """Search for the other entry, first by this patient's name: both entries of a person mostly have the same name."""
    q = request.GET.get("q", patient.name)
    matches = queries.page(queries.patients(request.caller.clinic, q=q).exclude(pk=patient.pk), None, MATCHES)
    return {"q": q, "matches": matches.items, "more": matches.next is not None}


def _preview(
    request: PageRequest, patient: Patient, other: Patient, now: dt.datetime, *, error: str = ""
) -> HttpResponse:
    preview = merge_preview.preview(request.caller, patient, other, now=now)
    context = {
        "patient": patient,
        "other": other,
        "preview": preview,
        "plans": [
            (patient, mixed(preview.coming_of_gone, now=now)),
            (other, mixed(preview.coming_of_stays, now=now)),
        ],
        "error": error or preview.obstacle,
        "now": now,
    }
    return render(request, "patients/merge.html", context, status=409 if error else 200)
