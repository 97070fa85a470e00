"""`/scheduled-messages`: the list, its live part, and acts on many messages at once.

A single message's page and acts are in page.py.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from django.contrib import messages as flash
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from companion.clinics.access import Caller
from companion.clinics.ids import as_uuid
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Unknown
from companion.listener import readings
from companion.panel import message_counts
from companion.patients.queries import cohorts
from companion.planning import acts, listing
from companion.schedules import queries
from companion.schedules.models import Message, Status
from companion.service.clock import database_now
from companion.times.walls import local
from companion.web import undoing
from companion.web.access import PageRequest, came_from, page
from companion.web.chips import Chip
from companion.web.messages import filters
from companion.web.messages.cause_cards import causes
from companion.web.messages.first_steps import first_steps
from companion.web.messages.rows import Group, Row, Section, mixed, rows, sections
from companion.web.planning.kept_drafts import listed
from companion.web.templatetags.counts import capped, plural
from companion.web.templatetags.tones import tone

PAGE_SIZE: Final = 50
FOLD: Final = 10
"""Show an instant's Occurrences in a single row if they are for more patients than this."""
PLANNED_FIRST: Final = 5
"""The largest number of planned Occurrences above the results of a search over all days."""
LOOKED_AHEAD: Final = dt.timedelta(days=366)
AT_ONCE: Final = 100
"""The largest number of messages that one press of a button changes."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows of a list."""

    sections: list[Section]
    more: str | None
    """The cursor at which the next page begins; None on the last page."""
    truncated: bool = False
    """True if the day has more coming messages than are shown."""
    whole: bool = True
    """True if all planned Occurrences were read."""


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """Show the list; with `?part=rows` only its rows, which the page asks for repeatedly."""
    now = database_now()
    clinic = request.caller.clinic
    view = filters.view(request.GET, clinic, now)
    page_of_rows = _listed(view, request.caller, now)
    answers = (row.answer for section in page_of_rows.sections for row in section.rows)
    readings.of_list(request.caller, answers, now=now)
    next_page = view.address(reverse("messages"), day=_shown_day(view), after=page_of_rows.more or "")
    context: dict[str, object] = {
        "now": now,
        "view": view,
        "listed": page_of_rows,
        "more": next_page if page_of_rows.more else "",
        "query": request.GET.urlencode(),
    }
    if request.GET.get("part") == "rows":
        return render(request, "messages/rows.html", context)
    context |= {
        "chips": _chips(view, clinic, now),
        "causes": [] if view.filtered else causes(clinic, now=now),
        "steps": first_steps(clinic) if not view.filtered else None,
        "drafts": [] if view.filtered or not request.caller.may(Role.PROVIDER) else listed(request.caller, now=now),
        "cohorts": cohorts(clinic),
        "today": local(now, clinic.timezone).date(),
        "before": _address_of_day(view, view.day - dt.timedelta(days=1)),
        "to_today": _address_of_day(view, local(now, clinic.timezone).date()) if view.filtered else reverse("messages"),
        "after": _address_of_day(view, view.day + dt.timedelta(days=1)),
        "to_calendar": view.address(
            reverse("calendar"), day=view.day.isoformat() if view.dated else "", standing="", reason=""
        ),
        "following": None if view.filtered else _following(clinic, view),
    }
    return render(request, "messages/index.html", context)


@require_POST
@page(Role.PROVIDER)
def act_on_ticked(request: PageRequest) -> HttpResponse:
    """Cancel or retry the ticked messages, and say how many were changed and how many could not be changed."""
    now = database_now()
    act = {"cancel": _cancelled, "retry": _retried}.get(request.POST.get("do", ""))
    if act is None:
        raise Unknown
    ticked = [as_uuid(key) for key in request.POST.getlist("id")[:AT_ONCE]]
    done = [act(request.caller, queries.message(request.caller.clinic, key), now) for key in ticked]
    if request.POST["do"] == "cancel":
        cancelled = [key for key, was_cancelled in zip(ticked, done, strict=True) if was_cancelled]
        undoing.offer(request, "messages", cancelled, now=now)
    word = "won't be sent" if request.POST["do"] == "cancel" else "will be tried again"
    flash.success(request, f"{plural(sum(done), 'message')} {word}.")
    if left := len(done) - sum(done):
        flash.warning(
            request, f"{plural(left, 'message')} not changed: already on the way, finished, or to be decided singly."
        )
    return redirect(came_from(request, reverse("messages")))


def _cancelled(caller: Caller, message: Message, now: dt.datetime) -> bool:
    try:
        acts.cancel(caller, message, now=now)
    except Conflict:
        return False
    return True


def _retried(caller: Caller, message: Message, now: dt.datetime) -> bool:
    return acts.retry_again(caller, message, now=now)


