"""Patients: their list, a page and a form for each, and the invitation. Importing a file is patient_import.py's."""

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Final

from babel import Locale
from django.contrib import messages as flash
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Refused
from companion.listener.conversation import conversation
from companion.patients import directory, enrolment, pausing
from companion.patients import queries as patients
from companion.patients.models import Patient
from companion.patients.reach import unreachable_reason
from companion.planning import marks
from companion.schedules import queries
from companion.service.clock import database_now
from companion.times.walls import local
from companion.web.access import PageRequest, page
from companion.web.rows import rows
from companion.web.templatetags.words import plural

PAGE_SIZE = 50
SAID = 50
"""How much of the conversation the page shows."""
FIELDS: Final = ("external_id", "name", "telegram_id", "birth_date", "phone", "caregiver", "timezone", "language")
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


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """The list, by name; whether each can be reached stands beside it."""
    clinic = request.caller.clinic
    asked = request.GET
    reach = {"yes": True, "no": False}.get(asked.get("reachable", ""))
    found = patients.patients(clinic, q=asked.get("q", ""), cohort=asked.get("cohort", ""), reachable=reach)
    shown = patients.page(found, asked.get("after") or None, PAGE_SIZE)
    context = {
        "lines": [(patient, unreachable_reason(patient, clinic)) for patient in shown.items],
        "more": shown.next,
        "asked": {name: asked.get(name, "") for name in ("q", "cohort", "reachable")},
        "filtered": any(asked.get(name) for name in ("q", "cohort", "reachable")),
        "cohorts": patients.cohorts(clinic),
    }
    return render(request, "web/patients/index.html", context)


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def new(request: PageRequest) -> HttpResponse:
    """A patient typed in by hand."""
    clinic = request.caller.clinic
    if request.method == "GET":
        return _form(request, {"timezone": clinic.timezone, "language": clinic.language, "cohorts": []})
    try:
        patient = directory.add(request.caller, _values(request.POST), now=database_now())
    except Refused as no:
        return _form(request, _typed(request.POST), no=no)
    flash.success(request, f"{patient.name} was added.")
    return redirect(f"/patients/{patient.id}")


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def change(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """The same for a patient who is there already."""
    now = database_now()
    patient = patients.patient(request.caller.clinic, patient_id)
    if request.method == "GET":
        held = {name: "" if (value := getattr(patient, name)) is None else str(value) for name in FIELDS}
        return _form(request, held | {"cohorts": [cohort.name for cohort in patient.cohorts.all()]}, patient=patient)
    try:
        directory.change(request.caller, patient, _values(request.POST), now=now)
    except Refused as no:
        return _form(request, _typed(request.POST), patient=patient, no=no)
    moves = marks.work_off_of(request.caller.clinic, patient.id, now=now)
    moved = f" {plural(moves.messages, 'message')} moved." if moves and moves.messages else ""
    flash.success(request, f"{request.POST.get('name', patient.name)} was saved.{moved}")
    return redirect(f"/patients/{patient_id}")


@require_GET
@page()
def show(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Who it is, whether we can reach them and what mends it, what was and will be sent, what came back."""
    now = database_now()
    clinic = request.caller.clinic
    patient = patients.patient(clinic, patient_id)
    of_patient = queries.messages(clinic, queries.MessageFilter(patient=patient.id))
    context = _who(patient, clinic) | {
        "now": now,
        "coming": rows(
            queries.page(of_patient.filter(status="pending"), order="due_at", after=None, limit=5).items,
            clinic,
            now=now,
        ),
        "was": rows(
            queries.page(of_patient.exclude(status="pending"), order="-due_at", after=None, limit=10).items,
            clinic,
            now=now,
        ),
        "said": conversation(clinic, patient, limit=SAID),
        "paused": pausing.paused_words(patient) if pausing.is_paused(patient, now) else "",
        "tomorrow": local(now, patient.timezone).date() + dt.timedelta(days=1),
        "history": patient.consent_history.order_by("-at")[:10],
    }
    return render(request, "web/patients/page.html", context)


@require_POST
@page(Role.PROVIDER)
def pause(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """On pause until a day, or back from it."""
    now = database_now()
    patient = patients.patient(request.caller.clinic, patient_id)
    values: dict[str, object] = {"paused_until": None}
    if request.POST.get("do") != "resume":
        values = {name: request.POST.get(name, "") for name in ("paused_until", "paused_reason")}
    try:
        patient = pausing.change(request.caller, patient, values, now=now)
    except Refused as no:
        for problem in no.problems:
            flash.error(request, problem.message)
        return redirect(f"/patients/{patient_id}")
    moves = marks.work_off_of(request.caller.clinic, patient.id, now=now)
    flash.success(request, _paused(patient) + (f" {plural(moves.messages, 'message')} moved." if moves else ""))
    return redirect(f"/patients/{patient_id}")


def _paused(patient: Patient) -> str:
    if patient.paused_until is None:
        return "The pause is over: messages go out again, from the next one in the future."
    return f"{patient.name} is {pausing.paused_words(patient)}: nothing goes out, nothing piles up."


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def invite(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """A one-time link and QR code; shown once, since only its hash is kept."""
    patient = patients.patient(request.caller.clinic, patient_id)
    context = _who(patient, request.caller.clinic)
    if request.method == "POST":
        context["invitation"] = enrolment.invite(request.caller, patient, now=database_now())
    return render(request, "web/patients/invite.html", context)


@require_http_methods(["GET", "POST"])
@page()
def cohorts(request: PageRequest) -> HttpResponse:
    """The cohorts with their sizes; a provider makes new ones."""
    clinic = request.caller.clinic
    context: dict[str, object] = {"cohorts": patients.cohorts(clinic)}
    if request.method == "GET":
        return render(request, "web/patients/cohorts.html", context)
    name = request.POST.get("name", "")
    try:
        directory.add_cohort(request.caller, name, now=database_now())
    except Refused as no:
        context |= {"typed": name, "error": no.problems[0].message}
        return render(request, "web/patients/cohorts.html", context, status=422)
    flash.success(request, "The cohort was made. Put patients into it on their own pages, or by importing a file.")
    return redirect("/patients/cohorts")


@require_GET
@page()
def reachable(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Whether the patient can be reached by now: the invitation's page asks, and turns green."""
    patient = patients.patient(request.caller.clinic, patient_id)
    return render(request, "web/patients/reach.html", _who(patient, request.caller.clinic))


def _who(patient: Patient, clinic: Clinic) -> dict[str, object]:
    return {"patient": patient, "trouble": unreachable_reason(patient, clinic), "language": _language(patient.language)}


def _form(
    request: PageRequest, typed: Mapping[str, object], *, patient: Patient | None = None, no: Refused | None = None
) -> HttpResponse:
    held = patient.language if patient else request.caller.clinic.language
    context = {
        "typed": typed,
        "patient": patient,
        "errors": {problem.field.partition(".")[0]: problem.message for problem in no.problems} if no else {},
        "cohorts": patients.cohorts(request.caller.clinic),
        "languages": [(code, _language(code)) for code in sorted({*LANGUAGES, held})],
    }
    return render(request, "web/patients/form.html", context, status=422 if no else 200)


def _typed(post: QueryDict) -> dict[str, object]:
    return {name: post.get(name, "") for name in FIELDS} | {"cohorts": post.getlist("cohorts")}


def _values(post: QueryDict) -> dict[str, object]:
    """The form as the API's JSON: what is left empty is null where it may be."""
    typed = _typed(post)
    nullable = ("telegram_id", "birth_date", "phone", "caregiver")
    return typed | {name: typed[name] or None for name in nullable}


def _language(code: str) -> str:
    return Locale.parse(code, sep="-").get_display_name("en") or code
