"""Messages: plan a single message, list messages, change a pending message. The rules are in planning/."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from companion.api.examples import messages as examples
from companion.api.message_answers import detail_of, shapes_of, shapes_of_items
from companion.api.message_shapes import (
    MessageChanges,
    MessageDetail,
    MessageList,
    MessageParameters,
    NewMessage,
    RetryBody,
)
from companion.api.operations import JSON, Operation, act, caller_of, operation
from companion.api.values import NoBody
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Problem, Refused, Unknown
from companion.listener import readings
from companion.patients import queries as patient_queries
from companion.patients.models import Patient
from companion.planning import acts, listing, short_form, taking_back
from companion.schedules import queries
from companion.schedules.models import Message
from companion.schedules.queries import MessageFilter
from companion.service.clock import database_now

router = Router(tags=["messages"])
_ONE: Final = "/messages/{id}"


def _act(path: str, body_example: object) -> Operation:
    return act(f"{_ONE}/{path}", MessageDetail, examples.MESSAGE, body_example=body_example, role=Role.PROVIDER)


@operation(
    router,
    Operation(
        "POST",
        "/messages",
        Role.PROVIDER,
        MessageDetail,
        examples.NEW_MESSAGE_ANSWER,
        body_example=examples.NEW_MESSAGE,
        media_type=JSON,
        creates=True,
        location="read_message",
    ),
)
def plan_message(request: HttpRequest, body: NewMessage) -> MessageDetail:
    """Plan one message to one patient."""
    caller = caller_of(request)
    patient = _patient(caller.clinic, body.patient)
    return _detail(short_form.send_one(caller, patient, body.text, body.send_at, now=database_now()))


@operation(
    router,
    Operation("GET", "/messages", Role.VIEWER, MessageList, examples.MESSAGES, query=MessageParameters),
)
def list_messages(request: HttpRequest, query: Query[MessageParameters]) -> MessageList:
    """List messages, in the order of their due instants."""
    wanted = MessageFilter(
        status=query.status or "",
        patient=query.patient,
        schedule=query.schedule,
        cohort=query.cohort,
        q=query.q,
        due_from=query.due_from,
        due_to=query.due_to,
    )
    caller = caller_of(request)
    clinic = caller.clinic
    if query.patient:
        readings.of_messages(caller, query.patient, now=database_now())
    if query.include == "planned":
        if query.due_to is None:
            raise Refused(Problem("due_to", "Name the last instant of the list: a series may have no end."))
        items = listing.page(clinic, wanted, query.due_to, order=query.order, after=query.cursor, limit=query.limit)
        shapes = shapes_of_items(items.items)
        readings.of_list(caller, (shape.answer for shape in shapes), now=database_now())
        return MessageList(items=shapes, next=items.next, complete=items.whole)
    page = queries.page(queries.messages(clinic, wanted), order=query.order, after=query.cursor, limit=query.limit)
    shapes = shapes_of(page.items)
    readings.of_list(caller, (shape.answer for shape in shapes), now=database_now())
    return MessageList(items=shapes, next=page.next)


@operation(router, Operation("GET", _ONE, Role.VIEWER, MessageDetail, examples.MESSAGE))
def read_message(request: HttpRequest, id: UUID) -> MessageDetail:
    """Read one message with its attempts."""
    caller = caller_of(request)
    message = queries.message(caller.clinic, id)
    readings.of_message(caller, message, now=database_now())
    return _detail(message)


@operation(
    router,
    Operation(
        "PATCH",
        _ONE,
        Role.PROVIDER,
        MessageDetail,
        examples.MESSAGE,
        body_example=examples.MESSAGE_CHANGES,
        media_type=JSON,
        refuses=frozenset({409}),
    ),
)
def change_message(request: HttpRequest, id: UUID, body: MessageChanges) -> MessageDetail:
    """Change a pending message's text, time or both."""
    if body.text is None and body.send_at is None:
        raise Refused(Problem("body", "There is nothing to change: send text, send_at or both."))
    caller = caller_of(request)
    message = queries.message(caller.clinic, id)
    return _detail(acts.edit(caller, message, now=database_now(), new_text=body.text, send_at=body.send_at))


@operation(router, _act("cancel", {}))
def cancel_message(request: HttpRequest, id: UUID, body: NoBody = None) -> MessageDetail:
    """Cancel a pending message."""
    caller = caller_of(request)
    return _detail(acts.cancel(caller, queries.message(caller.clinic, id), now=database_now()))


@operation(router, _act("undo", {}))
def undo_cancel(request: HttpRequest, id: UUID, body: NoBody = None) -> MessageDetail:
    """Undo a cancel within ten seconds. The message goes out, unless it is too late."""
    caller = caller_of(request)
    return _detail(taking_back.undo(caller, queries.message(caller.clinic, id), now=database_now()))


@operation(router, _act("send-now", {}))
def send_message_now(request: HttpRequest, id: UUID, body: NoBody = None) -> MessageDetail:
    """Send a pending message at once, even in quiet hours."""
    caller = caller_of(request)
    return _detail(acts.send_now(caller, queries.message(caller.clinic, id), now=database_now()))


@operation(router, _act("retry", examples.RETRY))
def retry_message(request: HttpRequest, id: UUID, body: RetryBody = None) -> MessageDetail:
    """Try a failed message again at once."""
    caller = caller_of(request)
    message = queries.message(caller.clinic, id)
    twice = body is not None and body.may_arrive_twice
    return _detail(acts.retry(caller, message, now=database_now(), may_arrive_twice=twice))


def _detail(message: Message) -> MessageDetail:
    return detail_of(message, queries.attempts(message), now=database_now())


def _patient(clinic: Clinic, id: UUID) -> Patient:
    try:
        return patient_queries.patient(clinic, id)
    except Unknown as unknown:
        raise Refused(Problem("patient", "There is no such patient in this clinic.")) from unknown
