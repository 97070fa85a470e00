"""Access to pages: every page asks here for a sign-in and a role.

This module also turns the refusals of other rooms into pages. `Caller.needs` decides about roles, not this module.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from companion.clinics.access import Caller, CallerRequest, NotAllowed
from companion.clinics.members import caller_of_member, chosen_member
from companion.clinics.models import Role
from companion.clinics.proofs import is_fresh
from companion.clinics.refusals import Conflict, Refused, Unknown
from companion.clinics.second_factors import is_missing
from companion.patients.former_patients import Merged
from companion.service.clock import database_now
from companion.service.gone_rows import SENTENCE, is_about_a_gone_row
from companion.service.slots import PEOPLE, Busy
from companion.times.walls import zone_info
from companion.web.account import proof, second_factors
from companion.web.whole_page import lead_to

P = ParamSpec("P")


class PageRequest(CallerRequest):
    """A request from a signed-in member."""

    user: User
    htmx: HtmxDetails


View = Callable[Concatenate[PageRequest, P], HttpResponseBase]
Entry = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
_ANOTHER_CLINIC: Final = (
    "You opened this page for another clinic than the present one, so nothing was changed. Choose that clinic at the "
    "top left in another tab. Then go back to this page and send it again."
)


def page(role: Role = Role.VIEWER, *, fresh: bool = False, personal: bool = False) -> Callable[[View[P]], Entry[P]]:
    """Decorate a view: only members with at least this role see its page, and times are the clinic's local times.

    The view finds the member in `request.caller`. `fresh` marks a sensitive page: it needs a fresh proof of identity.
    `personal` marks a page about the member, not about a clinic. Members may use it before they have set up the second
    factor that their clinic demands, and also after they have chosen another clinic in another tab.
    """

    def decorate(view: View[P]) -> Entry[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            caller = caller_of(request)
            if caller is None:
                return render(request, "account/no_clinic.html", status=403)
            page_request = cast("PageRequest", request)
            page_request.caller = caller
            with timezone.override(zone_info(caller.clinic.timezone)):
                try:
                    if not personal and is_missing(caller, request.user):
                        return second_factors.lead(request, caller.clinic.name)
                    if not personal and _is_of_another_clinic(page_request):
                        return _say(page_request, 409, "Another clinic is open", _ANOTHER_CLINIC)
                    caller.needs(role)
                    if fresh and not is_fresh(request, now=database_now()):
                        return proof.ask(request)
                    with PEOPLE.taken(page_request.user.pk):
                        return view(page_request, *args, **kwargs)
                except (NotAllowed, Unknown, Conflict, Refused, Busy) as refusal:
                    return _refusal_page(page_request, refusal)
                except (ObjectDoesNotExist, IntegrityError) as error:
                    if not is_about_a_gone_row(error):
                        raise
                    return _conflict(page_request, SENTENCE)

        return guarded

    return decorate


def caller_of(request: HttpRequest) -> Caller | None:
    """Return the signed-in member of the clinic that this session has chosen, or else of the person's first clinic.

    Returns None if nobody is signed in, or if the person belongs to no clinic.
    """
    if not request.user.is_authenticated:
        return None
    member = chosen_member(request.user, request.session)
    return caller_of_member(member) if member else None


_SEARCHED: Final = ("q", "who", "what")
"""The fields of searches, into which people type names."""


def came_from(request: HttpRequest, otherwise: str) -> str:
    """Return the page that sent the form, from the form's `next`; never an address of another site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    # Only a path: redirect() would take other words as names of views.
    return wanted if safe and wanted.startswith("/") else otherwise


def _is_of_another_clinic(request: PageRequest) -> bool:
    """Return whether the form was opened for another clinic than the present one, in another tab or earlier.

    Each of the program's forms names its clinic (templatetags/forms.py). htmx sends the whole form with each POST.
    """
    named = request.POST.get("of_clinic")
    return named is not None and named != str(request.caller.clinic.id)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    by_address = request.method == "GET" and "HX-Request" not in request.headers
    afterwards = _without_search(request) if by_address else _whole_page(request)
    return lead_to(request, redirect_to_login(afterwards).url)


def _without_search(request: HttpRequest) -> str:
    """Return the address of the page without the searched names: they must not get into the Location header."""
    query = request.GET.copy()
    for name in _SEARCHED:
        query.pop(name, None)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def _whole_page(request: HttpRequest) -> str:
    return reverse("messages") if request.method != "GET" else request.path


def _refusal_page(request: PageRequest, refusal: NotAllowed | Unknown | Conflict | Refused | Busy) -> HttpResponse:
    match refusal:
        case NotAllowed():
            return _say(request, 403, "You may not do this", str(refusal))
        case Merged() if request.method == "GET":
            return redirect("patient", refusal.into)
        case Unknown():
            sentence = str(refusal) or "The page was removed, or the address is mistyped."
            return _say(request, 404, "There is nothing here", sentence)
        case Busy():
            answer = _say(request, 429, "One moment", str(refusal))
            answer["Retry-After"] = str(refusal.seconds)
            return answer
        case Conflict():
            return _conflict(request, str(refusal))
        case Refused():
            sentences = " ".join(problem.message for problem in refusal.problems)
            return _say(request, 422, "Please check what you entered", sentences)


def _conflict(request: PageRequest, message: str) -> HttpResponse:
    """Say that another person was faster, and show the present state."""
    if request.method == "POST" and not request.headers.get("HX-Request"):
        messages.error(request, message)
        # If the form has no `next`, go to the section's first page ("/settings/members/…" goes to Settings).
        return redirect(came_from(request, f"/{request.path.split('/')[1]}"))
    return _say(request, 409, "No longer possible", message)


def _say(request: PageRequest, status: int, title: str, message: str) -> HttpResponse:
    template = "parts/refusal.html" if request.headers.get("HX-Request") else "refusal.html"
    return render(request, template, {"title": title, "message": message, "status": status}, status=status)
