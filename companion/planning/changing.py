"""A change of a series' timing, worked out before it is made: the new timing, and the new names of its Occurrences.

The edit and its preview share it. Pure: it reads and stores nothing. Not here: the rows (edit.py), and the Messages
that are renamed (renaming.py).
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from companion.clinics.refusals import Conflict, Problem, Refused
from companion.planning.drafts import Draft
from companion.planning.occurrences import gives
from companion.planning.timing import Timing
from companion.times import recurrence, walls
from companion.times.retiming import Retiming, Times, matched
from companion.times.rule import Recurrence, RuleError, with_implied_day, without_exceptions

_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a series: the draft before, the draft from now on, and the new names of Occurrences."""

    before: Draft
    draft: Draft
    """The series from now on or, in a split, the new series."""
    retiming: Retiming
    ended: Recurrence | None = None
    """The rule with which the old series ends in a split. None: the series changes as a whole."""
    since: dt.datetime | None = None
    """The wall time, by the old rule, of the first Occurrence that changes. None: all that are still to come."""

    def new_names(self, occurrences: Iterable[str]) -> dict[str, str]:
        """The new names of these Occurrences. An Occurrence without a counterpart keeps its name."""
        by_name = {name: walls.parse_wall(name) for name in occurrences}
        new = self.retiming.new_walls(by_name.values())
        return {name: walls.wall_name(new[wall]) for name, wall in by_name.items()}

    def old_wall(self, occurrence: str) -> dt.datetime | None:
        """The old wall time of an Occurrence of the new rule; None where it had no counterpart."""
        return self.retiming.old_wall(walls.parse_wall(occurrence))


@dataclass(frozen=True, slots=True)
class _Begin:
    """Start of a new series, and the times of its first day that the old series has already served."""

    starts_at: dt.datetime
    others: frozenset[dt.datetime] = frozenset()


def change_of(before: Draft, wanted: Draft, from_occurrence: str | None) -> Change:
    """Change `before` to `wanted`, as a whole or from one Occurrence on.

    Raises Refused where `from_occurrence` is no Occurrence of the series or nothing would go out from it on, Conflict
    where the series has none to split at.
    """
    since = occurrence_of(before.timing, from_occurrence) if from_occurrence is not None else None
    old = before.timing.recurrence
    if since and old is None:
        raise Conflict("A one-time schedule can't be split. Change it as a whole.")
    try:
        if since is None or old is None:
            retiming = Retiming(_times(before.timing), _times(wanted.timing))
            timing = _with_exceptions(before.timing, wanted.timing, retiming)
            return Change(before, replace(wanted, timing=timing), retiming)
        return _from_there(before, old, wanted, since)
    except RuleError as problem:
        raise Refused(Problem(problem.field, problem.message)) from None


def occurrence_of(timing: Timing, name: str) -> dt.datetime:
    """The wall time of this Occurrence. Raises Refused where the series has no such Occurrence."""
    try:
        wall = walls.parse_wall(name)
    except ValueError as problem:
        raise Refused(Problem("occurrence", str(problem))) from None
    if not gives(timing, name):
        raise Refused(Problem("occurrence", "The series has no occurrence at this time."))
    return wall


def given_before(timing: Timing, wall: dt.datetime) -> int:
    """Return how many Occurrences the rule gives before this wall time, counted before exceptions."""
    if timing.recurrence is None:
        return int(timing.starts_at < wall)
    all_given = recurrence.occurrences(timing.starts_at, without_exceptions(timing.recurrence))
    return sum(1 for _ in takewhile(lambda one: one < wall, all_given))


def _from_there(before: Draft, old: Recurrence, wanted: Draft, since: dt.datetime) -> Change:
    """The new series: it begins with the chosen Occurrence, at its new time, and with nothing before it."""
    was = before.timing
    later = wanted.timing.starts_at.date() > since.date()
    timing = _with_its_day(was, old, wanted.timing, wanted.timing.starts_at if later else since)
    if not later:
        timing = _at_its_new_time(was, timing)
    begin = _Begin(timing.starts_at) if later else _begin(was, timing, since)
    timing = replace(timing, starts_at=begin.starts_at)
    if (rule := timing.recurrence) and rule.count is not None:
        given = given_before(was, since) if rule.count == old.count else 0
        # The others are left out below, and an Occurrence that is left out counts.
        timing = replace(timing, recurrence=replace(rule, count=rule.count - given + len(begin.others)))
    retiming = Retiming(_times(was), _times(timing), since, begin.others)
    timing = _with_exceptions(was, timing, retiming)
    if next(recurrence.occurrences(timing.starts_at, timing.recurrence), None) is None:
        raise Refused(Problem("recurrence", "Nothing would go out any more from the chosen occurrence on."))
    draft = replace(wanted, timing=timing)
    if next(recurrence.occurrences(was.starts_at, old), since) == since:
        # Nothing of the series lies before: all of it changes.
        return Change(before, draft, retiming, None, since)
    return Change(before, draft, retiming, _ending_before(was, old, since), since)


