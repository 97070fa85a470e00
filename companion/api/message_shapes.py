"""The shapes of a Message that programs send and read. They fetch nothing: message_answers.py fills them."""

import uuid
from typing import Annotated, Literal

from ninja import Body as InBody
from pydantic import Field, StrictBool, StrictStr

from companion.api.paging import ListParameters
from companion.api.values import Body, Id, Instant, OneLine, Shape
from companion.api.warning_shapes import WarningShape

StatusName = Literal["pending", "sent", "failed", "cancelled"]


class NewMessage(Body):
    """A text to one patient."""

    patient: Id
    text: Annotated[
        StrictStr,
        Field(
            min_length=1,
            description="Plain text with {first_name}, {name}, {clinic}, {date} and {time}. Write {{ for a brace.",
        ),
    ]
    send_at: Annotated[
        Instant | None, Field(description="When to send it. If left out: at once, even in quiet hours.")
    ] = None


class MessageChanges(Body):
    """Changes to a pending message. A field that is left out stays as it is."""

    text: Annotated[StrictStr | None, Field(min_length=1)] = None
    send_at: Instant | None = None


class RetryWish(Body):
    """The conditions of a retry."""

    may_arrive_twice: Annotated[
        StrictBool, Field(description="Must be true for a message that may have arrived already (outcome_unknown).")
    ] = False


RetryBody = Annotated[RetryWish | None, InBody()]
"""The body may be left out."""


class MessageParameters(ListParameters):
    """The filter for messages."""

    status: StatusName | None = None
    patient: Id | None = None
    schedule: Id | None = None
    cohort: Id | None = None
    q: Annotated[OneLine, Field(max_length=200, description="Search in patients' names and external ids.")] = ""
    due_from: Annotated[Instant | None, Field(description="Due at this instant or later.")] = None
    due_to: Annotated[Instant | None, Field(description="Due before this instant.")] = None
    order: Literal["due_at", "-due_at"] = "due_at"
    include: Annotated[
        Literal["planned"] | None,
        Field(description="planned: also list messages that are only planned so far, up to `due_to`."),
    ] = None


class PatientName(Shape):
    """The patient to whom a message goes."""

    id: uuid.UUID
    name: str


class ReasonShape(Shape):
    """The reason why a message failed or was cancelled: a code for programs, and a sentence that says what to do."""

    code: str
    message: str


class WaitingShape(Shape):
    """The reason why a message that is due has not been sent yet."""

    until: Annotated[Instant | None, Field(description="The next try; null: a person has to do something first.")]
    why: str
    again: Annotated[bool, Field(description="true: an earlier try failed, and the next try needs no person.")]


class Author(Shape):
    """The person or program that made the plan."""

    kind: str
    name: str


class AttemptShape(Shape):
    """A try to deliver a message."""

    number: int
    began_at: Instant
    ended_at: Instant | None
    outcome: Annotated[str | None, Field(description="null: no answer from Telegram yet.")]
    error_code: int | None
    note: str
    no_trace_at: Annotated[
        Instant | None,
        Field(description="For an unknown outcome: when we looked in the chat and did not find the message."),
    ]


class MessageShape(Shape):
    """A message to one patient: of a series, a single message, or an answer (which has no schedule)."""

    kind_of_object = "message"
    id: Annotated[uuid.UUID | None, Field(description="null: the message is only planned.")]
    planned: Annotated[
        bool, Field(description="true: computed from the schedule. The message gets an id two days before it is due.")
    ]
    schedule: uuid.UUID | None
    occurrence: Annotated[
        str | None, Field(description="The nominal local wall time, which names the message in its series.")
    ]
    patient: PatientName | None
    text: Annotated[str, Field(description="The text as the patient reads it.")]
    template: Annotated[str, Field(description="The text with its placeholders; start an edit from it.")]
    status: StatusName
    due_at: Instant
    sent_at: Instant | None
    telegram_message_id: int | None
    reason: ReasonShape | None
    lane: str
    on_its_way: bool
    wont_arrive: Annotated[str | None, Field(description="Why a pending message can't arrive at present.")]
    waiting: Annotated[WaitingShape | None, Field(description="Why a message that is due has not been sent yet.")]
    answered_at: Annotated[Instant | None, Field(description="When the patient first answered.")]
    answer: Annotated[str | None, Field(description="The answer button that was tapped last.")]
    answer_by: Annotated[Instant | None, Field(description="The end of the time in which an answer is expected.")]
    follows: Annotated[uuid.UUID | None, Field(description="The earlier message that this message repeats.")]
    follow_kind: Annotated[
        Literal["later", "reminder"] | None,
        Field(
            description="Why the message is repeated. later: the patient asked to get it again; reminder: no answer "
            "came in time."
        ),
    ]
    summary: Annotated[str | None, Field(description="The times of its schedule, in one sentence.")]
    created_by: Author | None


class MessageDetail(MessageShape):
    """A message with the attempts to deliver it."""

    id: uuid.UUID
    attempts: list[AttemptShape]
    warnings: Annotated[list[WarningShape], Field(description="Warnings about a pending message.")]


class MessageList(Shape):
    """A page of messages."""

    items: list[MessageShape]
    next: str | None
    complete: Annotated[
        bool,
        Field(description="false: some planned messages are missing. Filter by schedule or patient to get all."),
    ] = True
