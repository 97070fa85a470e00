"""Patients: their list, and a page and a form for each. Invitations are in enrolling.py, files in csv_import.py."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Refused
from companion.clinics.versions import hold
from companion.listener import readings
from companion.patients import consent, directory, enrolment_notes, pausing
from companion.patients import queries as patients
from companion.patients.languages import language_name
from companion.patients.models import Patient, Verified
from companion.patients.reach import Why, known_to, obstacle_of, telegram_check
from companion.planning import listing, marks
from companion.planning import series as planned
from companion.planning.warnings import of_days
from companion.schedules import queries
from companion.schedules.models import Schedule, State
from companion.service.clock import database_now
from companion.times.walls import local
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.conflicts import Clash
from companion.web.inbox import pages as inbox
from companion.web.messages.rows import mixed, rows
from companion.web.patients.enrolling import reach_context
from companion.web.templatetags.counts import plural

PAGE_SIZE = 50
AHEAD = dt.timedelta(days=731)
"""The span of time for which coming messages are shown."""
SERIES = 20
"""The most Schedules that a patient's page names."""
NOTES = 5
"""The most failed enrolments above the list."""
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


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list: the patient, why they can't be reached, the name of the button that helps, their pause,
    and whether Telegram confirmed the chat.
    """

    patient: Patient
    trouble: str
    mend: str
    paused: str
    check: Verified


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """List the patients by name, each with whether they can be reached."""
    clinic, now = request.caller.clinic, database_now()
    query = {name: request.GET.get(name, "") for name in ("q", "cohort", "reachable")}
    reach = {"yes": True, "no": False}.get(query["reachable"])
    why = Why(query["reachable"]) if query["reachable"] in list(Why) else None
    found = patients.patients(clinic, q=query["q"], cohort=query["cohort"], reachable=reach, why=why)
    shown = patients.page(found, request.GET.get("after") or None, PAGE_SIZE)
    context = {
        "rows": [_row(patient, clinic, now) for patient in shown.items],
        "more": shown.next,
        "query": query,
        "filtered": any(query.values()),
        "filters": _filters(clinic),
        "cohorts": patients.cohort_names(clinic),
        "notes": [(note, enrolment_notes.sentence(note)) for note in enrolment_notes.unseen(clinic, limit=NOTES)],
        "tomorrow": local(now, clinic.timezone).date() + dt.timedelta(days=1),
    }
    return render(request, "patients/index.html", context)


def _row(patient: Patient, clinic: Clinic, now: dt.datetime) -> Row:
    obstacle = obstacle_of(patient, clinic)
    paused = pausing.paused_words(patient) if pausing.is_paused(patient, now) else ""
    return Row(
        patient,
        trouble=obstacle.sentence if obstacle else "",
        mend=obstacle.invite if obstacle else "",
        paused=paused,
        check=telegram_check(patient),
    )


class _Filter(NamedTuple):
    """A way to narrow the list: its code in the address, and its name."""

    code: str
    label: str


def _filters(clinic: Clinic) -> list[_Filter]:
    """List the filters by reachability, each with its name."""
    obstacles = [_Filter(one.code.value, one.short) for one in known_to(clinic)]
    return [_Filter("yes", "Can be reached"), _Filter("no", "Can't be reached"), *obstacles]


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


@require_GET
@page()
def show(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Show the patient, whether they can be reached, the remedy, past and coming messages, and replies."""
    now = database_now()
    clinic = request.caller.clinic
    patient = patients.patient(clinic, patient_id)
    of_patient = queries.messages(clinic, queries.MessageFilter(patient=patient.id))
    pending = queries.MessageFilter(patient=patient.id, status="pending")
    context = reach_context(patient, clinic) | {
        "language": language_name(patient.language),
        "now": now,
        "coming": mixed(listing.page(clinic, pending, now + AHEAD, limit=5).items, now=now),
        "was": rows(
            queries.page(of_patient.exclude(status="pending"), order="-due_at", after=None, limit=10).items,
            now=now,
        ),
        "paused": pausing.paused_words(patient) if pausing.is_paused(patient, now) else "",
        "tomorrow": local(now, patient.timezone).date() + dt.timedelta(days=1),
        "pause_shown": _pause_of(patient),
        "history": consent.history(patient),
        "series": _series(patient),
    }
    readings.of_patient(request.caller, patient, now=now)
    return render(request, "patients/page.html", context | inbox.of_patient(clinic, patient))


class _Running(NamedTuple):
    """A schedule, and in one sentence when it goes out."""

    schedule: Schedule
    summary: str


