"""`/settings`: the clinic's defaults, its bot, its members and API keys. Everybody sees them, admins change them.

Each part is a separate form. The checks and the storing are in the room below (clinics).
"""

import uuid
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from babel import Locale
from django.conf import settings
from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from companion.clinics import api_keys, bots, members, sign_in_links, urgent_words
from companion.clinics.clinics import change_clinic
from companion.clinics.key_limits import KeyLimits
from companion.clinics.models import ApiKey, Bot, Clinic, Demand, Member, Role, Scope
from companion.clinics.refusals import Refused, Unknown
from companion.clinics.versions import hold
from companion.patients import consent
from companion.planning import marks
from companion.planning.replan import Moves
from companion.sandbox.phone import make_bot
from companion.service.clock import database_now
from companion.times.workdays import region_names, regions_by_country
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.conflicts import Clash, Fields, Value, written
from companion.web.form_errors import by_field
from companion.web.templatetags.counts import plural

ROLE_WORDS = {
    Role.VIEWER: "sees everything, changes nothing",
    Role.PROVIDER: "plans messages and keeps patients",
    Role.ADMIN: "also keeps members, keys and the bot",
}

LABELS = {
    "name": "Name",
    "timezone": "Time zone",
    "quiet_from": "Quiet hours from",
    "quiet_until": "Quiet hours until",
    "country": "Country",
    "region": "Region",
    "closed_days": "Closed days",
    "consent_required": "Require consent",
    "words": "Words",
    "phone": "Number to call",
}
CLINIC_FIELDS = ("name", "timezone", "quiet_from", "quiet_until", "country", "region")


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """Show the whole page."""
    return _page(request, {})


@require_POST
@page(Role.ADMIN)
def change_defaults(request: PageRequest) -> HttpResponse:
    """Change the clinic's name, zone, quiet hours, days off, and whether it requires consent."""
    typed: dict[str, Value] = {name: request.POST.get(name, "") for name in CLINIC_FIELDS}
    if "closed_days" in request.POST:
        typed["closed_days"] = request.POST["closed_days"].replace(",", " ").split()
    typed["consent_required"] = request.POST.get("consent_required", "")
    now = database_now()
    try:
        with transaction.atomic():
            current = _current(request)
            if typed["country"] != current.country:
                # The chosen region belongs to the country of before.
                typed["region"] = ""
            clash = _clash(request, _held(current), typed, "clinic", "clinic changed")
            values = typed | {"consent_required": typed["consent_required"] == "yes"}
            clinic = current if clash else change_clinic(request.caller, values, now=now)
    except Refused as refusal:
        return _page(request, {"typed": typed}, refusal=refusal, part="clinic")
    if clash:
        regions = region_names(str(clash.merged["country"]))
        return _page(request, {"typed": clash.merged, "regions": regions}, clash=clash, part="clinic")
    moves = marks.work_off_of(clinic, clinic.id, now=now)
    flash.success(request, f"Saved. {_moved(moves)}")
    return redirect("settings")


@require_POST
@page(Role.ADMIN)
def change_help(request: PageRequest) -> HttpResponse:
    """Change the words that ask for urgent help, a word per line, and the number to call."""
    words, phone = request.POST.get("words", "").splitlines(), request.POST.get("phone", "")
    typed: dict[str, Value] = {"words": [word.strip() for word in words if word.strip()], "phone": phone}
    try:
        with transaction.atomic():
            clash = _clash(request, _help_of(_current(request)), typed, "help", "words for urgent help changed")
            if clash is None:
                urgent_words.change(request.caller, words, phone, now=database_now())
    except Refused as refusal:
        return _page(request, {"help": typed}, refusal=refusal, part="help")
    if clash:
        return _page(request, {"help": clash.merged}, clash=clash, part="help")
    flash.success(request, "Saved.")
    return redirect(f"{reverse('settings')}#help")


def _current(request: PageRequest) -> Clinic:
    """Read the clinic's present row, and lock the row until the transaction ends."""
    return hold(Clinic.objects.filter(pk=request.caller.clinic.pk)) or request.caller.clinic


def _clash(request: PageRequest, held: Fields, typed: Fields, part: str, action: str) -> Clash | None:
    """Find another admin's changes to this part of the page since it was opened."""
    clinic = request.caller.clinic
    since = conflicts.changes_of(clinic, [clinic.pk], action)
    carried, again_at = request.POST.get(conflicts.FIELD, ""), f"{reverse('settings')}#{part}"
    return conflicts.clash(carried, held, typed, LABELS, since, again_at=again_at, now=database_now())


def _moved(moves: Moves | None) -> str:
    if moves is None:
        return "The Planner is moving pending messages to the new hours and days right now."
    return f"{plural(moves.messages, 'pending message')} moved." if moves.messages else "No pending message moved."


@require_POST
@page(Role.ADMIN, fresh=True)
def bot(request: PageRequest) -> HttpResponse:
    """Connect the bot whose token BotFather gave, after asking Telegram; in the Sandbox, connect a practice bot."""
    clinic, now = request.caller.clinic, database_now()
    try:
        if settings.SANDBOX_ON:
            username = f"{clinic.slug.replace('-', '_')}_practice_bot"[-32:]
        else:
            token = request.POST.get("token", "").strip()
            # Ask Telegram before locking anything: its answer may take seconds.
            username = bots.ask_username(token, api_url=settings.COMPANION.bot_api_url)
        with transaction.atomic():
            _refuse_if_exchanged(request)
            if settings.SANDBOX_ON:
                token = make_bot(clinic.name, username)
            bots.connect(clinic, token, username, sandbox=settings.SANDBOX_ON, now=now, by=request.caller)
    except Refused as refusal:
        return _page(request, {}, refusal=refusal, part="bot")
    consent.follow_opt_outs(clinic, now=now)
    flash.success(request, f"@{username} is connected.")
    return redirect(f"{reverse('settings')}#bot")


