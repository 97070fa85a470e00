"""FHIR's Period (hl7.org/fhir/R4/datatypes.html#Period): whether an element is in use now. Pure functions."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_PARTIAL: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_NEVER: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
"""The end of all that ends in the year 9999: many systems write 9999-12-31T23:59:59 for "without end"."""


def is_current(element: Mapping[str, object], now: dt.datetime) -> bool:
    """Return whether the element's period has begun and is not over, or whether it has no period.

    `now` has the zone in which dates without a zone are meant. A start or end that can't be read is ignored.
    """
    period = element.get("period")
    if not isinstance(period, Mapping):
        return True
    start, end = _span(period.get("start"), now.tzinfo), _span(period.get("end"), now.tzinfo)
    return (start is None or start.begins <= now) and (end is None or now < end.over)


class _Span(NamedTuple):
    """The instants at which a period begins and ends."""

    begins: dt.datetime
    over: dt.datetime


def _span(value: object, zone: dt.tzinfo | None) -> _Span | None:
    """The span of a FHIR dateTime: "2024-05" is the whole month; an end is inclusive."""
    written = value.strip() if isinstance(value, str) else ""
    try:
        if found := _PARTIAL.fullmatch(written):
            year, month, day = (int(part) if part else None for part in found.groups())
            first = dt.datetime(year or 0, month or 1, day or 1, tzinfo=zone)
            return _Span(first, _after(first, month, day))
        at = dt.datetime.fromisoformat(written)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    return _Span(at, _NEVER if at.year == dt.MAXYEAR else at + dt.timedelta(seconds=1))


def _after(first: dt.datetime, month: int | None, day: int | None) -> dt.datetime:
    """The end of the day, month or year that begins with `first`."""
    if first.year == dt.MAXYEAR:
        return _NEVER
    if day:
        return first + dt.timedelta(days=1)
    if month:
        return (first + dt.timedelta(days=31)).replace(day=1)
    return first.replace(year=first.year + 1)
