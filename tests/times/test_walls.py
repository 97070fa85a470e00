"""Wall times in their zones: random times against a clock watched minute by minute, and the named traps."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from companion.times import walls
from companion.times.walls import Moved, is_zone, local, parse_wall, resolve, wall_name, zone_info, zone_names
from tests.times.oracle import clock, first_instant
from tests.times.strategies import zones_and_instants

wall = datetime.fromisoformat

TRAPS: Mapping[str, tuple[str, str, str, str | None]] = {
    "an ordinary morning": ("Europe/Berlin", "2026-12-01T09:00", "2026-12-01T09:00+01:00", None),
    "Berlin skips an hour in March": ("Europe/Berlin", "2027-03-28T02:30", "2027-03-28T03:30+02:00", "dst_gap"),
    "the hour after the skipped hour is itself": ("Europe/Berlin", "2027-03-28T03:00", "2027-03-28T03:00+02:00", None),
    "Berlin doubles an hour in October": ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T02:30+02:00", "dst_fold"),
    "the hour after the doubled hour comes once": ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T03:00+01:00", None),
    "New York skips": ("America/New_York", "2026-03-08T02:30", "2026-03-08T03:30-04:00", "dst_gap"),
    "Sydney, in the other half of the year": (
        "Australia/Sydney",
        "2026-10-04T02:00",
        "2026-10-04T03:00+11:00",
        "dst_gap",
    ),
    "Lord Howe skips half an hour": ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-04T02:45+11:00", "dst_gap"),
    "Lord Howe doubles half an hour": ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-05T01:45+11:00", "dst_fold"),
    "the half hour before comes once": ("Australia/Lord_Howe", "2026-04-05T01:15", "2026-04-05T01:15+11:00", None),
    "Samoa skipped a whole day": ("Pacific/Apia", "2011-12-30T09:00", "2011-12-31T09:00+14:00", "dst_gap"),
    "Samoa's day after": ("Pacific/Apia", "2011-12-31T09:00", "2011-12-31T09:00+14:00", None),
    "Kwajalein skipped a day in 1993": ("Pacific/Kwajalein", "1993-08-21T09:00", "1993-08-22T09:00+12:00", "dst_gap"),
    "Troll skips two hours": ("Antarctica/Troll", "2027-03-28T02:30", "2027-03-28T04:30+02:00", "dst_gap"),
    "a midnight that does not exist": ("Africa/Cairo", "2026-04-24T00:00", "2026-04-24T01:00+03:00", "dst_gap"),
    "a midnight that is reached once only": ("Africa/Cairo", "2026-10-30T00:00", "2026-10-30T00:00+02:00", None),
    "Dublin, where winter is the exception": ("Europe/Dublin", "2026-03-29T01:30", "2026-03-29T02:30+01:00", "dst_gap"),
    "Chatham, three quarters of an hour off": (
        "Pacific/Chatham",
        "2026-09-27T02:50",
        "2026-09-27T03:50+13:45",
        "dst_gap",
    ),
    "St John's double summer time": ("America/St_Johns", "1988-04-03T01:00", "1988-04-03T03:00-01:30", "dst_gap"),
    "Monrovia skipped 44 minutes and 30 seconds": (
        "Africa/Monrovia",
        "1972-01-07T00:30",
        "1972-01-07T01:14:30+00:00",
        "dst_gap",
    ),
    "Pyongyang doubled half an hour": ("Asia/Pyongyang", "2015-08-14T23:45", "2015-08-14T23:45+09:00", "dst_fold"),
    "Sao Paulo has no daylight saving any more": (
        "America/Sao_Paulo",
        "2026-11-01T00:30",
        "2026-11-01T00:30-03:00",
        None,
    ),
    "the rules go on after 2037": ("Europe/Berlin", "2099-03-29T02:30", "2099-03-29T03:30+02:00", "dst_gap"),
}


@pytest.mark.parametrize(("zone", "nominal", "expected", "moved"), TRAPS.values(), ids=TRAPS.keys())
def test_a_known_trap_is_avoided(zone: str, nominal: str, expected: str, moved: str | None) -> None:
    resolved = resolve(wall(nominal), zone)

    assert (resolved.at, resolved.wall, resolved.moved) == (wall(expected), wall(expected).replace(tzinfo=None), moved)


@settings(max_examples=150, deadline=None)
@given(zones_and_instants())
def test_a_wall_time_is_found_where_a_watched_clock_shows_it(zone_and_instant: tuple[str, datetime]) -> None:
    zone, near = zone_and_instant
    nominal = near.replace(tzinfo=None) + (near.astimezone(zone_info(zone)).utcoffset() or timedelta())

    resolved = resolve(nominal, zone)

    assert (resolved.at, resolved.wall) == first_instant(nominal, zone)


@settings(max_examples=300, deadline=None)
@given(zones_and_instants())
def test_only_a_doubled_time_is_not_the_way_back(zone_and_instant: tuple[str, datetime]) -> None:
    zone, at = zone_and_instant

    resolved = resolve(clock(at, zone), zone)

    assert resolved.moved is not Moved.DST_GAP
    assert resolved.at == at or (resolved.moved is Moved.DST_FOLD and resolved.wall == clock(at, zone))


def test_instants_are_answered_in_utc() -> None:
    assert resolve(wall("2026-12-01T09:00"), "Europe/Berlin").at.tzinfo is UTC


def test_a_wall_time_with_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="no offset"):
        resolve(wall("2026-12-01T09:00+01:00"), "Europe/Berlin")


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="carries an offset"):
        local(wall("2026-12-01T09:00"), "Europe/Berlin")


def test_an_instant_is_shown_on_the_zones_clock() -> None:
    shown = local(wall("2026-12-01T08:00+00:00"), "Asia/Kathmandu")

    assert shown.isoformat() == "2026-12-01T13:45:00+05:45"


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_iana_names_are_zones(name: str) -> None:
    assert is_zone(name)
    assert name in zone_names()


MISSPELLED = ("", "europe/berlin", "Europe/berlin", "Europe", "Europe/Berlin ", "UTC\0")
NO_ZONES = (*MISSPELLED, "CEST", "Factory", "patient", "../tzdata/UTC", "/etc/localtime", "localtime", "__init__.py")


@pytest.mark.parametrize("name", NO_ZONES)
def test_other_names_are_not(name: str) -> None:
    assert not is_zone(name)
    with pytest.raises(ValueError, match="time zone"):
        resolve(wall("2026-12-01T09:00"), name)


def test_every_zone_that_is_offered_can_be_read() -> None:
    for name in zone_names():
        assert resolve(wall("2026-07-01T12:00"), name).at.tzinfo is UTC


def test_zones_come_from_the_package_and_not_from_the_machine() -> None:
    # In another process: other tests may have changed the zone files of this process.
    program = "import companion.times.walls, zoneinfo; print(zoneinfo.TZPATH)"
    top = Path(walls.__file__).parents[2]

    shown = subprocess.run([sys.executable, "-c", program], cwd=top, capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "()"


@pytest.mark.parametrize("name", ["2026-12-01T09:00", "2026-12-01T09:00:30", "1900-01-01T00:00", "2100-12-31T23:59:59"])
def test_an_occurrence_keeps_its_name_when_it_is_read(name: str) -> None:
    assert wall_name(parse_wall(name)) == name


def test_whole_minutes_are_named_without_seconds() -> None:
    assert wall_name(parse_wall("2026-12-01T09:00:00")) == "2026-12-01T09:00"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2026-12-01T09:00Z", "without an offset"),
        ("2026-12-01T09:00+01:00", "without an offset"),
        ("2026-12-01 09:00", "without an offset"),
        ("2026-12-01", "without an offset"),
        ("2026-12-01T09", "without an offset"),
        ("2026-12-01T09:00:00.5", "without an offset"),
        ("2026-12-01T09:00\n", "without an offset"),
        ("２０２６-12-01T09:00", "without an offset"),
        ("2026-12-01T24:00", "without an offset"),
        ("", "without an offset"),
        ("2026-02-29T09:00", "no such date"),
        ("2026-12-01T09:60", "no such date"),
        ("1899-12-31T09:00", "1900 to 2100"),
        ("2101-01-01T00:00", "1900 to 2100"),
    ],
)
def test_a_text_that_is_no_wall_time_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_wall(text)


@pytest.mark.parametrize("nameless", ["2026-12-01T09:00+01:00", "2026-12-01T09:00:00.500000"])
def test_no_name_is_made_up_for_what_is_no_whole_wall_time(nameless: str) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        wall_name(wall(nameless))
