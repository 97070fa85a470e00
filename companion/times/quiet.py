"""Quiet hours: whether an instant lies in them on a patient's clock, and when they end.

Not here: whether a Message waits for their end. Its Schedule decides.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from companion.times.walls import Moved, local, resolve

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours of each day from `start` until just before `end`.

    They go over midnight if `end` is the smaller time. There are none if both are equal.
    """

    start: time
    end: time


def quiet_until(at: datetime, zone: str, quiet: QuietHours) -> datetime | None:
    """The instant (UTC) at which the quiet hours around `at` end; None outside of them.

    They begin when the zone's clock first reaches `start`, and end when the clock then first reaches `end`. If the
    clock goes back in between, they end and begin once only. The answer itself never lies in quiet hours.
    """
    if quiet.start == quiet.end:
        return None
    end = _end_around(at, zone, quiet)
    if end is None:
        return None
    # If a zone skips a whole day, quiet hours may end at the instant at which the next night's quiet hours begin.
    return quiet_until(end, zone, quiet) or end


def _end_around(at: datetime, zone: str, quiet: QuietHours) -> datetime | None:
    today = local(at, zone).date()
    over_midnight = _DAY if quiet.end < quiet.start else timedelta()
    # Tomorrow counts, too: a clock that went back over midnight has shown that day before.
    for day in (today - _DAY, today, today + _DAY):
        if _reached(day, quiet.start, zone) <= at:
            end = _reached(day + over_midnight, quiet.end, zone)
            if at < end:
                return end
    return None


@lru_cache(maxsize=4096)  # each begin of an Attempt needs it, for many patients in few zones
def _reached(day: date, hour: time, zone: str) -> datetime:
    """The first instant (UTC, to the second) at which the zone's clock shows this wall time or has jumped over it."""
    wall = datetime.combine(day, hour)
    resolved = resolve(wall, zone)
    if resolved.moved is not Moved.DST_GAP:
        return resolved.at
    # The clock jumped at most the gap's length before this instant. zoneinfo doesn't say when, so search by halves.
    late = resolved.at
    early = late - (resolved.wall - wall)
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=1) // 2)
        if local(middle, zone).replace(tzinfo=None) < wall:
            early = middle
        else:
            late = middle
    return late.astimezone(UTC)
