"""Planning a message, once or repeatedly, and editing a series: the form, its picker and its preview."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from companion.clinics.access import Caller
from companion.clinics.ids import as_uuid, new_id
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Refused
from companion.patients.models import Patient
from companion.patients.queries import cohorts, patients
from companion.patients.reach import unreachable_reason
from companion.planning import drafts, edit, preview
from companion.planning.next_instants import next_instants
from companion.planning.planner import HORIZON
from companion.planning.recipients import count_of as recipients_of
from companion.planning.timing import rule_of
from companion.schedules import queries
from companion.schedules.models import Schedule
from companion.schedules.text import PLACEHOLDERS
from companion.service.clock import database_now
from companion.times.rule_json import to_json
from companion.web.access import PageRequest, page
from companion.web.conflicts import Clash
from companion.web.planning import conflicts as planning_conflicts
from companion.web.planning import form, kept_drafts
from companion.web.planning.conflicts import Clashed
from companion.web.planning.rule import MONTH_END, NTH, NTH_DAYS, REPEATS, WEEKDAYS
from companion.web.planning.typed import Typed
from companion.web.series.upcoming import counted, together, upcoming
from companion.web.settings.set_up import set_up_first
from companion.web.templatetags.counts import plural

MATCHES = 8
"""The most matching patients that the picker shows."""
NAMED = 20
ASKED_ABOVE = 50
"""The most patients that are planned for without a confirmation."""
AGAIN = ("find", "preview", "next_working_day")
"""Buttons that only change the form: the page shows the form again and plans nothing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A patient in the picker, with facts that tell namesakes apart and the obstacles to reaching the patient."""

    patient: Patient
    chosen: bool
    trouble: str


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def new(request: PageRequest) -> HttpResponse:
    """Show the empty form, and plan the submitted form."""
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
    if request.POST.get("do") in AGAIN:
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
    _say_planned(request, planned, now)
    return redirect(_after(planned.schedule))


@require_http_methods(["GET", "POST"])
@page(Role.PROVIDER)
def change(request: PageRequest, schedule_id: uuid.UUID) -> HttpResponse:
    """Edit a series: all of its future, or from an occurrence on."""
    now = database_now()
    clinic = request.caller.clinic
    schedule = queries.schedule(clinic, schedule_id)
    if request.method == "GET":
        if "draft" in request.GET:
            return _draft(request, now, schedule=schedule)
        return _form(request, planning_conflicts.opened(schedule, now=now), now, schedule=schedule)
    typed = _typed(request, now)
    if request.POST.get("do") in AGAIN:
        return _form(request, typed, now, schedule=schedule, with_preview=request.POST["do"] != "find")
    try:
        if _needs_confirmation(request, typed):
            # Ask only about a form that could be saved.
            drafts.read(clinic, form.values(typed, kept=_kept(schedule)), now=now)
            return _form(request, typed, now, schedule=schedule, asks=True)
        make = partial(_change, request.caller, schedule, typed, now=now)
        planned = kept_drafts.plan_once(request.caller, kept_drafts.key_of(request), typed, make, now=now)
    except Refused as refusal:
        return _form(request, typed, now, schedule=schedule, refusal=refusal)
    except Clashed as found:
        return _form(request, found.typed, now, schedule=queries.schedule(clinic, schedule_id), clash=found.clash)
    except kept_drafts.PlannedBefore as before:
        return _planned_before(request, typed, before, now, schedule=schedule)
    what = "Series" if planned.schedule.recurrence else "Message"
    moved = f" {plural(planned.messages, 'message')} moved." if planned.messages else ""
    flash.success(request, f"{what} changed.{moved}")
    for warning in planned.warnings[:3]:
        flash.warning(request, warning.message)
    return redirect("series", planned.schedule.id)


def _change(caller: Caller, schedule: Schedule, typed: Typed, *, now: dt.datetime) -> edit.Planned:
    """Change the series as the form asks. Raises Refused, and Clashed if somebody else changed the series
    meanwhile.
    """
    current = planning_conflicts.unless_changed(caller, schedule, typed, now=now)
    draft = drafts.read(caller.clinic, form.values(typed, kept=_kept(current)), now=now)
    return edit.change(caller, current, draft, from_occurrence=typed.from_occurrence or None, now=now)


@require_POST
@page(Role.PROVIDER)
def recipients(request: PageRequest) -> HttpResponse:
    """Show the picker alone, while the member types."""
    typed = Typed.from_post(request.POST)
    return render(request, "planning/choices.html", {"choices": _choices(request.caller.clinic, typed), "typed": typed})


@require_POST
@page(Role.PROVIDER)
def preview_part(request: PageRequest) -> HttpResponse:
    """Show the preview alone, while the member types."""
    now = database_now()
    typed = Typed.from_post(request.POST)
    found = request.POST.get("schedule")
    schedule = queries.schedule(request.caller.clinic, as_uuid(found)) if found else None
    context = {"now": now, "schedule": schedule, "reached": _reached(request.caller.clinic, typed), "alone": True}
    return render(request, "planning/preview.html", context | _preview(request.caller.clinic, typed, schedule, now))


def _draft(request: PageRequest, now: dt.datetime, *, schedule: Schedule | None = None) -> HttpResponse:
    """Return the form of the draft that the address names."""
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
    """Lead to the plan that the first press made. If the form has changed since, ask whether to plan again."""
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
    """Show the form; with `asks` the form asks whether so many patients are meant."""
    clinic = request.caller.clinic
    context: dict[str, object] = {
        "now": now,
        "clash": clash,
        "typed": typed,
        "draft": key or kept_drafts.key_of(request),
        "schedule": schedule,
        "reached": _reached(clinic, typed),
        "asks": asks,
        "upcoming": upcoming(schedule, now=now) if schedule and schedule.recurrence else [],
        "counted": counted(schedule, typed.from_occurrence, now=now) if schedule else None,
        "choices": _choices(clinic, typed),
        "cohorts": cohorts(clinic),
        "placeholders": PLACEHOLDERS,
        "weekday_names": WEEKDAYS,
        "nth_names": NTH,
        "nth_day_names": NTH_DAYS,
        "month_end_names": MONTH_END,
        "avoid_names": form.AVOID,
        "when_avoided_names": form.WHEN_AVOIDED,
        "repeats": REPEATS | ({form.KEPT: "As it is"} if typed.repeat == form.KEPT else {}),
        "lates": _with_own(form.LATE, typed.late_after),
        "agains": _with_own(form.AGAIN, *typed.again),
        "withins": _with_own(form.WITHIN, typed.answer_within),
        "errors": form.errors_by_part(refusal.problems) if refusal else {},
    }
    if with_preview:
        context |= _preview(clinic, typed, schedule, now)
    return render(request, "planning/form.html", context, status=409 if clash else 422 if refusal else 200)


def _with_own(choices: Mapping[str, str], *held: str) -> dict[str, str]:
    """Add the present value to the choices if it isn't among them (made over the API)."""
    return {**choices, **{one: one for one in held if one and one not in choices}}


