"""`/patients/sources`: the clinic's source of patients, the reports of its syncs, and the form for a FHIR server.

Only the command line sets files and databases (patients/sources/configuration.py explains why).
"""

import datetime as dt
import uuid
from typing import Final

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.clinics.versions import hold
from companion.patients.models import Patient
from companion.patients.sources import configuration, sync
from companion.service.clock import database_now
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.form_errors import by_field
from companion.web.numbers import whole_number

FIELDS: Final = ("url", "identifier_system", "telegram", "every_minutes")
SHOWN: Final = 15
"""The largest number of reports that the page lists."""


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """Show the source, its reports and the form; with `?part=runs` only the source and its reports."""
    template = "patients/source_runs.html" if request.GET.get("part") == "runs" else "patients/sources.html"
    return render(request, template, _context(request.caller.clinic))


@require_GET
@page()
def show(request: PageRequest, run_id: uuid.UUID) -> HttpResponse:
    """Show a report: patients who were added, were changed or have left, and refused rows with the reason."""
    clinic = request.caller.clinic
    run = sync.run_of(clinic, run_id)
    touched = sync.touched(run)
    known = Patient.objects.filter(clinic=clinic, external_id__in=[external_id for external_id, _ in touched])
    by_id = {patient.external_id: patient for patient in known}
    context = {
        "run": run,
        "touched": [(external_id, what, by_id.get(external_id)) for external_id, what in touched],
        "unlisted": run.added + run.changed + run.left - len(touched),
        "reasons": sync.reasons(run),
    }
    return render(request, "patients/source_run.html", context)


@require_POST
@page(Role.PROVIDER)
def fetch(request: PageRequest) -> HttpResponse:
    """Ask for a sync now. The listener service runs it."""
    configuration.ask_for_sync(request.caller, now=database_now())
    return redirect("sources")


@require_http_methods(["POST"])
@page(Role.ADMIN, fresh=True)
def set_fhir(request: PageRequest) -> HttpResponse:
    """Set a FHIR server in place of the present source."""
    typed = {name: request.POST.get(name, "").strip() for name in FIELDS}
    try:
        with transaction.atomic():
            _refuse_if_exchanged(request)
            configuration.set_fhir(
                request.caller,
                typed["url"],
                request.POST.get("token", "").strip(),
                identifier_system=typed["identifier_system"],
                telegram=typed["telegram"],
                every=_minutes(typed["every_minutes"]),
                now=database_now(),
            )
    except Conflict as refusal:
        flash.error(request, str(refusal))
        context = _context(request.caller.clinic) | {"typed": typed, "asks": True}
        return render(request, "patients/sources.html", context, status=409)
    except Refused as refusal:
        context = _context(request.caller.clinic) | {"typed": typed, "errors": by_field(refusal)}
        return render(request, "patients/sources.html", context, status=422)
    flash.success(request, "The FHIR server is set. The first sync begins within seconds.")
    return redirect("sources")


@require_POST
@page(Role.ADMIN, fresh=True)
def remove(request: PageRequest) -> HttpResponse:
    """Remove the source; its patients stay."""
    with transaction.atomic():
        _refuse_if_exchanged(request)
        configuration.remove(request.caller, now=database_now())
    flash.success(request, "Patients are no longer fetched. Patients who were imported stay.")
    return redirect("sources")


def _refuse_if_exchanged(request: PageRequest) -> None:
    """Raise Conflict if the source is no longer the source that the page showed.

    Locks the clinic's row until the transaction ends: the source may have no row yet.
    """
    clinic = request.caller.clinic
    hold(Clinic.objects.filter(pk=clinic.pk))
    row = configuration.of_clinic(clinic)
    since = conflicts.changes_of(clinic, [row.pk if row else clinic.pk])
    conflicts.refuse_if_changed(request, str(row.pk) if row else "", "the source", since, now=database_now())


def _minutes(text: str) -> dt.timedelta:
    minutes = whole_number(text, digits=5)
    if minutes is None:
        raise Refused(Problem("every_minutes", "Write a number of minutes."))
    return dt.timedelta(minutes=minutes)


def _context(clinic: Clinic) -> dict[str, object]:
    now = database_now()
    row = configuration.of_clinic(clinic)
    return {
        "source": row,
        "place": configuration.shown_address(row) if row else "",
        "every": int(row.every.total_seconds() // 60) if row else 0,
        "working": row is not None and configuration.is_working(row, now=now),
        "runs": sync.runs(clinic, limit=SHOWN),
        "now": now,
        "typed": {"every_minutes": "60"},
    }
