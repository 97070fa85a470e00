"""The shapes of a Message that programs send and read. They fetch nothing: message_answers.py fills them."""

import uuid
from typing import Annotated, Literal

from ninja import Body as InBody
from pydantic import Field, StrictBool, StrictStr

from companion.api.paging import ListParameters
from companion.api.values import Body, Id, Instant, Line, Shape
from companion.api.warning_shapes import WarningShape

StatusName = Literal["pending", "sent", "failed", "cancelled"]


class NewMessage(Body):
    """The short form: one text to one patient."""

    patient: Id
    text: Annotated[
        StrictStr,
        Field(
            min_length=1, description="Plain text with {first_name}, {name}, {clinic}, {date}, {time}; {{ is a brace."
        ),
    ]
    send_at: Annotated[Instant | None, Field(description="Absent: at once, quiet hours ignored.")] = None


class MessageChanges(Body):
    """What may change while a Message is pending; what is left out stays."""

    text: Annotated[StrictStr | None, Field(min_length=1)] = None
    send_at: Instant | None = None


class RetryWish(Body):
    """How a failed Message is to be tried again."""

    may_arrive_twice: Annotated[
        StrictBool, Field(description="Needed where it may have arrived already (outcome_unknown).")
    ] = False


RetryBody = Annotated[RetryWish | None, InBody()]
"""It may be left out."""


class MessageParameters(ListParameters):
    """Which Messages."""

    status: StatusName | None = None
    patient: Id | None = None
    schedule: Id | None = None
    cohort: Id | None = None
    q: Annotated[Line, Field(max_length=200, description="Looks in patients' names and external ids.")] = ""
    due_from: Annotated[Instant | None, Field(description="Due at this instant or later.")] = None
    due_to: Annotated[Instant | None, Field(description="Due before this instant.")] = None
    order: Literal["due_at", "-due_at"] = "due_at"
    include: Annotated[
        Literal["planned"] | None,
        Field(description="Also what is planned for later and has no Message yet; `due_to` says up to when."),
    ] = None


class PatientName(Shape):
    """Whom a Message is for."""

    id: uuid.UUID
    name: str


class ReasonShape(Shape):
    """Why a Message failed or was cancelled: the code for programs, and what happened and what to do for people."""

    code: str
    message: str


class Author(Shape):
    """Who planned it."""

    kind: str
    name: str


class AttemptShape(Shape):
    """One try to deliver."""

    number: int
    began_at: Instant
    ended_at: Instant | None
    outcome: Annotated[str | None, Field(description="null while it is on the wire.")]
    error_code: int | None
    note: str


class MessageShape(Shape):
    """The delivery of one Occurrence to one patient, a single message, or an answer (which has no schedule)."""

    kind_of_object = "message"
    id: Annotated[uuid.UUID | None, Field(description="null of what is only planned.")]
    planned: Annotated[
        bool, Field(description="Computed from its schedule: it becomes a Message two days before it is due.")
    ]
    schedule: uuid.UUID | None
    occurrence: Annotated[str | None, Field(description="The nominal local wall time that names it in its series.")]
    patient: PatientName | None
    text: Annotated[str, Field(description="As the patient gets it, or got it.")]
    template: Annotated[str, Field(description="With its placeholders: what an edit starts from.")]
    status: StatusName
    due_at: Instant
    sent_at: Instant | None
    telegram_message_id: int | None
    reason: ReasonShape | None
    lane: str
    on_its_way: bool
    wont_arrive: Annotated[str | None, Field(description="Why a pending one can't arrive as things stand.")]
    answered_at: Annotated[Instant | None, Field(description="When the patient answered it first.")]
    answer: Annotated[str | None, Field(description="The answer button that was tapped last.")]
    answer_by: Annotated[Instant | None, Field(description="Until when an answer is waited for.")]
    follows: Annotated[uuid.UUID | None, Field(description="The message that this one says again.")]
    follow_kind: Annotated[
        Literal["later", "reminder"] | None,
        Field(description="The patient asked for it later, or no answer came in time."),
    ]
    summary: Annotated[str | None, Field(description="When its schedule goes out, in one sentence.")]
    created_by: Author | None


class MessageDetail(MessageShape):
    """A Message with its attempts, the evidence."""

    id: uuid.UUID
    attempts: list[AttemptShape]
    warnings: Annotated[list[WarningShape], Field(description="What to know of the text of a pending one.")]


class MessageList(Shape):
    """A page of Messages."""

    items: list[MessageShape]
    next: str | None
    complete: Annotated[
        bool,
        Field(description="False where more is planned than was looked through: ask by schedule or patient for all."),
    ] = True
