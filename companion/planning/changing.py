"""A change of a series' timing, computed before it is made: the new timing, and the new names of its Occurrences.

The edit and its preview both use it. It consists of pure functions, which read and store no rows. edit.py changes the
rows, and renaming.py renames the Messages.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final

from companion.clinics.refusals import Conflict, Problem, Refused
from companion.planning.drafts import Draft
from companion.planning.occurrences import gives
from companion.planning.timing import Timing
from companion.times import recurrence, walls
from companion.times.retiming import Retiming, Times, matched
from companion.times.rule import Recurrence, RuleError, with_implied_day, without_exceptions

_DAY: Final = dt.timedelta(days=1)
_SECOND: Final = dt.timedelta(seconds=1)


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
    """The wall time, by the old rule, of the first Occurrence that changes. None: all future Occurrences change."""

    def new_names(self, occurrences: Iterable[str]) -> dict[str, str]:
        """The new names of these Occurrences. An Occurrence without a counterpart keeps its name."""
        by_name = {name: walls.parse_wall(name) for name in occurrences}
        new = self.retiming.new_walls(by_name.values())
        return {name: walls.wall_name(new[wall]) for name, wall in by_name.items()}

    def old_wall(self, occurrence: str) -> dt.datetime | None:
        """The old wall time of an Occurrence of the new rule; None if it had no counterpart."""
        return self.retiming.old_wall(walls.parse_wall(occurrence))


@dataclass(frozen=True, slots=True)
class _Begin:
    """The start of a new series, and the times of its first day that belong to the old series."""

    starts_at: dt.datetime
    others: frozenset[dt.datetime] = frozenset()


def change_of(before: Draft, wanted: Draft, from_occurrence: str | None) -> Change:
    """Compute the change from `before` to `wanted`, of the whole series or from one Occurrence on.

    Raises Refused if the series has no Occurrence `from_occurrence`, or if no message would go out from there on, and
    Conflict for a one-time schedule, which can't be split.
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
    """The wall time of this Occurrence. Raises Refused if the series has no such Occurrence."""
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
    return sum(1 for _ in takewhile(lambda given: given < wall, all_given))


def _from_there(before: Draft, old: Recurrence, wanted: Draft, since: dt.datetime) -> Change:
    """Compute a split. The new series begins with the chosen Occurrence at its new time."""
    was = before.timing
    later = wanted.timing.starts_at.date() > since.date()
    timing = _with_its_day(was, old, wanted.timing, wanted.timing.starts_at if later else since)
    if not later:
        timing = _at_its_new_time(was, timing)
    begin = _Begin(timing.starts_at) if later else _begin(was, timing, since)
    timing = replace(timing, starts_at=begin.starts_at)
    if (rule := timing.recurrence) and rule.count is not None:
        given = given_before(was, since) if rule.count == old.count else 0
        # The other times of the day become exceptions below, and an exception counts as an Occurrence.
        timing = replace(timing, recurrence=replace(rule, count=rule.count - given + len(begin.others)))
    retiming = Retiming(_times(was), _times(timing), since, begin.others)
    timing = _with_exceptions(was, timing, retiming)
    if next(recurrence.occurrences(timing.starts_at, timing.recurrence), None) is None:
        raise Refused(Problem("recurrence", "Nothing would go out any more from the chosen occurrence on."))
    draft = replace(wanted, timing=timing)
    if next(recurrence.occurrences(was.starts_at, old), since) == since:
        # The series has no earlier Occurrence, so it changes as a whole.
        return Change(before, draft, retiming, None, since)
    return Change(before, draft, retiming, _ending_before(was, old, since), since)


def _with_its_day(before: Timing, old: Recurrence, wanted: Timing, begin: dt.datetime) -> Timing:
    """Write the day that the rule implies into the rule: the old rule's day, unless a later start was chosen.

    The new series may begin on the last day of a short month, although the rule means a later day of the month.
    """
    rule = wanted.recurrence
    if rule is None:
        return wanted
    implied = rule.frequency is old.frequency and with_implied_day(old, begin.date()) != old
    same = implied and begin != wanted.starts_at
    return replace(wanted, recurrence=with_implied_day(rule, before.starts_at.date() if same else begin.date()))


def _at_its_new_time(before: Timing, timing: Timing) -> Timing:
    """Put the start's new time of day into the rule's times, if only the start was changed."""
    rule, old = timing.recurrence, before.recurrence
    was, now = before.starts_at.time(), timing.starts_at.time()
    if rule is None or old is None or was == now or rule.times != old.times or was not in rule.times:
        return timing
    return replace(timing, recurrence=replace(rule, times=tuple(now if hour == was else hour for hour in rule.times)))


def _begin(before: Timing, timing: Timing, since: dt.datetime) -> _Begin:
    """Find the start of the new series: the first of the Occurrences that change, at its new time."""
    rule = timing.recurrence
    start = dt.datetime.combine(since.date(), dt.time.min if rule and rule.times else timing.starts_at.time())
    uncounted = replace(without_exceptions(rule), count=None) if rule else None
    old, new = _times(before).on(since.date()), Times(start, uncounted).on(since.date())
    matches = matched(old, new)
    if changing := [matches[time] for time in old if time >= since and time in matches]:
        first = min(changing)
        return _Begin(
            first, frozenset(matches[time] for time in old if time < since and matches.get(time, first) > first)
        )
    # The new rule has no time on this day any more, so the new series begins with the next Occurrence.
    following = next(recurrence.occurrences(start, uncounted, after=since - _SECOND), None)
    if following is None:
        field = "recurrence" if rule else "starts_at"
        raise Refused(Problem(field, "Nothing would go out any more from the chosen occurrence on."))
    return _Begin(following)


def _with_exceptions(before: Timing, timing: Timing, retiming: Retiming) -> Timing:
    """Move the exceptions to the new times. In a split only those within the new series remain."""
    rule = timing.recurrence
    if rule is None or not (rule.except_ or retiming.others):
        return timing
    moved = _exceptions(before, rule, retiming)
    kept = [exception for exception in moved if retiming.since is None or _date(exception) >= timing.starts_at.date()]
    return replace(timing, recurrence=replace(rule, except_=tuple(dict.fromkeys((*kept, *sorted(retiming.others))))))


def _exceptions(before: Timing, rule: Recurrence, retiming: Retiming) -> Iterator[dt.date | dt.datetime]:
    old = before.recurrence.except_ if before.recurrence else ()
    # An exception without a matching time stays. It has an effect again if its day gets a matching time later.
    moved = retiming.new_walls([exception for exception in old if isinstance(exception, dt.datetime)])
    for exception in rule.except_:
        yield moved.get(exception, exception) if isinstance(exception, dt.datetime) else exception


def _ending_before(before: Timing, rule: Recurrence, since: dt.datetime) -> Recurrence:
    """The rule with which the old series ends before `since`, with an end that its summary can name."""
    rule = with_implied_day(rule, before.starts_at.date())
    rule = replace(rule, except_=tuple(exception for exception in rule.except_ if _comes_before(exception, since)))
    if rule.count is None and _times(before).on(since.date())[0] == since:
        return replace(rule, until=since.date() - _DAY)
    return replace(rule, count=given_before(before, since), until=None)


def _comes_before(exception: dt.date | dt.datetime, wall: dt.datetime) -> bool:
    return exception < wall if isinstance(exception, dt.datetime) else exception <= wall.date()


def _date(exception: dt.date | dt.datetime) -> dt.date:
    return exception.date() if isinstance(exception, dt.datetime) else exception


def _times(timing: Timing) -> Times:
    return Times(timing.starts_at, timing.recurrence)
