"""The coming Occurrences of a Schedule by name, for people to choose from (to skip one, to change from one on)."""

import datetime as dt

from companion.planning import drafts
from companion.planning.occurrences import Coming, next_few, times_of
from companion.schedules.models import Schedule

SHOWN = 5


def upcoming(schedule: Schedule, *, now: dt.datetime, count: int = SHOWN) -> list[Coming]:
    """The next Occurrences in the Schedule's own zone; for "patient", as the clinic's clocks see them."""
    clinic, draft = schedule.clinic, drafts.of(schedule)
    zone = clinic.timezone if draft.timezone == drafts.PATIENT_ZONE else draft.timezone
    return next_few(draft, zone, times_of(clinic), after=now, count=count)
