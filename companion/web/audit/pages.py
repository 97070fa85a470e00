"""The page of the audit trail, for admins: who did and read what, with filters and an export."""

import datetime as dt
import uuid
from contextlib import suppress
from typing import Final

from django.http import HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from companion.api.limits import hold
from companion.clinics.models import Role
from companion.clinics.stored_entries import readable
from companion.panel import trail
from companion.panel.trail import Wanted
from companion.service.clock import database_now
from companion.service.slots import LONG
from companion.times.walls import zone_info
from companion.web.access import PageRequest, page
from companion.web.numbers import whole_number

PAGE_SIZE: Final = 50
_LONGEST: Final = 100


@require_GET
@page(Role.ADMIN)
def index(request: PageRequest) -> HttpResponse:
    """Show the newest entries; with `?below=` the newest entries below that number."""
    entries = trail.entries(request.caller, _wanted(request))
    below = whole_number(request.GET.get("below", ""), digits=15)
    if below is not None:
        entries = entries.filter(number__lt=below)
    rows = list(readable(entries[: PAGE_SIZE + 1]))
    query = request.GET.copy()
    query.pop("below", None)
    context = {
        "entries": rows[:PAGE_SIZE],
        "below": rows[PAGE_SIZE - 1].number if len(rows) > PAGE_SIZE else None,
        "typed": {name: query.get(name, "") for name in ("who", "what", "kind", "since", "until", "about")},
        "query": f"{query.urlencode()}&" if query else "",
    }
    return render(request, "audit/index.html", context)


@require_GET
@page(Role.ADMIN)
def export(request: PageRequest) -> HttpResponseBase:
    """Download the entries that match the filters, as CSV or NDJSON."""
    form: trail.Format = "ndjson" if request.GET.get("format") == "ndjson" else "csv"
    hold(request, LONG, request.caller)
    rows = trail.export(request.caller, _wanted(request), form, now=database_now())
    answer = StreamingHttpResponse(rows, content_type=trail.TYPES[form])
    answer["Content-Disposition"] = f'attachment; filename="audit.{form}"'
    return answer


def _wanted(request: PageRequest) -> Wanted:
    """Read the filters. A filter that can't be read counts as empty; the form still shows it as typed."""
    typed = request.GET
    kind = typed.get("kind", "")
    about = None
    with suppress(ValueError):
        about = uuid.UUID(typed.get("about", "").strip())
    return Wanted(
        who=_word(typed.get("who", "")),
        what=_word(typed.get("what", "")),
        kind="acts" if kind == "acts" else "readings" if kind == "readings" else "",
        since=_day(request, "since"),
        until=_day(request, "until", after=1),
        about=about,
    )


def _word(text: str) -> str:
    word = text.strip()[:_LONGEST]
    return word if word.isprintable() else ""


def _day(request: PageRequest, name: str, *, after: int = 0) -> dt.datetime | None:
    """Return the instant at which the named day, or a day so many days after it, begins for the clinic.

    Returns None for a text that is not a date.
    """
    try:
        day = dt.date.fromisoformat(request.GET.get(name, "")) + dt.timedelta(days=after)
        zone = zone_info(request.caller.clinic.timezone)
        return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
