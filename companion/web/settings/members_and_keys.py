"""The members and the API keys of a clinic: the forms of `/settings` that say who may use the clinic's data."""

import uuid

from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from companion.clinics import api_keys, members, sign_in_links
from companion.clinics.key_limits import KeyLimits
from companion.clinics.models import ApiKey, Member, Role
from companion.clinics.refusals import Refused, Unknown
from companion.clinics.versions import hold
from companion.service.clock import database_now
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.settings.page import settings_page


@require_POST
@page(Role.ADMIN, fresh=True)
def add_member(request: PageRequest) -> HttpResponse:
    """Add a person, and show the link for their first sign-in."""
    email, role = request.POST.get("email", ""), request.POST.get("role", "")
    try:
        member = members.add_member(request.caller.clinic, email, role, now=database_now(), by=request.caller)
    except Refused as refusal:
        return settings_page(request, {"email": email, "role": role}, refusal=refusal, part="member")
    if member.joined_at:
        flash.success(request, f"{member.user.email} is a member.")
        return redirect(f"{reverse('settings')}#members")
    return _show_link(request, member)


@require_POST
@page(Role.ADMIN, fresh=True)
def change_member(request: PageRequest, member_id: uuid.UUID) -> HttpResponse:
    """Change a member's role, show a new sign-in link, end the member's sessions, or remove the member."""
    member = _member(request, member_id)
    now = database_now()
    match request.POST.get("do"):
        case "link":
            return _show_link(request, member)
        case "sign-out":
            members.sign_out(request.caller, member, now=now)
            flash.success(request, f"All sessions of {member.user.email} were ended.")
        case "remove":
            members.remove_member(request.caller, member, now=now)
            flash.success(request, f"{member.user.email} is no longer a member.")
        case _:
            with transaction.atomic():
                current = hold(Member.objects.filter(clinic=request.caller.clinic, pk=member.pk)) or member
                since = conflicts.changes_of(request.caller.clinic, [member.pk], *members.ROLE_ACTIONS)
                conflicts.refuse_if_changed(request, current.role, "this role", since, now=now)
                members.change_role(request.caller, member, request.POST.get("role", ""), now=now)
            flash.success(request, f"The role of {member.user.email} was changed.")
    return redirect(f"{reverse('settings')}#members")


def _show_link(request: PageRequest, member: Member) -> HttpResponse:
    """Make a sign-in link; show it, or say that it was mailed."""
    link = sign_in_links.hand_out_link(request.caller, member, now=database_now())
    if link:
        return settings_page(request, {"link": link, "link_of": member.user.email})
    flash.success(request, f"A sign-in link was sent to {member.user.email}.")
    return redirect(f"{reverse('settings')}#members")


@require_POST
@page(Role.ADMIN, fresh=True)
def add_key(request: PageRequest) -> HttpResponse:
    """Create a key for a program. The key is shown only in this answer."""
    name, role = request.POST.get("name", ""), request.POST.get("role", "")
    limits = KeyLimits(
        request.POST.getlist("scopes"),
        request.POST.get("networks", "").strip(),
        request.POST.get("expires_on", "").strip(),
    )
    try:
        key, secret = api_keys.make_key(
            request.caller.clinic, name, role, limits, now=database_now(), by=request.caller
        )
    except Refused as refusal:
        return settings_page(request, {"key_name": name, "role": role, "limits": limits}, refusal=refusal, part="key")
    return settings_page(request, {"secret": secret, "secret_of": key.name})


@require_POST
@page(Role.ADMIN, fresh=True)
def revoke_key(request: PageRequest, key_id: uuid.UUID) -> HttpResponse:
    """Revoke a program's key; the program is locked out at once."""
    key = ApiKey.objects.filter(clinic=request.caller.clinic, pk=key_id).first()
    if key is None:
        raise Unknown
    api_keys.revoke(request.caller, key, now=database_now())
    flash.success(request, f"The key {key.name} was revoked.")
    return redirect(f"{reverse('settings')}#keys")


def _member(request: PageRequest, member_id: uuid.UUID) -> Member:
    member = Member.objects.filter(clinic=request.caller.clinic, pk=member_id).select_related("user").first()
    if member is None:
        raise Unknown
    return member
