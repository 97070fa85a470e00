"""A change of a Schedule, worked out before it is made: what the series becomes, and what its Occurrences are called.

One function for the edit and for its preview. Pure but for its arguments: it reads and stores nothing. Not here: the
rows (edit.py), the Messages that are renamed (renaming.py).
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile

from companion.clinics.refusals import Conflict, Problem, Refused
from companion.planning.drafts import Draft
from companion.planning.occurrences import gives
from companion.times import recurrence, walls
from companion.times.retiming import is_given, matched, times_of_day
from companion.times.rule import MAX_EXCEPTIONS, Recurrence, with_implied_day, without_exceptions

_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """What a change comes to."""

    before: Draft
    draft: Draft
    """The series from now on or, in a split, the new series."""
    ended: Recurrence | None
    """In a split: the rule with which the old series ends. None: the series changes as a whole."""
    since: dt.datetime | None
    """The wall time, by the old rule, of the first Occurrence that changes. None: all that are still to come."""

    def new_name(self, occurrence: str) -> str | None:
        """The name that an Occurrence of the old rule has from now on; None where it has no counterpart."""
        wall = _renamed(walls.parse_wall(occurrence), self.before, self.draft)
        return walls.wall_name(wall) if wall else None

    @property
    def changes_places(self) -> bool:
        """Whether a day now has another number of times, so that some of them have no counterpart."""
        return len(_times(self.before)) != len(_times(self.draft))


def change_of(before: Draft, asked: Draft, from_occurrence: str | None) -> Change:
    """What becomes of `before` when it is changed to `asked`, as a whole or from one Occurrence on.

    Raises Refused where `from_occurrence` is no Occurrence of the series, Conflict where it has none to split at.
    """
    if from_occurrence is None:
        return Change(before, _with_exceptions(before, asked, None), None, None)
    since = occurrence_of(before, from_occurrence)
    if before.recurrence is None:
        raise Conflict("A one-time schedule can't be split. Change it as a whole.")
    given = given_before(before, since)
    draft = _from_there(before, asked, since, given)
    if not given:
        # Nothing of the series lies before: all of it changes.
        return Change(before, draft, None, since)
    return Change(before, draft, _ending_before(before, before.recurrence, since, given), since)


def occurrence_of(draft: Draft, name: str) -> dt.datetime:
    """The wall time of this Occurrence. Raises Refused where the series has no such Occurrence."""
    try:
        wall = walls.parse_wall(name)
    except ValueError as problem:
        raise Refused(Problem("occurrence", str(problem))) from None
    if not gives(draft, name):
        raise Refused(Problem("occurrence", "The series has no occurrence at this time."))
    return wall


def given_before(draft: Draft, wall: dt.datetime) -> int:
    """How many Occurrences the rule gives before this wall time, counted before exceptions."""
    if draft.recurrence is None:
        return int(draft.starts_at < wall)
    all_given = recurrence.occurrences(draft.starts_at, without_exceptions(draft.recurrence))
    return sum(1 for _ in takewhile(lambda one: one < wall, all_given))


def _from_there(before: Draft, asked: Draft, since: dt.datetime, given: int) -> Draft:
    """The new series: it begins with the chosen Occurrence, at its new time, and with nothing before it."""
    draft = asked
    rule, old = asked.recurrence, before.recurrence
    begins_later = asked.starts_at != before.starts_at and asked.starts_at.date() > since.date()
    if rule and old and not begins_later and with_implied_day(rule, since.date()) != rule:
        # The day that a rule of the same frequency implied so far, else the day from which it goes.
        same = rule.frequency is old.frequency and with_implied_day(old, since.date()) != old
        draft = replace(draft, recurrence=with_implied_day(rule, before.starts_at.date() if same else since.date()))
    if not begins_later:
        draft = _at_its_new_time(before, draft)
        draft = replace(draft, starts_at=_begin(before, draft, since))
    if draft.recurrence and old and draft.recurrence.count and draft.recurrence.count == old.count:
        draft = replace(draft, recurrence=replace(draft.recurrence, count=draft.recurrence.count - given))
    return _with_exceptions(before, draft, since)


def _at_its_new_time(before: Draft, draft: Draft) -> Draft:
    """The draft with the start's new time of day among its times, where these were left as they are."""
    rule, old = draft.recurrence, before.recurrence
    was, now = before.starts_at.time(), draft.starts_at.time()
    if rule is None or old is None or was == now or rule.times != old.times or was not in rule.times:
        return draft
    return replace(draft, recurrence=replace(rule, times=tuple(now if hour == was else hour for hour in rule.times)))


