"""Working days: which days a Schedule avoids, and on which day it goes out instead.

Not here: days on which the clocks change (walls.py). Public holidays come from the package `holidays`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from companion.times.walls import local, resolve

if TYPE_CHECKING:
    from holidays import HolidayBase

FARTHEST: Final = 14
"""The largest number of days by which an Occurrence moves. If no working day is that near, it is skipped."""
_DAY: Final = timedelta(days=1)
_SATURDAY_AND_SUNDAY: Final = frozenset((5, 6))
_RULES: Final = "working days 2"
"""The version of the rules in this file. Increase it if a change must make plans of older rules anew."""


class WhenAvoided(StrEnum):
    """The treatment of an Occurrence on a day to avoid."""

    SKIP = "skip"
    NEXT = "next"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class Avoid:
    """The kinds of days that a Schedule avoids."""

    weekends: bool = False
    holidays: bool = False
    closed_days: bool = False

    def __bool__(self) -> bool:
        return self.weekends or self.holidays or self.closed_days


@dataclass(frozen=True, slots=True)
class Calendar:
    """A clinic's days off: its country (ISO 3166-1) and region, both "" if unknown, and its closed days."""

    country: str = ""
    region: str = ""
    closed_days: frozenset[date] = frozenset()


ANY_DAY: Final = Avoid()
"""The value that avoids no day."""
DAYS_OFF: Final = Avoid(weekends=True, holidays=True, closed_days=True)
"""All days but working days."""


def is_avoided(day: date, avoid: Avoid, calendar: Calendar) -> bool:
    """Return whether this is a day to avoid. Without a country, the weekend is Saturday and Sunday."""
    return (
        (avoid.closed_days and day in calendar.closed_days)
        or (avoid.weekends and day.weekday() in _weekend(calendar.country))
        or (avoid.holidays and _is_holiday(day, calendar.country, calendar.region))
    )


def working_day(day: date, avoid: Avoid, when: WhenAvoided, calendar: Calendar) -> date | None:
    """The day itself or, if it is to be avoided, the working day to which it moves; None: it is skipped.

    A working day is no weekend, public holiday or closed day, even if only some of these are to be avoided.
    """
    if not is_avoided(day, avoid, calendar):
        return day
    if when is WhenAvoided.SKIP:
        return None
    step = _DAY if when is WhenAvoided.NEXT else -_DAY
    for _ in range(FARTHEST):
        day += step
        if not is_avoided(day, DAYS_OFF, calendar):
            return day
    return None


def kept_off(day: date, avoid: Avoid, calendar: Calendar) -> Avoid:
    """The days that an Occurrence of this day keeps off: all days off once it is moved to a working day."""
    return DAYS_OFF if is_avoided(day, avoid, calendar) else avoid


def moved_to_working_day(
    at: datetime, zone: str, avoid: Avoid, when: WhenAvoided, calendar: Calendar
) -> datetime | None:
    """The instant itself or, if the zone's clocks show a day to avoid, the same time on the working day.

    None: it is skipped.
    """
    wall = local(at, zone).replace(tzinfo=None, fold=0)
    day = working_day(wall.date(), avoid, when, calendar)
    if day is None or day == wall.date():
        return at if day else None
    return resolve(datetime.combine(day, wall.time()), zone).at


def next_working_day(day: date, calendar: Calendar) -> date | None:
    """The first day after this day that is no weekend, holiday or closed day; None within FARTHEST days."""
    return working_day(day + _DAY, DAYS_OFF, WhenAvoided.NEXT, calendar)


def holiday_name(day: date, calendar: Calendar) -> str:
    """The name of the public holiday on this day, in English if that name is known; empty for any other day."""
    return str(_public(calendar.country, calendar.region).get(day, "")) if calendar.country else ""


@cache
def regions_by_country() -> Mapping[str, Sequence[str]]:
    """All countries whose holidays are known, each with its regions' codes."""
    from holidays import list_supported_countries  # late, as in _public

    return {country: tuple(regions) for country, regions in list_supported_countries(include_aliases=False).items()}


def region_names(country: str) -> Mapping[str, str]:
    """The regions of a country: code and name, in the order of the names."""
    found = {code: name for name, code in _public(country, "").subdivisions_aliases.items()} if country else {}
    regions = {code: found.get(code, code) for code in regions_by_country().get(country, ())}
    return dict(sorted(regions.items(), key=lambda region: region[1]))


@cache
def releases() -> str:
    """The releases of time zones, holidays and our rules that plans depend on, as a short text."""
    return f"tzdata {version('tzdata')}, holidays {version('holidays')}, {_RULES}"


@lru_cache(maxsize=512)
def _public(country: str, region: str) -> "HolidayBase":
    # Importing the package takes a third of a second. Commands that ask for no holiday don't import it.
    from holidays import country_holidays

    # Without a language, the names would be in the machine's language.
    return country_holidays(country, subdiv=region or None, language="en_US")


@lru_cache(maxsize=65536)
def _is_holiday(day: date, country: str, region: str) -> bool:
    return bool(country) and day in _public(country, region)


@cache
def _weekend(country: str) -> frozenset[int]:
    return frozenset(_public(country, "").weekend) if country else _SATURDAY_AND_SUNDAY
