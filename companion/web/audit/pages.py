"""The page of the audit trail, for admins: who did and read what, with filters and an export."""

import datetime as dt
import uuid
from contextlib import suppress
from typing import Final

from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from companion.clinics.models import Role
from companion.panel import trail
from companion.panel.trail import Wanted
from companion.service.clock import database_now
from companion.times.walls import zone_info
from companion.web.access import PageRequest, page

PAGE_SIZE: Final = 50
_LONGEST: Final = 100


@require_GET
@page(Role.ADMIN)
def index(request: PageRequest) -> HttpResponse:
    """Show the newest entries, or the page that begins below an entry's number."""
    found = trail.entries(request.caller, _wanted(request))
    below = request.GET.get("below", "")
    if below.isascii() and below.isdigit() and len(below) < 16:
        found = found.filter(number__lt=int(below))
    rows = list(found[: PAGE_SIZE + 1])
    query = request.GET.copy()
    query.pop("below", None)
    shown = {
        "entries": rows[:PAGE_SIZE],
        "below": rows[PAGE_SIZE - 1].number if len(rows) > PAGE_SIZE else None,
        "typed": {name: query.get(name, "") for name in ("who", "what", "kind", "since", "until", "about")},
        "query": _encoded(query),
        "now": database_now(),
    }
    return render(request, "audit/index.html", shown)


@require_GET
@page(Role.ADMIN)
def export(request: PageRequest) -> HttpResponseBase:
    """Download the entries that the filters leave, as CSV or NDJSON."""
    form: trail.Format = "ndjson" if request.GET.get("format") == "ndjson" else "csv"
    rows = trail.export(request.caller, _wanted(request), form, now=database_now())
    answer = StreamingHttpResponse(rows, content_type=trail.TYPES[form])
    answer["Content-Disposition"] = f'attachment; filename="audit.{form}"'
    return answer


def _encoded(query: QueryDict) -> str:
    return f"{query.urlencode()}&" if query else ""


def _wanted(request: PageRequest) -> Wanted:
    """Read the filters; leave out those that can't be read, which the form shows as typed."""
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
    """The beginning of the day in the clinic's time zone, or of a day after."""
    try:
        day = dt.date.fromisoformat(request.GET.get(name, "")) + dt.timedelta(days=after)
        zone = zone_info(request.caller.clinic.timezone)
        return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
