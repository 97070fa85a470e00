"""The Messages of each day, counted or listed, for the calendar. Reads only.

A single statement reads all days. It reads at most a fixed number of rows for each day, also for a large clinic.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet

from companion.schedules import sql
from companion.schedules.models import Message, Status
from companion.schedules.queries import COUNTED_TO


class Bounds(NamedTuple):
    """The instants at which a day begins and ends."""

    begin: dt.datetime
    end: dt.datetime


class FewOfDay(NamedTuple):
    """A day, and the largest number of its Messages to be read."""

    bounds: Bounds
    most: int


@dataclass(frozen=True, slots=True)
class DayCount:
    """The number of a day's Messages with this status and Schedule (None: single messages and answers)."""

    schedule: uuid.UUID | None
    status: Status
    count: int
    first: dt.datetime
    last: dt.datetime


def counts_of(found: QuerySet[Message], days: Sequence[Bounds]) -> list[list[DayCount]]:
    """Count these Messages for each day, by schedule and status, up to COUNTED_TO a day."""
    counted: list[list[DayCount]] = [[] for _ in days]
    inner, parameters = _each_day(found, [FewOfDay(day, COUNTED_TO) for day in days], "schedule_id", "status", "due_at")
    if inner:
        by = "day, schedule_id, status"
        statement = f"SELECT {by}, COUNT(*), MIN(due_at), MAX(due_at) FROM ({inner}) AS days GROUP BY {by}"  # noqa: S608  (the ORM's own text)
        for day, schedule, status, count, first, last in sql.run(statement, parameters):
            counted[sql.as_int(day)].append(
                DayCount(
                    None if schedule is None else sql.as_uuid(schedule),
                    Status(str(status)),
                    sql.as_int(count),
                    sql.as_instant(first),
                    sql.as_instant(last),
                )
            )
    return counted


def earliest(found: QuerySet[Message], days: Sequence[FewOfDay]) -> list[Message]:
    """The earliest of these Messages on each day, up to the number beside the day, in their order."""
    inner, parameters = _each_day(found, days, "id")
    if not inner:
        return []
    ids = [sql.as_uuid(row[1]) for row in sql.run(inner, parameters)]
    return sorted(found.filter(pk__in=ids), key=lambda message: (message.due_at, message.id))


class _Statement(NamedTuple):
    """A statement and its parameters."""

    text: str
    parameters: tuple[object, ...]


def _each_day(found: QuerySet[Message], days: Sequence[FewOfDay], *columns: str) -> _Statement:
    """Join the statements of the days, each with its limit. Returns an empty text if no Message can match."""
    pieces: list[str] = []
    parameters: tuple[object, ...] = ()
    for number, ((begin, end), most) in enumerate(days):
        wanted = found.filter(due_at__gte=begin, due_at__lt=end).order_by("due_at", "id").values(*columns)[:most]
        try:
            text, values = wanted.query.sql_with_params()
        except EmptyResultSet:
            return _Statement("", ())
        pieces.append(f"SELECT {number} AS day, few.* FROM ({text}) AS few")  # noqa: S608  (the ORM's own text)
        parameters += tuple(values)
    return _Statement(" UNION ALL ".join(pieces), parameters)