def _preview(clinic: Clinic, typed: Typed, schedule: Schedule | None, now: dt.datetime) -> dict[str, object]:
    """Preview the plan; while something is missing, say calmly what is missing."""
    if missing := _missing(typed):
        return {"missing": missing}
    try:
        draft = drafts.read(clinic, form.values(typed, kept=_kept(schedule) if schedule else None), now=now)
        if schedule is None:
            found = preview.preview(clinic, draft, now=now)
        else:
            found = preview.preview_of_change(schedule, draft, typed.from_occurrence or None, now=now)
    except Refused as refusal:
        return {"missing": [problem.message for problem in refusal.problems]}
    except Conflict as refusal:
        return {"missing": [str(refusal)]}
    instants = {"goes": together(found.occurrences), "gone": together(found.instead_of)}
    return {"preview": found, "buttons": draft.buttons} | instants


def _missing(typed: Typed) -> list[str]:
    has_recipients = bool(typed.cohort if typed.to == "cohort" else typed.patients)
    wanted = [
        (has_recipients, "Choose who gets it."),
        (bool(typed.text.strip()), "Write the text."),
        (bool(typed.date and typed.time), "Choose a date and a time."),
    ]
    return [sentence for given, sentence in wanted if not given]


def _choices(clinic: Clinic, typed: Typed) -> list[Choice]:
    """List the chosen patients first, then the patients who match the typed text."""
    ids = [uuid.UUID(key) for key in typed.patients if form.is_id(key)]
    chosen = Patient.objects.filter(clinic=clinic, id__in=ids[:500]).order_by("name", "id")
    found = patients(clinic, q=typed.find).exclude(id__in=ids[:500]).order_by("name", "id")[:MATCHES]
    return [
        *(Choice(patient, True, unreachable_reason(patient, clinic) or "") for patient in chosen),
        *(Choice(patient, False, unreachable_reason(patient, clinic) or "") for patient in found),
    ]


def _reached(clinic: Clinic, typed: Typed) -> int:
    """Count the patients whom the form reaches as it stands."""
    if typed.to == "cohort":
        return recipients_of(clinic, [], uuid.UUID(typed.cohort)) if form.is_id(typed.cohort) else 0
    return recipients_of(clinic, [uuid.UUID(key) for key in typed.patients if form.is_id(key)], None)


def _needs_confirmation(request: PageRequest, typed: Typed) -> bool:
    """Say whether a person still has to confirm the number of patients."""
    reached = _reached(request.caller.clinic, typed)
    confirmed = request.POST.get("confirmed", "")
    is_number = confirmed.isascii() and confirmed.isdigit() and len(confirmed) < 10
    return reached > ASKED_ABOVE and not (is_number and int(confirmed) >= reached)


def _kept(schedule: Schedule) -> Mapping[str, object] | None:
    rule = rule_of(schedule)
    return to_json(rule) if rule else None


def _say_planned(request: PageRequest, planned: edit.Planned, now: dt.datetime) -> None:
    flash.success(request, _planned_words(planned, now))
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
    """Return the next page: the list for a single message that is on it, the series' page for all else."""
    of_it = queries.messages(schedule.clinic, queries.MessageFilter(schedule=schedule.id))
    if not schedule.recurrence and of_it.exists():
        return f"{reverse('messages')}?schedule={schedule.id}"
    return reverse("series", args=[schedule.id])
