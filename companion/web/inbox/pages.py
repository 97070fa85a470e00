"""Pages of the inbox: the list, a conversation with its answer form, and the part on every page.

The rules are in listener/inbox.py.
"""

import datetime as dt
import uuid
from typing import Final
from zlib import crc32

from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from companion.clinics.ids import as_uuid, new_id
from companion.clinics.models import Clinic, Member, Role
from companion.clinics.refusals import Conflict, Refused
from companion.listener import inbox, readings
from companion.listener.conversation import Item, conversation, of_stranger, on_the_way
from companion.listener.models import Conversation
from companion.patients import queries as patients
from companion.patients.models import Patient
from companion.planning.answers import answer_obstacle
from companion.planning.warnings import of_arrival, of_text
from companion.schedules.models import Message
from companion.schedules.text import as_typed
from companion.service.clock import database_now
from companion.web import context
from companion.web.access import PageRequest, came_from, page

PAGE_SIZE: Final = 50
SAID: Final = 50
"""The most messages of a conversation that are shown."""
_VIEWS: Final[dict[inbox.View, tuple[str, str, str]]] = {
    "unread": ("Unread", "mail", "Nothing is unread."),
    "mine": ("Mine", "user", "You have no conversation."),
    "taken": ("Taken", "users", "Nobody has a conversation."),
    "done": ("Done", "check", "Nothing is done yet."),
    "strangers": ("Strangers", "help", "No stranger has written."),
}


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """List the conversations that need staff, urgent ones first."""
    readings.of_inbox(request.caller, now=database_now())
    wanted = request.GET.get("view", "")
    which: inbox.View = next((view for view in inbox.VIEWS if view == wanted), "unread")
    begin = _begin(request.GET.get("from", ""))
    found = list(inbox.view(request.caller.clinic, which, request.caller)[begin : begin + PAGE_SIZE + 1])
    conversations = sorted(found[:PAGE_SIZE], key=lambda one: one.urgent_at is None)
    found_there = {
        "which": which,
        "views": [(view, label, symbol) for view, (label, symbol, _) in _VIEWS.items()],
        "conversations": conversations,
        "more": begin + PAGE_SIZE if len(found) > PAGE_SIZE else 0,
        "nothing": _VIEWS[which][2],
        "now": database_now(),
    }
    return render(request, "inbox/index.html", found_there)


