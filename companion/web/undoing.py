"""The bar with the Undo button: the page after an act shows it for ten seconds. It works without script, too."""

import datetime as dt
import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.contrib import messages as flash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from companion.clinics.access import Caller
from companion.clinics.ids import as_uuid
from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Unknown
from companion.planning import taking_back
from companion.planning.taking_back import UNDO_FOR
from companion.schedules import queries
from companion.service.clock import database_now
from companion.web.access import PageRequest, came_from, page
from companion.web.templatetags.counts import plural

_SESSION: Final = "undo"


@dataclass(frozen=True, slots=True)
class Offer:
    """An act that can still be undone."""

    kind: str
    ids: list[str]
    occurrence: str
    seconds: int


def offer(request: HttpRequest, kind: str, ids: Sequence[uuid.UUID], *, now: dt.datetime, occurrence: str = "") -> None:
    """Offer to undo an act on these messages or series; `ids` are their ids. The next page shows the offer."""
    if ids:
        until = (now + UNDO_FOR).isoformat()
        request.session[_SESSION] = {
            "kind": kind, "ids": [str(id) for id in ids], "occurrence": occurrence, "until": until,
        }  # fmt: skip


def offered(request: HttpRequest, *, now: dt.datetime) -> Offer | None:
    """Return the act that the page may offer to undo; None if there is none, or its ten seconds are over."""
    held = request.session.get(_SESSION)
    if not isinstance(held, dict):
        return None
    left = dt.datetime.fromisoformat(held["until"]) - now
    if left <= dt.timedelta(0):
        return None
    return Offer(held["kind"], held["ids"], held["occurrence"], math.ceil(left.total_seconds()))


@require_POST
@page(Role.PROVIDER)
def undo(request: PageRequest) -> HttpResponse:
    """Undo the act that the form of the bar names."""
    now = database_now()
    act = _KINDS.get(request.POST.get("kind", ""))
    if act is None:
        raise Unknown
    ids = [as_uuid(key) for key in request.POST.getlist("id")]
    request.session.pop(_SESSION, None)
    flash.success(request, act(request.caller, ids, request.POST.get("occurrence", ""), now))
    return redirect(came_from(request, reverse("messages")))


def _messages(caller: Caller, ids: list[uuid.UUID], occurrence: str, now: dt.datetime) -> str:
    done = 0
    for id in ids:
        message = queries.message(caller.clinic, id)
        try:
            taking_back.undo(caller, message, now=now)
            done += 1
        except Conflict:
            if len(ids) == 1:
                raise
    if not done:
        raise Conflict("It is too late to undo this: the ten seconds are over.")
    left = f" For {plural(len(ids) - done, 'message')} it was too late." if done < len(ids) else ""
    return f"Undone: {plural(done, 'message')} will be sent after all.{left}"


def _series(caller: Caller, ids: list[uuid.UUID], occurrence: str, now: dt.datetime) -> str:
    for id in ids:
        taking_back.undo_end(caller, queries.schedule(caller.clinic, id), now=now)
    return "Undone: sending continues as before."


def _skip(caller: Caller, ids: list[uuid.UUID], occurrence: str, now: dt.datetime) -> str:
    for id in ids:
        taking_back.unskip(caller, queries.schedule(caller.clinic, id), occurrence, now=now)
    return "Undone: this occurrence is sent after all."


_KINDS: dict[str, Callable[[Caller, list[uuid.UUID], str, dt.datetime], str]] = {
    "messages": _messages,
    "series": _series,
    "skip": _skip,
}
