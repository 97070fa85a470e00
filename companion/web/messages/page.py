"""A single message: its page, its side panel, and acts on it. The list is in listing.py."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Final

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from companion.clinics import audit
from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Refused, Unknown
from companion.clinics.stored_entries import readable
from companion.clinics.versions import hold
from companion.delivery import following
from companion.listener import readings
from companion.listener.shown import ShownMessage, shown
from companion.planning import acts
from companion.planning.warnings import of_text
from companion.schedules import queries
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from companion.times.clocks import town
from companion.web import conflicts, undoing
from companion.web.access import PageRequest, came_from, page
from companion.web.conflicts import Clash, Fields, Value
from companion.web.form_errors import by_field
from companion.web.messages import edited
from companion.web.messages.story import story
from companion.web.templatetags.times import when_inside

SEEN: Final = {"status": "Status"}
"""Facts of the message that its forms show but can't change."""


def address(message_id: uuid.UUID) -> str:
    """Return the address of the message's page."""
    return reverse("message", args=[message_id])


@require_GET
@page()
def show(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """Show the whole page; with `?part=panel` the list's side panel, with `?part=body` the live part of both."""
    now = database_now()
    message = queries.message(request.caller.clinic, message_id)
    readings.of_message(request.caller, message, now=now)
    part = request.GET.get("part")
    template = {"panel": "messages/panel.html", "body": "messages/body.html"}.get(part or "", "messages/page.html")
    return render(request, template, _context(message, now))


def _context(message: Message, now: dt.datetime) -> dict[str, object]:
    (facts,) = shown([message])
    entries = readable(audit.acts_on(message.clinic, message.id).order_by("at"))
    attempts = queries.attempts(message)
    return {
        "now": now,
        "message": message,
        "text": facts.text,
        "wont_arrive": facts.wont_arrive,
        "waiting": facts.waiting,
        "on_its_way": facts.on_its_way,
        "reason": facts.reason.short if facts.reason else "",
        "why": _why(facts),
        "by": facts.author.words if facts.author else "",
        "rule": facts.rule,
        "story": story(message, attempts, list(entries), now=now),
        "moment": sentence_of_moment(message, now),
        "answer": facts.tapped,
        "follow_ups": following.of(message),
        "live": message.status == Status.PENDING and message.due_at < now + dt.timedelta(minutes=10),
    }


def _why(facts: ShownMessage) -> str:
    followed = facts.message.follows
    if followed and facts.reason == Reason.BY_PERSON and followed.answered_at:
        return "No longer needed: the patient has answered."
    return facts.why


def sentence_of_moment(message: Message, now: dt.datetime) -> str:
    """Write the planned time and the time now, both in the patient's zone: "Meant for yesterday 08:00. It is 23:40 for
    Ana (Lisbon)."
    """
    patient = message.patient
    if patient is None:
        return ""
    with timezone.override(patient.timezone):
        meant, local_now = when_inside(message.due_at, now), timezone.localtime(now)
    return f"Meant for {meant}. It is {local_now:%H:%M} for {patient.first_name} ({town(patient.timezone)})."


@require_POST
@page(Role.PROVIDER)
def cancel(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """Cancel the message."""
    message = queries.message(request.caller.clinic, message_id)
    now = database_now()
    acts.cancel(request.caller, message, now=now)
    undoing.offer(request, "messages", [message.id], now=now)
    flash.success(request, f"The message to {_whom(message)} won't be sent.")
    return redirect(came_from(request, address(message_id)))


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def send_now(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """Explain the effect; after the confirmation, send the message. The page's script confirms after ten seconds."""
    now = database_now()
    message = queries.message(request.caller.clinic, message_id)
    if request.method == "GET" and not _is_open(message):
        raise Conflict("This message is no longer pending, so it can't be sent now.")

    def send() -> str:
        acts.send_now(request.caller, message, now=now)
        return f"The message to {_whom(message)} is being sent."

    return _confirmed(request, "messages/send_now.html", message, send, now=now)


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def retry(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """Explain the effect; after the confirmation, retry the message.

    If the outcome is unknown, the person also has to confirm that the message may arrive twice.
    """
    now = database_now()
    message = queries.message(request.caller.clinic, message_id)
    if request.method == "GET" and message.status != Status.FAILED:
        raise Conflict("This message has not failed, so it can't be retried.")

    def send_again() -> str:
        twice = request.POST.get("may_arrive_twice") == "yes"
        acts.retry(request.caller, message, now=now, may_arrive_twice=twice)
        return f"The message to {_whom(message)} is being tried again."

    return _confirmed(request, "messages/retry.html", message, send_again, now=now)


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def edit(request: PageRequest, message_id: uuid.UUID) -> HttpResponse:
    """Change the text or the time of this message."""
    now = database_now()
    message = queries.message(request.caller.clinic, message_id)
    if request.method == "GET":
        if not _is_open(message):
            raise Conflict("Only a pending message can be edited.")
        return _edit_form(request, message, edited.held(message), now)
    given = edited.typed(request.POST)
    try:
        with transaction.atomic():
            clash = _clash(request, message, given, now)
            if clash is None:
                held = edited.held(message)
                new_text = edited.new_text(given, held)
                send_at = edited.new_instant(given, held, request.caller.clinic)
                acts.edit(request.caller, message, now=now, new_text=new_text, send_at=send_at)
    except Refused as refusal:
        return _edit_form(request, message, given, now, refusal=refusal)
    if clash:
        return _edit_form(request, message, clash.merged, now, clash=clash)
    flash.success(request, f"The message to {_whom(message)} was changed.")
    for warning in of_text(str(given["text"])):
        flash.warning(request, warning.message)
    return redirect(address(message_id))


def _is_open(message: Message) -> bool:
    """Return whether a person can still change the message."""
    return message.status == Status.PENDING and not queries.on_its_way(message)


def _confirmed(
    request: PageRequest, template: str, message: Message, act: Callable[[], str], *, now: dt.datetime
) -> HttpResponse:
    """Ask for confirmation (GET), or do the act and show the sentence that it returns (POST).

    Asks again if the message was changed after the page showed it.
    """
    clash = None
    if request.method == "POST":
        with transaction.atomic():
            clash = _clash(request, message, None, now)
            done = act() if clash is None else ""
        if clash is None:
            flash.success(request, done)
            return redirect(address(message.pk))
    shown = clash.shown if clash else conflicts.written(_held(message), now=now)
    context = _context(message, now) | {"shown": shown, "clash": clash}
    return render(request, template, context, status=409 if clash else 200)


def _edit_form(
    request: PageRequest,
    message: Message,
    typed: Fields,
    now: dt.datetime,
    *,
    refusal: Refused | None = None,
    clash: Clash | None = None,
) -> HttpResponse:
    more = {
        "typed": typed,
        "errors": by_field(refusal),
        "clash": clash,
        "shown": clash.shown if clash else conflicts.shown(request, _held(message), now=now),
    }
    status = 409 if clash else 422 if refusal else 200
    return render(request, "messages/edit.html", _context(message, now) | more, status=status)


def _held(message: Message) -> dict[str, Value]:
    """Read the message's values as its forms show them."""
    return {**edited.held(message), "status": message.get_status_display()}


def _clash(request: PageRequest, message: Message, given: Fields | None, now: dt.datetime) -> Clash | None:
    """Find changes to the message since the page was opened, and lock its row until the act is done.

    `given` are the typed values; None for a page that only asks for confirmation. A change of the status alone is no
    clash there, because the act itself refuses a wrong status.
    """
    if hold(Message.objects.filter(clinic=message.clinic_id, pk=message.pk)) is None:
        raise Unknown
    message.refresh_from_db()
    held = _held(message)
    typed = {"status": held["status"]} if given is None else given
    since = conflicts.changes_of(message.clinic, [message.pk, *([message.schedule_id] if message.schedule_id else [])])
    carried, again_at = request.POST.get(conflicts.FIELD, ""), reverse("message_edit", args=[message.pk])
    return conflicts.clash(carried, held, typed, edited.LABELS | SEEN, since, again_at=again_at, now=now)


def _whom(message: Message) -> str:
    return message.patient.name if message.patient else "this chat"
