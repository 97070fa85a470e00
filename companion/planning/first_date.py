"""The warning that no message goes out on the start's date, because the rule doesn't give this date."""

import datetime as dt
from typing import Final

from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic
from companion.planning.drafts import Draft
from companion.planning.occurrences import coming, times_of
from companion.planning.timing import Timing
from companion.planning.warnings import Warning
from companion.times import recurrence, walls
from companion.times.workdays import Avoid, Calendar, holiday_name, is_avoided

_SECOND: Final = dt.timedelta(seconds=1)


def of_first_date(clinic: Clinic, draft: Draft, zone: str, *, now: dt.datetime) -> list[Warning]:
    """Warn if no message goes out on the start's date, and it is not past: "27 Nov is a Friday; the first …"."""
    timing = draft.timing
    day, today = timing.starts_at.date(), walls.local(now, zone).date()
    if day < today or _goes_out_on(day, timing, calendar_of(clinic)):
        return []
    floor = now if timing.recurrence else now - draft.late_after
    first = next(coming(timing, zone, times_of(clinic), after=floor), None)
    if first is None or first.local.date() == day:
        return []
    why = _why_not(day, timing, calendar_of(clinic))
    what = "the first message is" if timing.recurrence else "the message goes out on"
    sentence = f"{_date(day, today)} {why}; {what} {first.local:%a} {_date(first.local.date(), today)}."
    return [Warning(None, "first_on_another_date", sentence)]


def _goes_out_on(day: dt.date, timing: Timing, calendar: Calendar) -> bool:
    before = dt.datetime.combine(day, dt.time.min) - _SECOND
    given = next(recurrence.occurrences(timing.starts_at, timing.recurrence, after=before), None)
    return given is not None and given.date() == day and not is_avoided(day, timing.avoid, calendar)


def _why_not(day: dt.date, timing: Timing, calendar: Calendar) -> str:
    skipped = timing.recurrence.except_ if timing.recurrence else ()
    if any((exception.date() if isinstance(exception, dt.datetime) else exception) == day for exception in skipped):
        return "is skipped"
    if timing.avoid.closed_days and is_avoided(day, Avoid(closed_days=True), calendar):
        return "is a closed day"
    if timing.avoid.holidays and (name := holiday_name(day, calendar)):
        return f"is a public holiday ({name})"
    return f"is a {day:%A}"


def _date(day: dt.date, today: dt.date) -> str:
    """Write a date like "3 Dec", with the year if it is not this year."""
    return f"{day.day} {day:%b}" if day.year == today.year else f"{day.day} {day:%b %Y}"
