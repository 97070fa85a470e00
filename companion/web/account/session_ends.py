"""The end of a session: after half an hour without activity, and twelve hours after the sign-in (both can be changed).

Open pages poll by htmx; polling is no activity. allauth's row of a session says when the session was last used.
A session without this row has ended: to end a session from another device, its row is deleted.
"""

import datetime as dt
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages as flash
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from companion.clinics.proofs import BEGAN
from companion.service.clock import database_now
from companion.web.account import evidence
from companion.web.account.devices import address_of, send_cookie

_SHARE_UNNOTED: Final = 30
"""A use within this part of the idle time after the last noted use is not noted: a session may end so much early."""
_OPENED: Final = "X-Opened"
"""The header with which our script says that a person, and not polling, opened a part of a page."""
Answer = Callable[[HttpRequest], HttpResponseBase]


class _Over(StrEnum):
    """The reason why a session is over, as the audit trail words it."""

    NO = ""
    IDLE = "ended without activity"
    TOO_LONG = "ended after its longest time"
    ENDED = "ended elsewhere"


def session_ends(get_response: Answer) -> Answer:
    """Sign a person out when their session is over.

    A middleware; it needs Django's middlewares for sessions, sign-ins and messages before it.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            _end_or_note_use(request, now=database_now())
        answer = get_response(request)
        send_cookie(request, answer)
        return answer

    return middleware


def _end_or_note_use(request: HttpRequest, *, now: dt.datetime) -> None:
    _follow_new_key(request)
    row = UserSession.objects.filter(session_key=request.session.session_key).first()
    why = _why_over(row, request.session.get(BEGAN), now=now)
    if why:
        _end(request, row, why)
    elif row and now - row.last_seen_at > _noted_every() and _is_activity(request):
        UserSession.objects.filter(pk=row.pk).update(last_seen_at=now, ip=address_of(request))


def _noted_every() -> dt.timedelta:
    return min(dt.timedelta(minutes=settings.COMPANION.idle_minutes) / _SHARE_UNNOTED, dt.timedelta(minutes=1))


def _follow_new_key(request: HttpRequest) -> None:
    """Write the session's new key into its row.

    After the secret key was changed, Django gives each session a new key at its next request.
    """
    former, current = request.COOKIES[settings.SESSION_COOKIE_NAME], request.session.session_key
    if former != current:
        UserSession.objects.filter(session_key=former, user_id=request.user.pk).update(session_key=current)


def _why_over(row: UserSession | None, began: float | None, *, now: dt.datetime) -> _Over:
    environment = settings.COMPANION
    if row is None or began is None:
        return _Over.ENDED
    if now.timestamp() - began > environment.session_hours * 3600:
        return _Over.TOO_LONG
    return _Over.IDLE if now - row.last_seen_at > dt.timedelta(minutes=environment.idle_minutes) else _Over.NO


def _is_activity(request: HttpRequest) -> bool:
    """Return whether a person did something. A GET of htmx is polling, unless our script says that a person clicked."""
    by_htmx = request.method == "GET" and "HX-Request" in request.headers
    return not by_htmx or _OPENED in request.headers


def _end(request: HttpRequest, row: UserSession | None, why: _Over) -> None:
    evidence.session_over(request.user, why)
    if row:
        row.delete()
    request.session.flush()
    request.user = AnonymousUser()
    if not request.path.startswith("/api/"):
        flash.info(request, _words(why))


def _words(why: _Over) -> str:
    match why:
        case _Over.IDLE:
            return f"You were signed out after {settings.COMPANION.idle_minutes:g} minutes without activity."
        case _Over.TOO_LONG:
            return f"You were signed out {settings.COMPANION.session_hours:g} hours after you signed in."
        case _:
            return "You were signed out: this session was ended."
