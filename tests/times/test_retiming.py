"""An Occurrence is its day and its place among that day's times: which old time becomes which new one."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from companion.times.retiming import is_given, matched, times_of_day
from companion.times.rule import Frequency, Recurrence, with_implied_day
from companion.times.walls import parse_wall

HOURS = st.lists(st.integers(0, 23).map(dt.time), unique=True, max_size=6)
START = parse_wall("2026-12-01T09:00")
NINE, NOON, EIGHT, SIX = dt.time(9), dt.time(12), dt.time(20), dt.time(6)


def test_equal_times_match_first_and_the_rest_in_order() -> None:
    assert matched([NINE, NOON, EIGHT], [SIX, NOON, EIGHT]) == {NOON: NOON, EIGHT: EIGHT, NINE: SIX}


def test_a_time_without_a_counterpart_has_no_new_time() -> None:
    assert matched([NINE, EIGHT], [SIX]) == {NINE: SIX}


@given(HOURS, HOURS)
def test_no_two_times_become_one(old: list[dt.time], new: list[dt.time]) -> None:
    found = matched(old, new)

    assert len(set(found.values())) == len(found) == min(len(old), len(new))
    assert set(found.values()) <= set(new)


@given(HOURS, HOURS)
def test_a_time_that_stays_is_never_given_another_ones_name(old: list[dt.time], new: list[dt.time]) -> None:
    found = matched(old, new)

    assert {hour: found[hour] for hour in set(old) & set(new)} == {hour: hour for hour in set(old) & set(new)}
    # So that renaming in any order meets no name that is still in use.
    assert not {after for before, after in found.items() if before != after} & set(old)


@given(HOURS, HOURS)
def test_what_is_left_keeps_its_order(old: list[dt.time], new: list[dt.time]) -> None:
    moved = {before: after for before, after in matched(old, new).items() if before != after}

    assert [moved[hour] for hour in sorted(moved)] == sorted(moved.values())


def test_a_rule_without_times_has_its_start_s() -> None:
    assert times_of_day(START, Recurrence(Frequency.DAILY)) == [NINE]
    assert times_of_day(START, Recurrence(Frequency.DAILY, times=(EIGHT, SIX))) == [SIX, EIGHT]


def test_an_exception_is_given_all_the_same() -> None:
    rule = Recurrence(Frequency.DAILY, except_=(dt.date(2026, 12, 3),))

    assert is_given(parse_wall("2026-12-03T09:00"), START, rule)
    assert not is_given(parse_wall("2026-12-03T10:00"), START, rule)
    assert not is_given(parse_wall("2026-11-30T09:00"), START, rule)


def test_the_day_that_a_start_implies_can_be_written_down() -> None:
    monthly, weekly = Recurrence(Frequency.MONTHLY), Recurrence(Frequency.WEEKLY)

    assert with_implied_day(monthly, dt.date(2027, 1, 31)).month_days == (31,)
    assert with_implied_day(weekly, dt.date(2026, 12, 3)).weekdays == ("th",)
    explicit = Recurrence(Frequency.MONTHLY, weekdays=("2tu",))
    assert with_implied_day(explicit, dt.date(2026, 12, 3)) == explicit
