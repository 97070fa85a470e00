"""Series: their list, and each series' page with the acts pause, resume, skip, cancel and review."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Final

from django.contrib import messages as flash
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from companion.clinics import audit
from companion.clinics.models import Role
from companion.clinics.refusals import Unknown
from companion.clinics.stored_entries import readable
from companion.listener import readings
from companion.planning import drafts, edit, taking_back
from companion.planning import series as planned
from companion.planning.next_instants import next_instants
from companion.schedules import queries
from companion.schedules.models import Schedule, State
from companion.service.clock import database_now
from companion.times.walls import local
from companion.web import undoing
from companion.web.access import PageRequest, came_from, page
from companion.web.chips import Chip
from companion.web.messages.rows import author, rows
from companion.web.planning.form import length_words
from companion.web.series.upcoming import skipped, upcoming
from companion.web.templatetags.counts import plural

PAGE_SIZE: Final = 30
REVIEW: Final = "review"
"""The filter for series whose date of review has come."""
ONCE: Final = "once"
"""The filter for messages that are sent once and are not on the list yet."""
LATEST: Final = 10
"""The number of past messages on the page of a series."""


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """List the series, each with its state, rule, author and next time."""
    now = database_now()
    state = request.GET.get("state", "")
    if state and state not in (*State.values, REVIEW, ONCE):
        raise Unknown
    today = local(now, request.caller.clinic.timezone).date()
    schedules = queries.schedules(request.caller.clinic, state if state in State.values else "")
    repeating = schedules.filter(recurrence__isnull=False)
    review = queries.to_review(request.caller.clinic, today).filter(recurrence__isnull=False)
    wanted = {REVIEW: review, ONCE: queries.once_to_come(request.caller.clinic)}.get(state, repeating)
    shown = Paginator(wanted, PAGE_SIZE).get_page(request.GET.get("page"))
    coming = next_instants(request.caller.clinic, list(shown), now=now, count=1)
    rows = [
        {
            "schedule": schedule,
            "whom": _whom(schedule),
            "review": schedule.state == State.ACTIVE and schedule.review_on is not None and schedule.review_on <= today,
            "summary": planned.summary(schedule),
            "text": drafts.of(schedule).text,
            "author": author(schedule),
            "next": next(iter(coming[schedule.id]), None),
        }
        for schedule in shown
    ]
    chips = _chips(state, review.count())
    context = {"now": now, "rows": rows, "shown": shown, "state": state, "once": ONCE, "chips": chips}
    return render(request, "series/index.html", context)


def _chips(state: str, to_review: int) -> list[Chip]:
    choices = [("", "All"), *State.choices, (ONCE, "Once, later")]
    path = reverse("series_list")
    chips = [Chip(str(label), f"{path}?state={value}" if value else path, state == value) for value, label in choices]
    if to_review or state == REVIEW:
        chips.append(Chip("To review", f"{path}?state={REVIEW}", state == REVIEW, count=str(to_review)))
    return chips


def _whom(schedule: Schedule) -> str:
    """Name two of the series' patients, and count the others."""
    names = list(schedule.recipients.order_by("name").values_list("name", flat=True)[:3])
    return ", ".join(names) if len(names) < 3 else f"{names[0]}, {names[1]} and others"


@require_GET
@page()
def show(request: PageRequest, schedule_id: uuid.UUID) -> HttpResponse:
    """Show a series: its text, patients, next times, progress, author and history."""
    now = database_now()
    clinic = request.caller.clinic
    schedule = queries.schedule(clinic, schedule_id)
    draft = drafts.of(schedule)
    past = queries.messages(clinic, queries.MessageFilter(schedule=schedule.id, due_to=now))
    latest = rows(queries.page(past, order="-due_at", after=None, limit=LATEST).items, now=now)
    readings.of_list(request.caller, (row.answer for row in latest), now=now)
    context = {
        "now": now,
        "schedule": schedule,
        "draft": draft,
        "answer_within": length_words(draft.answer_within),
        "summary": planned.summary(schedule),
        "author": author(schedule),
        "upcoming": upcoming(schedule, now=now) if schedule.state in (State.ACTIVE, State.PAUSED) else [],
        "skipped": skipped(schedule, now=now),
        "progress": planned.progress(schedule, now=now),
        "named": schedule.recipients.order_by("name")[:20],
        "rows": latest,
        "history": list(readable(audit.acts_on(clinic, schedule.id).order_by("-at")[:20])),
        "review": queries.to_review(clinic, local(now, clinic.timezone).date()).filter(pk=schedule.pk).exists(),
        "over": schedule.state in (State.ENDED, State.CANCELLED),
    }
    return render(request, "series/page.html", context)


@require_POST
@page(Role.PROVIDER)
def act(request: PageRequest, schedule_id: uuid.UUID, action: str) -> HttpResponse:
    """Pause, resume or cancel the series, skip an Occurrence or undo the skip, or mark the series as reviewed."""
    now = database_now()
    schedule = queries.schedule(request.caller.clinic, schedule_id)
    flash.success(request, _ACTIONS[action](request, schedule, now))
    return redirect(came_from(request, reverse("series", args=[schedule.id])))


def _pause(request: PageRequest, schedule: Schedule, now: dt.datetime) -> str:
    done = edit.pause(request.caller, schedule, now=now)
    return f"Paused. {plural(done.messages, 'pending message')} withdrawn. Missed messages aren't sent later."


def _resume(request: PageRequest, schedule: Schedule, now: dt.datetime) -> str:
    done = edit.resume(request.caller, schedule, now=now)
    return f"Resumed from the next occurrence; {plural(done.messages, 'message')} planned."


def _cancel(request: PageRequest, schedule: Schedule, now: dt.datetime) -> str:
    done = edit.cancel(request.caller, schedule, now=now)
    undoing.offer(request, "series", [schedule.id], now=now)
    if not schedule.recurrence:
        return "The message won't be sent."
    return f"The series was cancelled; {plural(done.messages, 'pending message')} won't be sent."


def _skip(request: PageRequest, schedule: Schedule, now: dt.datetime) -> str:
    occurrence = request.POST.get("occurrence", "")
    edit.skip(request.caller, schedule, occurrence, now=now)
    undoing.offer(request, "skip", [schedule.id], now=now, occurrence=occurrence)
    return "This occurrence is skipped."


def _unskip(request: PageRequest, schedule: Schedule, now: dt.datetime) -> str:
    taking_back.unskip(request.caller, schedule, request.POST.get("occurrence", ""), now=now)
    return "This occurrence is no longer skipped."


def _review(request: PageRequest, schedule: Schedule, now: dt.datetime) -> str:
    edit.reviewed(request.caller, schedule, now=now)
    return "Reviewed. The series continues; the next review is in six months."


_ACTIONS: dict[str, Callable[[PageRequest, Schedule, dt.datetime], str]] = {
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "skip": _skip,
    "unskip": _unskip,
    "reviewed": _review,
}
