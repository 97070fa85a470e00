"""Opt-outs: the chats that have said STOP. Nothing is changed here: only a chat's own Start undoes an opt-out."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Annotated

from django.db.models import Q
from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from companion.api.examples import opt_outs as examples
from companion.api.operations import Operation, caller_of, operation
from companion.api.paging import ListParameters, cursor_of, read_cursor
from companion.api.values import Instant, Shape
from companion.clinics import opt_outs
from companion.clinics.models import Clinic, OptOut, Role
from companion.patients.models import Patient

router = Router(tags=["patients"])
_LIST = "opt-outs"


class StoppedPatient(Shape):
    """A patient who is reached in this chat."""

    id: uuid.UUID
    name: str


class OptOutShape(Shape):
    """A chat that has opted out. It gets no messages for any patient."""

    id: uuid.UUID
    telegram_id: Annotated[
        int | None, Field(description="null: this clinic does not know, or no longer knows, whose chat it is.")
    ]
    at: Instant
    source: Annotated[str, Field(description="Who or what opted the chat out.")]
    patients: Annotated[
        list[StoppedPatient],
        Field(description="The patients who are reached in this chat; empty: the chat is a stranger's."),
    ]


class OptOutList(Shape):
    """A page of opt-outs, the newest first."""

    items: list[OptOutShape]
    next: str | None


@operation(router, Operation("GET", "/opt-outs", Role.VIEWER, OptOutList, examples.OPT_OUTS, query=ListParameters))
def list_opt_outs(request: HttpRequest, query: Query[ListParameters]) -> OptOutList:
    """List the chats that have said STOP. Pressing Start in a chat removes it from the list."""
    clinic = caller_of(request).clinic
    found = opt_outs.newest_first(clinic)
    if query.cursor:
        at, last = _read(read_cursor(_LIST, query.cursor))
        found = found.filter(at__lte=at).filter(Q(at__lt=at) | Q(id__lt=last))
    rows = list(found[: query.limit + 1])
    items = rows[: query.limit]
    after = cursor_of(_LIST, f"{items[-1].id}{items[-1].at.isoformat()}") if len(rows) > query.limit else None
    return OptOutList(items=_shapes(clinic, items), next=after)


def _shapes(clinic: Clinic, items: Sequence[OptOut]) -> list[OptOutShape]:
    chats = {one.telegram_id for one in items}
    here: dict[int | None, list[StoppedPatient]] = {}
    for patient in Patient.objects.filter(clinic=clinic, telegram_id__in=chats, left_at__isnull=True).order_by("name"):
        here.setdefault(patient.telegram_id, []).append(StoppedPatient(id=patient.id, name=patient.name))
    return [_shape(one, here.get(one.telegram_id, [])) for one in items]


def _shape(one: OptOut, patients: list[StoppedPatient]) -> OptOutShape:
    # An opt-out that came along with a bot may be a stranger's to this clinic. Then its number is not shown.
    known = one.source != opt_outs.CAME_ALONG or patients
    return OptOutShape(
        id=one.id, telegram_id=one.telegram_id if known else None, at=one.at, source=one.source, patients=patients
    )


def _read(cursor: str) -> tuple[dt.datetime, uuid.UUID]:
    return dt.datetime.fromisoformat(cursor[36:]), uuid.UUID(cursor[:36])
