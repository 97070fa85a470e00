"""A patient's rights: all that is held, handed over; erased; two patients made one. The rules stand in rights/."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Literal, cast
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Query, Router
from pydantic import Field, StrictStr

from companion.api.examples import rights as examples
from companion.api.message_answers import shapes_of_items
from companion.api.message_shapes import MessageShape
from companion.api.operations import Operation, act, caller_of, operation
from companion.api.paging import Parameters
from companion.api.patient_answers import patient_of
from companion.api.patient_shapes import PatientShape
from companion.api.values import Body, Id, Instant, Shape
from companion.clinics.access import Caller
from companion.clinics.models import Role
from companion.patients import queries
from companion.planning import marks
from companion.rights import erasing, gathering, merge_preview, merging
from companion.rights.downloads import HTML, ZIP, download
from companion.rights.shapes import PatientExport
from companion.service.clock import database_now

router = Router(tags=["patients"])


class ExportParameters(Parameters):
    """The form of the export."""

    format: Annotated[
        Literal["json", "html", "zip"],
        Field(description="json; html, the same for people; zip, both with the files that the patient sent."),
    ] = "json"


@operation(
    router,
    Operation(
        "GET",
        "/patients/{id}/export",
        Role.PROVIDER,
        PatientExport,
        examples.EXPORT,
        query=ExportParameters,
        also=(HTML, ZIP),
        long=True,
        fresh=True,
    ),
)
def export_patient(request: HttpRequest, id: UUID, query: Query[ExportParameters]) -> PatientExport | HttpResponseBase:
    """Export all that is held about a patient. The audit trail notes the export."""
    caller = caller_of(request)
    patient = queries.patient(caller.clinic, id)
    if query.format == "json":
        return gathering.everything(caller, patient, now=database_now())
    return download(caller, patient, query.format, now=database_now())


class EraseBody(Body):
    """The confirmation of an erasure."""

    name: Annotated[
        StrictStr,
        Field(min_length=1, description="The patient's name, typed again. Case and spaces make no difference."),
    ]


class ErasureShape(Shape):
    """The results of an erasure."""

    id: UUID
    erased_at: Instant
    kept: Annotated[int, Field(description="Messages that stay on record, without name and text.")]
    cancelled: int
    to_delete: Annotated[int, Field(description="Messages of the last 48 hours that are now deleted from Telegram.")]


@operation(
    router,
    act(
        "/patients/{id}/erase",
        ErasureShape,
        examples.ERASURE,
        body_example=examples.ERASE,
        role=Role.ADMIN,
        fresh=True,
    ),
)
def erase_patient(request: HttpRequest, id: UUID, body: EraseBody) -> ErasureShape:
    """Erase a patient for good. It stays known that messages were sent, when and by whom, without name or text."""
    caller, now = caller_of(request), database_now()
    done = erasing.erase(caller, queries.patient(caller.clinic, id), body.name, now=now)
    return ErasureShape(id=done.id, erased_at=now, kept=done.kept, cancelled=done.cancelled, to_delete=done.to_delete)


class MergeParameters(Parameters):
    """The patient who goes on."""

    into: Annotated[UUID, Field(description="The id of the patient into whom the patient would be merged.")]


class MergeBody(Body):
    """The patient who goes on."""

    into: Annotated[Id, Field(description="The id of the patient into whom the patient is merged.")]


class TwiceShape(Shape):
    """An occurrence for which both patients have a message."""

    schedule: UUID
    occurrence: str
    stays: Annotated[UUID, Field(description="The message that stays: a sent one before all others.")]
    gives_way: UUID


class MergePreviewShape(Shape):
    """The effects of a merge."""

    patient: PatientShape
    into: PatientShape
    coming_of_patient: list[MessageShape]
    coming_of_into: list[MessageShape]
    twice: list[TwiceShape]
    notes: Annotated[list[str], Field(description="What stays, what is dropped, and where messages go.")]
    obstacle: Annotated[str | None, Field(description="Why the two can't be merged; null: they can.")]


class MergedShape(Shape):
    """The patient who goes on, after a merge."""

    id: UUID
    merged: Annotated[UUID, Field(description="The id that is no longer there. It answers 404 with `merged_into`.")]
    patient: PatientShape
    messages: Annotated[int, Field(description="The number of messages that were planned, moved or removed.")]
    complete: Annotated[bool, Field(description="false: the Planner is still working on this.")]


@operation(
    router,
    Operation(
        "GET",
        "/patients/{id}/merge",
        Role.PROVIDER,
        MergePreviewShape,
        examples.MERGE_PREVIEW,
        query=MergeParameters,
    ),
)
def preview_merge(request: HttpRequest, id: UUID, query: Query[MergeParameters]) -> MergePreviewShape:
    """Preview a merge of two patients who are one person: both plans, and what gives way."""
    caller, now = caller_of(request), database_now()
    clinic, patient = caller.clinic, queries.patient(caller.clinic, id)
    told = merge_preview.preview(caller, patient, merging.other_of(clinic, patient, query.into), now=now)
    return MergePreviewShape(
        patient=patient_of(told.gone, clinic),
        into=patient_of(told.stays, clinic),
        coming_of_patient=shapes_of_items(told.coming_of_gone),
        coming_of_into=shapes_of_items(told.coming_of_stays),
        twice=[
            TwiceShape(
                schedule=cast(UUID, one.stays.schedule_id),
                occurrence=one.stays.occurrence,
                stays=one.stays.pk,
                gives_way=one.gives_way.pk,
            )
            for one in told.twice
        ],
        notes=list(told.one.sentences),
        obstacle=told.obstacle or None,
    )


@operation(
    router,
    act("/patients/{id}/merge", MergedShape, examples.MERGED, body_example=examples.MERGE, role=Role.PROVIDER),
)
def merge_patients(request: HttpRequest, id: UUID, body: MergeBody) -> Callable[[], MergedShape]:
    """Merge a patient into another who is the same person. A withdrawn consent wins, and nothing is sent twice."""
    caller, now = caller_of(request), database_now()
    patient = queries.patient(caller.clinic, id)
    stays = merging.merge(caller, patient, merging.other_of(caller.clinic, patient, body.into), now=now)
    return lambda: _merged(caller, id, stays.pk, now)


def _merged(caller: Caller, gone: UUID, stays: UUID, now: dt.datetime) -> MergedShape:
    """The answer, after the commit: the Planner locks schedules before patients."""
    moves = marks.work_off_of(caller.clinic, stays, now=now)
    return MergedShape(
        id=stays,
        merged=gone,
        patient=patient_of(queries.patient(caller.clinic, stays), caller.clinic),
        messages=moves.messages if moves else 0,
        complete=moves is not None,
    )