def _series(patient: Patient) -> list[_Running]:
    """List the patient's running and paused series, with their next instants."""
    found = queries.schedules_for(patient).filter(state__in=(State.ACTIVE, State.PAUSED))
    return [_Running(schedule, planned.summary(schedule)) for schedule in found[:SERIES]]


@require_POST
@page(Role.PROVIDER)
def pause(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Pause the patient's messages until a day, or end the pause."""
    now = database_now()
    patient = patients.patient(request.caller.clinic, patient_id)
    values: dict[str, object] = {"paused_until": None}
    if request.POST.get("do") != "resume":
        values = {name: request.POST.get(name, "") for name in ("paused_until", "paused_reason")}
    try:
        with transaction.atomic():
            current = hold(Patient.objects.filter(clinic=request.caller.clinic, pk=patient.pk)) or patient
            since = conflicts.changes_of(request.caller.clinic, [patient.pk])
            conflicts.refuse_if_changed(request, _pause_of(current), "this pause", since, now=now)
            patient = pausing.change(request.caller, current, values, now=now)
    except Conflict as refusal:
        flash.error(request, str(refusal))
        return redirect("patient", patient_id)
    except Refused as refusal:
        for problem in refusal.problems:
            flash.error(request, problem.message)
        return redirect("patient", patient_id)
    moves = marks.work_off_of(request.caller.clinic, patient.id, now=now)
    flash.success(request, _paused(patient) + (f" {plural(moves.messages, 'message')} moved." if moves else ""))
    return redirect("patient", patient_id)


def _pause_of(patient: Patient) -> str:
    """Identify the pause that the page shows, to notice another pause."""
    return patient.paused_until.isoformat() if patient.paused_until else ""


def _paused(patient: Patient) -> str:
    if patient.paused_until is None:
        return "The pause is over: messages go out again, from the next one in the future."
    return f"{patient.name} is {pausing.paused_words(patient)}. Missed messages aren't sent later."


@require_http_methods(["GET", "POST"])
@page()
def cohorts(request: PageRequest) -> HttpResponse:
    """List the cohorts with their sizes; a provider creates new cohorts here."""
    clinic = request.caller.clinic
    context: dict[str, object] = {"cohorts": patients.cohorts(clinic)}
    if request.method == "GET":
        return render(request, "patients/cohorts.html", context)
    name = request.POST.get("name", "")
    try:
        directory.add_cohort(request.caller, name, now=database_now())
    except Refused as refusal:
        context |= {"typed": name, "error": refusal.problems[0].message}
        return render(request, "patients/cohorts.html", context, status=422)
    flash.success(request, "The cohort was created. Add patients on their own pages, or import a file.")
    return redirect("cohorts")


def _clash(request: PageRequest, patient: Patient, now: dt.datetime) -> Clash | None:
    """Find another person's changes to the patient since this form was opened, and lock the row until the change
    is made.
    """
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
    held = patient.language if patient else request.caller.clinic.language
    shown = conflicts.shown(request, _held(patient), now=database_now()) if patient else ""
    context = {
        "typed": typed,
        "clash": clash,
        "shown": clash.shown if clash else shown,
        "patient": patient,
        "errors": {problem.field.partition(".")[0]: problem.message for problem in refusal.problems} if refusal else {},
        "cohorts": patients.cohort_names(request.caller.clinic),
        "languages": [(code, language_name(code)) for code in sorted({*LANGUAGES, held})],
        "language_hint": f"Choose one, or type any code, like pt-BR or hmn. “{held}” is {language_name(held)}.",
    }
    return render(request, "patients/form.html", context, status=409 if clash else 422 if refusal else 200)


def _held(patient: Patient) -> dict[str, conflicts.Value]:
    """Read the patient's values as the form shows them."""
    own: dict[str, conflicts.Value] = {
        name: "" if (value := getattr(patient, name)) is None else str(value) for name in FIELDS
    }
    return own | {"cohorts": list(patient.cohorts.order_by("name").values_list("name", flat=True))}


def _typed(post: QueryDict) -> dict[str, conflicts.Value]:
    own: dict[str, conflicts.Value] = {name: post.get(name, "") for name in FIELDS}
    return own | {"cohorts": post.getlist("cohorts")}


def _values(post: QueryDict) -> dict[str, object]:
    """Write the form as the API's JSON; empty fields that may be null become null."""
    typed: dict[str, object] = dict(_typed(post))
    nullable = ("telegram_id", "birth_date", "phone", "caregiver")
    return typed | {name: typed[name] or None for name in nullable}