def _with_its_day(before: Timing, old: Recurrence, wanted: Timing, begin: dt.datetime) -> Timing:
    """The timing with the day written down that its rule implies: unless a later start is chosen, the old rule's day.

    The new series may begin on the last day of a month that is too short for the day that is meant.
    """
    rule = wanted.recurrence
    if rule is None:
        return wanted
    implied = rule.frequency is old.frequency and with_implied_day(old, begin.date()) != old
    same = implied and begin != wanted.starts_at
    return replace(wanted, recurrence=with_implied_day(rule, before.starts_at.date() if same else begin.date()))


def _at_its_new_time(before: Timing, timing: Timing) -> Timing:
    """The timing with the start's new time of day among its times, where these were left as they are."""
    rule, old = timing.recurrence, before.recurrence
    was, now = before.starts_at.time(), timing.starts_at.time()
    if rule is None or old is None or was == now or rule.times != old.times or was not in rule.times:
        return timing
    return replace(timing, recurrence=replace(rule, times=tuple(now if hour == was else hour for hour in rule.times)))


def _begin(before: Timing, timing: Timing, since: dt.datetime) -> _Begin:
    """The new series begins with the first of the Occurrences that change, at its new time."""
    rule = timing.recurrence
    start = dt.datetime.combine(since.date(), dt.time.min if rule and rule.times else timing.starts_at.time())
    uncounted = replace(without_exceptions(rule), count=None) if rule else None
    old, new = _times(before).on(since.date()), Times(start, uncounted).on(since.date())
    matches = matched(old, new)
    if changing := [matches[one] for one in old if one >= since and one in matches]:
        first = min(changing)
        return _Begin(first, frozenset(matches[one] for one in old if one < since and matches.get(one, first) > first))
    # The day has no time for it any more: the new series begins with the next Occurrence.
    following = next(recurrence.occurrences(start, uncounted, after=since - _SECOND), None)
    if following is None:
        field = "recurrence" if rule else "starts_at"
        raise Refused(Problem(field, "Nothing would go out any more from the chosen occurrence on."))
    return _Begin(following)


def _with_exceptions(before: Timing, timing: Timing, retiming: Retiming) -> Timing:
    """The timing whose exceptions have gone along to the new times. In a split, only those that lie in it."""
    rule = timing.recurrence
    if rule is None or not (rule.except_ or retiming.others):
        return timing
    moved = _exceptions(before, rule, retiming)
    kept = [one for one in moved if retiming.since is None or _date(one) >= timing.starts_at.date()]
    return replace(timing, recurrence=replace(rule, except_=tuple(dict.fromkeys((*kept, *sorted(retiming.others))))))


def _exceptions(before: Timing, rule: Recurrence, retiming: Retiming) -> Iterator[dt.date | dt.datetime]:
    old = before.recurrence.except_ if before.recurrence else ()
    # An exception without a match has no effect now. It has again when its day has a match for it.
    moved = retiming.new_walls([one for one in old if isinstance(one, dt.datetime)])
    for one in rule.except_:
        yield moved.get(one, one) if isinstance(one, dt.datetime) else one


def _ending_before(before: Timing, rule: Recurrence, since: dt.datetime) -> Recurrence:
    """The old series' rule, which gives nothing from `since` on, in words that are true of it then."""
    rule = with_implied_day(rule, before.starts_at.date())
    rule = replace(rule, except_=tuple(one for one in rule.except_ if _comes_before(one, since)))
    if rule.count is None and _times(before).on(since.date())[0] == since:
        return replace(rule, until=since.date() - _DAY)
    return replace(rule, count=given_before(before, since), until=None)


def _comes_before(one: dt.date | dt.datetime, wall: dt.datetime) -> bool:
    return one < wall if isinstance(one, dt.datetime) else one <= wall.date()


def _date(one: dt.date | dt.datetime) -> dt.date:
    return one.date() if isinstance(one, dt.datetime) else one


def _times(timing: Timing) -> Times:
    return Times(timing.starts_at, timing.recurrence)
