"""The forms of `/settings` about the clinic itself: its defaults, its words for urgent help, its bot, its sign-in.

The checks and the storing are in the room below (clinics).
"""

from typing import Final

from django.conf import settings
from django.contrib import messages as flash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from companion.clinics import bots, urgent_words
from companion.clinics.clinics import change_clinic
from companion.clinics.models import Bot, Clinic, Role
from companion.clinics.refusals import Refused
from companion.clinics.versions import hold
from companion.patients import consent
from companion.planning import marks
from companion.planning.replan import Moves
from companion.sandbox.phone import make_bot
from companion.service.clock import database_now
from companion.service.slots import OUTSIDE
from companion.times.workdays import region_names
from companion.web import conflicts
from companion.web.access import PageRequest, page
from companion.web.conflicts import Clash, Fields, Value
from companion.web.settings.page import defaults_of, settings_page, urgent_help_of
from companion.web.templatetags.counts import plural

LABELS: Final = {
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
CLINIC_FIELDS: Final = ("name", "timezone", "quiet_from", "quiet_until", "country", "region")


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
                # The typed region belongs to the former country.
                typed["region"] = ""
            clash = _clash(request, defaults_of(current), typed, "clinic", "clinic changed")
            values = typed | {"consent_required": typed["consent_required"] == "yes"}
            clinic = current if clash else change_clinic(request.caller, values, now=now)
    except Refused as refusal:
        return settings_page(request, {"typed": typed}, refusal=refusal, part="clinic")
    if clash:
        regions = region_names(str(clash.merged["country"]))
        return settings_page(request, {"typed": clash.merged, "regions": regions}, clash=clash, part="clinic")
    moves = marks.work_off_of(clinic, clinic.id, now=now)
    flash.success(request, f"Saved. {_moved(moves)}")
    return redirect("settings")


@require_POST
@page(Role.ADMIN)
def change_help(request: PageRequest) -> HttpResponse:
    """Change the words that ask for urgent help (a line for each) and the number to call."""
    words, phone = request.POST.get("words", "").splitlines(), request.POST.get("phone", "")
    typed: dict[str, Value] = {"words": [word.strip() for word in words if word.strip()], "phone": phone}
    try:
        with transaction.atomic():
            clash = _clash(request, urgent_help_of(_current(request)), typed, "help", "words for urgent help changed")
            if clash is None:
                urgent_words.change(request.caller, words, phone, now=database_now())
    except Refused as refusal:
        return settings_page(request, {"help": typed}, refusal=refusal, part="help")
    if clash:
        return settings_page(request, {"help": clash.merged}, clash=clash, part="help")
    flash.success(request, "Saved.")
    return redirect(f"{reverse('settings')}#help")


def _current(request: PageRequest) -> Clinic:
    """Read the clinic's row anew, and lock it until the transaction ends."""
    return hold(Clinic.objects.filter(pk=request.caller.clinic.pk)) or request.caller.clinic


def _clash(request: PageRequest, held: Fields, typed: Fields, part: str, action: str) -> Clash | None:
    """Find another admin's changes to this part of the page since the page was opened."""
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
    """Connect the bot of the typed token, after asking Telegram; in the Sandbox, make and connect a practice bot."""
    clinic, now = request.caller.clinic, database_now()
    try:
        if settings.SANDBOX_ON:
            username = f"{clinic.slug.replace('-', '_')}_practice_bot"[-32:]
        else:
            token = request.POST.get("token", "").strip()
            # Ask Telegram before locking anything: its answer may take seconds.
            with OUTSIDE.taken(clinic.pk):
                username = bots.ask_username(token, api_url=settings.COMPANION.bot_api_url)
        with transaction.atomic():
            _refuse_if_replaced(request)
            if settings.SANDBOX_ON:
                token = make_bot(clinic.name, username)
            bots.connect(clinic, token, username, sandbox=settings.SANDBOX_ON, now=now, by=request.caller)
            consent.follow_opt_outs(clinic, now=now)
    except Refused as refusal:
        return settings_page(request, {}, refusal=refusal, part="bot")
    flash.success(request, f"@{username} is connected.")
    return redirect(f"{reverse('settings')}#bot")


def _refuse_if_replaced(request: PageRequest) -> None:
    """Raise Conflict if the bot is no longer the bot that the page showed. Locks the clinic in the transaction."""
    clinic = _current(request)
    held = Bot.objects.filter(clinic=clinic).first()
    since = conflicts.changes_of(clinic, [held.pk] if held else [])
    identity = str(held.telegram_id) if held else ""
    conflicts.refuse_if_changed(request, identity, "the bot", since, now=database_now())


@require_POST
@page(Role.ADMIN, fresh=True)
def change_sign_in(request: PageRequest) -> HttpResponse:
    """Change which members need a second factor in this clinic."""
    try:
        with transaction.atomic():
            current = _current(request)
            since = conflicts.changes_of(current, [current.pk], "clinic changed")
            conflicts.refuse_if_changed(request, current.second_factor, "this setting", since, now=database_now())
            demand = {"second_factor": request.POST.get("second_factor", "")}
            change_clinic(request.caller, demand, now=database_now())
    except Refused as refusal:
        return settings_page(request, {}, refusal=refusal, part="sign-in")
    flash.success(request, "Saved.")
    return redirect(f"{reverse('settings')}#sign-in")
