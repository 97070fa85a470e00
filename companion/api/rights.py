"""A patient's rights: export all data about a patient, erase a patient, merge two. The rules are in rights/."""

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
        Field(description="json: for programs; html: for people; zip: both, with the files that the patient sent."),
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
    """Export all data about a patient. The export is recorded in the audit trail."""
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
    kept: Annotated[int, Field(description="The number of messages that stay on record, without name and text.")]
    cancelled: Annotated[int, Field(description="The number of pending messages that were cancelled.")]
    to_delete: Annotated[
        int, Field(description="The number of messages of the last 48 hours that are now being deleted from Telegram.")
    ]


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
    """Erase a patient for good. The record of sent messages stays, with times and authors, without name and text."""
    caller, now = caller_of(request), database_now()
    done = erasing.erase(caller, queries.patient(caller.clinic, id), body.name, now=now)
    return ErasureShape(id=done.id, erased_at=now, kept=done.kept, cancelled=done.cancelled, to_delete=done.to_delete)


class MergeParameters(Parameters):
    """The patient who would remain after the merge."""

    into: Annotated[UUID, Field(description="The id of the patient into whom the patient would be merged.")]


class MergeBody(Body):
    """The patient who remains."""

    into: Annotated[Id, Field(description="The id of the patient into whom the patient is merged.")]


class TwiceShape(Shape):
    """An occurrence for which both patients have a message."""

    schedule: UUID
    occurrence: str
    stays: Annotated[UUID, Field(description="The message that stays. If one of the two was sent, it is that message.")]
    gives_way: Annotated[UUID, Field(description="The message that is removed.")]


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
    """The patient who remained, after a merge."""

    id: UUID
    merged: Annotated[
        UUID,
        Field(
            description="The id of the other patient. A call with it gets 404, with the remaining id in `merged_into`."
        ),
    ]
    patient: PatientShape
    messages: Annotated[int, Field(description="The number of messages that were planned, moved or removed.")]
    complete: Annotated[bool, Field(description="false: the Planner is still working on this change.")]


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
    """Preview a merge of two patients who are one person: the plans of both, and the messages that are removed."""
    caller, now = caller_of(request), database_now()
    clinic, patient = caller.clinic, queries.patient(caller.clinic, id)
    preview = merge_preview.preview(caller, patient, merging.other_of(clinic, patient, query.into), now=now)
    return MergePreviewShape(
        patient=patient_of(preview.gone, clinic),
        into=patient_of(preview.stays, clinic),
        coming_of_patient=shapes_of_items(preview.coming_of_gone),
        coming_of_into=shapes_of_items(preview.coming_of_stays),
        twice=[
            TwiceShape(
                schedule=cast(UUID, pair.stays.schedule_id),
                occurrence=pair.stays.occurrence,
                stays=pair.stays.pk,
                gives_way=pair.gives_way.pk,
            )
            for pair in preview.twice
        ],
        notes=list(preview.merged.sentences),
        obstacle=preview.obstacle or None,
    )


@operation(
    router,
    act("/patients/{id}/merge", MergedShape, examples.MERGED, body_example=examples.MERGE, role=Role.PROVIDER),
)
def merge_patients(request: HttpRequest, id: UUID, body: MergeBody) -> Callable[[], MergedShape]:
    """Merge a patient into another patient who is the same person.

    If one of the two withdrew consent, it stays withdrawn. No message is sent twice.
    """
    caller, now = caller_of(request), database_now()
    patient = queries.patient(caller.clinic, id)
    stays = merging.merge(caller, patient, merging.other_of(caller.clinic, patient, body.into), now=now)
    return lambda: _merged(caller, id, stays.pk, now)


def _merged(caller: Caller, gone: UUID, stays: UUID, now: dt.datetime) -> MergedShape:
    """Build the answer. It runs after the commit, without locks: the Planner locks schedules before patients."""
    moves = marks.work_off_of(caller.clinic, stays, now=now)
    return MergedShape(
        id=stays,
        merged=gone,
        patient=patient_of(queries.patient(caller.clinic, stays), caller.clinic),
        messages=moves.messages if moves else 0,
        complete=moves is not None,
    )
