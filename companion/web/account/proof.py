"""A fresh proof of identity before sensitive acts: a person who took over a session must not create keys or admins.

A sign-in counts as a proof for a quarter of an hour. After that the person gives the password, a code or a passkey
again. Meanwhile the form that was sent waits in the session, sealed; it is carried out after the proof, unless the
person left it: by a proof for another page, or for a quarter of an hour.
"""

import base64
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY, stash_and_reauthenticate
from allauth.account.utils import get_next_redirect_url
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages as flash
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import resolve, reverse

from companion.clinics.proofs import BEGAN
from companion.clinics.sealed import CannotOpen, seal, unseal
from companion.service.clock import database_now
from companion.web.whole_page import lead_to

FORM: Final = STATE_SESSION_KEY
"""The session's value with the request that waits."""
_PURPOSE: Final = "web.proof"
_WAITS_SECONDS: Final[int] = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
_TOO_OLD: Final = "Your last action waited too long for this confirmation, so nothing was changed. Please do it again."


def begin(request: HttpRequest, *, now: dt.datetime) -> None:
    """Note in the session when it began, and delete all expired sessions."""
    request.session[BEGAN] = now.timestamp()
    Session.objects.filter(expire_date__lt=now).delete()


def waiting_form(session: Mapping[str, Any]) -> str:
    """Return the request that waits for a proof in a session with these values, as JSON; "" if none waits."""
    sealed = session.get(FORM, {}).get("state", {}).get("sealed", "")
    try:
        return unseal(base64.b64decode(sealed), _PURPOSE)
    except CannotOpen:
        return ""


def renew(request: HttpRequest) -> None:
    """Give the session a new key after a proof. The former key, which somebody may have stolen, no longer works."""
    former_key = request.session.session_key
    request.session.cycle_key()
    rows = UserSession.objects.filter(session_key=former_key, user_id=request.user.pk)
    rows.update(session_key=request.session.session_key)


def ask(request: HttpRequest) -> HttpResponse:
    """Ask for a proof. The form that was sent is carried out afterwards, so that nobody has to fill it in again."""
    if not get_adapter().get_reauthentication_methods(request.user):
        flash.info(request, "Set a password first. You can then confirm with it that it's you.")
        return lead_to(request, reverse("account_set_password"))
    asked_at = database_now().timestamp()
    waiting = {"path": request.path, "method": request.method, "posted": request.POST.urlencode(), "at": asked_at}
    sealed = base64.b64encode(seal(json.dumps(waiting), _PURPOSE)).decode()
    answer: HttpResponse = stash_and_reauthenticate(request, {"sealed": sealed}, f"{__name__}.go_on")
    return lead_to(request, answer["Location"])


def go_on(request: HttpRequest, state: dict[str, str]) -> HttpResponseBase:
    """Carry out the request that waited for the proof, unless the person has left it."""
    if elsewhere := get_next_redirect_url(request):
        # Another page, such as that of a new passkey, asked for this proof.
        return redirect(elsewhere)
    waiting = json.loads(unseal(base64.b64decode(state["sealed"]), _PURPOSE))
    if database_now().timestamp() - waiting.get("at", 0) > _WAITS_SECONDS:
        flash.error(request, _TOO_OLD)
        return redirect("messages")
    if waiting["method"] != "POST":
        return redirect(waiting["path"])
    request.method = "POST"
    request.path = request.path_info = waiting["path"]
    request.POST = QueryDict(waiting["posted"])
    match = request.resolver_match = resolve(waiting["path"])
    answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return answer