@require_GET
@page()
def show(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Show one conversation and its assignee; with `?part=said` only the messages."""
    one = inbox.find(request.caller.clinic, conversation_id)
    inbox.looked_at(request.caller, one)
    shown = _said(one)
    if request.GET.get("part") == "said":
        if _is_news(request, shown):
            readings.of_conversation(request.caller, one, now=database_now())
        return _talk(request, shown)
    readings.of_conversation(request.caller, one, now=database_now())
    return _page(request, one)


@require_GET
@page()
def said_of(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Show a patient's conversation alone, which the patient's page asks for repeatedly."""
    patient = patients.patient(request.caller.clinic, patient_id)
    shown = of_patient(request.caller.clinic, patient)
    if _is_news(request, shown):
        readings.of_patient(request.caller, patient, now=database_now())
    return _talk(request, shown)


@require_GET
@page()
def news(request: PageRequest) -> HttpResponse:
    """Show the number of waiting conversations and urgent calls; answer with nothing if the page shows them
    already.
    """
    found = context.news(request.caller)
    if request.GET.get("seen") == found.stamp:
        return HttpResponse(status=204)
    return render(request, "inbox/news.html", {"news": found})


@require_POST
@page(Role.PROVIDER)
def act(request: PageRequest, conversation_id: uuid.UUID, action: str) -> HttpResponse:
    """Assign the conversation, unassign it, or mark it as done."""
    now = database_now()
    one = inbox.find(request.caller.clinic, conversation_id)
    here = reverse("conversation", args=[one.id])
    try:
        match action:
            case "take":
                inbox.take(request.caller, one, now=now)
            case "assign":
                given = inbox.assign(request.caller, one, request.POST.get("member", ""), now=now)
                flash.success(request, f"Assigned to {given.holder_name}.")
            case "give-back":
                inbox.give_back(request.caller, one, now=now)
                return redirect("inbox")
            case _:
                seen = request.POST.get("seen", "")
                inbox.done(request.caller, one, now=now, seen=as_uuid(seen) if seen else None)
                return redirect("inbox")
    except Conflict as refusal:
        flash.error(request, str(refusal))
    return redirect(came_from(request, here))


@require_POST
@page(Role.PROVIDER)
def answer(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Write back. The form carries the answer's id, so that the answer goes out once however often staff press the
    button.
    """
    one = inbox.find(request.caller.clinic, conversation_id)
    text = as_typed(request.POST.get("text", ""))
    key = as_uuid(request.POST.get("id", ""))
    try:
        inbox.answer(request.caller, one, text, now=database_now(), id=key)
    except Refused as refusal:
        return _page(request, one, typed=text, wrong=[problem.message for problem in refusal.problems])
    except Conflict as refusal:
        return _page(request, one, typed=text, wrong=[str(refusal)])
    for warning in [*of_arrival(one.clinic, one.patient), *of_text(text)]:
        flash.warning(request, warning.message)
    return redirect("conversation", one.id)


def _begin(text: str) -> int:
    """Read where a page begins; start at the beginning if the value isn't a small number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _talk(request: PageRequest, shown: dict[str, object]) -> HttpResponse:
    """Show the messages, or nothing if the page shows them already, so that the reader keeps their place."""
    if not _is_news(request, shown):
        return HttpResponse(status=204)
    return render(request, "inbox/said.html", shown)


def _is_news(request: PageRequest, shown: dict[str, object]) -> bool:
    """Return whether the page doesn't show these messages yet."""
    return request.GET.get("seen") != shown["stamp"]


def _stamp(said: list[Item], waiting: list[Message], doubt: str) -> str:
    shown = [(item.at, item.text, item.edited_at) for item in said], [(one.pk, one.status) for one in waiting], doubt
    return f"{crc32(repr(shown).encode()):08x}"


def of_patient(clinic: Clinic, patient: Patient) -> dict[str, object]:
    """Build the conversation for the patient's page."""
    said = conversation(clinic, patient, limit=SAID)
    now = database_now()
    waiting, doubt = on_the_way(clinic, patient, None, now=now), _doubt(clinic, patient, None, now)
    return {
        "patient": patient,
        "said": said,
        "on_the_way": waiting,
        "doubt": doubt,
        "stamp": _stamp(said, waiting, doubt),
        "again_at": f"{reverse('patient_said', args=[patient.id])}?",
        "in_inbox": Conversation.objects.filter(clinic=clinic, patient=patient).first(),
        "now": now,
    }


def _doubt(clinic: Clinic, patient: Patient | None, telegram_id: int | None, now: dt.datetime) -> str:
    """Say why an answer that waits won't arrive, or may not; empty if nothing stands in its way."""
    if cannot := answer_obstacle(clinic, patient, telegram_id or 0, they_wrote=True, now=now):
        return cannot
    return " ".join(warning.message for warning in of_arrival(clinic, patient))


def _said(one: Conversation) -> dict[str, object]:
    said: list[Item] = (
        conversation(one.clinic, one.patient, limit=SAID)
        if one.patient
        else of_stranger(one.clinic, one.telegram_id, limit=SAID)
    )
    chat, now = None if one.patient else one.telegram_id, database_now()
    waiting, doubt = on_the_way(one.clinic, one.patient, chat, now=now), _doubt(one.clinic, one.patient, chat, now)
    return {
        "one": one,
        "said": said,
        "on_the_way": waiting,
        "doubt": doubt,
        "stamp": _stamp(said, waiting, doubt),
        "again_at": f"{reverse('conversation', args=[one.id])}?part=said&",
        "now": now,
    }


def _page(request: PageRequest, one: Conversation, *, typed: str = "", wrong: list[str] | None = None) -> HttpResponse:
    members = Member.objects.filter(clinic=request.caller.clinic, joined_at__isnull=False).order_by("user__username")
    shown = _said(one) | {
        "mine": one.holder_id is not None and one.holder_id == request.caller.id,
        "own_address": request.user.get_username(),
        "members": list(members.values_list("user__username", flat=True)),
        "answer_id": new_id(),
        "cannot": answer_obstacle(
            one.clinic, one.patient, one.telegram_id, they_wrote=one.last_reply is not None, now=database_now()
        ),
        "warnings": of_arrival(one.clinic, one.patient),
        "typed": typed,
        "wrong": wrong or [],
    }
    return render(request, "inbox/page.html", shown, status=422 if wrong else 200)
