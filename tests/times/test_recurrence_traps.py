"""The known traps of recurrence, each by its name: what falls, and when."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import pytest
from dateutil import rrule

from companion.times.recurrence import from_json, occurrences, wall_name

wall = datetime.fromisoformat

TRAPS: Mapping[str, tuple[str, dict[str, object], str]] = {
    "the 31st falls on the last day of shorter months": (
        "2026-01-31T09:00",
        {"frequency": "monthly"},
        "2026-01-31T09:00 2026-02-28T09:00 2026-03-31T09:00 2026-04-30T09:00",
    ),
    "the 31st can be left out of shorter months": (
        "2026-01-31T09:00",
        {"frequency": "monthly", "month_end": "skip"},
        "2026-01-31T09:00 2026-03-31T09:00 2026-05-31T09:00",
    ),
    "the 31st stays the 31st after a February": (
        "2026-02-01T09:00",
        {"frequency": "monthly", "month_days": [31]},
        "2026-02-28T09:00 2026-03-31T09:00",
    ),
    "29 February of a leap year falls on the 28th in other years": (
        "2028-02-29T09:00",
        {"frequency": "monthly", "interval": 12},
        "2028-02-29T09:00 2029-02-28T09:00 2030-02-28T09:00 2031-02-28T09:00 2032-02-29T09:00",
    ),
    "29 February can be left out of other years": (
        "2028-02-29T09:00",
        {"frequency": "monthly", "interval": 12, "month_end": "skip"},
        "2028-02-29T09:00 2032-02-29T09:00",
    ),
    "2100 has no 29 February": (
        "2096-02-29T09:00",
        {"frequency": "monthly", "interval": 12, "month_end": "skip", "count": 2},
        "2096-02-29T09:00 end",
    ),
    "a 30 February never comes": (
        "2026-02-01T09:00",
        {"frequency": "monthly", "interval": 12, "month_days": [30], "month_end": "skip"},
        "end",
    ),
    "the 29th, 30th and 31st of February are one day": (
        "2026-02-01T09:00",
        {"frequency": "monthly", "month_days": [28, 29, 30, 31, -1], "count": 2},
        "2026-02-28T09:00 2026-03-28T09:00 end",
    ),
    "the last day but one": (
        "2026-02-01T09:00",
        {"frequency": "monthly", "month_days": [-2]},
        "2026-02-27T09:00 2026-03-30T09:00",
    ),
    "the 31st day from the end is not there in a shorter month": (
        "2026-02-01T09:00",
        {"frequency": "monthly", "month_days": [-31]},
        "2026-03-01T09:00 2026-05-01T09:00",
    ),
    "every second Monday passes the year's end with its week 53": (
        "2026-12-28T09:00",
        {"frequency": "weekly", "interval": 2},
        "2026-12-28T09:00 2027-01-11T09:00",
    ),
    "every third day passes the year's end": (
        "2026-12-30T09:00",
        {"frequency": "daily", "interval": 3},
        "2026-12-30T09:00 2027-01-02T09:00",
    ),
    "every fifth month passes the year's end": (
        "2026-10-15T09:00",
        {"frequency": "monthly", "interval": 5},
        "2026-10-15T09:00 2027-03-15T09:00 2027-08-15T09:00",
    ),
    "weeks start on Monday, so a Sunday belongs to the week before": (
        "2026-06-03T09:00",
        {"frequency": "weekly", "interval": 2, "weekdays": ["mo", "su"]},
        "2026-06-07T09:00 2026-06-15T09:00 2026-06-21T09:00",
    ),
    "a start that the rule does not give is not given": (
        "2026-06-03T09:00",
        {"frequency": "weekly", "weekdays": ["fr"], "count": 1},
        "2026-06-05T09:00 end",
    ),
    "every second day, working days only": (
        "2026-06-05T09:00",
        {"frequency": "daily", "interval": 2, "weekdays": ["mo", "tu", "we", "th", "fr"]},
        "2026-06-05T09:00 2026-06-09T09:00 2026-06-11T09:00 2026-06-15T09:00",
    ),
    "the second Tuesday": (
        "2026-06-10T09:00",
        {"frequency": "monthly", "weekdays": ["2tu"]},
        "2026-07-14T09:00 2026-08-11T09:00",
    ),
    "the last Friday": (
        "2026-06-01T09:00",
        {"frequency": "monthly", "weekdays": ["-1fr"]},
        "2026-06-26T09:00 2026-07-31T09:00",
    ),
    "a fifth Monday comes in some months only": (
        "2026-01-01T09:00",
        {"frequency": "monthly", "weekdays": ["5mo"]},
        "2026-03-30T09:00 2026-06-29T09:00 2026-08-31T09:00",
    ),
    "Friday the 13th is a day that is both": (
        "2026-01-01T09:00",
        {"frequency": "monthly", "weekdays": ["fr"], "month_days": [13]},
        "2026-02-13T09:00 2026-03-13T09:00 2026-11-13T09:00",
    ),
    "the last weekday of a month (BYSETPOS -1)": (
        "2026-01-01T09:00",
        {"frequency": "monthly", "weekdays": ["mo", "tu", "we", "th", "fr"], "set_position": -1},
        "2026-01-30T09:00 2026-02-27T09:00 2026-03-31T09:00",
    ),
    "a position counts the days before the start too": (
        "2026-01-05T09:00",
        {"frequency": "monthly", "weekdays": ["mo"], "set_position": 2},
        "2026-01-12T09:00 2026-02-09T09:00",
    ),
    "the first of a week's days, in the week of the start too": (
        "2026-06-03T09:00",
        {"frequency": "weekly", "weekdays": ["mo", "th"], "set_position": 1},
        "2026-06-08T09:00 2026-06-15T09:00",
    ),
    "days that fall together are one day before a position is picked": (
        "2026-02-01T09:00",
        {"frequency": "monthly", "month_days": [27, 30, 31], "set_position": 2},
        "2026-02-28T09:00 2026-03-30T09:00",
    ),
    "several times a day start with the first time that is not before the start": (
        "2026-12-01T09:00",
        {"frequency": "daily", "times": ["20:00", "08:00", "14:00"]},
        "2026-12-01T14:00 2026-12-01T20:00 2026-12-02T08:00",
    ),
    "a count ends in the middle of a day": (
        "2026-12-01T09:00",
        {"frequency": "daily", "times": ["08:00", "14:00", "20:00"], "count": 4},
        "2026-12-01T14:00 2026-12-01T20:00 2026-12-02T08:00 2026-12-02T14:00 end",
    ),
    "the last day is included with all its times": (
        "2026-12-01T09:00",
        {"frequency": "daily", "times": ["08:00", "20:00"], "until": "2026-12-02"},
        "2026-12-01T20:00 2026-12-02T08:00 2026-12-02T20:00 end",
    ),
    "an end before the start gives nothing": (
        "2026-12-02T09:00",
        {"frequency": "daily", "until": "2026-12-01"},
        "end",
    ),
    "of two ends the earlier counts: the day": (
        "2026-12-01T09:00",
        {"frequency": "daily", "until": "2026-12-02", "count": 5},
        "2026-12-01T09:00 2026-12-02T09:00 end",
    ),
    "of two ends the earlier counts: the count": (
        "2026-12-01T09:00",
        {"frequency": "daily", "until": "2026-12-31", "count": 1},
        "2026-12-01T09:00 end",
    ),
    "an excepted date drops its whole day": (
        "2026-12-24T08:00",
        {"frequency": "daily", "times": ["08:00", "20:00"], "except": ["2026-12-25"]},
        "2026-12-24T08:00 2026-12-24T20:00 2026-12-26T08:00",
    ),
    "an excepted wall time drops one occurrence": (
        "2026-12-24T08:00",
        {"frequency": "daily", "times": ["08:00", "20:00"], "except": ["2026-12-24T20:00"]},
        "2026-12-24T08:00 2026-12-25T08:00",
    ),
    "exceptions do not make a counted series longer": (
        "2026-12-24T08:00",
        {"frequency": "daily", "except": ["2026-12-25"], "count": 3},
        "2026-12-24T08:00 2026-12-26T08:00 end",
    ),
    "an exception that the rule does not give changes nothing": (
        "2026-12-24T08:00",
        {"frequency": "daily", "except": ["2026-12-25T09:00"], "count": 2},
        "2026-12-24T08:00 2026-12-25T08:00 end",
    ),
    "seconds of the start are kept": (
        "2026-12-24T08:00:30",
        {"frequency": "daily", "count": 2},
        "2026-12-24T08:00:30 2026-12-25T08:00:30 end",
    ),
    "everything ends with the year 2100": (
        "2100-12-30T09:00",
        {"frequency": "daily"},
        "2100-12-30T09:00 2100-12-31T09:00 end",
    ),
}


@pytest.mark.parametrize(("start", "rule", "expected"), TRAPS.values(), ids=TRAPS.keys())
def test_a_known_trap_is_avoided(start: str, rule: dict[str, object], expected: str) -> None:
    names = expected.split()

    walls = occurrences(wall(start), from_json(rule))

    assert [wall_name(each) if each else "end" for each in (next(walls, None) for _ in names)] == names


@pytest.mark.parametrize(
    ("by_dateutil", "rule", "first_days"),
    [
        ({"bymonthday": 31}, {"month_days": [31]}, "2026-12-31 2027-01-31 2027-02-28"),
        ({"byweekday": (rrule.MO, rrule.TU(2))}, {"weekdays": ["mo", "2tu"]}, "2026-12-07 2026-12-08 2026-12-14"),
    ],
    ids=["the 31st in February", "Mondays and the second Tuesday"],
)
def test_where_dateutil_alone_would_fall_into_a_trap(
    by_dateutil: dict[str, Any], rule: dict[str, object], first_days: str
) -> None:
    start = wall("2026-12-01T09:00")

    theirs = list(rrule.rrule(rrule.MONTHLY, dtstart=start, until=wall("2027-02-28T23:00"), **by_dateutil))[:3]
    ours = list(islice(occurrences(start, from_json({"frequency": "monthly"} | rule)), 3))

    assert [f"{each:%Y-%m-%d}" for each in ours] == first_days.split()
    assert theirs != ours


def test_a_schedule_without_a_rule_falls_once() -> None:
    assert list(occurrences(wall("2026-12-01T09:00"), None)) == [wall("2026-12-01T09:00")]


def test_a_schedule_without_a_rule_has_nothing_after_its_one_time() -> None:
    once = wall("2026-12-01T09:00")

    assert list(occurrences(once, None, after=wall("2026-12-01T08:59"))) == [once]
    assert list(occurrences(once, None, after=once)) == []


def test_a_counted_series_knows_its_end_from_years_later() -> None:
    rule = from_json({"frequency": "daily", "times": ["08:00", "20:00"], "count": 3652})
    start = wall("2016-01-01T12:00")

    assert list(islice(occurrences(start, rule, after=wall("2020-12-29T20:00")), 3)) == [
        wall("2020-12-30T08:00"),
        wall("2020-12-30T20:00"),
        wall("2020-12-31T08:00"),
    ]
    assert list(occurrences(start, rule, after=wall("2020-12-30T20:00"))) == [wall("2020-12-31T08:00")]
    assert list(occurrences(start, rule, after=wall("2030-01-01T00:00"))) == []


def test_nothing_is_found_after_the_last_year() -> None:
    for frequency in ("daily", "weekly", "monthly"):
        rule = from_json({"frequency": frequency})
        assert list(occurrences(wall("2026-01-01T09:00"), rule, after=wall("9999-12-31T23:59"))) == []
