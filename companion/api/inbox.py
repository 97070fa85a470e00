"""The inbox: conversations that wait for staff, their assignment, answers. The rules are in listener/inbox.py."""

import datetime as dt
from typing import Annotated, Final
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from ninja import Body as InBody
from ninja import Query, Router

from companion.api.examples import inbox as examples
from companion.api.inbox_answers import item_of, items_of
from companion.api.inbox_shapes import (
    AnswerWish,
    AssignWish,
    DoneWish,
    HelpChanges,
    HelpShape,
    InboxItem,
    InboxList,
    InboxParameters,
)
from companion.api.message_answers import detail_of
from companion.api.message_shapes import MessageDetail
from companion.api.operations import JSON, Operation, act, caller_of, operation
from companion.api.paging import cursor_of, read_cursor
from companion.api.values import NoBody
from companion.clinics import urgent_words
from companion.clinics.models import Clinic, Role
from companion.listener import inbox, readings
from companion.schedules import queries
from companion.service.clock import database_now

router = Router(tags=["inbox"])
_ONE: Final = "/inbox/{id}"
_LIST: Final = "inbox"
DoneBody = Annotated[DoneWish | None, InBody()]
"""The body may be left out."""


def _act(path: str, body_example: object) -> Operation:
    return act(f"{_ONE}/{path}", InboxItem, examples.INBOX_ITEM, body_example=body_example, role=Role.PROVIDER)


@operation(router, Operation("GET", "/inbox", Role.VIEWER, InboxList, examples.INBOX, query=InboxParameters))
def list_inbox(request: HttpRequest, query: Query[InboxParameters]) -> InboxList:
    """List conversations: those that wait for staff, those that are assigned, or those that are done."""
    caller = caller_of(request)
    readings.of_inbox(caller, now=database_now())
    conversations = inbox.view(caller.clinic, query.view, caller)
    if query.urgent is not None:
        conversations = conversations.filter(urgent_at__isnull=not query.urgent)
    if query.cursor:
        at, _, last = read_cursor(_LIST + query.view, query.cursor).partition(" ")
        beyond = "lt" if query.view == "done" else "gt"
        since = dt.datetime.fromisoformat(at)
        after_it = Q(**{f"since__{beyond}": since}) | Q(since=since, **{f"id__{beyond}": last})
        conversations = conversations.filter(after_it)
    rows = list(conversations[: query.limit + 1])
    items = rows[: query.limit]
    more = len(rows) > query.limit
    after = cursor_of(_LIST + query.view, f"{items[-1].since.isoformat()} {items[-1].id}") if more else None
    return InboxList(items=items_of(items), next=after)


@operation(router, Operation("GET", _ONE, Role.VIEWER, InboxItem, examples.INBOX_ITEM))
def read_inbox_item(request: HttpRequest, id: UUID) -> InboxItem:
    """Read one conversation as the inbox shows it. `GET /patients/{id}/conversation` lists its messages."""
    caller = caller_of(request)
    found = inbox.find(caller.clinic, id)
    readings.of_conversation(caller, found, now=database_now())
    return item_of(found)


@operation(router, _act("take", {}))
def take_conversation(request: HttpRequest, id: UUID, body: NoBody = None) -> InboxItem:
    """Assign a conversation to yourself. Refused if another member was faster."""
    caller = caller_of(request)
    return item_of(inbox.assign_to_caller(caller, inbox.find(caller.clinic, id), now=database_now()))


@operation(router, _act("assign", {"member": "rosa@clinic.example"}))
def assign_conversation(request: HttpRequest, id: UUID, body: AssignWish) -> InboxItem:
    """Assign a conversation to a member, even if it is assigned to another member."""
    caller = caller_of(request)
    return item_of(inbox.assign(caller, inbox.find(caller.clinic, id), body.member, now=database_now()))


@operation(router, _act("give-back", {}))
def give_conversation_back(request: HttpRequest, id: UUID, body: NoBody = None) -> InboxItem:
    """Unassign a conversation: it waits for staff again."""
    caller = caller_of(request)
    return item_of(inbox.unassign(caller, inbox.find(caller.clinic, id), now=database_now()))


@operation(router, _act("done", {}))
def finish_conversation(request: HttpRequest, id: UUID, body: DoneBody = None) -> InboxItem:
    """Mark a conversation as done. The patient's next reply opens it again."""
    caller = caller_of(request)
    seen = body.seen if body else None
    return item_of(inbox.done(caller, inbox.find(caller.clinic, id), now=database_now(), seen=seen))


@operation(
    router,
    Operation(
        "POST",
        f"{_ONE}/answer",
        Role.PROVIDER,
        MessageDetail,
        examples.INBOX_ANSWER,
        body_example={"text": "Yes, please come at nine."},
        media_type=JSON,
        creates=True,
        location="read_message",
    ),
)
def answer_conversation(request: HttpRequest, id: UUID, body: AnswerWish) -> MessageDetail:
    """Send an answer at once. Refused if the patient has opted out."""
    caller = caller_of(request)
    now = database_now()
    sent = inbox.answer(caller, inbox.find(caller.clinic, id), body.text, now=now)
    return detail_of(queries.message(caller.clinic, sent.pk), [], now=now)


@operation(router, Operation("GET", "/urgent-help", Role.VIEWER, HelpShape, examples.URGENT_HELP))
def read_urgent_help(request: HttpRequest) -> HelpShape:
    """Read the words by which patients ask for urgent help, and the number that they are told to call."""
    return _help(caller_of(request).clinic)


@operation(
    router,
    Operation(
        "PATCH",
        "/urgent-help",
        Role.ADMIN,
        HelpShape,
        examples.URGENT_HELP,
        body_example=examples.URGENT_HELP,
        media_type=JSON,
    ),
)
def change_urgent_help(request: HttpRequest, body: HelpChanges) -> HelpShape:
    """Change the words for urgent help, the number to call, or both. Words need a number."""
    caller = caller_of(request)
    present: dict[str, object] = {"words": caller.clinic.urgent_words, "phone": caller.clinic.urgent_phone}
    wanted = present | body.given()
    return _help(urgent_words.change(caller, wanted["words"], wanted["phone"], now=database_now()))


def _help(clinic: Clinic) -> HelpShape:
    return HelpShape(words=clinic.urgent_words, phone=clinic.urgent_phone or None)
