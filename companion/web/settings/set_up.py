"""The first set-up page: a new clinic gives its name, country, zone and urgent number before it plans anything."""

from typing import Final

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from companion.clinics.models import Role
from companion.clinics.refusals import Refused
from companion.clinics.set_up import set_up
from companion.planning import marks
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.form_errors import by_field
from companion.web.settings.page import countries

FIELDS: Final = ("name", "country", "timezone", "phone")


def set_up_first(request: PageRequest) -> HttpResponse | None:
    """Return the page to see before planning if the clinic isn't set up: the questions for an admin, a hint for
    others.
    """
    clinic = request.caller.clinic
    if clinic.set_up_at is not None:
        return None
    if request.caller.role == Role.ADMIN:
        return redirect("set_up")
    flash.warning(
        request,
        "This clinic is new. Before anything is planned, an admin has to give its name, country, time zone and urgent "
        "number (Settings).",
    )
    return redirect("messages")


@require_http_methods(["GET", "POST"])
@page(Role.ADMIN)
def ask(request: PageRequest) -> HttpResponse:
    """Ask four questions on one page. Settings can change the answers at any time."""
    clinic, now = request.caller.clinic, database_now()
    if request.method == "GET":
        held = {"name": clinic.name, "country": clinic.country, "timezone": clinic.timezone}
        return _page(request, held | {"phone": clinic.urgent_phone})
    typed = {name: request.POST.get(name, "") for name in FIELDS}
    try:
        set_up(request.caller, **typed, now=now)
    except Refused as refusal:
        return _page(request, typed, refusal=refusal)
    marks.work_off_of(clinic, clinic.id, now=now)
    flash.success(request, "Thank you. Your clinic is set up; Settings has these answers and more.")
    return redirect("messages")


def _page(request: PageRequest, typed: dict[str, str], *, refusal: Refused | None = None) -> HttpResponse:
    context = {"typed": typed, "errors": by_field(refusal), "countries": countries()}
    return render(request, "settings/set_up.html", context, status=422 if refusal else 200)
