"""The year at a glance: the days of the next twelve months on which a Schedule goes out, arranged in months."""

import calendar
import datetime as dt
from dataclasses import dataclass
from itertools import islice
from typing import Final

from companion.clinics.models import Clinic
from companion.planning import recipients
from companion.planning.drafts import Draft
from companion.planning.occurrences import coming, times_of
from companion.times import walls
from companion.times.walls import Moved

MOST: Final = 5000
"""The most Occurrences that are computed: with more than thirteen a day, the last days of the year are missing."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the year, with marks for a message on it and for a moved message on it."""

    date: dt.date
    on: bool
    moved: bool


@dataclass(frozen=True, slots=True)
class Month:
    """A month as weeks from Monday on; None stands for the days of other months."""

    first: dt.date
    weeks: tuple[tuple[Day | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Year:
    """Twelve months from this month on, in one of the recipients' zones."""

    timezone: str
    months: tuple[Month, ...]

    @property
    def days(self) -> list[Day]:
        """List the days on which the Schedule sends."""
        return [day for month in self.months for week in month.weeks for day in week if day and day.on]


def year_of(clinic: Clinic, draft: Draft, *, now: dt.datetime) -> Year:
    """Compute the next twelve months, in the first of the recipients' zones."""
    zone = recipients.zones(recipients.of_draft(clinic, draft), draft.timing.timezone, clinic.timezone)[0]
    today = walls.local(now, zone).date()
    firsts = [_first(today, ahead) for ahead in range(13)]
    end = walls.resolve(dt.datetime.combine(firsts[-1], dt.time()), zone).at
    found: dict[dt.date, bool] = {}
    for due in islice(coming(draft.timing, zone, times_of(clinic), after=now, until=end), MOST):
        day = due.local.date()
        found[day] = found.get(day, False) or due.moved in (Moved.WORKING_DAY, Moved.MONTH_END)
    return Year(zone, tuple(_month(first, found) for first in firsts[:-1]))


def _first(day: dt.date, months: int) -> dt.date:
    years, month = divmod(day.month - 1 + months, 12)
    return dt.date(day.year + years, month + 1, 1)


def _month(first: dt.date, found: dict[dt.date, bool]) -> Month:
    weeks = calendar.Calendar().monthdatescalendar(first.year, first.month)
    return Month(
        first,
        tuple(
            tuple(Day(day, day in found, found.get(day, False)) if day.month == first.month else None for day in week)
            for week in weeks
        ),
    )
