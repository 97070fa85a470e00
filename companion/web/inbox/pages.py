"""The inbox: the list of conversations, a conversation with the form for an answer, and the inbox's part of every page.

The rules are in listener/inbox.py.
"""

import datetime as dt
import uuid
from typing import Final, NamedTuple
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
from companion.listener.conversation import Item, of_stranger, on_the_way
from companion.listener.conversation import conversation as conversation_of
from companion.listener.models import Conversation
from companion.patients import queries as patients
from companion.patients.models import Patient
from companion.planning.answers import answer_obstacle
from companion.planning.warnings import of_arrival, of_text
from companion.schedules.text import as_typed
from companion.service.clock import database_now
from companion.web.access import PageRequest, came_from, page
from companion.web.context import news as news_of
from companion.web.numbers import whole_number

PAGE_SIZE: Final = 50
SHOWN: Final = 50
"""The largest number of messages of a conversation that are shown: the newest."""


class _ViewWords(NamedTuple):
    """A view's label and icon, and a sentence for an empty view."""

    label: str
    icon: str
    empty: str


_VIEWS: Final[dict[inbox.View, _ViewWords]] = {
    "unread": _ViewWords("Unread", "mail", "Nothing is unread."),
    "mine": _ViewWords("Mine", "user", "No conversation is assigned to you."),
    "taken": _ViewWords("Assigned", "users", "No conversation is assigned."),
    "done": _ViewWords("Done", "check", "Nothing is done yet."),
    "strangers": _ViewWords("Strangers", "help", "No stranger has written."),
}


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """List the conversations that need staff, urgent conversations first."""
    readings.of_inbox(request.caller, now=database_now())
    wanted = request.GET.get("view", "")
    which: inbox.View = next((view for view in inbox.VIEWS if view == wanted), "unread")
    begin = whole_number(request.GET.get("from", ""), digits=6) or 0
    found = list(inbox.view(request.caller.clinic, which, request.caller)[begin : begin + PAGE_SIZE + 1])
    conversations = sorted(found[:PAGE_SIZE], key=lambda conversation: conversation.urgent_at is None)
    context = {
        "which": which,
        "views": [(view, words.label, words.icon) for view, words in _VIEWS.items()],
        "conversations": conversations,
        "more": begin + PAGE_SIZE if len(found) > PAGE_SIZE else 0,
        "nothing": _VIEWS[which].empty,
        "now": database_now(),
    }
    return render(request, "inbox/index.html", context)


