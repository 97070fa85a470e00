"""The list of patients, and each patient's page with its pause.

Not here: the form of a patient (form.py), invitations (enrolling.py), files (csv_import.py).
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Refused
from companion.clinics.versions import hold
from companion.listener import readings
from companion.patients import consent, enrolment_notes, pausing
from companion.patients import queries as patients
from companion.patients.languages import language_name
from companion.patients.models import Patient, Verified
from companion.patients.reach import Why, known_to, obstacle_of, telegram_check
from companion.planning import listing, marks
from companion.planning import series as planned
from companion.schedules import queries
from companion.schedules.models import Schedule, State
from companion.service.clock import database_now
from companion.times.walls import local
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.inbox import pages as inbox
from companion.web.messages.rows import mixed, rows
from companion.web.patients.enrolling import reach_context
from companion.web.templatetags.counts import plural

PAGE_SIZE: Final = 50
SERIES: Final = 20
"""The largest number of Schedules that a patient's page names."""
NOTES: Final = 5
"""The largest number of failed enrolments above the list."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list."""

    patient: Patient
    trouble: str
    """The reason why the patient can't be reached; empty if they can."""
    mend: str
    """The name of the button that invites the patient; empty if an invitation doesn't help."""
    paused: str
    """The words of the patient's pause; empty without a pause."""
    check: Verified
    """Telegram's answer to the background check of the patient's chat."""


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """List the patients by name, and say of each whether they can be reached."""
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
    """A filter of the list: its code in the address, and its name."""

    code: str
    label: str


def _filters(clinic: Clinic) -> list[_Filter]:
    """List the filters by whether and why not patients can be reached."""
    obstacles = [_Filter(obstacle.code.value, obstacle.short) for obstacle in known_to(clinic)]
    return [_Filter("yes", "Can be reached"), _Filter("no", "Can't be reached"), *obstacles]


@require_GET
@page()
def show(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Show the patient: whether they can be reached, past and coming messages, series, consent, and replies."""
    now = database_now()
    clinic = request.caller.clinic
    patient = patients.patient(clinic, patient_id)
    of_patient = queries.messages(clinic, queries.MessageFilter(patient=patient.id))
    pending = queries.MessageFilter(patient=patient.id, status="pending")
    context = reach_context(patient, clinic) | {
        "language": language_name(patient.language),
        "now": now,
        "coming": mixed(listing.page(clinic, pending, now + listing.AHEAD, limit=5).items, now=now),
        "past": rows(
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
    """A Schedule, and a sentence that says when it sends."""

    schedule: Schedule
    summary: str


def _series(patient: Patient) -> list[_Running]:
    """List the patient's running and paused Schedules."""
    schedules = queries.schedules_for(patient).filter(state__in=(State.ACTIVE, State.PAUSED))
    return [_Running(schedule, planned.summary(schedule)) for schedule in schedules[:SERIES]]


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
    moved = f" {plural(moves.messages, 'message')} moved." if moves else ""
    flash.success(request, f"{_pause_words(patient)}{moved}")
    return redirect("patient", patient_id)


def _pause_of(patient: Patient) -> str:
    """Identify the pause that the page shows, so that a changed pause is noticed."""
    return patient.paused_until.isoformat() if patient.paused_until else ""


def _pause_words(patient: Patient) -> str:
    if patient.paused_until is None:
        return "The pause is over. Messages go out again, from the next coming message."
    return f"{patient.name} is {pausing.paused_words(patient)}. Missed messages aren't sent later."
