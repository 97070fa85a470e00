"""Messages in the shapes of message_shapes.py, filled from listener/shown.py."""

import datetime as dt
from collections.abc import Iterable, Sequence

from companion.api.message_shapes import (
    AttemptShape,
    Author,
    MessageDetail,
    MessageShape,
    PatientName,
    ReasonShape,
    WaitingShape,
)
from companion.api.warning_shapes import warning_shapes
from companion.listener.shown import ShownMessage, shown
from companion.planning.listing import Item
from companion.planning.similar import of_similar_message
from companion.planning.warnings import Warning, of_arrival, of_text
from companion.schedules.models import Attempt, Lane, Message, Status


def shapes_of(messages: Sequence[Message]) -> list[MessageShape]:
    """Return the shapes of the Messages of a list."""
    return [MessageShape.model_validate(_values(message)) for message in shown(messages)]


def shapes_of_items(items: Sequence[Item]) -> list[MessageShape]:
    """Return the shapes of the items of a list: Messages, and messages that are only planned."""
    pairs = zip(items, shown(item.message for item in items), strict=True)
    return [
        MessageShape.model_validate(_values(message) | ({"id": None, "planned": True} if item.planned else {}))
        for item, message in pairs
    ]


def detail_of(message: Message, attempts: Iterable[Attempt], *, now: dt.datetime) -> MessageDetail:
    """Return the shape of a Message with its attempts and warnings."""
    (read,) = shown([message])
    warnings = _warnings(read, now) if message.status == Status.PENDING else []
    tried = [_attempt(attempt) for attempt in attempts]
    return MessageDetail.model_validate({**_values(read), "attempts": tried, "warnings": warning_shapes(warnings)})


def _warnings(one: ShownMessage, now: dt.datetime) -> list[Warning]:
    """List the warnings of a pending Message: its text, whether it will arrive, and similar messages on its day."""
    similar = of_similar_message(one.message, now=now) if one.message.schedule_id is None else []
    # The answer to a STOP reaches a patient who has opted out.
    patient = None if one.message.answers_stop_or_start else one.message.patient
    arrival = of_arrival(one.message.clinic, patient)
    return [*of_text(one.template), *arrival, *similar]


def _values(one: ShownMessage) -> dict[str, object]:
    message, patient = one.message, one.message.patient
    return {
        "id": message.id,
        "planned": False,
        "schedule": message.schedule_id,
        "occurrence": message.occurrence or None,
        "patient": PatientName(id=patient.id, name=patient.name) if patient else None,
        "text": one.text,
        "template": one.template,
        "status": message.status,
        "due_at": message.due_at,
        "sent_at": message.sent_at,
        "telegram_message_id": message.telegram_message_id,
        "reason": ReasonShape(code=one.reason, message=one.why) if one.reason else None,
        "lane": Lane(message.lane).label,
        "on_its_way": one.on_its_way,
        "wont_arrive": one.wont_arrive or None,
        "waiting": _waiting(one),
        "answered_at": message.answered_at,
        "answer": one.tapped or None,
        "answer_by": message.answer_by,
        "follows": message.follows_id,
        "follow_kind": message.follow_kind or None,
        "summary": one.rule or None,
        "created_by": Author(kind=one.author.kind, name=one.author.name) if one.author else None,
    }


def _waiting(one: ShownMessage) -> WaitingShape | None:
    waiting = one.waiting
    return WaitingShape(until=waiting.until, why=waiting.why, again=waiting.again) if waiting else None


def _attempt(attempt: Attempt) -> AttemptShape:
    return AttemptShape(
        number=attempt.number,
        began_at=attempt.began_at,
        ended_at=attempt.ended_at,
        outcome=attempt.outcome or None,
        error_code=attempt.error_code,
        note=attempt.note,
        no_trace_at=attempt.no_trace_at,
    )
