"""What a source of patients is: it can be read whole, or for what changed since a point of its own time.

It yields values as they stand there; fields.py judges them. It writes nothing, here or there.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

Point = dt.datetime | int | str
"""How far a source was read, in the kind of value by which it says when a row changed."""

OVERLAP: Final = dt.timedelta(minutes=10)
"""Read again each time: a row may become visible later than the instant that stands in it."""


WITHOUT: Final = "The patient was taken without it."


class SourceDown(Exception):
    """It can't be read, or not whole. The message is for people and holds no address, password or patient's value."""


@dataclass(frozen=True, slots=True)
class Found:
    """One patient as the source has them; `place` says where, for the report."""

    place: str
    values: Mapping[str, object] = field(repr=False)
    """By our fields' names; what the source leaves empty is not there."""
    left: bool = False
    """Has left, or died."""
    changed: Point | None = None
    trouble: str = field(default="", repr=False)
    """Why this one can't be taken, or (with `values`) what of it can't: a sentence for people."""


class Source(Protocol):
    """A source that is ready to be read. Both raise SourceDown, also midway."""

    def read_all(self) -> Iterator[Found]:
        """Every patient there."""
        ...

    def read_changed_since(self, point: Point) -> Iterator[Found]:
        """Those that changed at `point` or later; every one, where the source can't tell."""
        ...


def point_text(point: Point) -> str:
    """The point as it is kept."""
    match point:
        case dt.datetime():
            return f"t{point.isoformat()}"
        case int():
            return f"n{point}"
        case _:
            return f"s{point}"


def text_point(text: str) -> Point:
    """The point that was kept."""
    kind, value = text[0], text[1:]
    if kind == "t":
        return dt.datetime.fromisoformat(value)
    return int(value) if kind == "n" else value


def later(one: Point | None, other: Point | None) -> Point | None:
    """The later of two points. Raises SourceDown where they are of two kinds."""
    if one is None or other is None:
        return other if one is None else one
    match one, other:
        case dt.datetime(), dt.datetime():
            if (one.tzinfo is None) != (other.tzinfo is None):
                raise SourceDown(MIXED)
            return max(one, other)
        case int(), int():
            return max(one, other)
        case str(), str():
            return max(one, other)
        case _:
            raise SourceDown(MIXED)


MIXED: Final = "The column that says when a row changed holds values of different kinds."
