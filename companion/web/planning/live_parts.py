"""The two live parts of the planning form: the picker of patients and the preview. They change while a member types."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from companion.clinics.ids import as_uuid
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Refused
from companion.patients.models import Patient
from companion.patients.queries import patients
from companion.patients.reach import unreachable_reason
from companion.planning import drafts, preview
from companion.planning.recipients import count_of as recipients_of
from companion.planning.timing import rule_of
from companion.schedules import queries
from companion.schedules.models import Schedule
from companion.service.clock import database_now
from companion.times.rule_json import to_json
from companion.web.access import PageRequest, page
from companion.web.planning import form
from companion.web.planning.typed import Typed
from companion.web.series.upcoming import together

MATCHES: Final = 8
"""The largest number of matching patients that the picker shows."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A patient in the picker. `trouble` says why the patient can't be reached; empty if nothing is known."""

    patient: Patient
    chosen: bool
    trouble: str


@require_POST
@page(Role.PROVIDER)
def recipients(request: PageRequest) -> HttpResponse:
    """Show only the picker, which changes while the member types."""
    typed = Typed.from_post(request.POST)
    return render(request, "planning/choices.html", {"choices": choices(request.caller.clinic, typed), "typed": typed})


@require_POST
@page(Role.PROVIDER)
def preview_part(request: PageRequest) -> HttpResponse:
    """Show only the preview, which changes while the member types."""
    clinic, now = request.caller.clinic, database_now()
    typed = Typed.from_post(request.POST)
    edited = request.POST.get("schedule")
    schedule = queries.schedule(clinic, as_uuid(edited)) if edited else None
    context = {"now": now, "schedule": schedule, "reached": count_reached(clinic, typed), "alone": True}
    return render(request, "planning/preview.html", context | preview_context(clinic, typed, schedule, now))


def preview_context(clinic: Clinic, typed: Typed, schedule: Schedule | None, now: dt.datetime) -> dict[str, object]:
    """Preview the plan. If something is missing or wrong, return the sentences about it instead of an error."""
    if missing := _missing(typed):
        return {"missing": missing}
    try:
        draft = drafts.read(clinic, form.values(typed, kept=rule_json(schedule) if schedule else None), now=now)
        if schedule is None:
            plan = preview.preview(clinic, draft, now=now)
        else:
            plan = preview.preview_of_change(schedule, draft, typed.from_occurrence or None, now=now)
    except Refused as refusal:
        return {"missing": [problem.message for problem in refusal.problems]}
    except Conflict as refusal:
        return {"missing": [str(refusal)]}
    instants = {"goes_out": together(plan.occurrences), "no_longer": together(plan.instead_of)}
    return {"preview": plan, "buttons": draft.buttons} | instants


def _missing(typed: Typed) -> list[str]:
    has_recipients = bool(typed.cohort if typed.to == "cohort" else typed.patients)
    wanted = [
        (has_recipients, "Choose who gets it."),
        (bool(typed.text.strip()), "Write the text."),
        (bool(typed.date and typed.time), "Choose a date and a time."),
    ]
    return [sentence for given, sentence in wanted if not given]


def choices(clinic: Clinic, typed: Typed) -> list[Choice]:
    """List the chosen patients first, then patients whose name or id matches the typed text."""
    ids = [uuid.UUID(key) for key in typed.patients if form.is_id(key)]
    chosen = Patient.objects.filter(clinic=clinic, id__in=ids[:500]).order_by("name", "id")
    matches = patients(clinic, q=typed.find).exclude(id__in=ids[:500]).order_by("name", "id")[:MATCHES]
    return [
        *(Choice(patient, True, unreachable_reason(patient, clinic) or "") for patient in chosen),
        *(Choice(patient, False, unreachable_reason(patient, clinic) or "") for patient in matches),
    ]


def count_reached(clinic: Clinic, typed: Typed) -> int:
    """Count the patients to whom the form would send, as it is filled in now."""
    if typed.to == "cohort":
        return recipients_of(clinic, [], uuid.UUID(typed.cohort)) if form.is_id(typed.cohort) else 0
    return recipients_of(clinic, [uuid.UUID(key) for key in typed.patients if form.is_id(key)], None)


def rule_json(schedule: Schedule) -> Mapping[str, object] | None:
    """Return the JSON of a Schedule's rule; None for a message that is sent once."""
    rule = rule_of(schedule)
    return to_json(rule) if rule else None
