"""Where patients come from: the clinic's source, a FHIR server to be set, and the report of each sync.

A CSV file or a database is set on the command line only; patients/sources/configuration.py says why.
"""

import datetime as dt
import uuid
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field, StrictStr

from companion.api import examples
from companion.api.operations import JSON, Operation, act, caller_of, operation
from companion.api.paging import ListParameters, Parameters, cursor_of, read_cursor
from companion.api.values import Body, Instant, NoBody, Shape, Whole
from companion.clinics.models import Role
from companion.patients.sources import configuration, sync
from companion.patients.sources.fhir_source import LONGEST
from companion.patients.sources.models import PatientSource, SyncRun
from companion.service.clock import database_now

router = Router(tags=["patients"])
_RUNS = "sync-runs"
_ONE = "/patient-sources/{id}"
Kind = Literal["csv", "sql", "fhir"]


class NewSource(Body):
    """A FHIR R4 server, which takes the place of the source that is set."""

    kind: Literal["fhir"]
    url: Annotated[StrictStr, Field(max_length=LONGEST["url"], description="Its base address.")]
    token: Annotated[
        StrictStr, Field(max_length=LONGEST["token"], description="Bearer token; it is never shown again.")
    ] = ""
    identifier_system: Annotated[
        StrictStr,
        Field(
            max_length=LONGEST["identifier_system"],
            description="Which identifier is the external id; empty: the resource's own.",
        ),
    ] = ""
    telegram: Annotated[
        StrictStr,
        Field(
            max_length=LONGEST["telegram"],
            description="The extension, or the value's beginning, that marks Telegram.",
        ),
    ] = ""
    every_minutes: Annotated[Whole, Field(description="From one sync to the next: 5 minutes to 7 days.")] = 60


class RunShape(Shape):
    """The report of one sync."""

    kind_of_object = "sync run"
    id: uuid.UUID
    kind: Kind
    state: Literal["running", "done", "source_down", "ended"]
    whole: Annotated[bool, Field(description="Whether all was read, or only what changed.")]
    began_at: Instant
    ended_at: Instant | None
    added: int
    changed: int
    unchanged: int
    left: int
    refused: int
    detail: Annotated[str, Field(description="Why it came to nothing.")]


class Touched(Shape):
    """A patient who was added, changed or left."""

    external_id: str
    what: str


class Refusal(Shape):
    """One that was not taken, or not whole."""

    place: str
    reason: str


class RunDetail(RunShape):
    """The report with the first 200 of each."""

    touched: list[Touched]
    refusals: list[Refusal]


class RunList(Shape):
    """Reports, the newest first."""

    items: list[RunShape]
    next: str | None


class SourceShape(Shape):
    """Where patients come from."""

    kind_of_object = "patient source"
    id: uuid.UUID
    kind: Kind
    place: str
    every_minutes: int
    next_at: Instant
    working: Annotated[bool, Field(description="A sync is under way or about to be.")]


class SourceList(Shape):
    """The clinic's sources: one at most."""

    items: list[SourceShape]
    next: str | None


@operation(
    router,
    Operation("GET", "/patient-sources", Role.VIEWER, SourceList, examples.PATIENT_SOURCES, query=Parameters),
)
def list_sources(request: HttpRequest) -> SourceList:
    """Where the clinic's patients come from."""
    row = configuration.of_clinic(caller_of(request).clinic)
    return SourceList(items=[_source(row)] if row else [], next=None)


@operation(router, Operation("GET", _ONE, Role.VIEWER, SourceShape, examples.PATIENT_SOURCE))
def read_source(request: HttpRequest, id: UUID) -> SourceShape:
    """One source."""
    return _source(configuration.named(caller_of(request).clinic, id))


@operation(
    router,
    Operation(
        "POST",
        "/patient-sources",
        Role.ADMIN,
        SourceShape,
        examples.PATIENT_SOURCE,
        body_example=examples.NEW_PATIENT_SOURCE,
        media_type=JSON,
        creates=True,
    ),
)
def set_source(request: HttpRequest, body: NewSource) -> SourceShape:
    """Set a FHIR server as the clinic's source, instead of what was set before."""
    row = configuration.set_fhir(
        caller_of(request),
        body.url,
        body.token,
        identifier_system=body.identifier_system,
        telegram=body.telegram,
        every=dt.timedelta(minutes=max(min(body.every_minutes, 10**6), 0)),
        now=database_now(),
    )
    return _source(row)


@operation(router, act(f"{_ONE}/sync", SourceShape, examples.PATIENT_SOURCE, body_example={}, role=Role.PROVIDER))
def sync_source(request: HttpRequest, id: UUID, body: NoBody = None) -> SourceShape:
    """Sync now: the listener service takes it up within seconds."""
    caller = caller_of(request)
    configuration.named(caller.clinic, id)
    return _source(configuration.ask_for_sync(caller, now=database_now()))


@operation(router, act(f"{_ONE}/remove", SourceList, examples.NO_PATIENT_SOURCES, body_example={}, role=Role.ADMIN))
def remove_source(request: HttpRequest, id: UUID, body: NoBody = None) -> SourceList:
    """Fetch no more; patients who came stay."""
    caller = caller_of(request)
    configuration.named(caller.clinic, id)
    configuration.remove(caller, now=database_now(), id=id)
    return SourceList(items=[], next=None)


@operation(router, Operation("GET", "/sync-runs", Role.VIEWER, RunList, examples.SYNC_RUNS, query=ListParameters))
def list_runs(request: HttpRequest, query: Query[ListParameters]) -> RunList:
    """Reports of syncs, the newest first; the last 200 are kept."""
    after = int(read_cursor(_RUNS, query.cursor)) if query.cursor else 0
    found = sync.runs(caller_of(request).clinic, after=after, limit=query.limit + 1)
    more = cursor_of(_RUNS, str(after + query.limit)) if len(found) > query.limit else None
    return RunList(items=[RunShape(**_run(run)) for run in found[: query.limit]], next=more)


@operation(router, Operation("GET", "/sync-runs/{id}", Role.VIEWER, RunDetail, examples.SYNC_RUN))
def read_run(request: HttpRequest, id: UUID) -> RunDetail:
    """One report, with who was added, changed, left or refused, and why."""
    run = sync.run_of(caller_of(request).clinic, id)
    return RunDetail(
        **_run(run),
        touched=[Touched(external_id=external_id, what=what) for external_id, what in sync.touched(run)],
        refusals=[Refusal(place=place, reason=reason) for place, reason in sync.reasons(run)],
    )


def _source(row: PatientSource) -> SourceShape:
    return SourceShape(
        id=row.id,
        kind=row.kind,
        place=configuration.place(row),
        every_minutes=int(row.every.total_seconds() // 60),
        next_at=row.next_at,
        working=configuration.is_working(row, now=database_now()),
    )


def _run(run: SyncRun) -> dict[str, object]:
    return {name: getattr(run, name) for name in RunShape.model_fields}