def _begin(before: Draft, draft: Draft, since: dt.datetime) -> dt.datetime:
    """The wall time with which the new series begins: the chosen Occurrence's new time on its day."""
    new_times = _times(draft)
    hour = matched(_times(before), new_times).get(since.time())
    if hour is None:
        # The chosen time of day is gone: with the next one of that day, else with the next day's first.
        hour = next((one for one in new_times if one >= since.time()), None)
    if hour is not None:
        return dt.datetime.combine(since.date(), hour)
    return dt.datetime.combine(since.date() + _DAY, new_times[0])


def _with_exceptions(before: Draft, draft: Draft, since: dt.datetime | None) -> Draft:
    """The draft whose exceptions have gone along to the new times of day. In a split, only those that lie in it."""
    rule = draft.recurrence
    if rule is None or not rule.except_:
        return draft
    moved = dict.fromkeys(_exception_moved(one, before, draft) for one in rule.except_)
    first = draft.starts_at.date()
    kept = tuple(one for one in moved if since is None or _date(one) >= first)
    return replace(draft, recurrence=replace(rule, except_=kept))


def _exception_moved(one: dt.date | dt.datetime, before: Draft, draft: Draft) -> dt.date | dt.datetime:
    if not isinstance(one, dt.datetime) or not is_given(one, before.starts_at, before.recurrence):
        return one
    return _renamed(one, before, draft) or one


def _renamed(wall: dt.datetime, before: Draft, draft: Draft) -> dt.datetime | None:
    hour = matched(_times(before), _times(draft)).get(wall.time())
    if hour is None:
        return None
    new = dt.datetime.combine(wall.date(), hour)
    # A day that the new rule doesn't have, or that lies before its start, keeps no Occurrence.
    return new if is_given(new, draft.starts_at, draft.recurrence) else None


def _ending_before(before: Draft, rule: Recurrence, since: dt.datetime, given: int) -> Recurrence:
    """The old series' rule, which gives nothing from `since` on, in words that are true of it then."""
    rule = with_implied_day(rule, before.starts_at.date())
    kept = tuple(one for one in rule.except_ if _comes_before(one, since))
    if rule.count is not None:
        return replace(rule, count=given, except_=kept)
    midnight = dt.datetime.combine(since.date(), dt.time.min)
    given_then = recurrence.occurrences(before.starts_at, without_exceptions(rule), after=midnight - _SECOND)
    of_day = list(takewhile(lambda one: one.date() == since.date(), given_then))
    if of_day[0] == since:
        return replace(rule, until=since.date() - _DAY, except_=kept)
    later = tuple(one for one in of_day if one >= since)
    return replace(rule, until=since.date(), except_=(*kept, *later)[-MAX_EXCEPTIONS:])


def _comes_before(one: dt.date | dt.datetime, wall: dt.datetime) -> bool:
    return one < wall if isinstance(one, dt.datetime) else one < wall.date()


def _date(one: dt.date | dt.datetime) -> dt.date:
    return one.date() if isinstance(one, dt.datetime) else one


def _times(draft: Draft) -> list[dt.time]:
    return times_of_day(draft.starts_at, draft.recurrence)


def names_changed(change: Change, names: Iterable[str]) -> Mapping[str, str]:
    """Of these names of Occurrences, those that change, with their new names."""
    found = {name: change.new_name(name) for name in names if name}
    return {name: new for name, new in found.items() if new and new != name}
