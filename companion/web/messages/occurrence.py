"""A planned Occurrence for a single patient: its page and panel, and changing it for this patient only.

Not here: Messages (page.py), skipping an Occurrence for all patients (series/pages.py).
"""

import uuid
from datetime import datetime

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.listener.shown import shown
from companion.planning import acts, detaching
from companion.schedules import queries, wording
from companion.schedules.models import Message
from companion.schedules.text import as_typed
from companion.service.clock import database_now
from companion.times.walls import parse_wall, place
from companion.web import undoing
from companion.web.access import PageRequest, came_from, page
from companion.web.messages import page as messages
from companion.web.messages.rows import planned_address


@require_GET
@page()
def show(request: PageRequest, schedule_id: uuid.UUID, occurrence: str, patient_id: uuid.UUID) -> HttpResponse:
    """Show the page, or with `?part=panel` the list's side panel; lead to the Message if there is a Message by
    now.
    """
    found = _planned(request, schedule_id, occurrence, patient_id)
    if isinstance(found, uuid.UUID):
        return redirect(messages.address(found))
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
def edit(request: PageRequest, schedule_id: uuid.UUID, occurrence: str, patient_id: uuid.UUID) -> HttpResponse:
    """Change the text or time for this patient only: saving makes a Message that counts as edited."""
    now = database_now()
    found = _planned(request, schedule_id, occurrence, patient_id)
    if isinstance(found, uuid.UUID):
        return redirect(f"{messages.address(found)}/edit")
    there = timezone.localtime(found.due_at)
    held = {"text": wording.template_of(found), "date": f"{there:%Y-%m-%d}", "time": f"{there:%H:%M}"}
    if request.method == "GET":
        return render(request, "messages/occurrence_edit.html", _context(found) | {"typed": held})
    given = {name: as_typed(request.POST.get(name, "")) for name in held}
    try:
        send_at = _moved(given, held, request)
        with transaction.atomic():
            schedule = queries.schedule(request.caller.clinic, schedule_id)
            (made,) = detaching.detach(request.caller, schedule, occurrence, patient=patient_id, now=now)
            new_text = given["text"] if given["text"] != held["text"] else None
            acts.edit(request.caller, made, now=now, new_text=new_text, send_at=send_at)
    except Refused as no:
        errors = {problem.field: problem.message for problem in no.problems}
        context = _context(found) | {"typed": given, "errors": errors}
        return render(request, "messages/occurrence_edit.html", context, status=422)
    flash.success(request, "This one message was changed. The series goes on as it is.")
    return redirect(messages.address(made.id))


def _planned(
    request: PageRequest, schedule_id: uuid.UUID, occurrence: str, patient_id: uuid.UUID
) -> Message | uuid.UUID:
    """Find the planned Message, or the id of the existing Message. Raises Unknown, and Conflict if it was skipped."""
    schedule = queries.schedule(request.caller.clinic, schedule_id)
    shown = detaching.show(schedule, occurrence, patient=patient_id, limit=1)
    if shown.skipped and not shown.items:
        raise Conflict("This occurrence is skipped: nobody gets it.")
    if not shown.items:
        raise Unknown("Nothing is planned for this patient at this time.")
    (item,) = shown.items
    return item.message if item.planned else item.message.id


def _context(found: Message) -> dict[str, object]:
    (one,) = shown([found])
    return {
        "message": found,
        "address": planned_address(found),
        "text": one.text,
        "wont": one.wont_arrive,
        "rule": one.rule,
        "by": one.author.words if one.author else "",
    }


def _moved(given: dict[str, str], held: dict[str, str], request: PageRequest) -> datetime | None:
    if (given["date"], given["time"]) == (held["date"], held["time"]):
        return None
    try:
        return place(parse_wall(f"{given['date']}T{given['time']}"), request.caller.clinic.timezone).at
    except ValueError:
        raise Refused(Problem("send_at", "Choose a date and a time.")) from None
