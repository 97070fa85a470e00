"""Tests of matching Occurrences after a change of times: by the day and by its place among that day's times."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.times.recurrence import Frequency, Recurrence, occurrences
from companion.times.retiming import Retiming, Times, matched
from companion.times.rule import with_implied_day
from tests.times.strategies import minutes_of_day, rules, starts

DAY = dt.date(2026, 12, 3)
times_of_day = st.lists(minutes_of_day, max_size=5, unique=True).map(sorted)


def at(*hours: str) -> list[dt.datetime]:
    return [dt.datetime.combine(DAY, dt.time.fromisoformat(hour)) for hour in hours]


@pytest.mark.parametrize(
    ("old", "new", "became"),
    [
        (["05:00"], ["06:00"], {"05:00": "06:00"}),
        (["08:00", "20:00"], ["09:00", "21:00"], {"08:00": "09:00", "20:00": "21:00"}),
        (["08:00", "20:00"], ["08:00", "14:00", "20:00"], {"08:00": "08:00", "20:00": "20:00"}),
        (["08:00", "20:00"], ["20:00", "22:00"], {"20:00": "20:00", "08:00": "22:00"}),
        (["08:00", "20:00"], ["09:00"], {"08:00": "09:00"}),
        (["08:00"], [], {}),
    ],
)
def test_equal_times_of_a_day_match_first_and_the_rest_in_order(
    old: list[str], new: list[str], became: dict[str, str]
) -> None:
    found = {f"{before:%H:%M}": f"{after:%H:%M}" for before, after in matched(at(*old), at(*new)).items()}

    assert found == became


@given(times_of_day, times_of_day)
def test_no_two_times_become_the_same_time_and_as_many_as_possible_have_a_place(
    old: list[dt.time], new: list[dt.time]
) -> None:
    before, after = ([dt.datetime.combine(DAY, hour) for hour in hours] for hours in (old, new))

    became = matched(before, after)

    assert len(set(became.values())) == len(became) == min(len(old), len(new))
    assert all(became[wall] == wall for wall in set(before) & set(after))
    moved = [became[wall] for wall in before if wall in became and wall not in after]
    assert moved == sorted(moved)
    # No new name is the old name of another Occurrence, so that one statement can rename them all.
    assert {wall for wall in became.values() if became.get(wall) != wall}.isdisjoint(before)


def daily(hours: list[str]) -> Times:
    rule = Recurrence(Frequency.DAILY, times=tuple(dt.time.fromisoformat(hour) for hour in hours))
    return Times(dt.datetime.combine(DAY, dt.time.fromisoformat(hours[0])), rule)


@pytest.mark.parametrize(
    ("old", "new", "left_over", "becomes"),
    [
        # The day's second time is back, at the same hour or another: the time that was left over takes its place again.
        (["10:00"], ["10:00", "20:00"], "20:00", "20:00"),
        (["10:00"], ["10:00", "21:00"], "20:00", "21:00"),
        # Another Occurrence comes to its hour: the skipped time is no part of the series, and stays so.
        (["10:00"], ["20:00"], "20:00", "10:00"),
        (["10:00"], ["11:00"], "20:00", "20:00"),
        (["10:00", "12:00"], ["10:00", "20:00"], "20:00", "12:00"),
    ],
)
def test_a_time_left_over_by_an_earlier_change_takes_a_new_place_or_gives_way(
    old: list[str], new: list[str], left_over: str, becomes: str
) -> None:
    (wall,) = at(left_over)

    assert Retiming(daily(old), daily(new)).new_walls([wall]) == {wall: at(becomes)[0]}


@given(times_of_day, times_of_day, times_of_day)
def test_no_two_names_of_a_day_become_the_same_name(
    old: list[dt.time], new: list[dt.time], left_over: list[dt.time]
) -> None:
    before, after = (
        Times(dt.datetime.combine(DAY, day_times[0]), Recurrence(Frequency.DAILY, times=tuple(day_times)))
        for day_times in (old or [dt.time(9)], new or [dt.time(9)])
    )
    walls = {dt.datetime.combine(DAY, hour) for hour in (*old, *left_over)}

    became = Retiming(before, after).new_walls(walls)

    assert set(became) == walls
    assert len(set(became.values())) == len(walls)


@given(st.data(), starts, minutes_of_day)
def test_a_series_at_another_time_of_day_has_the_same_occurrences(
    data: st.DataObject, start: dt.datetime, hour: dt.time
) -> None:
    rule = replace(data.draw(rules(start)), times=(), except_=())
    moved = start.replace(hour=hour.hour, minute=hour.minute)
    retiming = Retiming(Times(start, rule), Times(moved, rule))
    first_ones = [wall for wall, _ in zip(occurrences(start, rule), range(20), strict=False)]

    assert retiming.new_walls(first_ones) == {
        wall: wall.replace(hour=hour.hour, minute=hour.minute) for wall in first_ones
    }


def test_a_single_message_is_the_same_occurrence_on_another_day() -> None:
    old, new = dt.datetime(2026, 12, 3, 9), dt.datetime(2026, 12, 5, 10)  # noqa: DTZ001  (wall times)

    assert Retiming(Times(old, None), Times(new, None)).new_walls([old]) == {old: new}


def test_a_skipped_occurrence_still_has_its_place() -> None:
    start = dt.datetime(2026, 12, 1, 5)  # noqa: DTZ001  (a wall time)
    rule = Recurrence(Frequency.DAILY, except_=(dt.date(2026, 12, 3),))

    retiming = Retiming(Times(start, rule), Times(start.replace(hour=6), rule))

    assert retiming.new_walls([start.replace(day=3)]) == {start.replace(day=3): start.replace(day=3, hour=6)}
    assert retiming.old_wall(start.replace(day=3, hour=6)) == start.replace(day=3)


def test_the_day_that_a_start_implies_can_be_written_down() -> None:
    monthly, weekly = Recurrence(Frequency.MONTHLY), Recurrence(Frequency.WEEKLY)

    assert with_implied_day(monthly, dt.date(2027, 1, 31)).month_days == (31,)
    assert with_implied_day(weekly, dt.date(2026, 12, 3)).weekdays == ("th",)
    explicit = Recurrence(Frequency.MONTHLY, weekdays=("2tu",))
    assert with_implied_day(explicit, dt.date(2026, 12, 3)) == explicit
