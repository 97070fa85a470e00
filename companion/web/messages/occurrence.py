"""A planned Occurrence for a single patient: its page and panel, and changing it for this patient only.

Not here: Messages (page.py), skipping an Occurrence for all patients (series/pages.py).
"""

import uuid
from datetime import datetime

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Refused, Unknown
from companion.clinics.versions import hold
from companion.listener.shown import shown
from companion.planning import acts, detaching
from companion.planning.warnings import of_text
from companion.schedules import queries
from companion.schedules.models import Message, Schedule
from companion.service.clock import database_now
from companion.web import conflicts, undoing
from companion.web.access import PageRequest, came_from, page
from companion.web.conflicts import Clash, Fields
from companion.web.form_errors import by_field
from companion.web.messages import edited
from companion.web.messages import page as messages
from companion.web.messages.rows import planned_address


@require_GET
@page()
def show(request: PageRequest, schedule_id: uuid.UUID, occurrence: str, patient_id: uuid.UUID) -> HttpResponse:
    """Show the page; with `?part=panel` the list's side panel. If the Message was made meanwhile, lead to it."""
    found = _planned(queries.schedule(request.caller.clinic, schedule_id), occurrence, patient_id)
    if isinstance(found, uuid.UUID):
        return redirect("message", found)
    panel = request.GET.get("part") == "panel"
    return render(request, "messages/occurrence_panel.html" if panel else "messages/occurrence.html", _context(found))


@require_POST
@page(Role.PROVIDER)
def cancel(request: PageRequest, schedule_id: uuid.UUID, occurrence: str, patient_id: uuid.UUID) -> HttpResponse:
    """Cancel the Occurrence for this patient."""
    now = database_now()
    schedule = queries.schedule(request.caller.clinic, schedule_id)
    with transaction.atomic():
        (made,) = detaching.detach(request.caller, schedule, occurrence, patient=patient_id, now=now)
        acts.cancel(request.caller, made, now=now)
    undoing.offer(request, "messages", [made.id], now=now)
    flash.success(request, "This one message won't be sent. The series goes on.")
    return redirect(came_from(request, messages.address(made.id)))


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def edit(request: PageRequest, schedule_id: uuid.UUID, occurrence: str, patient_id: uuid.UUID) -> HttpResponseBase:
    """Change the text or the time for this patient only. Saving makes a Message that counts as edited by a person."""
    clinic, now = request.caller.clinic, database_now()
    if request.method == "GET":
        found = _planned(queries.schedule(clinic, schedule_id), occurrence, patient_id)
        if isinstance(found, uuid.UUID):
            return redirect("message_edit", found)
        return _form(request, found, edited.held(found), now=now)
    with transaction.atomic():
        schedule = hold(Schedule.objects.filter(clinic=clinic, pk=schedule_id))
        if schedule is None:
            raise Unknown
        found = _planned(schedule, occurrence, patient_id)
        # If the Planner made the Message while the form was open, change that Message.
        return messages.edit(request, found) if isinstance(found, uuid.UUID) else _save(request, schedule, found, now)


def _save(request: PageRequest, schedule: Schedule, found: Message, now: datetime) -> HttpResponse:
    """Make the Message with the typed values, unless somebody changed the plan since the form was opened."""
    given, held = edited.typed(request.POST), edited.held(found)
    carried, since = request.POST.get(conflicts.FIELD, ""), conflicts.changes_of(schedule.clinic, [schedule.pk])
    again_at = reverse("occurrence_edit", args=[schedule.pk, found.occurrence, found.patient_id])
    clash = conflicts.clash(carried, held, given, edited.LABELS, since, again_at=again_at, now=now)
    if clash:
        return _form(request, found, clash.merged, now=now, clash=clash)
    try:
        with transaction.atomic():
            (made,) = detaching.detach(request.caller, schedule, found.occurrence, patient=found.patient_id, now=now)
            send_at = edited.new_instant(given, held, schedule.clinic)
            acts.edit(request.caller, made, now=now, new_text=edited.new_text(given, held), send_at=send_at)
    except Refused as refusal:
        return _form(request, found, given, now=now, refusal=refusal)
    flash.success(request, "This one message was changed. The series goes on as it is.")
    for warning in of_text(str(given["text"])):
        flash.warning(request, warning.message)
    return redirect("message", made.pk)


def _form(
    request: PageRequest,
    found: Message,
    typed: Fields,
    *,
    now: datetime,
    refusal: Refused | None = None,
    clash: Clash | None = None,
) -> HttpResponse:
    shown = clash.shown if clash else conflicts.shown(request, edited.held(found), now=now)
    context = _context(found) | {"typed": typed, "errors": by_field(refusal), "clash": clash, "shown": shown}
    return render(request, "messages/occurrence_edit.html", context, status=409 if clash else 422 if refusal else 200)


def _planned(schedule: Schedule, occurrence: str, patient_id: uuid.UUID) -> Message | uuid.UUID:
    """Return the planned Message, or the id of the Message if it was made already.

    Raises Unknown if nothing is planned, and Conflict if the Occurrence is skipped.
    """
    shown = detaching.show(schedule, occurrence, patient=patient_id, limit=1)
    if shown.skipped and not shown.items:
        raise Conflict("This occurrence is skipped: nobody gets it.")
    if not shown.items:
        raise Unknown("Nothing is planned for this patient at this time.")
    (item,) = shown.items
    return item.message if item.planned else item.message.id


def _context(found: Message) -> dict[str, object]:
    (message,) = shown([found])
    return {
        "message": found,
        "address": planned_address(found),
        "text": message.text,
        "wont_arrive": message.wont_arrive,
        "rule": message.rule,
        "by": message.author.words if message.author else "",
    }
