"""Opt-outs: the chats that have sent STOP. The API only lists them: only Start in the same chat undoes an opt-out."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple

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
_LIST: Final = "opt-outs"


class StoppedPatient(Shape):
    """A patient whose messages go to this chat."""

    id: uuid.UUID
    name: str


class OptOutShape(Shape):
    """A chat that has opted out. It gets no messages for any patient."""

    id: uuid.UUID
    telegram_id: Annotated[
        int | None, Field(description="null: this clinic does not know, or no longer knows, whose chat it is.")
    ]
    at: Instant
    source: Annotated[str, Field(description="How the opt-out came, for example patient: STOP.")]
    patients: Annotated[
        list[StoppedPatient],
        Field(description="The patients whose messages go to this chat; empty: the chat belongs to no patient."),
    ]


class OptOutList(Shape):
    """A page of opt-outs, the newest first."""

    items: list[OptOutShape]
    next: str | None


@operation(router, Operation("GET", "/opt-outs", Role.VIEWER, OptOutList, examples.OPT_OUTS, query=ListParameters))
def list_opt_outs(request: HttpRequest, query: Query[ListParameters]) -> OptOutList:
    """List the chats that have sent STOP. When Start is pressed in a chat, the chat leaves the list."""
    clinic = caller_of(request).clinic
    selected = opt_outs.newest_first(clinic)
    if query.cursor:
        last = _position(read_cursor(_LIST, query.cursor))
        selected = selected.filter(at__lte=last.at).filter(Q(at__lt=last.at) | Q(id__lt=last.id))
    rows = list(selected[: query.limit + 1])
    items = rows[: query.limit]
    after = cursor_of(_LIST, f"{items[-1].id}{items[-1].at.isoformat()}") if len(rows) > query.limit else None
    return OptOutList(items=_shapes(clinic, items), next=after)


def _shapes(clinic: Clinic, items: Sequence[OptOut]) -> list[OptOutShape]:
    chats = {item.telegram_id for item in items}
    by_chat: dict[int | None, list[StoppedPatient]] = {}
    for patient in Patient.objects.filter(clinic=clinic, telegram_id__in=chats, left_at__isnull=True).order_by("name"):
        by_chat.setdefault(patient.telegram_id, []).append(StoppedPatient(id=patient.id, name=patient.name))
    return [_shape(item, by_chat.get(item.telegram_id, [])) for item in items]


def _shape(item: OptOut, patients: list[StoppedPatient]) -> OptOutShape:
    # If the bot served another clinic before, its opt-outs came along with it. This clinic may not know these chats, so
    # it doesn't see their numbers.
    known = item.source != opt_outs.CAME_ALONG or patients
    telegram_id = item.telegram_id if known else None
    return OptOutShape(id=item.id, telegram_id=telegram_id, at=item.at, source=item.source, patients=patients)


class _Position(NamedTuple):
    """An opt-out's place in the order of the list."""

    at: dt.datetime
    id: uuid.UUID


def _position(cursor: str) -> _Position:
    return _Position(dt.datetime.fromisoformat(cursor[36:]), uuid.UUID(cursor[:36]))
