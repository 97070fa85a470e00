"""Working days: what is a day off, and where a message goes instead."""

from datetime import date, timedelta

import pytest

from companion.times.workdays import (
    FARTHEST,
    Avoid,
    Calendar,
    WhenAvoided,
    is_avoided,
    next_working_day,
    region_names,
    working_day,
)

WEEKENDS = Avoid(weekends=True)
HOLIDAYS = Avoid(holidays=True)
ALL = Avoid(weekends=True, holidays=True, closed_days=True)
SATURDAY = date(2026, 12, 5)


@pytest.mark.parametrize(
    ("when", "day"),
    [(WhenAvoided.SKIP, None), (WhenAvoided.NEXT, date(2026, 12, 7)), (WhenAvoided.PREVIOUS, date(2026, 12, 4))],
)
def test_a_saturday_is_skipped_or_moved_as_asked(when: WhenAvoided, day: date | None) -> None:
    assert working_day(SATURDAY, WEEKENDS, when, Calendar()) == day


def test_a_working_day_stays() -> None:
    assert working_day(date(2026, 12, 4), ALL, WhenAvoided.NEXT, Calendar("DE")) == date(2026, 12, 4)


def test_a_day_that_is_not_to_be_avoided_stays() -> None:
    assert working_day(SATURDAY, HOLIDAYS, WhenAvoided.NEXT, Calendar("DE")) == SATURDAY


@pytest.mark.parametrize(
    ("country", "region", "day", "off"),
    [
        ("DE", "", date(2026, 12, 25), True),
        ("DE", "BY", date(2026, 1, 6), True),
        ("DE", "BE", date(2026, 1, 6), False),
        ("US", "", date(2026, 11, 26), True),
        ("", "", date(2026, 12, 25), False),
    ],
)
def test_public_holidays_are_those_of_the_country_and_region(country: str, region: str, day: date, off: bool) -> None:
    assert is_avoided(day, HOLIDAYS, Calendar(country, region)) is off


def test_a_weekend_is_the_countrys_own() -> None:
    friday = date(2026, 12, 4)

    assert is_avoided(friday, WEEKENDS, Calendar("SA"))
    assert not is_avoided(date(2026, 12, 6), WEEKENDS, Calendar("SA"))


def test_christmas_in_germany_moves_to_the_monday_after_it() -> None:
    assert working_day(date(2026, 12, 25), ALL, WhenAvoided.NEXT, Calendar("DE")) == date(2026, 12, 28)


@pytest.mark.parametrize(
    ("avoid", "day", "when", "moved"),
    [
        (HOLIDAYS, date(2026, 12, 25), WhenAvoided.NEXT, date(2026, 12, 28)),
        (HOLIDAYS, date(2026, 12, 25), WhenAvoided.PREVIOUS, date(2026, 12, 23)),
        (WEEKENDS, date(2026, 12, 26), WhenAvoided.PREVIOUS, date(2026, 12, 23)),
        (Avoid(closed_days=True), date(2026, 12, 24), WhenAvoided.NEXT, date(2026, 12, 28)),
    ],
)
def test_a_working_day_is_none_of_the_three_after_any_of_them(
    avoid: Avoid, day: date, when: WhenAvoided, moved: date
) -> None:
    assert working_day(day, avoid, when, Calendar("DE", "", frozenset({date(2026, 12, 24)}))) == moved


def test_a_closed_week_is_jumped_over() -> None:
    week = frozenset(date(2026, 12, 28) + timedelta(days=day) for day in range(5))

    assert working_day(date(2026, 12, 25), ALL, WhenAvoided.NEXT, Calendar("DE", "", week)) == date(2027, 1, 4)


def test_closed_for_longer_than_a_fortnight_is_skipped() -> None:
    closed = frozenset(date(2026, 12, 1) + timedelta(days=day) for day in range(FARTHEST + 1))

    assert working_day(date(2026, 12, 1), ALL, WhenAvoided.NEXT, Calendar("", "", closed)) is None


def test_the_next_working_day_is_never_today() -> None:
    assert next_working_day(date(2026, 12, 3), Calendar("DE")) == date(2026, 12, 4)
    assert next_working_day(date(2026, 12, 24), Calendar("DE")) == date(2026, 12, 28)


def test_regions_have_names_people_know() -> None:
    assert region_names("DE")["BY"] == "Bayern"
    assert region_names("") == {}
