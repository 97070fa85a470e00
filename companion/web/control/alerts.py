"""`/mcp/alerts`: the open alerts, maintenance, and the ways in which alerts are sent, each with a test."""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.clinics.versions import hold
from companion.panel import alerts, contacts, judge, maintenance, outside_heartbeat
from companion.panel.models import AlertContact, Notice, OutsideHeartbeat
from companion.service import mailing
from companion.service.clock import database_now
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.form_errors import by_field
from companion.web.numbers import whole_number
from companion.webhooks import webhooks
from companion.webhooks.models import Kind

_SHOWN: Final = 20
_HOURS: Final = ("1", "2", "4", "8", "24")
_TESTED: Final = {
    "telegram": "The test message is on its way to you.",
    "email": "The mail server accepted the test e-mail.",
    "webhook": "The webhooks accepted the test.",
}
"""The ways in which alerts are sent, each with the sentence for a test that worked."""


@require_GET
@page(Role.ADMIN)
def index(request: PageRequest) -> HttpResponse:
    """Show the whole page."""
    return _page(request, {})


@require_POST
@page(Role.ADMIN)
def alert_me(request: PageRequest) -> HttpResponse:
    """Save how this admin gets alerts: by e-mail, by Telegram, by both or not at all."""
    typed = request.POST.get("telegram_id", "").strip()
    by_email = request.POST.get("by_email") == "yes"
    now = database_now()
    try:
        with transaction.atomic():
            _hold(request)
            shown = _shown_contact(contacts.contact_of(request.caller))
            subjects = [request.caller.id] if request.caller.id else []
            since = conflicts.changes_of(request.caller.clinic, subjects, "alerts' addressee changed")
            conflicts.refuse_if_changed(request, shown, "how you get alerts", since, now=now)
            contacts.hear(request.caller, _telegram_id(typed), by_email=by_email, now=now)
    except Conflict as refusal:
        flash.error(request, str(refusal))
        return _page(request, {"typed_id": typed, "by_email": by_email}, status=409)
    except Refused as refusal:
        return _page(request, {"typed_id": typed, "by_email": by_email}, refusal=refusal)
    flash.success(request, "Saved.")
    return redirect("alerts")


@require_POST
@page(Role.ADMIN)
def test(request: PageRequest) -> HttpResponse:
    """Send a test alert by this way now."""
    way = request.POST.get("way", "")
    if way not in _TESTED:
        raise Unknown
    try:
        contacts.TESTS[way](request.caller, now=database_now())
    except Conflict as refusal:
        flash.error(request, str(refusal))
    else:
        flash.success(request, _TESTED[way])
    return redirect("alerts")


@require_POST
@page(Role.ADMIN)
def heartbeat(request: PageRequest) -> HttpResponse:
    """Set or remove the address of the monitoring service that gets the clinic's heartbeats."""
    now, url = database_now(), request.POST.get("heartbeat_url", "").strip()
    if request.POST.get("do") == "remove":
        outside_heartbeat.remove(request.caller, now=now)
        flash.success(request, "The monitoring service gets no more heartbeats.")
        return redirect("alerts")
    try:
        outside_heartbeat.set_url(request.caller, url, now=now)
    except Refused as refusal:
        return _page(request, {"typed_heartbeat": url}, refusal=refusal)
    flash.success(request, "Saved. The first heartbeat goes out within ten seconds.")
    return redirect("alerts")


@require_POST
@page(Role.ADMIN)
def maintain(request: PageRequest) -> HttpResponse:
    """Begin a maintenance window for a number of hours, or end it."""
    now = database_now()
    try:
        if request.POST.get("do") == "end":
            maintenance.end(request.caller, now=now)
            flash.success(request, "Maintenance has ended. Alerts are sent again.")
        else:
            until = now + _hours(request.POST.get("hours", ""))
            maintenance.begin(request.caller, until, request.POST.get("reason", ""), now=now)
            flash.success(request, "Maintenance has begun. Alerts stop within ten seconds.")
    except Refused as refusal:
        return _page(request, {"typed_reason": request.POST.get("reason", "")}, refusal=refusal)
    except Conflict as refusal:
        flash.error(request, str(refusal))
    return redirect("alerts")


def _hold(request: PageRequest) -> Clinic:
    """Lock the clinic until the transaction ends, so that a second change of its alerts waits for the first."""
    return hold(Clinic.objects.filter(pk=request.caller.clinic.pk)) or request.caller.clinic


def _shown_contact(contact: AlertContact) -> str:
    """Identify how the admin gets alerts, so that a change in another window is noticed."""
    return f"{contact.telegram_id or ''} {'by e-mail' if contact.by_email else ''}".strip()


def _page(
    request: PageRequest, more: Mapping[str, object], *, refusal: Refused | None = None, status: int = 200
) -> HttpResponse:
    clinic, contact = request.caller.clinic, contacts.contact_of(request.caller)
    opened = alerts.open_alerts(clinic)
    context: dict[str, object] = {
        "alerts": opened,
        "lost": {alert.cause for alert in opened} & {cause.value for cause, _ in judge.LOST.values()},
        "maintenance": maintenance.current(clinic, now=database_now()),
        "hours": _HOURS,
        "heartbeat": OutsideHeartbeat.objects.filter(clinic=clinic).defer("url").first(),
        "contact": contact,
        "contact_shown": _shown_contact(contact),
        "by_email": contact.by_email,
        "stopped": contacts.CHAT_STOPPED if contacts.has_stopped(contact) else "",
        "typed_id": contact.telegram_id or "",
        "email": contacts.email_of(request.caller),
        "mail_possible": mailing.possible(),
        "webhooks": webhooks.wanting(clinic, Kind.ALERT).count(),
        "notices": Notice.objects.filter(clinic=clinic).order_by("-created_at", "-id")[:_SHOWN],
        "errors": by_field(refusal),
        "now": database_now(),
    }
    return render(request, "control/alerts.html", context | dict(more), status=422 if refusal else status)


def _hours(typed: str) -> dt.timedelta:
    if typed not in _HOURS:
        raise Refused(Problem("hours", "Choose how long the maintenance lasts."))
    return dt.timedelta(hours=int(typed))


def _telegram_id(typed: str) -> int | None:
    if not typed:
        return None
    number = whole_number(typed, digits=18)
    if number is None:
        raise Refused(Problem("telegram_id", contacts.NO_TELEGRAM_ID))
    return number
