"""Days on which a person skipped or changed something, and which a change of the times of day leaves to a person.

Where a day has another number of times than before, not every Occurrence has a counterpart: what a person did stays,
and these warnings name the days. Reads only.
"""

import datetime as dt
from collections.abc import Iterable

from django.db.models import Q

from companion.planning.changing import Change
from companion.planning.warnings import Warning
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.reasons import Reason
from companion.times import walls

_NAMED = 5
_MOST = 1000


def of_hands(schedule: Schedule, change: Change, *, now: dt.datetime) -> tuple[Warning, ...]:
    """The days from today on whose skips and hand edits no longer fit the number of times a day."""
    if not change.changes_places:
        return ()
    today = walls.local(now, schedule.clinic.timezone).date()
    first = max(today, change.since.date()) if change.since else today
    rule = change.before.recurrence
    skipped = {one.date() if isinstance(one, dt.datetime) else one for one in rule.except_} if rule else set()
    found = []
    if days := _listed(day for day in skipped if day >= first):
        sentence = f"Somebody skipped {days}, and a day now has another number of times. Check these days."
        found.append(Warning(None, "skipped_before", sentence))
    if days := _listed(day for day in _edited_days(schedule, now) if day >= first):
        sentence = f"Somebody changed messages of {days} by hand. They stay as they are, beside the new times."
        found.append(Warning(None, "hand_edited", sentence))
    return tuple(found)


def _edited_days(schedule: Schedule, now: dt.datetime) -> set[dt.date]:
    by_hand = Q(status=Status.PENDING, by_hand=True) | Q(status=Status.CANCELLED, reason=Reason.BY_PERSON)
    own = Message.objects.filter(by_hand, clinic_id=schedule.clinic_id, schedule=schedule, due_at__gte=now)
    names = own.order_by().values_list("occurrence", flat=True).distinct()[:_MOST]
    return {walls.parse_wall(name).date() for name in names if name}


def _listed(days: Iterable[dt.date]) -> str:
    """ "4 December 2026, 7 December 2026 and 3 more"; empty for none."""
    in_order = sorted(set(days))
    named = [f"{day.day} {day:%B %Y}" for day in in_order[:_NAMED]]
    more = len(in_order) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
