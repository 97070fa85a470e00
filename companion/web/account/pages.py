"""Signing in and out, by password (allauth's views, our templates) or by a one-time link; and choosing a clinic."""

import uuid

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from allauth.account.views import password_set
from django.contrib import messages as flash
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from companion.clinics.ids import as_uuid
from companion.clinics.members import CAME_BY, SESSION_CLINIC, by_link, memberships
from companion.clinics.proofs import is_fresh
from companion.clinics.refusals import Unknown
from companion.clinics.sign_in_links import member_of_link, redeem_link
from companion.service.clock import database_now
from companion.web.access import PageRequest, came_from, page
from companion.web.account import proof


@never_cache
@require_http_methods(["GET", "POST"])
@sensitive_variables("token")
def sign_in_by_link(request: HttpRequest, key: uuid.UUID, token: str) -> HttpResponse:
    """Sign in by a one-time link. Opening the link changes nothing, so that a mail scanner doesn't use it up."""
    if request.method == "GET":
        member = member_of_link(key, token)
        if member is None:
            return render(request, "account/link_over.html", status=410)
        return render(request, "account/link.html", {"member": member})
    member = redeem_link(key, token, now=database_now())
    if member is None:
        return render(request, "account/link_over.html", status=410)
    # If somebody else is signed in in this browser, end that session.
    request.session.flush()
    request.user = AnonymousUser()
    request.session[SESSION_CLINIC], request.session[CAME_BY] = str(member.clinic_id), by_link(member)
    answer: HttpResponse = perform_login(request, Login(user=member.user))
    if not member.user.has_usable_password():
        flash.info(request, "To sign in without a link next time, set a password: in the menu at the top right.")
    return answer


@require_GET
def forgotten(request: HttpRequest) -> HttpResponse:
    """Explain how to get a new link. The product sends no mail: an admin hands out the link."""
    return render(request, "account/forgotten.html")


@require_http_methods(["GET", "POST"])
def set_password(request: HttpRequest) -> HttpResponseBase:
    """Set a first password by allauth's page.

    In an old session, a person with a passkey or an app first confirms their identity. Otherwise the thief of a session
    could set a password, and then confirm all sensitive acts with it.
    """
    is_old = request.user.is_authenticated and not is_fresh(request, now=database_now())
    if is_old and get_adapter().get_reauthentication_methods(request.user):
        return proof.ask(request)
    answer: HttpResponseBase = password_set(request)
    return answer


def no_email_page(request: HttpRequest) -> HttpResponse:
    """Refuse to change or confirm an e-mail address: only an admin may do that."""
    raise Http404


@require_POST
@page(personal=True)
def choose_clinic(request: PageRequest) -> HttpResponse:
    """Show this clinic's pages for the rest of the session."""
    chosen = as_uuid(request.POST.get("clinic", ""))
    if not memberships(request.user, request.session.get(CAME_BY)).filter(clinic=chosen).exists():
        raise Unknown
    request.session[SESSION_CLINIC] = str(chosen)
    return redirect(came_from(request, reverse("messages")))
