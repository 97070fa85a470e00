"""The shapes of the inbox and of urgent help that programs send and read. inbox_answers.py fills them."""

import uuid
from typing import Annotated, Literal

from pydantic import Field, StrictStr

from companion.api.message_shapes import PatientName
from companion.api.paging import ListParameters
from companion.api.values import NOT_NULL, Body, Id, Instant, OneLine, QueryFlag, Shape
from companion.clinics.urgent_words import LONGEST_WORD, MOST_WORDS
from companion.listener.inbox import View


class InboxParameters(ListParameters):
    """The filter for conversations."""

    view: Annotated[
        View,
        Field(
            description="unread: not assigned; mine: assigned to the caller; taken: assigned to a member; "
            "done: handled; strangers: with a chat that belongs to no patient."
        ),
    ] = "unread"
    urgent: Annotated[
        QueryFlag | None,
        Field(description="true: only conversations that ask for urgent help; false: only the others."),
    ] = None


class Holder(Shape):
    """The member to whom a conversation is assigned."""

    id: uuid.UUID | None
    name: str


class LastReply(Shape):
    """The newest reply of a conversation."""

    id: uuid.UUID
    at: Instant
    kind: Literal["text", "tap", "other"]
    text: str


class InboxItem(Shape):
    """A conversation with a patient or a stranger, as the inbox shows it."""

    kind_of_object = "conversation"
    id: uuid.UUID
    patient: PatientName | None
    telegram_id: int
    standing: Literal["unread", "taken", "done"]
    holder: Holder | None
    since: Annotated[Instant, Field(description="When the conversation got its present standing.")]
    unread: Annotated[int, Field(description="The number of replies that nobody has handled.")]
    urgent_at: Annotated[
        Instant | None,
        Field(description="When the patient asked for urgent help; null: no such call, or a member has taken it."),
    ]
    unanswered: Annotated[uuid.UUID | None, Field(description="The message that the patient did not answer in time.")]
    last: LastReply | None


class InboxList(Shape):
    """A page of the inbox: the conversations that have waited longest first; in the view `done`, the newest first."""

    items: list[InboxItem]
    next: str | None


class AssignWish(Body):
    """The member to whom the conversation is to be assigned."""

    member: Annotated[OneLine, Field(min_length=1, description="A member's e-mail address.")]


class DoneWish(Body):
    """The end of a conversation, with the newest reply that the caller has read."""

    seen: Annotated[
        Id | None,
        Field(description="The newest reply that was read; the conversation stays open if a newer reply has come in."),
        NOT_NULL,
    ] = None


class AnswerWish(Body):
    """An answer to the patient."""

    text: Annotated[StrictStr, Field(min_length=1, description="As in POST /messages.")]


class HelpShape(Shape):
    """The words by which patients ask for urgent help, and the number that they are told to call."""

    kind_of_object = "list of words"
    words: list[str]
    phone: str | None


class HelpChanges(Body):
    """Changes to the words and the number. A field that is left out stays as it is."""

    words: Annotated[
        list[StrictStr] | None,
        Field(
            max_length=MOST_WORDS,
            description=f"Each word has at most {LONGEST_WORD} characters. Send an empty list to look for no words.",
        ),
        NOT_NULL,
    ] = None
    phone: Annotated[StrictStr | None, Field(description="The number to call. Needed if there are words.")] = None
