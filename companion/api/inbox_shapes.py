"""The shapes of the inbox and of urgent help that programs send and read. inbox_answers.py fills them."""

import uuid
from typing import Annotated, Literal

from pydantic import Field, StrictStr

from companion.api.message_shapes import PatientName
from companion.api.paging import ListParameters
from companion.api.values import NOT_NULL, Body, Id, Instant, Line, QueryFlag, Shape
from companion.clinics.urgent_words import LONGEST_WORD, MOST_WORDS
from companion.listener.inbox import View


class InboxParameters(ListParameters):
    """The filter for conversations."""

    view: Annotated[
        View, Field(description="unread: unassigned; mine; taken: assigned; done; strangers: of no patient.")
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
    since: Annotated[Instant, Field(description="Since when it has this standing.")]
    unread: Annotated[int, Field(description="The number of replies that nobody has handled.")]
    urgent_at: Annotated[
        Instant | None,
        Field(description="Since when the patient has asked for urgent help and no member has taken the conversation."),
    ]
    unanswered: Annotated[uuid.UUID | None, Field(description="The message that the patient did not answer in time.")]
    last: LastReply | None


class InboxList(Shape):
    """A page of the inbox: the longest waiting first. Conversations that are done: the newest first."""

    items: list[InboxItem]
    next: str | None


class AssignWish(Body):
    """The member who is to answer the conversation."""

    member: Annotated[Line, Field(min_length=1, description="A member's e-mail address.")]


class DoneWish(Body):
    """The end of a conversation, with the newest reply that the caller has read."""

    seen: Annotated[
        Id | None,
        Field(description="The newest reply that was read; the conversation stays open if a newer one has come in."),
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
            description=f"Each has at most {LONGEST_WORD} characters. An empty list looks for no words.",
        ),
        NOT_NULL,
    ] = None
    phone: Annotated[StrictStr | None, Field(description="The number to call. It is needed if there are words.")] = None
