"""`/scheduled-messages/calendar`: the messages of a week or a month, past and future."""

import calendar
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from companion.clinics.refusals import Problem, Refused
from companion.listener import readings
from companion.patients.queries import cohorts
from companion.schedules.models import Status
from companion.service.clock import database_now
from companion.times.walls import local
from companion.web.access import PageRequest, page
from companion.web.chips import Chip
from companion.web.messages import filters
from companion.web.messages.calendar_days import shown
from companion.web.messages.calendar_groups import Size
from companion.web.templatetags.counts import capped
from companion.web.templatetags.tones import tone

WEEK, MONTH = "week", "month"
SIZES: Final = {WEEK: Size(entries=10, groups=6), MONTH: Size(entries=4, groups=3)}
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A week or a month, from `first` to `last`. `dates` are the shown days: whole weeks that begin on Monday."""

    kind: str
    first: dt.date
    last: dt.date
    dates: list[dt.date]

    def title(self, today: dt.date) -> str:
        """Name the span: "30 Nov – 6 Dec", "December 2026". A week of another year is named with its year."""
        if self.kind == MONTH:
            return f"{self.first:%B %Y}"
        with_year = {self.first.year, self.last.year} != {today.year}
        first, last = (f" {day:%b}{f' {day.year}' if with_year else ''}" for day in (self.first, self.last))
        return f"{self.first.day}{first if self.first.month != self.last.month else ''} – {self.last.day}{last}"

    def address(self, view: filters.View, **more: str) -> str:
        """Return the calendar's address with the filters; `more` names the day, or another span."""
        return view.address(reverse("calendar"), **{"span": self.kind} | more)


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """Show the clinic's calendar, in the clinic's time."""
    now = database_now()
    clinic = request.caller.clinic
    # The Control Panel's numbers lead to lists over all days, which a calendar can't show.
    view = replace(filters.view(request.GET, clinic, now), measure="", reason="")
    span = span_of(request.GET.get("span", WEEK), view.day)
    today = local(now, clinic.timezone).date()
    day = view.day.isoformat()
    days = shown(request.caller, view, span.dates, SIZES[span.kind], now=now)
    answers = (entry.row.answer for shown_day in days.days for entry in shown_day.entries if entry.row)
    readings.of_list(request.caller, answers, now=now)
    counts = days.counts(span.first, span.last)
    context = {
        "now": now,
        "view": view,
        "span": span,
        "title": span.title(today),
        "today": today,
        "shown": days,
        "here_now": span.first <= today <= span.last,
        "before": span.address(view, day=(span.first - _DAY).isoformat()),
        "to_today": span.address(view),
        "after": span.address(view, day=(span.last + _DAY).isoformat()),
        "spans": [(kind.capitalize(), span.address(view, span=kind, day=day), kind == span.kind) for kind in SIZES],
        "chips": [_chip(status, view, span, counts) for status in Status],
        "clear": f"{reverse('calendar')}?span={span.kind}&day={day}",
        "to_list": view.address(reverse("messages"), day="" if view.filtered or not view.dated else day),
        "cohorts": cohorts(clinic),
    }
    return render(request, "messages/calendar.html", context)


def _chip(status: Status, view: filters.View, span: Span, counts: Mapping[Status, int]) -> Chip:
    current = view.status == status
    # If the view shows one status, the messages of the other statuses weren't counted.
    uncounted = view.status not in ("", status) or view.attention
    return Chip(
        status.label,
        span.address(view, day=view.day.isoformat(), attention="", status="" if current else status.value),
        current,
        tone(status),
        "" if uncounted else capped(counts.get(status, 0)),
    )


def span_of(kind: str, day: dt.date) -> Span:
    """Return the week or the month that contains the day. Raises Refused for any other kind of span."""
    if kind not in SIZES:
        raise Refused(Problem("span", "The calendar shows a week or a month. Choose one of them."))
    if kind == WEEK:
        first = day - day.weekday() * _DAY
        dates = [first + number * _DAY for number in range(7)]
        return Span(kind, first, dates[-1], dates)
    weeks = calendar.Calendar().monthdatescalendar(day.year, day.month)
    dates = [date for week in weeks for date in week]
    first = day.replace(day=1)
    return Span(kind, first, (first + 31 * _DAY).replace(day=1) - _DAY, dates)
