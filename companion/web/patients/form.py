"""The form of a patient: to add a patient by hand, and to change a patient. The checks are in patients/directory.py."""

import datetime as dt
import uuid
from typing import Final

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from companion.clinics.models import Role
from companion.clinics.refusals import Refused
from companion.clinics.versions import hold
from companion.patients import directory
from companion.patients import queries as patients
from companion.patients.languages import language_name
from companion.patients.models import Patient
from companion.planning import marks
from companion.planning.warnings import of_days
from companion.service.clock import database_now
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.conflicts import Clash
from companion.web.form_errors import by_field
from companion.web.templatetags.counts import plural

FIELDS: Final = ("external_id", "name", "telegram_id", "birth_date", "phone", "caregiver", "timezone", "language")
LABELS: Final = {
    "external_id": "Your id",
    "name": "Name",
    "telegram_id": "Telegram ID",
    "birth_date": "Birth date",
    "phone": "Phone number",
    "caregiver": "Caregiver",
    "timezone": "Time zone",
    "language": "Language",
    "cohorts": "Cohorts",
}
LANGUAGES: Final = (
    "en",
    "de",
    "es",
    "fr",
    "it",
    "nl",
    "pl",
    "pt",
    "ro",
    "ru",
    "tr",
    "uk",
    "ar",
    "hi",
    "sw",
    "vi",
    "zh",
)


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def new(request: PageRequest) -> HttpResponse:
    """Add a patient by hand."""
    clinic = request.caller.clinic
    if request.method == "GET":
        return _form(request, {"timezone": clinic.timezone, "language": clinic.language, "cohorts": []})
    try:
        patient = directory.add(request.caller, _values(request.POST), now=database_now())
    except Refused as refusal:
        return _form(request, _typed(request.POST), refusal=refusal)
    flash.success(request, f"{patient.name} was added.")
    return redirect("patient", patient.id)


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def change(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Change a patient."""
    now = database_now()
    patient = patients.patient(request.caller.clinic, patient_id)
    if request.method == "GET":
        return _form(request, _held(patient), patient=patient)
    try:
        with transaction.atomic():
            clash = _clash(request, patient, now)
            if clash is None:
                directory.change(request.caller, patient, _values(request.POST), now=now)
    except Refused as refusal:
        return _form(request, _typed(request.POST), patient=patient, refusal=refusal)
    if clash:
        return _form(request, clash.merged, patient=patient, clash=clash)
    moves = marks.work_off_of(request.caller.clinic, patient.id, now=now)
    moved = f" {plural(moves.messages, 'message')} moved." if moves and moves.messages else ""
    flash.success(request, f"{request.POST.get('name', patient.name)} was saved.{moved}")
    for warning in of_days(moves.days) if moves else ():
        flash.warning(request, warning.message)
    return redirect("patient", patient_id)


def _clash(request: PageRequest, patient: Patient, now: dt.datetime) -> Clash | None:
    """Find another person's changes to the patient since this form was opened. Locks the patient's row."""
    current = hold(Patient.objects.filter(clinic=request.caller.clinic, pk=patient.pk)) or patient
    since = conflicts.changes_of(request.caller.clinic, [patient.pk])
    carried, again_at = request.POST.get(conflicts.FIELD, ""), reverse("patient_edit", args=[patient.pk])
    return conflicts.clash(carried, _held(current), _typed(request.POST), LABELS, since, again_at=again_at, now=now)


def _form(
    request: PageRequest,
    typed: conflicts.Fields,
    *,
    patient: Patient | None = None,
    refusal: Refused | None = None,
    clash: Clash | None = None,
) -> HttpResponse:
    present = patient.language if patient else request.caller.clinic.language
    shown = conflicts.shown(request, _held(patient), now=database_now()) if patient else ""
    context = {
        "typed": typed,
        "clash": clash,
        "shown": clash.shown if clash else shown,
        "patient": patient,
        "errors": by_field(refusal),
        "cohorts": patients.cohort_names(request.caller.clinic),
        "languages": [(code, language_name(code)) for code in sorted({*LANGUAGES, present})],
        "language_hint": (
            f"Choose a language, or type any code, like pt-BR or hmn. “{present}” is {language_name(present)}."
        ),
    }
    return render(request, "patients/form.html", context, status=409 if clash else 422 if refusal else 200)


def _held(patient: Patient) -> dict[str, conflicts.Value]:
    """Read the patient's values as the form shows them."""
    texts: dict[str, conflicts.Value] = {
        name: "" if (value := getattr(patient, name)) is None else str(value) for name in FIELDS
    }
    return texts | {"cohorts": list(patient.cohorts.order_by("name").values_list("name", flat=True))}


def _typed(post: QueryDict) -> dict[str, conflicts.Value]:
    texts: dict[str, conflicts.Value] = {name: post.get(name, "") for name in FIELDS}
    return texts | {"cohorts": post.getlist("cohorts")}


def _values(post: QueryDict) -> dict[str, object]:
    """Convert the form to the API's JSON. An empty field becomes null if its value may be null."""
    typed: dict[str, object] = dict(_typed(post))
    nullable = ("telegram_id", "birth_date", "phone", "caregiver")
    return typed | {name: typed[name] or None for name in nullable}
