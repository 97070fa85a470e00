"""Patient sources: read the clinic's source, set a FHIR server, read the report of each sync.

Only a command can set a CSV file or a database; patients/sources/configuration.py says why.
"""

import datetime as dt
import uuid
from typing import Annotated, Final, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field, StrictStr

from companion.api.examples import sources as examples
from companion.api.operations import JSON, Operation, act, caller_of, operation
from companion.api.paging import ListParameters, Parameters, cursor_of, read_cursor
from companion.api.values import Body, Instant, NoBody, Shape, Whole
from companion.clinics.models import Role
from companion.patients.sources import configuration, sync
from companion.patients.sources.fhir_source import LONGEST
from companion.patients.sources.models import PatientSource, SyncRun
from companion.service.clock import database_now

router = Router(tags=["patients"])
_RUNS: Final = "sync-runs"
_ONE: Final = "/patient-sources/{id}"
Kind = Literal["csv", "sql", "fhir"]


class NewSource(Body):
    """A FHIR R4 server. It replaces the source that is set."""

    kind: Literal["fhir"]
    url: Annotated[StrictStr, Field(max_length=LONGEST["url"], description="The server's base address.")]
    token: Annotated[
        StrictStr, Field(max_length=LONGEST["token"], description="The bearer token. It is never shown again.")
    ] = ""
    identifier_system: Annotated[
        StrictStr,
        Field(
            max_length=LONGEST["identifier_system"],
            description="The system of the identifier that is the external id; empty: the resource's id is used.",
        ),
    ] = ""
    telegram: Annotated[
        StrictStr,
        Field(
            max_length=LONGEST["telegram"],
            description="The URL of the extension that holds the Telegram ID, or the prefix of the telecom value.",
        ),
    ] = ""
    every_minutes: Annotated[
        Whole, Field(description="The minutes from one sync to the next: 5 to 10080 (7 days).")
    ] = 60


class RunShape(Shape):
    """The report of one sync."""

    kind_of_object = "sync run"
    id: uuid.UUID
    kind: Kind
    state: Literal["running", "done", "source_down", "ended"]
    whole: Annotated[bool, Field(description="true: all patients were read; false: only those that changed.")]
    began_at: Instant
    ended_at: Instant | None
    added: int
    changed: int
    unchanged: int
    left: int
    refused: int
    detail: Annotated[str, Field(description="Why the sync failed; empty if it did not.")]


class Touched(Shape):
    """A patient whom the sync added, changed or marked as left."""

    external_id: str
    what: str


class Refusal(Shape):
    """A record that the sync refused, in whole or in part."""

    place: str
    reason: str


class RunDetail(RunShape):
    """The report of one sync, with its first 200 touched patients and its first 200 refusals."""

    touched: list[Touched]
    refusals: list[Refusal]


class RunList(Shape):
    """A page of reports, the newest first."""

    items: list[RunShape]
    next: str | None


class SourceShape(Shape):
    """A patient source."""

    kind_of_object = "patient source"
    id: uuid.UUID
    kind: Kind
    place: str
    every_minutes: int
    next_at: Instant
    working: Annotated[bool, Field(description="true: a sync is running or about to run.")]


class SourceList(Shape):
    """The clinic's patient sources: at most one."""

    items: list[SourceShape]
    next: str | None


@operation(
    router,
    Operation("GET", "/patient-sources", Role.VIEWER, SourceList, examples.PATIENT_SOURCES, query=Parameters),
)
def list_sources(request: HttpRequest) -> SourceList:
    """List the clinic's patient sources."""
    row = configuration.of_clinic(caller_of(request).clinic)
    return SourceList(items=[_source(row)] if row else [], next=None)


@operation(router, Operation("GET", _ONE, Role.VIEWER, SourceShape, examples.PATIENT_SOURCE))
def read_source(request: HttpRequest, id: UUID) -> SourceShape:
    """Read one patient source."""
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
        fresh=True,
    ),
)
def set_source(request: HttpRequest, body: NewSource) -> SourceShape:
    """Set a FHIR server as the clinic's patient source. It replaces the earlier source."""
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
    """Start a sync. The listener service begins it within seconds."""
    caller = caller_of(request)
    configuration.named(caller.clinic, id)
    return _source(configuration.ask_for_sync(caller, now=database_now()))


@operation(
    router, act(f"{_ONE}/remove", SourceList, examples.NO_PATIENT_SOURCES, body_example={}, role=Role.ADMIN, fresh=True)
)
def remove_source(request: HttpRequest, id: UUID, body: NoBody = None) -> SourceList:
    """Remove a patient source. Its patients stay."""
    caller = caller_of(request)
    configuration.named(caller.clinic, id)
    configuration.remove(caller, now=database_now(), id=id)
    return SourceList(items=[], next=None)


@operation(router, Operation("GET", "/sync-runs", Role.VIEWER, RunList, examples.SYNC_RUNS, query=ListParameters))
def list_runs(request: HttpRequest, query: Query[ListParameters]) -> RunList:
    """List the reports of syncs, the newest first. The last 200 are kept."""
    after = int(read_cursor(_RUNS, query.cursor)) if query.cursor else 0
    runs = sync.runs(caller_of(request).clinic, after=after, limit=query.limit + 1)
    more = cursor_of(_RUNS, str(after + query.limit)) if len(runs) > query.limit else None
    return RunList(items=[RunShape(**_run(run)) for run in runs[: query.limit]], next=more)


@operation(router, Operation("GET", "/sync-runs/{id}", Role.VIEWER, RunDetail, examples.SYNC_RUN))
def read_run(request: HttpRequest, id: UUID) -> RunDetail:
    """Read one report, with the patients who were added, changed, marked as left or refused, and why."""
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
        place=configuration.shown_address(row),
        every_minutes=int(row.every.total_seconds() // 60),
        next_at=row.next_at,
        working=configuration.is_working(row, now=database_now()),
    )


def _run(run: SyncRun) -> dict[str, object]:
    return {name: getattr(run, name) for name in RunShape.model_fields}
