"""What programs send and read of the inbox and of urgent help. What may be done stands in listener/inbox.py."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StrictStr

from companion.api.message_shapes import PatientName
from companion.api.paging import ListParameters
from companion.api.values import NOT_NULL, Body, Id, Instant, Line, QueryFlag, Shape
from companion.clinics.urgent_words import LONGEST_WORD, MOST_WORDS
from companion.listener.inbox import View
from companion.listener.models import Conversation


class InboxParameters(ListParameters):
    """Which conversations."""

    view: Annotated[
        View, Field(description="unread: nobody has it; mine; taken: somebody has it; done; strangers: nobody's chat.")
    ] = "unread"
    urgent: Annotated[QueryFlag | None, Field(description="Only those whose words ask for urgent help.")] = None


class Holder(Shape):
    """Which member has it."""

    id: uuid.UUID | None
    name: str


class LastReply(Shape):
    """What came in last."""

    id: uuid.UUID
    at: Instant
    kind: Literal["text", "tap", "other"]
    text: str


class InboxItem(Shape):
    """A patient's (or a stranger's) conversation as the inbox keeps it."""

    kind_of_object = "conversation"
    id: uuid.UUID
    patient: PatientName | None
    telegram_id: int
    standing: Literal["unread", "taken", "done"]
    holder: Holder | None
    since: Annotated[Instant, Field(description="When it came to where it stands.")]
    unread: Annotated[int, Field(description="How much came since somebody looked after it.")]
    urgent_at: Annotated[Instant | None, Field(description="Since when words ask for urgent help and nobody took it.")]
    unanswered: Annotated[uuid.UUID | None, Field(description="The message that was not answered in time.")]
    last: LastReply | None


class InboxList(Shape):
    """A page of the inbox, the longest waiting first; what is done, the newest first."""

    items: list[InboxItem]
    next: str | None


class AssignWish(Body):
    """Who is to have it."""

    member: Annotated[Line, Field(min_length=1, description="A member's e-mail address.")]


class DoneWish(Body):
    """That nothing is left to do."""

    seen: Annotated[
        Id | None,
        Field(description="The newest reply that was read; the conversation stays open if a newer one has come in."),
        NOT_NULL,
    ] = None


class AnswerWish(Body):
    """What is written back."""

    text: Annotated[StrictStr, Field(min_length=1, description="As in POST /messages.")]


class HelpShape(Shape):
    """By which words a patient asks for urgent help, and whom they are then told to call."""

    kind_of_object = "list of words"
    words: list[str]
    phone: str | None


class HelpChanges(Body):
    """What is to change; what is left out stays."""

    words: Annotated[
        list[StrictStr] | None,
        Field(
            max_length=MOST_WORDS,
            description=f"Each has at most {LONGEST_WORD} characters. An empty list looks for no words.",
        ),
        NOT_NULL,
    ] = None
    phone: Annotated[StrictStr | None, Field(description="Needed before there can be words.")] = None


def items_of(conversations: Sequence[Conversation]) -> list[InboxItem]:
    """Many at once."""
    return [item_of(one) for one in conversations]


def item_of(one: Conversation) -> InboxItem:
    """One of the inbox."""
    last = one.last_reply
    return InboxItem(
        id=one.id,
        patient=PatientName(id=one.patient.id, name=one.patient.name) if one.patient else None,
        telegram_id=one.telegram_id,
        standing=one.standing,
        holder=Holder(id=one.holder_id, name=one.holder_name) if one.held else None,
        since=one.since,
        unread=one.unread,
        urgent_at=one.urgent_at,
        unanswered=one.unanswered_id,
        last=LastReply(id=last.id, at=last.at, kind=last.kind, text=last.text) if last else None,
    )
