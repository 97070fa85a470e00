"""A fresh proof of identity before what is sensitive: a session that somebody took over must not make keys or admins.

A sign-in is a proof for a quarter of an hour; then the person gives the password, a code or a passkey again, and what
was asked for goes on. The form waits in the session, sealed.
"""

import base64
import datetime as dt
import json
from typing import Final

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.reauthentication import stash_and_reauthenticate
from allauth.usersessions.models import UserSession
from django.contrib import messages as flash
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import resolve, reverse

from companion.clinics.proofs import BEGAN
from companion.clinics.sealed import seal, unseal
from companion.web.whole_page import lead_to

_PURPOSE: Final = "web.proof"


def begin(request: HttpRequest, *, now: dt.datetime) -> None:
    """Note when the session began. Removes what is left of sessions that are long over."""
    request.session[BEGAN] = now.timestamp()
    Session.objects.filter(expire_date__lt=now).delete()


def renew(request: HttpRequest) -> None:
    """Give the session another key after a proof: who knows the key of before is no longer in."""
    before = request.session.session_key
    request.session.cycle_key()
    rows = UserSession.objects.filter(session_key=before, user_id=request.user.pk)
    rows.update(session_key=request.session.session_key)


def ask(request: HttpRequest) -> HttpResponse:
    """Ask for a proof. Afterwards the form that was sent is carried out; no page needs to be filled in again."""
    if not get_adapter().get_reauthentication_methods(request.user):
        flash.info(request, "First set a password: then you can confirm by it that it's you.")
        return lead_to(request, reverse("account_set_password"))
    waiting = {"path": request.path, "method": request.method, "posted": request.POST.urlencode()}
    sealed = base64.b64encode(seal(json.dumps(waiting), _PURPOSE)).decode()
    answer: HttpResponse = stash_and_reauthenticate(request, {"sealed": sealed}, f"{__name__}.go_on")
    return lead_to(request, answer["Location"])


def go_on(request: HttpRequest, state: dict[str, str]) -> HttpResponseBase:
    """Carry out what waited for the proof."""
    waiting = json.loads(unseal(base64.b64decode(state["sealed"]), _PURPOSE))
    if waiting["method"] != "POST":
        return redirect(waiting["path"])
    request.method = "POST"
    request.path = request.path_info = waiting["path"]
    request.POST = QueryDict(waiting["posted"])
    found = request.resolver_match = resolve(waiting["path"])
    answer: HttpResponseBase = found.func(request, *found.args, **found.kwargs)
    return answer
