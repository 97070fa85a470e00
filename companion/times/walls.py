"""Wall times and instants: the instant of a local wall time in a time zone, and the names of both.

Not here: which wall times a rule gives (recurrence.py), and the quiet hours that may move them (quiet.py).
"""

import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

# The system's zone files differ from machine to machine; the tzdata package is pinned, so all plan the same instants.
zoneinfo.reset_tzpath(to=())
ZoneInfo.clear_cache()

FIRST_YEAR: Final = 1900  # early enough for a rule that starts on a birth date
LAST_YEAR: Final = 2100

# Hour 24 is left out by hand: newer Pythons read it as the next day's midnight.
_WALL: Final = re.compile(r"(\d{4})-\d{2}-\d{2}T(?:[01]\d|2[0-3]):\d{2}(?::\d{2})?", re.ASCII)


class Moved(StrEnum):
    """The reason why a Message goes out at another wall time than its Occurrence's name says."""

    DST_GAP = "dst_gap"
    DST_FOLD = "dst_fold"
    QUIET_HOURS = "quiet_hours"
    MONTH_END = "month_end"
    WORKING_DAY = "working_day"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A wall time resolved in a zone: the naive wall time that the zone's clocks show, and the instant in UTC."""

    wall: datetime
    at: datetime
    moved: Moved | None


@cache
def zone_names() -> Sequence[str]:
    """All IANA names of the tzdata package, sorted."""
    names = set((files("tzdata") / "zones").read_text(encoding="ascii").split())
    # IANA's sign for "no zone was chosen". A patient with this zone would silently get UTC.
    names.discard("Factory")
    return tuple(sorted(names))


@cache
def _known() -> frozenset[str]:
    return frozenset(zone_names())


def is_zone(name: str) -> bool:
    """Return whether this is an IANA name, letter by letter."""
    return name in _known()


@cache
def zone_info(name: str) -> ZoneInfo:
    """The zone of this IANA name. Raises ValueError if there is none."""
    if not is_zone(name):
        raise ValueError("Not the name of a time zone.")
    return ZoneInfo(name)


def resolve(wall: datetime, zone: str) -> Resolved:
    """Resolve a naive wall time in a zone.

    If the zone's clocks skip the wall time, it moves later by the length of the gap (02:30 to 03:30, `dst_gap`), even
    if they skip a whole day. If the clocks show it twice, it means the first of both (`dst_fold`).
    Raises ValueError for an aware `wall`.
    """
    if wall.tzinfo is not None:
        raise ValueError("A wall time carries no offset.")
    first = wall.replace(tzinfo=zone_info(zone), fold=0)
    at = first.astimezone(UTC)
    if first.utcoffset() == first.replace(fold=1).utcoffset():
        return Resolved(wall.replace(fold=0), at, None)
    shown = local(at, zone).replace(tzinfo=None, fold=0)
    return Resolved(shown, at, Moved.DST_FOLD if shown == wall else Moved.DST_GAP)


def local(at: datetime, zone: str) -> datetime:
    """The instant on a zone's clocks, aware. Raises ValueError for a naive `at`."""
    if at.tzinfo is None:
        # astimezone() would read a naive time as this machine's.
        raise ValueError("An instant carries an offset.")
    return at.astimezone(zone_info(zone))


def parse_wall(text: str) -> datetime:
    """Read "2026-12-01T09:00", or with seconds. Raises ValueError, with a sentence for people, for all else."""
    found = _WALL.fullmatch(text)
    if not found:
        raise ValueError("Write a local date and time without an offset, like 2026-12-01T09:00.")
    if not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise ValueError(f"Years go from {FIRST_YEAR} to {LAST_YEAR}.")
    try:
        return datetime.fromisoformat(text)
    except ValueError as impossible:
        raise ValueError("There is no such date or time.") from impossible


def wall_name(wall: datetime) -> str:
    """The name of the Occurrence at this naive wall time: "2026-12-01T09:00", with seconds unless they are 0.

    Raises ValueError for an offset or a fraction of a second, which no name can hold.
    """
    if wall.tzinfo is not None or wall.microsecond:
        raise ValueError("An Occurrence is named by a wall time of whole seconds without an offset.")
    return wall.isoformat(timespec="seconds" if wall.second else "minutes")
