"""A list of Messages and planned messages together, with one order, one cursor and the same filters.

Between two pages the Planner may turn planned messages into Messages; the cursor must stay valid. So each list has a
seam: the first instant with a planned message when the list was begun. Before the seam, Messages are ordered by their
ids. From the seam on, Messages and planned messages are ordered by schedule, patient and Occurrence. So a Message has
the position that it had when it was planned.
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
from companion.clinics.refusals import no_cursor
from companion.patients.models import Patient
from companion.planning.planned_messages import NIL, PlannedMessage, PlannedMessages, Position, future_message
from companion.planning.planned_schedules import PlannedSchedules, planned_schedules
from companion.schedules import queries, wording
from companion.schedules.models import Message
from companion.schedules.queries import MessageFilter, Order
from companion.times.walls import FIRST_YEAR, LAST_YEAR

SCHEDULES: Final = 1000
"""The most Schedules that are read for one page, the soonest first."""
AHEAD: Final = dt.timedelta(days=731)
"""The span of time in which a patient's coming messages are looked for."""


@dataclass(frozen=True, slots=True)
class Item:
    """A Message, or a planned message (`planned`): a Message object without a row, whose id means nothing."""

    message: Message
    planned: bool = False
    patients: int = 1
    """The number of patients who are shown as one item. If there are several, the Message has no patient."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, the cursor of the next page, and whether the list holds all planned messages."""

    items: list[Item]
    next: str | None
    whole: bool


_Aware = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The seam, and the position of the page's last item. Before the seam only due instant and id form the position."""

    seam: _Aware
    due_at: _Aware
    schedule: uuid.UUID
    patient: uuid.UUID
    occurrence: Annotated[str, msgspec.Meta(pattern=r"^[0-9T:-]{0,19}$")]
    id: uuid.UUID

    @property
    def position(self) -> Position:
        return Position(self.due_at, self.schedule, self.patient, self.occurrence, self.id)


class _Row(NamedTuple):
    """A Message or a planned Occurrence, at its position in the list."""

    position: Position
    found: Message | PlannedMessage


@dataclass(frozen=True, slots=True)
class _Stored:
    """The Messages of the list, in its order, each with its position."""

    found: QuerySet[Message]
    seam: dt.datetime
    back: bool
    limit: int

    def before_seam(self, after: Position | None) -> Iterator[_Row]:
        """List the rows before the seam that follow the position."""
        found = self.found.filter(due_at__lt=self.seam)
        if after and after.due_at < self.seam:
            found = found.filter(self._behind({"due_at": after.due_at, "id": after.id}))
        elif after and not self.back:
            return
        for message in self._first(found, "due_at", "id"):
            yield _Row(Position(message.due_at, NIL, NIL, "", message.id), message)

    def from_seam(self, after: Position | None) -> Iterator[_Row]:
        """List the rows from the seam on that follow the position."""
        nil = Value(NIL, output_field=UUIDField())
        found = self.found.filter(due_at__gte=self.seam).annotate(
            schedule_or_nil=Coalesce("schedule_id", nil), patient_or_nil=Coalesce("patient_id", nil)
        )
        columns = ("due_at", "schedule_or_nil", "patient_or_nil", "occurrence", "id")
        if after and after.due_at >= self.seam:
            # The id is needed only for Messages without a schedule. For others the four columns before it are unique.
            found = found.filter(
                self._behind(dict(zip(columns[: 5 if after.schedule == NIL else 4], after, strict=False)))
            )
        elif after and self.back:
            return
        for message in self._first(found, *columns):
            own = NIL if message.schedule_id else message.id
            schedule, patient = message.schedule_id or NIL, message.patient_id or NIL
            yield _Row(Position(message.due_at, schedule, patient, message.occurrence, own), message)

    def _first(self, found: QuerySet[Message], *columns: str) -> QuerySet[Message]:
        return found.order_by(*(f"-{column}" if self.back else column for column in columns))[: self.limit]

    def _behind(self, position: Mapping[str, object]) -> Q:
        way = "lt" if self.back else "gt"
        condition = Q(pk__in=[])
        for column, value in reversed(list(position.items())):
            condition = Q(**{f"{column}__{way}": value}) | (Q(**{column: value}) & condition)
        # The first condition lets the database use the index; the second decides between rows with equal values.
        return Q(**{f"due_at__{way}e": position["due_at"]}) & condition


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
    """Return a page of Messages and planned messages that are due before `until`. Raises Refused for a wrong cursor.

    With `fold`, an Occurrence is one item if more than this number of patients get it at one instant.
    """
    back = order.startswith("-")
    cursor = _read(after) if after else None
    plan = planned_schedules(clinic, wanted, until=until, most=SCHEDULES)
    future = PlannedMessages(plan, limit + 1, back=back, fold=fold)
    since = _since(plan, wanted, until)
    seam, position = (cursor.seam, cursor.position) if cursor else (future.first(since, until) or until, None)
    stored = _Stored(queries.messages(clinic, replace(wanted, due_to=until)), seam, back, limit + 1)
    planned: Iterator[_Row] = (
        _Row(message.position, message) for message in future.walk(max(since, seam), until, position)
    )
    mixed = merge(stored.from_seam(position), planned, key=lambda row: row.position, reverse=back)
    first = stored.before_seam(position)
    both = chain(mixed, first) if back else chain(first, mixed)
    rows = list(islice(both, limit + 1))
    more = _written(seam, rows[limit - 1].position) if len(rows) > limit else None
    return Page(_items(clinic, [row.found for row in rows[:limit]]), more, plan.whole)


def _since(plan: PlannedSchedules, wanted: MessageFilter, until: dt.datetime) -> dt.datetime:
    """The instant from which messages may be planned that are not stored as Messages yet."""
    planned = min((schedule.planned_until for schedule in plan.schedules if schedule.planned_until), default=until)
    return max(wanted.due_from, planned) if wanted.due_from else planned


def _items(clinic: Clinic, rows: Sequence[Message | PlannedMessage]) -> list[Item]:
    planned = [row for row in rows if isinstance(row, PlannedMessage)]
    versions = wording.newest_versions(clinic, {message.schedule.id for message in planned})
    patients = Patient.objects.filter(clinic=clinic).in_bulk(
        {message.patient for message in planned if message.patient}
    )
    return [
        Item(
            future_message(
                row.schedule, row.coming, versions[row.schedule.id], patients[row.patient] if row.patient else None
            ),
            planned=True,
            patients=row.patients,
        )
        if isinstance(row, PlannedMessage)
        else Item(row)
        for row in rows
    ]


def _written(seam: dt.datetime, position: Position) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(seam, *position))).decode().rstrip("=")


def _read(cursor: str) -> _Cursor:
    try:
        plain = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        found = msgspec.json.decode(plain, type=_Cursor)
    except (msgspec.MsgspecError, ValueError, binascii.Error):
        found = None
    if not found or not all(FIRST_YEAR <= at.year <= LAST_YEAR + 1 for at in (found.seam, found.due_at)):
        raise no_cursor()
    return found