def _refuse_if_exchanged(request: PageRequest) -> None:
    """Raise Conflict if the page showed another bot than the present bot. Locks the clinic meanwhile."""
    clinic = _current(request)
    held = Bot.objects.filter(clinic=clinic).first()
    since = conflicts.changes_of(clinic, [held.pk] if held else [])
    told = str(held.telegram_id) if held else ""
    conflicts.refuse_if_changed(request, told, "the bot", since, now=database_now())


@require_POST
@page(Role.ADMIN, fresh=True)
def add_member(request: PageRequest) -> HttpResponse:
    """Add a person, and show the link for their first sign-in."""
    email, role = request.POST.get("email", ""), request.POST.get("role", "")
    try:
        member = members.add_member(request.caller.clinic, email, role, now=database_now(), by=request.caller)
    except Refused as refusal:
        return _page(request, {"email": email, "role": role}, refusal=refusal, part="member")
    if member.joined_at:
        flash.success(request, f"{member.user.email} is a member.")
        return redirect(f"{reverse('settings')}#members")
    return _handed_out(request, member)


@require_POST
@page(Role.ADMIN, fresh=True)
def change_member(request: PageRequest, member_id: uuid.UUID) -> HttpResponse:
    """Change a member's role, show a new sign-in link, end the member's sessions, or remove the member."""
    member = _member(request, member_id)
    now = database_now()
    match request.POST.get("do"):
        case "link":
            return _handed_out(request, member)
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


@require_POST
@page(Role.ADMIN, fresh=True)
def change_sign_in(request: PageRequest) -> HttpResponse:
    """Change the members who need a second factor in this clinic."""
    try:
        with transaction.atomic():
            current = _current(request)
            since = conflicts.changes_of(current, [current.pk], "clinic changed")
            conflicts.refuse_if_changed(request, current.second_factor, "this setting", since, now=database_now())
            demand = {"second_factor": request.POST.get("second_factor", "")}
            change_clinic(request.caller, demand, now=database_now())
    except Refused as refusal:
        return _page(request, {}, refusal=refusal, part="sign-in")
    flash.success(request, "Saved.")
    return redirect(f"{reverse('settings')}#sign-in")


def _handed_out(request: PageRequest, member: Member) -> HttpResponse:
    """Show the new sign-in link, or say that it was mailed."""
    link = sign_in_links.hand_out_link(request.caller, member, now=database_now())
    if link:
        return _page(request, {"link": link, "link_of": member.user.email})
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
        return _page(request, {"key_name": name, "role": role, "limits": limits}, refusal=refusal, part="key")
    return _page(request, {"secret": secret, "secret_of": key.name})


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


def _page(
    request: PageRequest,
    more: Mapping[str, object],
    *,
    refusal: Refused | None = None,
    clash: Clash | None = None,
    part: str = "",
) -> HttpResponse:
    """Show the page. `part` names the form that `no` or `clash` is about; the other forms show the present values."""
    clinic, now = request.caller.clinic, database_now()
    if clash:
        clinic.refresh_from_db()
    context: dict[str, object] = {
        "typed": _held(clinic),
        "help": _help_of(clinic),
        "clash": clash,
        "shown": {"clinic": written(_held(clinic), now=now), "help": written(_help_of(clinic), now=now)}
        | ({part: clash.shown if clash else request.POST.get(conflicts.FIELD, "")} if part else {}),
        "part": part,
        "bot": Bot.objects.filter(clinic=clinic).first(),
        "members": members.members_of(clinic),
        "keys": [(key, api_keys.state_of(key, now=now)) for key in api_keys.keys_of(clinic).select_related("clinic")],
        "scopes": Scope.choices,
        "demands": Demand.choices,
        "roles": [(role.value, role.label, words) for role, words in ROLE_WORDS.items()],
        "errors": by_field(refusal, part),
        "now": now,
        "countries": countries(),
        "regions": region_names(clinic.country),
    }
    return render(request, "settings/page.html", context | dict(more), status=409 if clash else 422 if refusal else 200)


class Country(NamedTuple):
    """A country: its two letters and its name."""

    code: str
    name: str


@cache
def countries() -> list[Country]:
    """List the countries whose holidays are known, by name."""
    names = Locale("en").territories
    return sorted((Country(code, names.get(code, code)) for code in regions_by_country()), key=lambda one: one.name)


def _held(clinic: Clinic) -> dict[str, Value]:
    return {
        "name": clinic.name,
        "timezone": clinic.timezone,
        "quiet_from": f"{clinic.quiet_from:%H:%M}",
        "quiet_until": f"{clinic.quiet_until:%H:%M}",
        "country": clinic.country,
        "region": clinic.region,
        "closed_days": clinic.closed_days,
        "consent_required": "yes" if clinic.consent_required else "",
    }


def _help_of(clinic: Clinic) -> dict[str, Value]:
    return {"words": list(clinic.urgent_words), "phone": clinic.urgent_phone}


def _member(request: PageRequest, member_id: uuid.UUID) -> Member:
    found = Member.objects.filter(clinic=request.caller.clinic, pk=member_id).select_related("user").first()
    if found is None:
        raise Unknown
    return found
