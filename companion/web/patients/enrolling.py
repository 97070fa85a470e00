"""Invitations by QR code or printed cards, failed enrolments, and consent that staff record."""

import uuid

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from companion.clinics.ids import as_uuid
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Unknown
from companion.patients import consent, enrolment, enrolment_notes
from companion.patients import queries as patients
from companion.patients.models import Consent, Patient
from companion.patients.reach import obstacle_of, telegram_check
from companion.service.clock import database_now
from companion.web.access import PageRequest, came_from, page


def reach_context(patient: Patient, clinic: Clinic) -> dict[str, object]:
    """Build the context of reach.html: whether the patient can be reached, why not, and failed enrolments."""
    return {
        "patient": patient,
        "obstacle": obstacle_of(patient, clinic),
        "check": telegram_check(patient),
        "notes": [(note, enrolment_notes.sentence(note)) for note in enrolment_notes.unseen(clinic, patient=patient)],
    }


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def invite(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Make an invitation and show its link and QR code. They can be shown only now: only the link's hash is stored."""
    patient = patients.patient(request.caller.clinic, patient_id)
    context = reach_context(patient, request.caller.clinic)
    if request.method == "POST":
        try:
            context["card"] = enrolment.invite_many(request.caller, [patient], now=database_now())[0]
        except Conflict as refusal:
            context["refused"] = str(refusal)
    return render(request, "patients/invite.html", context)


@require_POST
@page(Role.PROVIDER)
def cards(request: PageRequest) -> HttpResponse:
    """Show cards to print, for the ticked patients or for a cohort's unreachable patients, a page at a time."""
    clinic, post = request.caller.clinic, request.POST
    ticked = [as_uuid(key) for key in post.getlist("id")[: enrolment.CARDS]]
    cohort = None
    if ticked:
        people, more = patients.some(clinic, ticked), None
    else:
        cohort = patients.cohort(clinic, post.get("cohort", ""))
        to_invite = patients.to_invite(clinic, str(cohort.id), everybody=post.get("everybody") == "yes")
        shown = patients.page(to_invite, post.get("after") or None, enrolment.CARDS)
        people, more = shown.items, shown.next
    context = {
        "cards": enrolment.invite_many(request.caller, people, now=database_now()) if people else [],
        "more": more,
        "cohort": cohort,
        "everybody": post.get("everybody", ""),
    }
    return render(request, "patients/cards.html", context)


@require_GET
@page()
def reachable(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Show whether the patient can be reached by now. The page of an invitation asks for this repeatedly."""
    patient = patients.patient(request.caller.clinic, patient_id)
    context = reach_context(patient, request.caller.clinic) | {"ask": True}
    return render(request, "patients/reach.html", context)


@require_POST
@page(Role.PROVIDER)
def see_note(request: PageRequest, note_id: uuid.UUID) -> HttpResponse:
    """Mark a failed enrolment as handled."""
    note = enrolment_notes.see(request.caller, note_id, now=database_now())
    return redirect(came_from(request, reverse("patient", args=[note.patient_id])))


@require_POST
@page(Role.PROVIDER)
def note_consent(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Record that the patient told staff about their consent: they agree, or they want no messages."""
    decision = request.POST.get("consent", "")
    if decision not in (Consent.GIVEN, Consent.WITHDRAWN):
        raise Unknown
    patient = patients.patient(request.caller.clinic, patient_id)
    try:
        consent.note(request.caller, patient, Consent(decision), now=database_now())
    except Conflict as refusal:
        flash.error(request, str(refusal))
    else:
        flash.success(request, "Recorded with your name and the time.")
    return redirect("patient", patient_id)
