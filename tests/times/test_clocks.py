"""The time on another town's clocks, beside the clinic's own."""

import datetime as dt

import pytest

from companion.times import clocks, walls


@pytest.mark.parametrize(
    ("here", "there", "told"),
    [
        ("Europe/Berlin", "Europe/Lisbon", "22:26 Lisbon"),
        ("Europe/Berlin", "Asia/Tokyo", "next day 07:26 Tokyo"),
        ("Asia/Tokyo", "America/Sao_Paulo", "day before 19:26 Sao Paulo"),
        # From one side of the date line to the other, both ways.
        ("Etc/GMT+12", "Pacific/Kiritimati", "next day 12:26 Kiritimati"),
        ("Europe/Berlin", "Europe/Paris", ""),
    ],
)
def test_the_other_time_names_its_day_and_its_town(here: str, there: str, told: str) -> None:
    at = dt.datetime(2026, 11, 26, 22, 26, tzinfo=dt.UTC)

    assert clocks.time_there(walls.local(at, here), there) == told


@pytest.mark.parametrize(
    ("here", "there", "told"),
    [
        ("Pacific/Pago_Pago", "Pacific/Kiritimati", "two days later 00:30 Kiritimati"),
        ("Pacific/Kiritimati", "Pacific/Pago_Pago", "two days before 23:30 Pago Pago"),
    ],
)
def test_zones_across_the_date_line_may_lie_two_days_apart(here: str, there: str, told: str) -> None:
    at = dt.datetime(2026, 11, 25, 10, 30, tzinfo=dt.UTC)

    assert clocks.time_there(walls.local(at, here), there) == told
