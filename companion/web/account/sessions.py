"""`/accounts/sessions/`: where a person is signed in, and the end of one session or of all others."""

from dataclasses import dataclass

from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from companion.clinics import account_mail
from companion.clinics.refusals import Unknown
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.account import devices, evidence
from companion.web.templatetags.counts import plural


@dataclass(frozen=True, slots=True)
class Shown:
    """A session in words."""

    row: UserSession
    device: str
    current: bool


@require_GET
@page(personal=True)
def index(request: PageRequest) -> HttpResponse:
    """List the person's sessions, the present session first."""
    rows = UserSession.objects.purge_and_list(request.user)
    shown = [Shown(row, devices.words_for(row.user_agent), row.is_current()) for row in rows]
    shown.sort(key=lambda session: (not session.current, -session.row.last_seen_at.timestamp()))
    return render(request, "account/sessions.html", {"sessions": shown, "now": database_now()})


@require_POST
@page(fresh=True, personal=True)
def end(request: PageRequest) -> HttpResponse:
    """End the session that the form names, or all others."""
    chosen = request.POST.get("session", "")
    rows = [row for row in UserSession.objects.filter(user_id=request.user.pk) if not row.is_current()]
    if chosen != "others":
        rows = [row for row in rows if str(row.pk) == chosen]
        if not rows:
            raise Unknown
    with transaction.atomic():
        end_sessions(request, rows)
        if rows:
            evidence.record(request.user, "sessions ended")
            account_mail.session_ended(request.user)
    flash.success(request, f"{plural(len(rows), 'session')} ended." if rows else "There was no other session.")
    return redirect("sessions")
