"""Saving and discarding a draft of the planning form. The form itself is in pages.py."""

import uuid

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from companion.clinics.ids import as_uuid
from companion.clinics.models import Role
from companion.schedules import queries
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.planning import kept_drafts
from companion.web.planning.typed import Typed


@require_POST
@page(Role.PROVIDER)
def save(request: PageRequest) -> HttpResponse:
    """Save the form as a draft. The page sends it while the member types, and shows the answer beside the form.

    A press of the button leads to the list. When the member leaves the page, the page sends the last typed values with
    `quietly`: nobody sees that answer.
    """
    now = database_now()
    edited = request.POST.get("schedule")
    series = queries.schedule(request.caller.clinic, as_uuid(edited)).id if edited else None
    typed = Typed.from_post(request.POST)
    kept = kept_drafts.save(request.caller, kept_drafts.key_of(request), typed, series=series, now=now)
    if request.htmx or request.POST.get("quietly"):
        return render(request, "planning/kept.html", {"kept": kept, "now": now})
    if kept:
        flash.success(request, "The draft is saved for 14 days. Only you can see it.")
    else:
        flash.warning(request, "There was nothing to save.")
    return redirect("messages")


@require_POST
@page(Role.PROVIDER)
def discard(request: PageRequest, key: uuid.UUID) -> HttpResponse:
    """Delete the draft."""
    kept_drafts.discard(request.caller, key)
    flash.success(request, "The draft is discarded.")
    return redirect("messages")
