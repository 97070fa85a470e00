"""Rules at large: random rules against the oracle and against dateutil, and what holds for all of them."""

import timeit
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from typing import Literal

import pytest
from dateutil import rrule
from hypothesis import example, given, settings
from hypothesis import strategies as st

from companion.times.recurrence import Frequency, MonthEnd, Recurrence, occurrences, was_moved_to_month_end
from tests.times.oracle import NAMES, all_walls
from tests.times.strategies import intervals, month_days, numbered_weekdays, plain_weekdays, rules, starts

SPAN = 700  # days

wall = datetime.fromisoformat

FREQUENCIES: Mapping[Frequency, Literal[1, 2, 3]] = {
    Frequency.DAILY: rrule.DAILY,
    Frequency.WEEKLY: rrule.WEEKLY,
    Frequency.MONTHLY: rrule.MONTHLY,
}
DAYS = dict(zip(NAMES, (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU), strict=True))


def within(starts_at: datetime, rule: Recurrence, days: int, after: datetime | None = None) -> list[datetime]:
    end = starts_at + timedelta(days=days)
    return list(takewhile(lambda each: each < end, occurrences(starts_at, rule, after=after)))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_rule_gives_what_counting_day_by_day_gives(data: st.DataObject) -> None:
    starts_at = data.draw(starts)
    rule = data.draw(rules(starts_at))

    assert within(starts_at, rule, SPAN) == all_walls(starts_at, rule, SPAN)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_asking_from_any_moment_on_gives_the_rest_of_the_same(data: st.DataObject) -> None:
    starts_at = data.draw(starts)
    rule = data.draw(rules(starts_at))
    whole = within(starts_at, rule, SPAN)
    anywhen = st.integers(-60 * 24 * 400, 60 * 24 * (SPAN + 50)).map(
        lambda number: starts_at + timedelta(minutes=number)
    )
    after = data.draw(st.one_of(anywhen, st.sampled_from(whole)) if whole else anywhen)

    assert within(starts_at, rule, SPAN, after) == [each for each in whole if each > after]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_rules_give_ascending_wall_times_each_once(data: st.DataObject) -> None:
    starts_at = data.draw(starts)
    rule = data.draw(rules(starts_at))

    walls = list(islice(occurrences(starts_at, rule), 200))

    assert walls == sorted(set(walls))


def by_dateutil(starts_at: datetime, rule: Recurrence, days: int) -> list[datetime]:
    weekdays = [DAYS[name[-2:]](int(name[:-2])) if name[:-2] else DAYS[name] for name in rule.weekdays]
    end = starts_at + timedelta(days=days) - timedelta(seconds=1)
    if rule.until:
        end = min(end, datetime.combine(rule.until, datetime.max.time()))
    given_by_it = rrule.rrule(
        FREQUENCIES[rule.frequency],
        dtstart=starts_at,
        interval=rule.interval,
        byweekday=weekdays or None,
        bymonthday=rule.month_days or None,
        bysetpos=rule.set_position,
        until=end,
    )
    return list(islice(given_by_it, rule.count))


@st.composite
def rules_that_dateutil_knows(draw: st.DrawFn) -> Recurrence:
    """dateutil has no month_end, counts a week's positions from the start on, and mixes "mo" and "2tu" as both."""
    frequency = draw(st.sampled_from(Frequency))
    monthly = frequency is Frequency.MONTHLY
    weekdays = draw(st.one_of(plain_weekdays, numbered_weekdays) if monthly else plain_weekdays)
    days = draw(month_days) if monthly else ()
    position = draw(st.sampled_from((None, 1, 2, -1))) if monthly and (weekdays or days) else None
    count = draw(st.one_of(st.none(), st.integers(1, 50)))
    return Recurrence(frequency, draw(intervals), weekdays, days, MonthEnd.SKIP, position, count=count)


@settings(max_examples=80, deadline=None)
@given(starts, rules_that_dateutil_knows())
def test_dateutil_agrees_on_every_rule_that_both_know(starts_at: datetime, rule: Recurrence) -> None:
    assert within(starts_at, rule, 2 * SPAN) == by_dateutil(starts_at, rule, 2 * SPAN)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_day_is_marked_as_moved_when_skipping_would_not_have_given_it(data: st.DataObject) -> None:
    starts_at = data.draw(starts)
    days = data.draw(month_days)
    moving = Recurrence(Frequency.MONTHLY, data.draw(intervals), month_days=days)
    skipping = Recurrence(Frequency.MONTHLY, moving.interval, month_days=days, month_end=MonthEnd.SKIP)
    walls = within(starts_at, moving, 2 * SPAN)

    marked = [each for each in walls if was_moved_to_month_end(each, starts_at, moving)]

    assert marked == sorted(set(walls) - set(within(starts_at, skipping, 2 * SPAN)))


def test_only_monthly_rules_that_move_mark_a_day_as_moved() -> None:
    starts_at = wall("2026-01-31T09:00")
    last_of_february = wall("2026-02-28T09:00")

    assert was_moved_to_month_end(last_of_february, starts_at, Recurrence(Frequency.MONTHLY))
    for rule in (
        None,
        Recurrence(Frequency.DAILY),
        Recurrence(Frequency.MONTHLY, month_end=MonthEnd.SKIP),
        Recurrence(Frequency.MONTHLY, weekdays=("-1sa",)),
        Recurrence(Frequency.MONTHLY, month_days=(-1, 31)),
    ):
        assert not was_moved_to_month_end(last_of_february, starts_at, rule)


@settings(max_examples=50, deadline=None)
@example(wall("2000-01-03T09:00"), 7, "tu")
@given(starts, st.sampled_from((7, 14, 700)), st.sampled_from(NAMES))
def test_a_rule_that_never_gives_anything_ends(starts_at: datetime, interval: int, weekday: str) -> None:
    rule = Recurrence(Frequency.DAILY, interval, weekdays=(weekday,))

    first = next(occurrences(starts_at, rule), None)

    assert (first is not None) == (NAMES[starts_at.weekday()] == weekday)


@pytest.mark.parametrize(
    "rule",
    [
        Recurrence(Frequency.DAILY),
        Recurrence(Frequency.DAILY, 3, count=100_000),
        Recurrence(Frequency.WEEKLY, 2, weekdays=("mo", "fr"), count=100_000),
        Recurrence(Frequency.MONTHLY, month_days=(31,)),
        Recurrence(Frequency.MONTHLY, weekdays=("mo", "tu", "we", "th", "fr"), set_position=-1),
    ],
    ids=["daily", "daily-counted", "weekly-counted", "monthly", "last-weekday"],
)
def test_the_next_occurrence_is_found_quickly_years_after_the_start(rule: Recurrence) -> None:
    starts_at, now = wall("1950-01-02T09:00"), wall("2026-06-03T12:00")

    # The best of many runs, as the machine may be busy; walking through these 76 years takes milliseconds.
    seconds = min(timeit.repeat(lambda: next(occurrences(starts_at, rule, after=now)), number=5, repeat=50)) / 5

    assert seconds < 100e-6


def test_occurrences_are_made_one_by_one_as_they_are_asked_for() -> None:
    forever = occurrences(wall("2026-01-01T09:00"), Recurrence(Frequency.DAILY))

    assert list(islice(forever, 2)) == [wall("2026-01-01T09:00"), wall("2026-01-02T09:00")]
    assert next(forever).date() == date(2026, 1, 3)


def test_a_start_with_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="no offset"):
        next(occurrences(wall("2026-01-01T09:00+01:00"), Recurrence(Frequency.DAILY)))
