"""Health for monitors, and the Control Panel's numbers and checks. panel/ measures them and judges them."""

from dataclasses import asdict
from typing import Annotated, Literal

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.errors import AuthenticationError, HttpError
from pydantic import Field, JsonValue

from companion.api import auth
from companion.api.examples import panel as examples
from companion.api.operations import JSON, Operation, caller_of, operation
from companion.api.values import Instant, NoBody, Shape
from companion.clinics.access import Caller, NotAllowed
from companion.clinics.models import Role
from companion.panel import diagnostics, health, status
from companion.service.clock import database_now
from companion.service.slots import Busy
from companion.service.timeouts import HEALTH_SECONDS, database_within

router = Router(tags=["health"])


class LayerShape(Shape):
    """A layer of the health check."""

    layer: str
    status: str
    detail: str


class HealthShape(Shape):
    """The status of sending, with the layer that reported it."""

    status: Literal["ok", "degraded", "down"]
    source: Literal["direct", "mcp", "database"]
    checked_at: Instant
    layers: list[LayerShape]
    detail: Annotated[
        str,
        Field(
            description="What is wrong, and who should do what. Without a sign-in: only the causes. Empty: all is well."
        ),
    ]
    causes: Annotated[list[str], Field(description="The names of all causes, as in the runbook, the worst first.")] = []


class ServiceShape(Shape):
    """A running process."""

    kind: str
    host: str
    version: str
    state: str
    last_beat_at: Instant
    started_at: Instant
    leases: Annotated[int | None, Field(description="The number of messages that the dispatcher is sending.")] = None


class MessageNumbers(Shape):
    """The number of messages in each state, each counted up to 10,000."""

    pending: int
    due: int
    overdue: int
    oldest_overdue_seconds: float | None
    sent_24h: int
    failed_24h: int
    next_hour: int = 0
    on_wire: int = 0
    sent_today: int = 0
    failed_today: int = 0


class LagShape(Shape):
    """The delay in seconds of the messages that were sent within the last day; null if none was sent."""

    p50: float | None
    p99: float | None


class RateShape(Shape):
    """The messages per second that the bot sent in the last ten seconds, and the bot's limit."""

    per_second: float = 0
    limit: float = 0


class FailuresShape(Shape):
    """The failures of the last 24 hours for one reason, and what to do."""

    code: str
    label: str
    sentence: str
    count: int
    retryable: Annotated[bool, Field(description="true: POST /mcp/retry accepts this code.")]


class PanelShape(Shape):
    """The Control Panel's numbers."""

    status: Literal["ok", "degraded", "down"]
    services: list[ServiceShape]
    messages: MessageNumbers
    delivery_lag_seconds: LagShape
    database: dict[str, JsonValue]
    telegram: dict[str, JsonValue]
    machine: dict[str, JsonValue] = Field(default_factory=dict)
    rate: RateShape = Field(default_factory=RateShape)
    failures: list[FailuresShape] = Field(default_factory=list)
    unreachable_patients: int = 0


class CheckShape(Shape):
    """The result of one check, and what to do."""

    name: str
    group: str
    result: Literal["ok", "warning", "failed"]
    value: str
    advice: str


class DiagnosticsShape(Shape):
    """The results of all checks, which were run for this answer."""

    checked_at: Instant
    checks: list[CheckShape]


@operation(
    router,
    Operation("GET", "/scheduler/health", None, HealthShape, examples.HEALTH, refuses=frozenset({503})),
)
def read_health(request: HttpRequest) -> HttpResponse:
    """Tell whether sending works. Answers 503 when it is down.

    Without a key or a session the answer is about all clinics together, and holds only the status and the causes. With
    a key or a session it is about the caller's clinic, with sentences. If the key or the session can't be checked, for
    example because the database can't be reached or the key has used its calls, the answer is as without.
    """
    caller = _member(request)
    report = health.check_now(clinic=caller.clinic) if caller else health.for_strangers(health.check_now())
    answer = HealthShape.model_validate(
        asdict(report) | {"causes": list(dict.fromkeys(finding.cause.value for finding in report.findings))}
    )
    code = 503 if report.status == "down" else 200
    return HttpResponse(answer.model_dump_json(), status=code, content_type=JSON)


def _member(request: HttpRequest) -> Caller | None:
    """Return the caller of a valid key or session, else None. Health answers everybody, so this raises nothing."""
    if "Authorization" not in request.headers and settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    try:
        with database_within(HEALTH_SECONDS):
            return auth.caller_of(request)
    except (AuthenticationError, NotAllowed, Busy, HttpError, Error):
        return None


@operation(router, Operation("GET", "/mcp/status", Role.VIEWER, PanelShape, examples.PANEL))
def read_panel(request: HttpRequest) -> PanelShape:
    """Read the Management Control Panel's numbers for this clinic."""
    return PanelShape.model_validate(asdict(status.status(caller_of(request).clinic, now=database_now())))


@operation(
    router,
    Operation(
        "POST",
        "/mcp/diagnostics",
        Role.PROVIDER,
        DiagnosticsShape,
        examples.DIAGNOSTICS,
        body_example={},
        media_type=JSON,
    ),
)
def run_diagnostics(request: HttpRequest, body: NoBody = None) -> DiagnosticsShape:
    """Run all checks now. Each result says what to do."""
    now = database_now()
    return DiagnosticsShape.model_validate(
        {"checked_at": now, "checks": [asdict(check) for check in diagnostics.run(caller_of(request).clinic, now=now)]}
    )
