"""The planning form: it plans a new message, once or repeatedly, and edits a series.

The picker of patients and the preview, which change while a member types, are in live_parts.py.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Final

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from companion.clinics.access import Caller
from companion.clinics.ids import new_id
from companion.clinics.models import Role
from companion.clinics.refusals import Refused
from companion.patients.queries import cohorts
from companion.planning import drafts, edit
from companion.planning.next_instants import next_instants
from companion.planning.planner import HORIZON
from companion.schedules import queries
from companion.schedules.models import Schedule
from companion.schedules.text import PLACEHOLDERS
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.conflicts import Clash
from companion.web.numbers import whole_number
from companion.web.planning import conflicts as planning_conflicts
from companion.web.planning import form, kept_drafts
from companion.web.planning.conflicts import Clashed
from companion.web.planning.live_parts import choices, count_reached, preview_context, rule_json
from companion.web.planning.rule import MONTH_END, NTH, NTH_DAYS, REPEATS, WEEKDAYS
from companion.web.planning.typed import Typed
from companion.web.series.upcoming import counted, upcoming
from companion.web.settings.set_up import set_up_first
from companion.web.templatetags.counts import plural

CONFIRMED_ABOVE: Final = 50
"""With more patients than this, the form asks for a confirmation."""
FORM_BUTTONS: Final = ("find", "preview", "next_working_day")
"""Buttons that only change the form: the page shows the form again and plans nothing."""


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def new(request: PageRequest) -> HttpResponse:
    """Show the empty form (GET), or plan what the form says (POST)."""
    if first := set_up_first(request):
        return first
    now = database_now()
    clinic = request.caller.clinic
    if request.method == "GET":
        if "draft" in request.GET:
            return _draft(request, now)
        chosen, cohort = request.GET.getlist("patient"), request.GET.get("cohort", "")
        return _form(request, form.blank(clinic, now=now, patients=chosen, cohort=cohort), now)
    typed = _typed(request, now)
    if request.POST.get("do") in FORM_BUTTONS:
        return _form(request, typed, now, with_preview=request.POST["do"] != "find")
    try:
        draft = drafts.read(clinic, form.values(typed), now=now)
        if _needs_confirmation(request, typed):
            return _form(request, typed, now, asks=True)
        create = partial(edit.create, request.caller, draft, now=now)
        planned = kept_drafts.plan_once(request.caller, kept_drafts.key_of(request), typed, create, now=now)
    except Refused as refusal:
        return _form(request, typed, now, refusal=refusal)
    except kept_drafts.PlannedBefore as before:
        return _planned_before(request, typed, before, now)
    _say(request, _planned_words(planned, now), planned)
    return redirect(_after(planned.schedule))


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def change(request: PageRequest, schedule_id: uuid.UUID) -> HttpResponse:
    """Edit a series: all its future messages, or those from one Occurrence on."""
    now = database_now()
    clinic = request.caller.clinic
    schedule = queries.schedule(clinic, schedule_id)
    if request.method == "GET":
        if "draft" in request.GET:
            return _draft(request, now, schedule=schedule)
        return _form(request, planning_conflicts.opened(schedule, now=now), now, schedule=schedule)
    typed = _typed(request, now)
    if request.POST.get("do") in FORM_BUTTONS:
        return _form(request, typed, now, schedule=schedule, with_preview=request.POST["do"] != "find")
    try:
        if _needs_confirmation(request, typed):
            # Ask for the confirmation only if the form could be saved: this raises Refused.
            drafts.read(clinic, form.values(typed, kept=rule_json(schedule)), now=now)
            return _form(request, typed, now, schedule=schedule, asks=True)
        make = partial(_change, request.caller, schedule, typed, now=now)
        planned = kept_drafts.plan_once(request.caller, kept_drafts.key_of(request), typed, make, now=now)
    except Refused as refusal:
        return _form(request, typed, now, schedule=schedule, refusal=refusal)
    except Clashed as clashed:
        return _form(request, clashed.typed, now, schedule=queries.schedule(clinic, schedule_id), clash=clashed.clash)
    except kept_drafts.PlannedBefore as before:
        return _planned_before(request, typed, before, now, schedule=schedule)
    what = "Series" if planned.schedule.recurrence else "Message"
    moved = f" {plural(planned.messages, 'message')} moved." if planned.messages else ""
    _say(request, f"{what} changed.{moved}", planned)
    return redirect("series", planned.schedule.id)


def _change(caller: Caller, schedule: Schedule, typed: Typed, *, now: dt.datetime) -> edit.Planned:
    """Change the series as the form says. Raises Refused, and Clashed if somebody else has changed the series."""
    current = planning_conflicts.unless_changed(caller, schedule, typed, now=now)
    draft = drafts.read(caller.clinic, form.values(typed, kept=rule_json(current)), now=now)
    return edit.change(caller, current, draft, from_occurrence=typed.from_occurrence or None, now=now)


def _draft(request: PageRequest, now: dt.datetime, *, schedule: Schedule | None = None) -> HttpResponse:
    """Show the form with the saved draft that the address names."""
    of_series = schedule.id if schedule else None
    typed = kept_drafts.opened(request.caller, kept_drafts.key_of(request), series=of_series, now=now)
    if typed is None:
        flash.warning(request, "This draft was already planned or discarded.")
        return redirect("messages")
    return _form(request, typed, now, schedule=schedule)


def _planned_before(
    request: PageRequest,
    typed: Typed,
    before: kept_drafts.PlannedBefore,
    now: dt.datetime,
    *,
    schedule: Schedule | None = None,
) -> HttpResponse:
    """Lead to the schedule that the first press made. If the form has changed since, ask whether to plan again."""
    if before.same:
        return redirect(_after(before.schedule))
    flash.warning(request, "This form was planned before. Press the button again to plan it once more as it is now.")
    return _form(request, typed, now, schedule=schedule, key=new_id())


def _typed(request: PageRequest, now: dt.datetime) -> Typed:
    typed = Typed.from_post(request.POST)
    if request.POST.get("do") == "next_working_day":
        return form.on_next_working_day(typed, request.caller.clinic, now=now)
    return form.from_its_date(typed)


def _form(
    request: PageRequest,
    typed: Typed,
    now: dt.datetime,
    *,
    schedule: Schedule | None = None,
    refusal: Refused | None = None,
    with_preview: bool = True,
    key: uuid.UUID | None = None,
    clash: Clash | None = None,
    asks: bool = False,
) -> HttpResponse:
    """Show the form. `asks`: the form asks for a confirmation of the number of patients."""
    clinic = request.caller.clinic
    context: dict[str, object] = {
        "now": now,
        "clash": clash,
        "typed": typed,
        "draft": key or kept_drafts.key_of(request),
        "schedule": schedule,
        "reached": count_reached(clinic, typed),
        "asks": asks,
        "upcoming": upcoming(schedule, now=now) if schedule and schedule.recurrence else [],
        "counted": counted(schedule, typed.from_occurrence, now=now) if schedule else None,
        "choices": choices(clinic, typed),
        "cohorts": cohorts(clinic),
        "placeholders": PLACEHOLDERS,
        "weekday_names": WEEKDAYS,
        "nth_names": NTH,
        "nth_day_names": NTH_DAYS,
        "month_end_names": MONTH_END,
        "avoid_names": form.AVOID,
        "when_avoided_names": form.WHEN_AVOIDED,
        "repeats": REPEATS | ({form.KEPT: "As it is"} if typed.repeat == form.KEPT else {}),
        "lates": _with_present(form.LATE, typed.late_after),
        "agains": _with_present(form.AGAIN, *typed.again),
        "withins": _with_present(form.WITHIN, typed.answer_within),
        "errors": form.errors_by_part(refusal.problems) if refusal else {},
    }
    if with_preview:
        context |= preview_context(clinic, typed, schedule, now)
    return render(request, "planning/form.html", context, status=409 if clash else 422 if refusal else 200)


def _with_present(choices: Mapping[str, str], *present: str) -> dict[str, str]:
    """Add the schedule's present values to the choices, in case they were set over the API and aren't among them."""
    return {**choices, **{value: value for value in present if value and value not in choices}}


def _needs_confirmation(request: PageRequest, typed: Typed) -> bool:
    """Return whether the person still has to confirm the number of patients."""
    reached = count_reached(request.caller.clinic, typed)
    confirmed = whole_number(request.POST.get("confirmed", ""), digits=9) or 0
    return reached > max(CONFIRMED_ABOVE, confirmed)


def _say(request: PageRequest, success: str, planned: edit.Planned) -> None:
    """Let the next page show the sentence, and the first three warnings about the plan."""
    flash.success(request, success)
    for warning in planned.warnings[:3]:
        flash.warning(request, warning.message)


def _planned_words(planned: edit.Planned, now: dt.datetime) -> str:
    if planned.messages:
        return f"Planned. {plural(planned.messages, 'message')} {'is' if planned.messages == 1 else 'are'} on the list."
    if not planned.complete:
        return "Planned. The messages are being put on the list."
    schedule = planned.schedule
    first = next(iter(next_instants(schedule.clinic, [schedule], now=now, count=1)[schedule.id]), None)
    if first and first > now + HORIZON:
        return "Planned. Each message is made two days before it is due."
    return "Planned, but at present nobody gets a message in the next two days."


def _after(schedule: Schedule) -> str:
    """Return the address of the next page: the list if it shows the single message, otherwise the series' page."""
    messages = queries.messages(schedule.clinic, queries.MessageFilter(schedule=schedule.id))
    if not schedule.recurrence and messages.exists():
        return f"{reverse('messages')}?schedule={schedule.id}"
    return reverse("series", args=[schedule.id])
