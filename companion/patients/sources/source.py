"""The interface of a source of patients: read all of them, or those that changed since a point of the source's time.

A source yields values unchecked; fields.py checks them. A source writes nothing.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

Point = dt.datetime | int | str
"""The point up to which a source was read: a time, a number or a text, as the source has it."""

_OVERLAP: Final = dt.timedelta(minutes=10)
"""A span that is read again each time, because a row may become visible later than the instant in it."""

WITHOUT: Final = "The patient was stored without it."


class SourceDown(Exception):
    """A source that can't be read completely. The message is for people; it contains no address, password or value of
    a patient.
    """


@dataclass(frozen=True, slots=True)
class Found:
    """A patient in the source. `place` names the row or the resource, for the report."""

    place: str
    values: Mapping[str, object] = field(repr=False)
    """Values by our fields' names; fields that are empty in the source are missing."""
    left: bool = False
    """The patient has left or died."""
    changed: Point | None = None
    trouble: str = field(default="", repr=False)
    """A sentence for people: why the patient is refused, or (with `values`) why one value is refused."""


class Source(Protocol):
    """A source that is ready to be read. Both methods may raise SourceDown, even after some rows."""

    def read_all(self) -> Iterator[Found]:
        """Every patient there."""
        ...

    def read_changed_since(self, point: Point) -> Iterator[Found]:
        """The patients that changed at `point` or later; every patient if the source can't tell."""
        ...


def before(point: dt.datetime) -> dt.datetime:
    """Return the time from which to read again: some minutes before the point, or the point itself in the year 1."""
    try:
        return point - _OVERLAP
    except OverflowError:
        return point


def not_ahead(point: Point | None, now: dt.datetime) -> Point | None:
    """Return the point; None for a time more than a day ahead, since a wrong time must not hide the changes before it.

    A time without a zone may be up to 14 hours ahead of UTC.
    """
    if not isinstance(point, dt.datetime):
        return point
    at = point if point.tzinfo else point.replace(tzinfo=dt.UTC)
    return None if at > now + dt.timedelta(days=1) else point


def point_text(point: Point) -> str:
    """The point as stored text."""
    match point:
        case dt.datetime():
            return f"t{point.isoformat()}"
        case int():
            return f"n{point}"
        case _:
            return f"s{point}"


def text_point(text: str) -> Point:
    """The point from stored text."""
    kind, value = text[0], text[1:]
    if kind == "t":
        return dt.datetime.fromisoformat(value)
    return int(value) if kind == "n" else value


def later(first: Point | None, second: Point | None) -> Point | None:
    """The later of two points. Raises SourceDown if their types differ."""
    if first is None or second is None:
        return second if first is None else first
    match first, second:
        case dt.datetime(), dt.datetime():
            if (first.tzinfo is None) != (second.tzinfo is None):
                raise SourceDown(MIXED)
            return max(first, second)
        case int(), int():
            return max(first, second)
        case str(), str():
            return max(first, second)
        case _:
            raise SourceDown(MIXED)


MIXED: Final = "The column that says when a row changed holds values of different kinds."
