"""Control of all sending, for admins: pause, resume, retry, decide about unknown outcomes, test alerts.

The rules are in panel/actions.py, panel/maintenance.py and panel/contacts.py.
"""

from dataclasses import asdict
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from pydantic import Field, StrictBool, model_validator

from companion.api.examples.messages import MESSAGE, MESSAGES
from companion.api.examples.panel import PANEL
from companion.api.health import PanelShape
from companion.api.message_answers import detail_of, shapes_of
from companion.api.message_shapes import MessageDetail, MessageList
from companion.api.operations import JSON, Operation, act, caller_of, operation
from companion.api.values import NOT_NULL, Body, Id, Instant, NoBody, Shape
from companion.clinics.models import Role
from companion.panel import actions, contacts, maintenance, status
from companion.panel.actions import Decision, Unknowns
from companion.panel.models import Maintenance
from companion.schedules import queries
from companion.service.clock import database_now

router = Router(tags=["health"])
_SHOWN: Final = 100


class LossShape(Shape):
    """The number of messages that fail unless sending is resumed by this instant, counted up to 1,000."""

    by: Instant
    count: int


class LossesShape(Shape):
    """The number of messages that would fail in a pause, by the length of the pause."""

    losses: list[LossShape]


class DecisionBody(Body):
    """A decision about a message that may or may not have arrived."""

    decision: Annotated[
        Decision,
        Field(
            description="resend: send again (may arrive twice); arrived: the patient confirmed it; leave: no change."
        ),
    ]


class DecisionsBody(DecisionBody):
    """A decision about many messages of unknown outcome.

    Name at least one of the fields beside `decision`. The decision is for the messages that match all of them.
    """

    ids: Annotated[list[Id] | None, Field(description="Only these messages.", max_length=actions.AT_ONCE), NOT_NULL] = (
        None
    )
    schedule: Annotated[Id | None, Field(description="Only messages of this schedule."), NOT_NULL] = None
    due_from: Annotated[
        Instant | None, Field(alias="from", description="Only messages due at this instant or later."), NOT_NULL
    ] = None
    due_to: Annotated[
        Instant | None, Field(alias="to", description="Only messages due at this instant or earlier."), NOT_NULL
    ] = None
    held_by_restore: Annotated[
        StrictBool | None,
        Field(description="true: only messages that may have been sent before a restore; false: only the others."),
        NOT_NULL,
    ] = None
    no_trace: Annotated[
        StrictBool | None,
        Field(description="true: only messages of which Telegram shows no trace; false: only the others."),
        NOT_NULL,
    ] = None

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if self.model_fields_set <= {"decision"}:
            raise ValueError("Say which messages are meant: ids, schedule, from, to, held_by_restore or no_trace.")
        return self


class TestBody(Body):
    """The channel through which a test alert is to be sent."""

    way: Literal["telegram", "email", "webhook"]


class TestShape(Shape):
    """The channel that accepted the test alert."""

    way: Literal["telegram", "email", "webhook"]


class RetryShape(Shape):
    """The messages to try again: those that failed for this reason."""

    reason: Annotated[str, Field(description="A reason code. Some reasons don't allow a retry of all messages.")]


class RetriedShape(Shape):
    """The number of messages that this call handled, and of those that are left (counted up to 1,000)."""

    done: int
    left: int


class MaintenanceBody(Body):
    """A maintenance window: no alerts are sent until it ends."""

    until: Annotated[Instant, Field(description="The end of the window, at most seven days from now.")]
    reason: Annotated[str, Field(description="A sentence for the other admins.", max_length=maintenance.REASON)] = ""


class MaintenanceShape(Shape):
    """A maintenance window."""

    began_at: Instant
    until: Instant
    reason: str
    begun_by: str


_MAINTENANCE: Final = {
    "began_at": "2026-12-01T20:00:00Z",
    "until": "2026-12-01T22:00:00Z",
    "reason": "A new disk",
    "begun_by": "Nora Lindt",
}


def _window(window: Maintenance) -> MaintenanceShape:
    return MaintenanceShape(
        began_at=window.began_at, until=window.until, reason=window.reason, begun_by=window.begun_by
    )


def _panel(request: HttpRequest) -> PanelShape:
    return PanelShape.model_validate(asdict(status.status(caller_of(request).clinic, now=database_now())))


@operation(
    router,
    Operation(
        "GET",
        "/mcp/pause",
        Role.VIEWER,
        LossesShape,
        {"losses": [{"by": "2026-12-01T10:00:00Z", "count": 38}]},
    ),
)
def foresee_losses(request: HttpRequest) -> LossesShape:
    """Count the messages that would fail if sending were paused now, by the length of the pause."""
    losses = actions.losses(caller_of(request).clinic, now=database_now())
    return LossesShape.model_validate({"losses": [asdict(loss) for loss in losses]})


