"""What programs send and read of a Message. How one comes about stands in messages.py."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from ninja import Body as InBody
from pydantic import Field, StrictBool, StrictStr

from companion.api.paging import ListParameters
from companion.api.values import Body, Id, Instant, Line, Shape
from companion.api.warning_shapes import WarningShape, warning_shapes
from companion.listener.conversation import answers_of
from companion.patients.reach import chat_trouble
from companion.planning import series
from companion.planning.listing import Item
from companion.planning.similar import of_similar_message
from companion.planning.warnings import Warning, of_text
from companion.schedules.models import Attempt, Lane, Message, Status
from companion.schedules.queries import on_its_way
from companion.schedules.reasons import sentence
from companion.schedules.wording import template_of, texts_of, wont_arrive
from companion.service.clock import database_now

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


def shapes_of(messages: Sequence[Message]) -> list[MessageShape]:
    """Many at once, with one look at what was sent."""
    return shapes_of_items([Item(message) for message in messages])


def shapes_of_items(items: Sequence[Item]) -> list[MessageShape]:
    """Messages with what is only planned between them."""
    messages = [item.message for item in items]
    texts, answers = texts_of(messages), answers_of(messages)
    found = []
    for item in items:
        values = _values(item.message, texts[item.message.id], answers.get(item.message.id))
        found.append(MessageShape.model_validate(values | ({"id": None, "planned": True} if item.planned else {})))
    return found


def detail_of(message: Message, attempts: Iterable[Attempt]) -> MessageDetail:
    """One, with its attempts."""
    values = _values(message, texts_of([message])[message.id], answers_of([message]).get(message.id))
    pending = message.status == Status.PENDING
    similar = of_similar_message(message, now=database_now()) if pending and message.schedule_id is None else []
    warnings = (*(of_text(template_of(message)) if pending else ()), *_of_chat(message), *similar)
    tried = [_attempt(attempt) for attempt in attempts]
    return MessageDetail.model_validate({**values, "attempts": tried, "warnings": warning_shapes(warnings)})


def _of_chat(message: Message) -> list[Warning]:
    """Warns of a patient's chat that Telegram last refused: a pending message probably won't arrive there."""
    patient = message.patient
    if message.status != Status.PENDING or patient is None or not (sentence := chat_trouble(patient)):
        return []
    return [Warning(patient.id, patient.trouble, f"Probably won't arrive: {sentence}")]


def _values(message: Message, text: str, answer: str | None) -> dict[str, object]:
    patient = message.patient
    return {
        "id": message.id,
        "planned": False,
        "schedule": message.schedule_id,
        "occurrence": message.occurrence or None,
        "patient": PatientName(id=patient.id, name=patient.name) if patient else None,
        "text": text,
        "template": template_of(message),
        "status": message.status,
        "due_at": message.due_at,
        "sent_at": message.sent_at,
        "telegram_message_id": message.telegram_message_id,
        "reason": _reason(message),
        "lane": Lane(message.lane).label,
        "on_its_way": on_its_way(message),
        "wont_arrive": wont_arrive(message, message.clinic) or None,
        "answered_at": message.answered_at,
        "answer": answer,
        "answer_by": message.answer_by,
        "follows": message.follows_id,
        "follow_kind": message.follow_kind or None,
        "summary": series.summary(message.schedule) if message.schedule else None,
        "created_by": _author(message),
    }


def _reason(message: Message) -> ReasonShape | None:
    if not message.reason:
        return None
    words = sentence(message.reason, held_by_restore=message.held_by_restore)
    return ReasonShape(code=message.reason, message=words)


def _author(message: Message) -> Author | None:
    planned = message.schedule
    if planned:
        return Author(kind=planned.created_by_kind, name=planned.created_by_name)
    return Author(kind=message.created_by_kind, name=message.created_by_name) if message.created_by_kind else None


def _attempt(attempt: Attempt) -> AttemptShape:
    return AttemptShape(
        number=attempt.number,
        began_at=attempt.began_at,
        ended_at=attempt.ended_at,
        outcome=attempt.outcome or None,
        error_code=attempt.error_code,
        note=attempt.note,
    )
