"""What admins do to sending as a whole: pause, resume, retry all of one code. The rules stand in panel/actions.py."""

from dataclasses import asdict
from typing import Annotated

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from companion.api import examples
from companion.api.health import PanelShape
from companion.api.operations import JSON, Operation, caller_of, operation
from companion.api.values import NoBody, Shape
from companion.clinics.models import Role
from companion.panel import actions, status
from companion.service.clock import database_now

router = Router(tags=["health"])
_CONFLICT = frozenset({409})


class RetryShape(Shape):
    """Which failed messages are tried again."""

    reason: Annotated[str, Field(description="A reason code, of those that may be retried all at once.")]


class RetriedShape(Shape):
    """How many are tried again, and how many of the code are left (counted to 1,000)."""

    done: int
    left: int


def _panel(request: HttpRequest) -> PanelShape:
    return PanelShape.model_validate(asdict(status.status(caller_of(request).clinic, now=database_now())))


@operation(
    router,
    Operation(
        "POST",
        "/mcp/pause",
        Role.ADMIN,
        PanelShape,
        examples.PANEL,
        body_example={},
        media_type=JSON,
        refuses=_CONFLICT,
    ),
)
def pause_sending(request: HttpRequest, body: NoBody = None) -> PanelShape:
    """Hold all of the clinic's messages back; what becomes too late meanwhile fails."""
    actions.pause(caller_of(request), now=database_now())
    return _panel(request)


@operation(
    router,
    Operation(
        "POST",
        "/mcp/resume",
        Role.ADMIN,
        PanelShape,
        examples.PANEL,
        body_example={},
        media_type=JSON,
        refuses=_CONFLICT,
    ),
)
def resume_sending(request: HttpRequest, body: NoBody = None) -> PanelShape:
    """Let the clinic's messages go again."""
    actions.resume(caller_of(request), now=database_now())
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
    """Try the failed messages of one reason code again, those due within a week, up to 500 at once."""
    return RetriedShape.model_validate(asdict(actions.retry_all(caller_of(request), body.reason, now=database_now())))
