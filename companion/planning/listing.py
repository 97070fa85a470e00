"""A list of Messages with what is planned beyond them in between: one order, one cursor, one meaning of the filters.

A cursor stays true while the Planner turns what was planned into Messages between two pages. Before the seam, the first
instant at which something was planned when the list was begun, Messages go by their ids. From there on Messages and
what is planned go by schedule, patient and Occurrence, so that a Message stands where it stood when it was planned.
"""

import base64
import binascii
import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import chain, islice
from typing import Annotated, Final, NamedTuple

import msgspec
from django.db.models import Q, QuerySet, UUIDField, Value
from django.db.models.functions import Coalesce

from companion.clinics.models import Clinic
from companion.clinics.refusals import Problem, Refused
from companion.patients.models import Patient
from companion.planning.beyond import NIL, Beyond, Place, PlannedMessage, to_be
from companion.planning.yet_to_plan import ToPlan, to_plan
from companion.schedules import queries, wording
from companion.schedules.models import Message
from companion.schedules.queries import MessageFilter, Order
from companion.times.walls import FIRST_YEAR, LAST_YEAR

SCHEDULES: Final = 1000
"""So many Schedules are looked at for one page, those first of which something comes first."""


@dataclass(frozen=True, slots=True)
class Item:
    """A Message, or what will become one (`planned`): a Message without a row, whose id means nothing."""

    message: Message
    planned: bool = False
    patients: int = 1
    """More than one where they are shown together: the Message then has no patient."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, the cursor of the next one, and whether all that is planned was looked at."""

    items: list[Item]
    next: str | None
    whole: bool


_Aware = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The seam, and the place of the page's last item. Before the seam a Message's place is its id's alone."""

    seam: _Aware
    due_at: _Aware
    schedule: uuid.UUID
    patient: uuid.UUID
    occurrence: Annotated[str, msgspec.Meta(pattern=r"^[0-9T:-]{0,19}$")]
    id: uuid.UUID

    @property
    def place(self) -> Place:
        return Place(self.due_at, self.schedule, self.patient, self.occurrence, self.id)


class _Row(NamedTuple):
    """A Message, or an Occurrence that is yet to be planned, at its place in the list."""

    place: Place
    found: Message | PlannedMessage


@dataclass(frozen=True, slots=True)
class _Stored:
    """The Messages of the list, in its order, each with its place."""

    found: QuerySet[Message]
    seam: dt.datetime
    back: bool
    limit: int

    def before_seam(self, after: Place | None) -> Iterator[_Row]:
        """List the rows before the seam that follow the position."""
        found = self.found.filter(due_at__lt=self.seam)
        if after and after.due_at < self.seam:
            found = found.filter(self._behind({"due_at": after.due_at, "id": after.id}))
        elif after and not self.back:
            return
        for message in self._first(found, "due_at", "id"):
            yield _Row(Place(message.due_at, NIL, NIL, "", message.id), message)

    def from_seam(self, after: Place | None) -> Iterator[_Row]:
        """List the rows from the seam on that follow the position."""
        nil = Value(NIL, output_field=UUIDField())
        found = self.found.filter(due_at__gte=self.seam).annotate(
            schedule_or_nil=Coalesce("schedule_id", nil), patient_or_nil=Coalesce("patient_id", nil)
        )
        columns = ("due_at", "schedule_or_nil", "patient_or_nil", "occurrence", "id")
        if after and after.due_at >= self.seam:
            # Of a Schedule's Messages the id says nothing: the four before it name only one.
            found = found.filter(
                self._behind(dict(zip(columns[: 5 if after.schedule == NIL else 4], after, strict=False)))
            )
        elif after and self.back:
            return
        for message in self._first(found, *columns):
            own = NIL if message.schedule_id else message.id
            schedule, patient = message.schedule_id or NIL, message.patient_id or NIL
            yield _Row(Place(message.due_at, schedule, patient, message.occurrence, own), message)

    def _first(self, found: QuerySet[Message], *columns: str) -> QuerySet[Message]:
        return found.order_by(*(f"-{column}" if self.back else column for column in columns))[: self.limit]

    def _behind(self, place: Mapping[str, object]) -> Q:
        way = "lt" if self.back else "gt"
        condition = Q(pk__in=[])
        for column, value in reversed(list(place.items())):
            condition = Q(**{f"{column}__{way}": value}) | (Q(**{column: value}) & condition)
        # The first condition alone bounds the index; the other decides among equals.
        return Q(**{f"due_at__{way}e": place["due_at"]}) & condition


def page(
    clinic: Clinic,
    wanted: MessageFilter,
    until: dt.datetime,
    *,
    order: Order = "due_at",
    after: str | None = None,
    limit: int,
    fold: int | None = None,
) -> Page:
    """A page of what is due before `until`. Raises Refused for a cursor that is none of ours.

    With `fold`, more patients than these who get one Occurrence at one instant are one item.
    """
    back = order.startswith("-")
    plan = to_plan(clinic, wanted, until=until, most=SCHEDULES)
    beyond = Beyond(plan, limit + 1, back=back, fold=fold)
    since = _since(plan, wanted, until)
    cursor = _read(after) if after else None
    seam, place = (cursor.seam, cursor.place) if cursor else (beyond.first(since, until) or until, None)
    stored = _Stored(queries.messages(clinic, replace(wanted, due_to=until)), seam, back, limit + 1)
    planned: Iterator[_Row] = (_Row(yet.place, yet) for yet in beyond.walk(max(since, seam), until, place))
    mixed = merge(stored.from_seam(place), planned, key=lambda row: row.place, reverse=back)
    first = stored.before_seam(place)
    both = chain(mixed, first) if back else chain(first, mixed)
    rows = list(islice(both, limit + 1))
    more = _written(seam, rows[limit - 1].place) if len(rows) > limit else None
    return Page(_items(clinic, [row.found for row in rows[:limit]]), more, plan.whole)


def _since(plan: ToPlan, wanted: MessageFilter, until: dt.datetime) -> dt.datetime:
    """The instant from which something may be planned without having its Messages."""
    planned = min((one.planned_until for one in plan.schedules if one.planned_until), default=until)
    return max(wanted.due_from, planned) if wanted.due_from else planned


def _items(clinic: Clinic, rows: Sequence[Message | PlannedMessage]) -> list[Item]:
    yets = [row for row in rows if isinstance(row, PlannedMessage)]
    versions = wording.newest_versions(clinic, {yet.schedule.id for yet in yets})
    patients = Patient.objects.filter(clinic=clinic).in_bulk({yet.patient for yet in yets if yet.patient})
    return [
        Item(
            to_be(row.schedule, row.coming, versions[row.schedule.id], patients[row.patient] if row.patient else None),
            planned=True,
            patients=row.patients,
        )
        if isinstance(row, PlannedMessage)
        else Item(row)
        for row in rows
    ]


def _written(seam: dt.datetime, place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(seam, *place))).decode().rstrip("=")


def _read(cursor: str) -> _Cursor:
    try:
        plain = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        found = msgspec.json.decode(plain, type=_Cursor)
    except (msgspec.MsgspecError, ValueError, binascii.Error):
        found = None
    if not found or not all(FIRST_YEAR <= at.year <= LAST_YEAR + 1 for at in (found.seam, found.due_at)):
        raise Refused(Problem("cursor", "This cursor is none of this list's. Begin again without one."))
    return found
