"""The timing of single queries. Called by inside.py."""

import datetime as dt
import statistics
import time
from collections.abc import Callable

from django.db import transaction
from django.http import QueryDict

from bench.inside import Figures
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.delivery import store
from companion.patients.models import Patient
from companion.schedules import queries
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.queries import MessageFilter
from companion.web.messages import calendar, calendar_days, filters

_TIMES = 9
_LIMIT = 50
_IN_A_ROUND = 50


def time_all(pending: int) -> Figures:
    """Each query's median in seconds, without its first run."""
    clinic = Clinic.objects.get()
    now = dt.datetime.now(dt.UTC)
    middle = now + dt.timedelta(hours=25)
    patient = Patient.objects.order_by("id")[7].id
    schedule = Schedule.objects.get().id
    pages: dict[str, MessageFilter] = {
        "list: first page": MessageFilter(),
        "list: from the middle on": MessageFilter(due_from=middle),
        "list: pending": MessageFilter(status=Status.PENDING),
        "list: failed": MessageFilter(status=Status.FAILED),
        "list: of a patient": MessageFilter(patient=patient),
        "list: of a schedule": MessageFilter(schedule=schedule),
        "list: q that finds one patient": MessageFilter(q=f"p-{pending // 20}"),
        "list: q that finds every fifth": MessageFilter(q="ana"),
        "list: q that finds nobody": MessageFilter(q="zzz"),
    }
    asks: dict[str, Callable[[], object]] = {name: _page(clinic, wanted) for name, wanted in pages.items()}
    asks["list: the page after it"] = _second_page(clinic)
    for span, status in (("week", ""), ("month", ""), ("month", Status.FAILED.value)):
        asks[f"calendar: a {span}, {status or 'all'}"] = _calendar(clinic, now, span, status)
    asks["counts on the chips"] = lambda: queries.counts(clinic, now=now)
    asks["one message"] = _message(clinic)
    asks["look at the next 50"] = _next_facts(clinic, now)
    asks["next ready"] = lambda: store.next_ready(clinic.id)
    return {name: _median(ask) for name, ask in asks.items()}


def _page(clinic: Clinic, wanted: MessageFilter) -> Callable[[], object]:
    return lambda: queries.page(queries.messages(clinic, wanted), order="due_at", after=None, limit=_LIMIT)


def _second_page(clinic: Clinic) -> Callable[[], object]:
    found = queries.messages(clinic, MessageFilter())
    first = queries.page(found, order="due_at", after=None, limit=_LIMIT)
    return lambda: queries.page(found, order="due_at", after=first.next, limit=_LIMIT)


def _calendar(clinic: Clinic, now: dt.datetime, span: str, status: str) -> Callable[[], object]:
    """Read all that the page needs, and put it into words, but make no HTML."""
    caller = Caller(clinic, "member", clinic.id, "Bench", Role.VIEWER)
    view = filters.view(QueryDict(f"status={status}"), clinic, now)
    return lambda: calendar_days.shown(
        caller, view, calendar.span_of(span, view.day).dates, calendar.SIZES[span], now=now
    )


def _message(clinic: Clinic) -> Callable[[], object]:
    message = Message.objects.order_by("id")[0].id
    return lambda: queries.message(clinic, message)


def _next_facts(clinic: Clinic, now: dt.datetime) -> Callable[[], object]:
    def read() -> None:
        with transaction.atomic():
            at = now + dt.timedelta(hours=4)
            if len(store.facts(store.next_in_line(clinic.id, {}, _IN_A_ROUND, now=at), now=at)) != _IN_A_ROUND:
                raise RuntimeError("too few messages were waiting")

    return read


def _median(ask: Callable[[], object]) -> float:
    ask()
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    return statistics.median(took)
