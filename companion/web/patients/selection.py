"""Acts on the ticked patients of the list: add to a cohort, remove from a cohort, pause.

The cards for ticked patients are in enrolling.py.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Final

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from companion.clinics.ids import as_uuid
from companion.clinics.models import Role
from companion.clinics.refusals import Unknown
from companion.patients import group_acts, queries
from companion.patients.models import Patient
from companion.service.clock import database_now
from companion.web.access import PageRequest, came_from, page
from companion.web.templatetags.counts import plural

AT_ONCE: Final = 200
"""The largest number of patients that one press of a button changes."""


@require_POST
@page(Role.PROVIDER)
def act(request: PageRequest) -> HttpResponse:
    """Apply the chosen act to all ticked patients, and return to the list."""
    action = _ACTIONS.get(request.POST.get("do", ""))
    if action is None:
        raise Unknown
    ticked = [as_uuid(key) for key in request.POST.getlist("id")[:AT_ONCE]]
    back = redirect(came_from(request, reverse("patients")))
    if not ticked:
        flash.warning(request, "Tick some patients first.")
        return back
    action(request, queries.some(request.caller.clinic, ticked))
    return back


def _add(request: PageRequest, people: Sequence[Patient]) -> None:
    cohort = queries.cohort(request.caller.clinic, request.POST.get("cohort", ""))
    moved = group_acts.add_to_cohort(request.caller, cohort, people, now=database_now())
    flash.success(
        request, f"{plural(moved, 'patient')} added to {cohort.name}. Their messages are planned automatically."
    )


def _remove(request: PageRequest, people: Sequence[Patient]) -> None:
    cohort = queries.cohort(request.caller.clinic, request.POST.get("cohort", ""))
    moved = group_acts.remove_from_cohort(request.caller, cohort, people, now=database_now())
    flash.success(request, f"{plural(moved, 'patient')} removed from {cohort.name}. They no longer get its messages.")


def _pause(request: PageRequest, people: Sequence[Patient]) -> None:
    try:
        until = dt.date.fromisoformat(request.POST.get("paused_until", ""))
    except ValueError:
        flash.error(request, "Choose the day on which messages start again.")
        return
    left = group_acts.pause(request.caller, people, until, request.POST.get("paused_reason", ""), now=database_now())
    if len(left) < len(people):
        flash.success(request, f"{plural(len(people) - len(left), 'patient')} paused.")
    for sentence in dict.fromkeys(problem.message for unpaused in left for problem in unpaused.why.problems):
        flash.error(request, f"{plural(len(left), 'patient')} not paused. {sentence}")


_ACTIONS: Final[dict[str, Callable[[PageRequest, Sequence[Patient]], None]]] = {
    "add": _add,
    "remove": _remove,
    "pause": _pause,
}
