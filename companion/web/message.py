"""One message: its page (and the side panel), and what a person does with it. The list is messages.py's."""

import datetime as dt
import uuid

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from companion.clinics.models import AuditEntry, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.delivery import following
from companion.listener.conversation import answers_of
from companion.planning import acts, series
from companion.schedules import queries, wording
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason, sentence
from companion.service.clock import database_now
from companion.times.walls import parse_wall, place
from companion.web.access import PageRequest, came_from, page
from companion.web.rows import by
from companion.web.story import story
from companion.web.templatetags.words import day, town


def address(message_id: uuid.UUID) -> str:
    """The page of a message."""
    return f"/scheduled-messages/{message_id}"


@require_GET
@page()
def show(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """The whole page, or with `?part=panel` what the list shows at its side."""
    now = database_now()
    message = queries.message(request.caller.clinic, message_id)
    part = request.GET.get("part")
    template = {"panel": "web/message/panel.html", "body": "web/message/body.html"}.get(
        part or "", "web/message/page.html"
    )
    return render(request, template, _context(message, now) | {"panel": part == "panel"})


def _context(message: Message, now: dt.datetime) -> dict[str, object]:
    clinic = message.clinic
    entries = AuditEntry.objects.filter(clinic=clinic, subject_id=message.id).order_by("at")
    attempts = queries.attempts(message)
    return {
        "now": now,
        "message": message,
        "text": wording.text_of(message),
        "wont": wording.wont_arrive(message, clinic),
        "on_its_way": queries.on_its_way(message),
        "reason": Reason(message.reason).label if message.reason else "",
        "why": _why(message),
        "by": by(message.created_by_kind, message.created_by_name)
        or (by(message.schedule.created_by_kind, message.schedule.created_by_name) if message.schedule else ""),
        "rule": series.summary(message.schedule) if message.schedule else "",
        "story": story(message, attempts, list(entries), now=now),
        "moment": sentence_of_moment(message, now),
        "answer": answers_of([message]).get(message.id, ""),
        "again": following.of(message),
        "live": message.status == Status.PENDING and message.due_at < now + dt.timedelta(minutes=10),
    }


def _why(message: Message) -> str:
    if message.follows and message.reason == Reason.BY_PERSON and message.follows.answered_at:
        return "It was not needed any more: the patient had answered."
    return sentence(message.reason) if message.reason else ""


def sentence_of_moment(message: Message, now: dt.datetime) -> str:
    """ "Meant for yesterday 08:00. It is 23:40 for Ana."; on the patient's clocks."""
    patient = message.patient
    if patient is None:
        return ""
    with timezone.override(patient.timezone):
        meant, there = timezone.localtime(message.due_at), timezone.localtime(now)
        meant_day = day(message.due_at, now)
    meant_day = meant_day.lower() if meant_day in ("Today", "Yesterday", "Tomorrow") else meant_day
    return (
        f"Meant for {meant_day} {meant:%H:%M}. It is {there:%H:%M} for {patient.first_name} ({town(patient.timezone)})."
    )


@require_POST
@page(Role.PROVIDER)
def cancel(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """Don't send it."""
    message = queries.message(request.caller.clinic, message_id)
    acts.cancel(request.caller, message, now=database_now())
    flash.success(request, f"The message to {_whom(message)} won't be sent.")
    return redirect(came_from(request, address(message_id)))


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def send_now(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """First what it means; then, after the page's ten seconds, it goes."""
    now = database_now()
    message = queries.message(request.caller.clinic, message_id)
    if request.method == "GET":
        if message.status != Status.PENDING or queries.on_its_way(message):
            raise Conflict("It is no longer pending, so there is nothing to send now.")
        return render(request, "web/message/send_now.html", _context(message, now))
    acts.send_now(request.caller, message, now=now)
    flash.success(request, f"The message to {_whom(message)} is being sent.")
    return redirect(address(message_id))


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def retry(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """First what it means, and for an unknown outcome whether it may arrive twice; then it is tried again."""
    now = database_now()
    message = queries.message(request.caller.clinic, message_id)
    if request.method == "GET":
        if message.status != Status.FAILED:
            raise Conflict("It has not failed, so there is nothing to retry.")
        return render(request, "web/message/retry.html", _context(message, now))
    acts.retry(request.caller, message, now=now, may_arrive_twice=request.POST.get("may_arrive_twice") == "yes")
    flash.success(request, f"The message to {_whom(message)} is being tried again.")
    return redirect(address(message_id))


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def edit(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """Another text or another time for this one message."""
    now = database_now()
    message = queries.message(request.caller.clinic, message_id)
    there = timezone.localtime(message.due_at)
    typed = {"text": wording.template_of(message), "date": f"{there:%Y-%m-%d}", "time": f"{there:%H:%M}"}
    context = _context(message, now)
    if request.method == "GET":
        if message.status != Status.PENDING or queries.on_its_way(message):
            raise Conflict("Only a pending message can be edited.")
        return render(request, "web/message/edit.html", context | {"typed": typed})
    given = {name: request.POST.get(name, "").replace("\r\n", "\n") for name in typed}
    try:
        acts.edit(request.caller, message, now=now, new_text=_new(given, typed), send_at=_moved(given, typed, request))
    except Refused as no:
        errors = {problem.field: problem.message for problem in no.problems}
        return render(request, "web/message/edit.html", context | {"typed": given, "errors": errors}, status=422)
    flash.success(request, f"The message to {_whom(message)} was changed.")
    return redirect(address(message_id))


def _new(given: dict[str, str], typed: dict[str, str]) -> str | None:
    return given["text"] if given["text"] != typed["text"] else None


def _moved(given: dict[str, str], typed: dict[str, str], request: PageRequest) -> dt.datetime | None:
    """The new instant; None where nobody touched it, so that its seconds stay."""
    if (given["date"], given["time"]) == (typed["date"], typed["time"]):
        return None
    try:
        return place(parse_wall(f"{given['date']}T{given['time']}"), request.caller.clinic.timezone).at
    except ValueError:
        raise Refused(Problem("send_at", "Choose a date and a time.")) from None


def _whom(message: Message) -> str:
    return message.patient.name if message.patient else "this chat"