@require_GET
@page()
def show(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Show a conversation and its assignee; with `?part=messages` only the messages."""
    conversation = inbox.find(request.caller.clinic, conversation_id)
    inbox.mark_read(request.caller, conversation)
    if request.GET.get("part") == "messages":
        talk = _talk_of(conversation)
        if _is_news(request, talk):
            readings.of_conversation(request.caller, conversation, now=database_now())
        return _talk_part(request, talk)
    readings.of_conversation(request.caller, conversation, now=database_now())
    return _page(request, conversation)


@require_GET
@page()
def conversation_of_patient(request: PageRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Show only a patient's conversation, which the patient's page asks for repeatedly."""
    patient = patients.patient(request.caller.clinic, patient_id)
    talk = of_patient(request.caller.clinic, patient)
    if _is_news(request, talk):
        readings.of_patient(request.caller, patient, now=database_now())
    return _talk_part(request, talk)


@require_GET
@page()
def news(request: PageRequest) -> HttpResponse:
    """Show how many conversations wait, and the calls for urgent help; answer 204 if the page shows them already."""
    newest = news_of(request.caller)
    if request.GET.get("seen") == newest.stamp:
        return HttpResponse(status=204)
    return render(request, "inbox/news.html", {"news": newest})


@require_POST
@page(Role.PROVIDER)
def act(request: PageRequest, conversation_id: uuid.UUID, action: str) -> HttpResponse:
    """Assign the conversation, unassign it, or mark it as done."""
    now = database_now()
    conversation = inbox.find(request.caller.clinic, conversation_id)
    here = reverse("conversation", args=[conversation.id])
    try:
        match action:
            case "take":
                inbox.assign_to_caller(request.caller, conversation, now=now)
            case "assign":
                assigned = inbox.assign(request.caller, conversation, request.POST.get("member", ""), now=now)
                flash.success(request, f"Assigned to {assigned.holder_name}.")
            case "give-back":
                inbox.unassign(request.caller, conversation, now=now)
                return redirect("inbox")
            case _:
                seen = request.POST.get("seen", "")
                inbox.done(request.caller, conversation, now=now, seen=as_uuid(seen) if seen else None)
                return redirect("inbox")
    except Conflict as refusal:
        flash.error(request, str(refusal))
    return redirect(came_from(request, here))


@require_POST
@page(Role.PROVIDER)
def answer(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Send an answer. The form carries the answer's id, so that the answer goes out only once, also if the button is
    pressed several times.
    """
    conversation = inbox.find(request.caller.clinic, conversation_id)
    text = as_typed(request.POST.get("text", ""))
    key = as_uuid(request.POST.get("id", ""))
    try:
        inbox.answer(request.caller, conversation, text, now=database_now(), id=key)
    except Refused as refusal:
        return _page(request, conversation, typed=text, wrong=[problem.message for problem in refusal.problems])
    except Conflict as refusal:
        return _page(request, conversation, typed=text, wrong=[str(refusal)])
    for warning in [*of_arrival(conversation.clinic, conversation.patient), *of_text(text)]:
        flash.warning(request, warning.message)
    return redirect("conversation", conversation.id)


def _talk_part(request: PageRequest, talk: dict[str, object]) -> HttpResponse:
    """Show the messages; answer 204 if the page shows them already, so that the reader's page doesn't move."""
    if not _is_news(request, talk):
        return HttpResponse(status=204)
    return render(request, "inbox/talk.html", talk)


def _is_news(request: PageRequest, talk: dict[str, object]) -> bool:
    """Return whether the page doesn't show these messages yet."""
    return request.GET.get("seen") != talk["stamp"]


def of_patient(clinic: Clinic, patient: Patient) -> dict[str, object]:
    """Build the conversation for the patient's page."""
    in_inbox = Conversation.objects.filter(clinic=clinic, patient=patient).first()
    items = conversation_of(clinic, patient, limit=SHOWN)
    address = f"{reverse('patient_conversation', args=[patient.id])}?"
    return {"patient": patient, "in_inbox": in_inbox} | _talk(clinic, patient, None, items, address)


def _talk_of(conversation: Conversation) -> dict[str, object]:
    """Build the conversation for its page in the inbox."""
    clinic, patient, telegram_id = conversation.clinic, conversation.patient, conversation.telegram_id
    address = f"{reverse('conversation', args=[conversation.id])}?part=messages&"
    if patient:
        return _talk(clinic, patient, None, conversation_of(clinic, patient, limit=SHOWN), address)
    return _talk(clinic, None, telegram_id, of_stranger(clinic, telegram_id, limit=SHOWN), address)


def _talk(
    clinic: Clinic, patient: Patient | None, telegram_id: int | None, items: list[Item], address: str
) -> dict[str, object]:
    """Build the messages with a patient or with a stranger's chat, and the address at which the page polls them."""
    now = database_now()
    waiting = on_the_way(clinic, patient, telegram_id, now=now)
    doubt = _doubt(clinic, patient, telegram_id, now)
    shown = [(item.at, item.text, item.edited_at) for item in items], [(answer.pk, answer.status) for answer in waiting]
    return {
        "items": items,
        "on_the_way": waiting,
        "doubt": doubt,
        "stamp": f"{crc32(repr((*shown, doubt)).encode()):08x}",
        "poll_address": address,
        "now": now,
    }


def _doubt(clinic: Clinic, patient: Patient | None, telegram_id: int | None, now: dt.datetime) -> str:
    """Say why a waiting answer won't arrive, or might not arrive; empty if no reason is known."""
    if obstacle := answer_obstacle(clinic, patient, telegram_id or 0, they_wrote=True, now=now):
        return obstacle
    return " ".join(warning.message for warning in of_arrival(clinic, patient))


def _page(
    request: PageRequest, conversation: Conversation, *, typed: str = "", wrong: list[str] | None = None
) -> HttpResponse:
    clinic, patient, now = conversation.clinic, conversation.patient, database_now()
    they_wrote = conversation.last_reply is not None
    members = Member.objects.filter(clinic=request.caller.clinic, joined_at__isnull=False).order_by("user__email")
    context = _talk_of(conversation) | {
        "conversation": conversation,
        "mine": conversation.holder_id is not None and conversation.holder_id == request.caller.id,
        "own_address": request.user.email,
        "members": list(members.values_list("user__email", flat=True).distinct()),
        "answer_id": new_id(),
        "obstacle": answer_obstacle(clinic, patient, conversation.telegram_id, they_wrote=they_wrote, now=now),
        "warnings": of_arrival(clinic, patient),
        "typed": typed,
        "wrong": wrong or [],
    }
    return render(request, "inbox/page.html", context, status=422 if wrong else 200)
