"""`/patients/cohorts`: the cohorts with their sizes, and a form for a new cohort."""

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from companion.clinics.refusals import Refused
from companion.patients import cohorts
from companion.patients import queries as patients
from companion.service.clock import database_now
from companion.web.access import PageRequest, page


@require_http_methods(["GET", "POST"])
@page()
def index(request: PageRequest) -> HttpResponse:
    """List the cohorts (GET), or create a cohort (POST, for providers)."""
    clinic = request.caller.clinic
    context: dict[str, object] = {"cohorts": patients.cohorts(clinic)}
    if request.method == "GET":
        return render(request, "patients/cohorts.html", context)
    name = request.POST.get("name", "")
    try:
        cohorts.add(request.caller, name, now=database_now())
    except Refused as refusal:
        context |= {"typed": name, "error": refusal.problems[0].message}
        return render(request, "patients/cohorts.html", context, status=422)
    flash.success(request, "The cohort was created. Add patients on their own pages, or import a file.")
    return redirect("cohorts")
