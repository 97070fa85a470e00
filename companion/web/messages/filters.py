"""The filters in an address of the list or of the calendar.

Not here: the queries (schedules/queries.py, schedules/days.py).
"""

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import QueryDict

from companion.clinics.access import Caller
from companion.clinics.ids import as_uuid
from companion.clinics.models import Clinic
from companion.clinics.refusals import Problem, Refused, Unknown
from companion.panel import message_counts
from companion.schedules import queries
from companion.schedules.days import Bounds
from companion.schedules.models import Status
from companion.schedules.reasons import Reason
from companion.times.walls import FIRST_YEAR, LAST_YEAR, local, resolve


@dataclass(frozen=True, slots=True)
class View:
    """The filters that an address names. Without a filter, the list shows a single day."""

    status: str
    attention: bool
    q: str
    cohort: str
    patient: str
    schedule: str
    mine: bool
    day: dt.date
    dated: bool
    """True if the address names `day`; otherwise `day` is today."""
    after: str
    measure: str = ""
    """The name of a number of the Control Panel; the list shows the messages that this number counts."""
    reason: str = ""

    @property
    def filtered(self) -> bool:
        """Say whether the list shows what matches the filters, of all days or of a named day, and not just a day."""
        return bool(self.parameters)

    @property
    def words(self) -> str:
        """Return the list's heading for a reader who comes from the Control Panel; otherwise an empty text."""
        shown = message_counts.WORDS[message_counts.Measure(self.measure)] if self.measure else ""
        return ", ".join(filter(None, [shown, Reason(self.reason).short if self.reason else ""]))

    @property
    def parameters(self) -> dict[str, str]:
        """Return the filters, without the day, as the parameters of an address."""
        filters = {
            "status": self.status,
            "attention": "1" if self.attention else "",
            "q": self.q,
            "cohort": self.cohort,
            "patient": self.patient,
            "schedule": self.schedule,
            "mine": "1" if self.mine else "",
            "standing": self.measure,
            "reason": self.reason,
        }
        return {name: value for name, value in filters.items() if value}

    def address(self, path: str, **more: str) -> str:
        """Build a page's address with the filters. `more` adds, replaces or (if empty) removes parameters."""
        query = urlencode({name: value for name, value in (self.parameters | more).items() if value})
        return f"{path}?{query}" if query else path


def view(query: QueryDict, clinic: Clinic, now: dt.datetime) -> View:
    """Read an address. Raises Refused for a day that doesn't exist, Unknown for an unknown filter."""
    status = query.get("status", "")
    if status and status not in Status.values:
        raise Unknown
    # Addresses call it "standing", and people have bookmarked such addresses.
    measure, reason = query.get("standing", ""), query.get("reason", "")
    if (measure and measure not in list(message_counts.Measure)) or (reason and reason not in list(Reason)):
        raise Unknown
    return View(
        status=status,
        attention=bool(query.get("attention")),
        q=query.get("q", "").strip(),
        cohort=query.get("cohort", ""),
        patient=query.get("patient", ""),
        schedule=query.get("schedule", ""),
        mine=bool(query.get("mine")),
        day=_day(query.get("day", "")) or local(now, clinic.timezone).date(),
        dated=bool(query.get("day")),
        after=query.get("after", ""),
        measure=measure,
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
    """Build the filter for the database; it doesn't limit the days. Raises Unknown for a text that can't be an id."""
    return queries.MessageFilter(
        status=view.status,
        attention_since=now - queries.ATTENTION if view.attention else None,
        q=view.q,
        cohort=as_uuid(view.cohort) if view.cohort else None,
        patient=as_uuid(view.patient) if view.patient else None,
        schedule=as_uuid(view.schedule) if view.schedule else None,
        mine=caller.name if view.mine else "",
    )


def bounds(day: dt.date, clinic: Clinic) -> Bounds:
    """Return the instants at which this day begins and ends in the clinic's time zone."""
    midnight = dt.datetime.combine(day, dt.time())
    return Bounds(resolve(midnight, clinic.timezone).at, resolve(midnight + dt.timedelta(days=1), clinic.timezone).at)
