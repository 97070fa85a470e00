"""Warnings about days on which a person skipped or changed messages, after a change of the times of day. Reads only.

If a day has another number of times than before, an Occurrence may have no counterpart, or a new Occurrence may come
beside an edited Occurrence. The person's changes stay, and these warnings name the days, so that a person can check
them.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from django.db.models import Q

from companion.planning.changing import Change
from companion.planning.warnings import Warning
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.reasons import Reason
from companion.times import walls

_NAMED: Final = 5
_MOST: Final = 1000


def of_hand_edits(schedule: Schedule, change: Change, *, now: dt.datetime) -> tuple[Warning, ...]:
    """Warn about days from today on that a person changed and that now have another number of times."""
    today = walls.local(now, schedule.clinic.timezone).date()
    found = []
    if days := _listed(day for day in _unsure(change, _skipped(change)) if day >= today):
        sentence = f"Somebody skipped {days}, and a day now has more or fewer times than before. Check these days."
        found.append(Warning(None, "skipped_before", sentence))
    if days := _listed(day for day in _unsure(change, _touched(schedule, change, now)) if day >= today):
        sentence = (
            f"Somebody changed messages of {days} by hand, and a day now has more or fewer times than before. "
            "Check them."
        )
        found.append(Warning(None, "hand_edited", sentence))
    return tuple(found)


def _unsure(change: Change, occurrences: Sequence[dt.datetime]) -> Iterator[dt.date]:
    """The days of these Occurrences that have another number of times now."""
    for wall, new_wall in change.retiming.new_walls(occurrences).items():
        old, new = change.retiming.day(wall.date())
        # A time of an earlier rule doesn't count, unless it matches a time of the rule before or after the change.
        if len(old) != len(new) and (wall in old or new_wall in new):
            yield wall.date()


def _skipped(change: Change) -> list[dt.datetime]:
    rule = change.before.timing.recurrence
    return [exception for exception in rule.except_ if isinstance(exception, dt.datetime)] if rule else []


def _touched(schedule: Schedule, change: Change, now: dt.datetime) -> list[dt.datetime]:
    by_hand = Q(status=Status.PENDING, by_hand=True) | Q(status=Status.CANCELLED, reason=Reason.BY_PERSON)
    own = Message.objects.filter(by_hand, clinic_id=schedule.clinic_id, schedule=schedule)
    first = change.since or walls.local(now, schedule.clinic.timezone).replace(hour=0, minute=0, second=0, tzinfo=None)
    coming = own.filter(occurrence__gte=walls.wall_name(first.replace(microsecond=0)))
    names = coming.order_by().values_list("occurrence", flat=True).distinct()[:_MOST]
    return [walls.parse_wall(name) for name in names]


def _listed(days: Iterable[dt.date]) -> str:
    """List days like "4 December 2026, 7 December 2026 and 3 more"; "" if there are none."""
    in_order = sorted(set(days))
    named = [f"{day.day} {day:%B %Y}" for day in in_order[:_NAMED]]
    more = len(in_order) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
