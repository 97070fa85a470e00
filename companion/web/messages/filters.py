"""What an address of the list or of the calendar asks for: the same words, read in one place.

Not here: finding it (schedules/queries.py, schedules/days.py).
"""

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import QueryDict

from companion.clinics.access import Caller
from companion.clinics.models import Clinic
from companion.clinics.refusals import Problem, Refused, Unknown
from companion.panel import standing
from companion.schedules import queries
from companion.schedules.models import Status
from companion.schedules.reasons import Reason
from companion.times.walls import FIRST_YEAR, LAST_YEAR, local, place
from companion.web.access import as_uuid


@dataclass(frozen=True, slots=True)
class View:
    """What the address asks for: a day's messages (the default), or all that match a filter."""

    status: str
    attention: bool
    q: str
    cohort: str
    patient: str
    schedule: str
    mine: bool
    day: dt.date
    dated: bool
    """Whether the day was named; else it is today."""
    after: str
    standing: str = ""
    """What a number of the Control Panel counts: its list."""
    reason: str = ""

    @property
    def filtered(self) -> bool:
        """Whether the list holds what matches, over all time unless a day is named, instead of a day."""
        return bool(self.kept)

    @property
    def words(self) -> str:
        """What the list holds, where the Control Panel led here."""
        held = standing.WORDS[standing.Standing(self.standing)] if self.standing else ""
        return ", ".join(filter(None, [held, Reason(self.reason).short if self.reason else ""]))

    @property
    def kept(self) -> dict[str, str]:
        """The filters alone, as they stand in an address."""
        filters = {
            "status": self.status,
            "attention": "1" if self.attention else "",
            "q": self.q,
            "cohort": self.cohort,
            "patient": self.patient,
            "schedule": self.schedule,
            "mine": "1" if self.mine else "",
            "standing": self.standing,
            "reason": self.reason,
        }
        return {name: value for name, value in filters.items() if value}

    def address(self, path: str, **more: str) -> str:
        """A page's address with the filters, these put in or, where empty, taken out."""
        query = urlencode({name: value for name, value in (self.kept | more).items() if value})
        return f"{path}?{query}" if query else path


def view(asked: QueryDict, clinic: Clinic, now: dt.datetime) -> View:
    """Reads an address. Raises Refused for a day that there isn't, Unknown for a filter that there isn't."""
    status = asked.get("status", "")
    if status and status not in Status.values:
        raise Unknown
    stands, reason = asked.get("standing", ""), asked.get("reason", "")
    if (stands and stands not in list(standing.Standing)) or (reason and reason not in list(Reason)):
        raise Unknown
    return View(
        status=status,
        attention=bool(asked.get("attention")),
        q=asked.get("q", "").strip(),
        cohort=asked.get("cohort", ""),
        patient=asked.get("patient", ""),
        schedule=asked.get("schedule", ""),
        mine=bool(asked.get("mine")),
        day=_day(asked.get("day", "")) or local(now, clinic.timezone).date(),
        dated=bool(asked.get("day")),
        after=asked.get("after", ""),
        standing=stands,
        reason=reason,
    )


def _day(text: str) -> dt.date | None:
    if not text:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise Refused(Problem("day", "There is no such day. Write it like 2026-12-24.")) from None
    if not FIRST_YEAR < day.year < LAST_YEAR:
        raise Refused(Problem("day", f"Days go from {FIRST_YEAR + 1} to {LAST_YEAR - 1}."))
    return day


def message_filter(view: View, caller: Caller, now: dt.datetime) -> queries.MessageFilter:
    """The same for the database, over all time. Raises Unknown for what can't be an id."""
    return queries.MessageFilter(
        status=view.status,
        attention_since=now - queries.ATTENTION if view.attention else None,
        q=view.q,
        cohort=as_uuid(view.cohort) if view.cohort else None,
        patient=as_uuid(view.patient) if view.patient else None,
        schedule=as_uuid(view.schedule) if view.schedule else None,
        mine=caller.name if view.mine else "",
    )


def bounds(day: dt.date, clinic: Clinic) -> tuple[dt.datetime, dt.datetime]:
    """The instants between which the clinic's clocks show this day."""
    midnight = dt.datetime.combine(day, dt.time())
    return place(midnight, clinic.timezone).at, place(midnight + dt.timedelta(days=1), clinic.timezone).at
