"""Who looks at a page and what the page may do for them: the one place where pages ask for a sign-in and a role.

It also turns the rooms' ways of saying no into pages. It decides no role: that is `Caller.needs`.
"""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from companion.clinics.access import Caller, NotAllowed
from companion.clinics.members import SESSION_CLINIC, caller_of_member, chosen_member
from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Refused, Unknown
from companion.times.walls import zone_info

P = ParamSpec("P")


class PageRequest(HttpRequest):
    """A request behind the sign-in, with who makes it."""

    caller: Caller
    htmx: HtmxDetails


View = Callable[Concatenate[PageRequest, P], HttpResponseBase]
Entry = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def page(role: Role = Role.VIEWER) -> Callable[[View[P]], Entry[P]]:
    """Give the view `request.caller`, within the clinic's time zone, to members with at least this role only."""

    def decorate(view: View[P]) -> Entry[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            caller = caller_of(request)
            if caller is None:
                return render(request, "account/no_clinic.html", status=403)
            ours = cast("PageRequest", request)
            ours.caller = caller
            with timezone.override(zone_info(caller.clinic.timezone)):
                try:
                    caller.needs(role)
                    return view(ours, *args, **kwargs)
                except (NotAllowed, Unknown, Conflict, Refused) as no:
                    return _said_no(ours, no)

        return guarded

    return decorate


def caller_of(request: HttpRequest) -> Caller | None:
    """The signed-in member in the clinic chosen in this session, else in their first; None without any clinic."""
    if not request.user.is_authenticated:
        return None
    member = chosen_member(request.user, request.session.get(SESSION_CLINIC))
    return caller_of_member(member) if member else None


def as_uuid(text: str) -> uuid.UUID:
    """An id from an address or a form. Raises Unknown for what can't be one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Unknown from None


def came_from(request: HttpRequest, otherwise: str) -> str:
    """The page of ours that asked for this, from the form's `next`; never another site's address."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    # A path only: redirect() takes other words for names of views.
    return wanted if safe and wanted.startswith("/") else otherwise


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        # A part of a page can't show the sign-in form: the whole page has to go there.
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = redirect_to_login(_whole_page(request)).url
        return answer
    return redirect_to_login(request.get_full_path() if request.method == "GET" else _whole_page(request))


def _whole_page(request: HttpRequest) -> str:
    return reverse("messages") if request.method != "GET" else request.path


def _said_no(request: PageRequest, no: NotAllowed | Unknown | Conflict | Refused) -> HttpResponse:
    match no:
        case NotAllowed():
            return _say(request, 403, "You may not do this", str(no))
        case Unknown():
            return _say(request, 404, "There is nothing here", "The page was removed, or the address is mistyped.")
        case Conflict():
            return _conflict(request, str(no))
        case Refused():
            return _say(
                request, 422, "Please check what you entered", " ".join(problem.message for problem in no.problems)
            )


def _conflict(request: PageRequest, message: str) -> HttpResponse:
    """Someone was faster: say so, and show how it stands now."""
    if request.method == "POST" and not request.headers.get("HX-Request"):
        messages.error(request, message)
        # Else to where the bar leads in this room ("/settings/members/…": to Settings).
        return redirect(came_from(request, f"/{request.path.split('/')[1]}"))
    return _say(request, 409, "No longer possible", message)


def _say(request: PageRequest, status: int, title: str, message: str) -> HttpResponse:
    template = "parts/said_no.html" if request.headers.get("HX-Request") else "said_no.html"
    return render(request, template, {"title": title, "message": message, "status": status}, status=status)