def _listed(view: filters.View, caller: Caller, now: dt.datetime) -> Listed:
    if not view.filtered:
        return _day(view, caller.clinic, now)
    oldest_first = view.dated or view.status == Status.PENDING
    wanted = filters.message_filter(view, caller, now)
    if view.dated:
        since, until = filters.bounds(view.day, caller.clinic)
        wanted = replace(wanted, due_from=since, due_to=until)
    if oldest_first and not (view.measure or view.reason):
        return _with_planned(wanted, caller.clinic, view.after, now)
    matching = queries.messages(caller.clinic, wanted)
    if view.measure:
        matching = message_counts.narrow(matching, caller.clinic, message_counts.Measure(view.measure), now=now)
    if view.reason:
        matching = matching.filter(reason=view.reason)
    after = view.after or None
    messages = queries.page(matching, order="due_at" if oldest_first else "-due_at", after=after, limit=PAGE_SIZE)
    message_rows = rows(messages.items, now=now)
    if view.after or oldest_first:
        return Listed(sections(message_rows), messages.next)
    # A search over all days lists the latest Message first. The next planned Occurrences stand above it.
    future = replace(wanted, due_from=now, status=wanted.status or Status.PENDING)
    coming = listing.page(caller.clinic, future, now + LOOKED_AHEAD, limit=PLANNED_FIRST, fold=FOLD)
    planned = mixed([item for item in coming.items if item.planned], now=now)
    return Listed([*_titled("Planned", planned), *sections(message_rows)], messages.next, whole=coming.whole)


def _with_planned(wanted: queries.MessageFilter, clinic: Clinic, after: str, now: dt.datetime) -> Listed:
    """List Messages together with planned Occurrences: of the filter's day, or else of the coming year."""
    until = wanted.due_to or now + LOOKED_AHEAD
    coming = listing.page(clinic, wanted, until, after=after or None, limit=PAGE_SIZE, fold=FOLD)
    return Listed(sections(mixed(coming.items, now=now)), coming.next, whole=coming.whole)


def _titled(title: Group, rows: list[Row]) -> list[Section]:
    return [Section(title, rows)] if rows else []


def _day(view: filters.View, clinic: Clinic, now: dt.datetime) -> Listed:
    """List the day's coming messages, then its earlier messages, the latest first.

    For today, overdue and waiting messages of any day stand above all others.
    """
    start, end = filters.bounds(view.day, clinic)
    late_before = min(max(start, now - queries.OVERDUE_AFTER), end)
    is_today = start <= now < end
    past = _due(clinic, start, late_before)
    # Today's list shows overdue messages on top; another day's list shows them at their time.
    past = past.exclude(status=Status.PENDING) if is_today else past
    earlier = queries.page(past, order="-due_at", after=view.after or None, limit=PAGE_SIZE)
    if view.after:
        return Listed(sections(rows(earlier.items, now=now)), earlier.next)
    first: list[Message] = []
    if is_today:
        unsent = _due(clinic, None, late_before).filter(status=Status.PENDING)
        first = queries.page(unsent, order="due_at", after=None, limit=PAGE_SIZE).items
    coming = listing.page(clinic, queries.MessageFilter(due_from=late_before), end, limit=PAGE_SIZE, fold=FOLD)
    items = [*coming.items, *map(listing.Item, earlier.items)]
    late = sorted(rows(first, now=now), key=lambda row: row.group != "Overdue")
    all_rows = [*late, *mixed(items, now=now)]
    return Listed(sections(all_rows), earlier.next, truncated=coming.next is not None, whole=coming.whole)


def _due(clinic: Clinic, since: dt.datetime | None, until: dt.datetime) -> QuerySet[Message]:
    return queries.messages(clinic, queries.MessageFilter(due_from=since, due_to=until))


def _address_of_day(view: filters.View, day: dt.date) -> str:
    return view.address(reverse("messages"), day=day.isoformat())


def _shown_day(view: filters.View) -> str:
    """Write the day for an address; empty if the list shows all days."""
    return view.day.isoformat() if view.dated or not view.filtered else ""


def _following(clinic: Clinic, view: filters.View) -> Message | None:
    """Find the first message after the shown day. The page of an empty day names it."""
    end = filters.bounds(view.day, clinic).end
    after = queries.MessageFilter(status=Status.PENDING, due_from=end)
    coming = listing.page(clinic, after, end + LOOKED_AHEAD, limit=1, fold=FOLD)
    return coming.items[0].message if coming.items else None


def _chips(view: filters.View, clinic: Clinic, now: dt.datetime) -> list[Chip]:
    counts = queries.counts(clinic, now=now)
    kept = {"q": view.q, "cohort": view.cohort, "mine": "1" if view.mine else ""}

    def chip(label: str, count: int, tone: str, added: dict[str, str], current: bool) -> Chip:
        chosen = {key: value for key, value in ({} if current else added | kept).items() if value}
        query = f"?{urlencode(chosen)}" if chosen else ""
        return Chip(label, reverse("messages") + query, current, tone, capped(count))

    return [
        chip("Needs attention", counts.attention, "orange", {"attention": "1"}, view.attention),
        *(
            chip(
                status.label,
                getattr(counts, status.value),
                tone(status),
                {"status": status.value},
                view.status == status,
            )
            for status in Status
        ),
    ]