@operation(router, act("/mcp/pause", PanelShape, PANEL, body_example={}, role=Role.ADMIN))
def pause_sending(request: HttpRequest, body: NoBody = None) -> PanelShape:
    """Hold back all of the clinic's messages. A message that becomes too late during the pause fails."""
    actions.pause(caller_of(request), now=database_now())
    return _panel(request)


@operation(router, act("/mcp/resume", PanelShape, PANEL, body_example={}, role=Role.ADMIN))
def resume_sending(request: HttpRequest, body: NoBody = None) -> PanelShape:
    """Let the clinic's messages go out again."""
    actions.resume(caller_of(request), now=database_now())
    return _panel(request)


@operation(
    router,
    act(
        "/mcp/maintenance",
        MaintenanceShape,
        _MAINTENANCE,
        body_example={"until": "2026-12-01T22:00:00Z", "reason": "A new disk"},
        role=Role.ADMIN,
    ),
)
def begin_maintenance(request: HttpRequest, body: MaintenanceBody) -> MaintenanceShape:
    """Open a maintenance window, or change it. Until it ends, no alerts are sent except calls for urgent help."""
    return _window(maintenance.begin(caller_of(request), body.until, body.reason, now=database_now()))


@operation(router, act("/mcp/maintenance/end", MaintenanceShape, _MAINTENANCE, body_example={}, role=Role.ADMIN))
def end_maintenance(request: HttpRequest, body: NoBody = None) -> MaintenanceShape:
    """End the maintenance window now."""
    return _window(maintenance.end(caller_of(request), now=database_now()))


@operation(router, act("/mcp/acknowledge", PanelShape, PANEL, body_example={}, role=Role.ADMIN))
def acknowledge_losses(request: HttpRequest, body: NoBody = None) -> PanelShape:
    """Stop reporting services that ended without a shutdown while other processes of the same kind keep working."""
    actions.acknowledge_losses(caller_of(request), now=database_now())
    return _panel(request)


@operation(
    router,
    Operation(
        "POST",
        "/mcp/retry",
        Role.ADMIN,
        RetriedShape,
        {"done": 12, "left": 0},
        body_example={"reason": "gave_up"},
        media_type=JSON,
    ),
)
def retry_all(request: HttpRequest, body: RetryShape) -> RetriedShape:
    """Retry the messages that failed within the last week for one reason, at most 500 in one call."""
    return RetriedShape.model_validate(asdict(actions.retry_all(caller_of(request), body.reason, now=database_now())))


@operation(router, Operation("GET", "/mcp/unknown", Role.VIEWER, MessageList, MESSAGES))
def list_unknown(request: HttpRequest) -> MessageList:
    """List the messages of the last week whose outcome is unknown and still undecided: the newest 100."""
    messages = actions.undecided(caller_of(request).clinic, now=database_now())[:_SHOWN]
    return MessageList(items=shapes_of(list(messages)), next=None)


@operation(
    router,
    Operation(
        "POST",
        "/mcp/unknown",
        Role.ADMIN,
        RetriedShape,
        {"done": 12, "left": 0},
        body_example={"from": "2026-12-01T08:00:00Z", "to": "2026-12-01T09:00:00Z", "decision": "arrived"},
        media_type=JSON,
    ),
)
def decide_many(request: HttpRequest, body: DecisionsBody) -> RetriedShape:
    """Decide about many messages of unknown outcome: at most 500 in one call, the newest first.

    The audit trail names each message.
    """
    which = Unknowns(body.ids, body.schedule, body.due_from, body.due_to, body.held_by_restore, body.no_trace)
    done = actions.decide_many(caller_of(request), which, body.decision, now=database_now())
    return RetriedShape.model_validate(asdict(done))


@operation(
    router,
    act("/mcp/unknown/{id}", MessageDetail, MESSAGE, body_example={"decision": "arrived"}, role=Role.ADMIN),
)
def decide_unknown(request: HttpRequest, id: UUID, body: DecisionBody) -> MessageDetail:
    """Decide about one message of unknown outcome: send it again, or note why not.

    No decision marks a message as sent; only Telegram's own confirmation does.
    """
    caller = caller_of(request)
    message = queries.message(caller.clinic, id)
    now = database_now()
    actions.decide(caller, message, body.decision, now=now)
    return detail_of(message, queries.attempts(message), now=now)


@operation(router, act("/mcp/test", TestShape, {"way": "webhook"}, body_example={"way": "webhook"}, role=Role.ADMIN))
def send_test(request: HttpRequest, body: TestBody) -> TestShape:
    """Send a test alert: a Telegram message or an e-mail to the caller, or a call of the clinic's webhook."""
    contacts.TESTS[body.way](caller_of(request), now=database_now())
    return TestShape(way=body.way)
