"""Quiet hours: random hours against a clock watched minute by minute, and the nights on which clocks jump."""

from collections.abc import Mapping
from datetime import UTC, datetime, time

import pytest
from hypothesis import given, settings

from companion.times.quiet import QuietHours, quiet_until
from tests.times.oracle import end_of_quiet
from tests.times.strategies import minutes_of_day, zones_and_instants

wall = datetime.fromisoformat

BERLIN = "Europe/Berlin"
NIGHT = ("21:00", "08:00")

CASES: Mapping[str, tuple[str, tuple[str, str], str, str | None]] = {
    "in the evening": (BERLIN, NIGHT, "2026-12-01T22:15+01:00", "2026-12-02T08:00+01:00"),
    "after midnight": (BERLIN, NIGHT, "2026-12-02T00:15+01:00", "2026-12-02T08:00+01:00"),
    "at their very start": (BERLIN, NIGHT, "2026-12-01T21:00+01:00", "2026-12-02T08:00+01:00"),
    "just before them": (BERLIN, NIGHT, "2026-12-01T20:59:59+01:00", None),
    "just before their end": (BERLIN, NIGHT, "2026-12-02T07:59:59+01:00", "2026-12-02T08:00+01:00"),
    "at their very end": (BERLIN, NIGHT, "2026-12-02T08:00+01:00", None),
    "at noon": (BERLIN, NIGHT, "2026-12-02T12:00+01:00", None),
    "within one day": (BERLIN, ("13:00", "15:00"), "2026-12-02T14:00+01:00", "2026-12-02T15:00+01:00"),
    "until midnight": (BERLIN, ("21:00", "00:00"), "2026-12-01T22:00+01:00", "2026-12-02T00:00+01:00"),
    "none at all": (BERLIN, ("21:00", "21:00"), "2026-12-01T21:00+01:00", None),
    "on the patient's clock, wherever the caller is": (
        "America/Lima",
        NIGHT,
        "2026-12-02T04:00+01:00",
        "2026-12-02T08:00-05:00",
    ),
    "in a night that is an hour shorter": (BERLIN, NIGHT, "2027-03-27T23:00+01:00", "2027-03-28T08:00+02:00"),
    "in a night that is an hour longer": (BERLIN, NIGHT, "2026-10-24T23:00+02:00", "2026-10-25T08:00+01:00"),
    "ending in a skipped hour": (BERLIN, ("21:00", "02:30"), "2027-03-28T01:00+01:00", "2027-03-28T03:00+02:00"),
    "ended when the skipped hour is over": (BERLIN, ("21:00", "02:30"), "2027-03-28T03:00+02:00", None),
    "beginning in a skipped hour": (BERLIN, ("02:30", "08:00"), "2027-03-28T03:00+02:00", "2027-03-28T08:00+02:00"),
    "ending in a doubled hour, the first time": (
        BERLIN,
        ("21:00", "02:30"),
        "2026-10-25T02:10+02:00",
        "2026-10-25T02:30+02:00",
    ),
    "ended in a doubled hour, they don't begin again": (BERLIN, ("21:00", "02:30"), "2026-10-25T02:10+01:00", None),
    "begun in a doubled hour, they go on through it": (
        BERLIN,
        ("02:30", "08:00"),
        "2026-10-25T02:10+01:00",
        "2026-10-25T08:00+01:00",
    ),
    "begun at a midnight that comes twice": (
        "America/St_Johns",
        ("00:00", "08:00"),
        "2006-10-28T23:30-03:30",
        "2006-10-29T08:00-03:30",
    ),
    "not begun before that midnight": ("America/St_Johns", ("00:00", "08:00"), "2006-10-28T23:30-02:30", None),
    "over a day that a zone skipped": ("Pacific/Apia", NIGHT, "2011-12-29T22:00-10:00", "2011-12-31T08:00+14:00"),
}


def quiet_hours(start: str, end: str) -> QuietHours:
    return QuietHours(time.fromisoformat(start), time.fromisoformat(end))


@pytest.mark.parametrize(("zone", "hours", "at", "expected"), CASES.values(), ids=CASES.keys())
def test_quiet_hours_end_on_the_patients_clock(
    zone: str, hours: tuple[str, str], at: str, expected: str | None
) -> None:
    end = quiet_until(wall(at), zone, quiet_hours(*hours))

    assert end == (wall(expected) if expected else None)


@settings(max_examples=120, deadline=None)
@given(zones_and_instants(), minutes_of_day, minutes_of_day)
def test_quiet_hours_end_when_a_watched_clock_says_so(
    zone_and_instant: tuple[str, datetime], start: time, end: time
) -> None:
    zone, at = zone_and_instant

    assert quiet_until(at, zone, QuietHours(start, end)) == end_of_quiet(at, zone, start, end)


@settings(max_examples=300, deadline=None)
@given(zones_and_instants(), minutes_of_day, minutes_of_day)
def test_a_message_that_waited_for_their_end_never_waits_again(
    zone_and_instant: tuple[str, datetime], start: time, end: time
) -> None:
    zone, at = zone_and_instant
    quiet = QuietHours(start, end)

    over = quiet_until(at, zone, quiet)

    assert over is None or (over > at and quiet_until(over, zone, quiet) is None)


def test_their_end_is_answered_in_utc() -> None:
    end = quiet_until(wall("2026-12-01T22:15+01:00"), BERLIN, quiet_hours(*NIGHT))

    assert end is not None
    assert end.tzinfo is UTC
