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


def _warnings(shown: ShownMessage, now: dt.datetime) -> list[Warning]:
    """List the warnings of a pending Message: its text, whether it will arrive, and similar messages on its day."""
    similar = of_similar_message(shown.message, now=now) if shown.message.schedule_id is None else []
    # The answer to a STOP reaches a patient who has opted out.
    patient = None if shown.message.answers_stop_or_start else shown.message.patient
    arrival = of_arrival(shown.message.clinic, patient)
    return [*of_text(shown.template), *arrival, *similar]


def _values(shown: ShownMessage) -> dict[str, object]:
    message, patient = shown.message, shown.message.patient
    return {
        "id": message.id,
        "planned": False,
        "schedule": message.schedule_id,
        "occurrence": message.occurrence or None,
        "patient": PatientName(id=patient.id, name=patient.name) if patient else None,
        "text": shown.text,
        "template": shown.template,
        "status": message.status,
        "due_at": message.due_at,
        "sent_at": message.sent_at,
        "telegram_message_id": message.telegram_message_id,
        "reason": ReasonShape(code=shown.reason, message=shown.why) if shown.reason else None,
        "lane": Lane(message.lane).label,
        "on_its_way": shown.on_its_way,
        "wont_arrive": shown.wont_arrive or None,
        "waiting": _waiting(shown),
        "answered_at": message.answered_at,
        "answer": shown.tapped or None,
        "answer_by": message.answer_by,
        "follows": message.follows_id,
        "follow_kind": message.follow_kind or None,
        "summary": shown.rule or None,
        "created_by": Author(kind=shown.author.kind, name=shown.author.name) if shown.author else None,
    }


def _waiting(shown: ShownMessage) -> WaitingShape | None:
    waiting = shown.waiting
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
