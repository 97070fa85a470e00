"""The bot's rate, as Telegram would count it."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from companion.dispatch import pace
from tests.builders import NOW

RATES = st.integers(min_value=1, max_value=1000)
SECOND = dt.timedelta(seconds=1)


@given(rate=RATES, delays=st.lists(st.floats(min_value=0, max_value=pace.LATENESS), min_size=1, max_size=200))
def test_no_second_sees_more_than_the_rate_however_late_each_is_within_its_lateness(
    rate: int, delays: list[float]
) -> None:
    gap = pace.limits(rate, per_chat=1).gap
    left = [NOW + number * gap + dt.timedelta(seconds=delay) for number, delay in enumerate(delays)]

    most = max(sum(1 for at in left if first <= at < first + SECOND) for first in left)

    assert most <= rate


def test_a_bot_that_rested_may_send_at_once() -> None:
    free = pace.limits(30, 1).free_slots(NOW - dt.timedelta(hours=1), now=NOW, most=10)

    assert free == [NOW]


def test_no_slot_is_free_before_the_bots_next() -> None:
    free = pace.limits(30, 1).free_slots(NOW + SECOND, now=NOW, most=10)

    assert free == []


def test_slots_are_a_little_further_apart_than_the_rate_asks() -> None:
    gap = pace.limits(30, 1).gap

    assert 28 * gap < SECOND <= 29 * gap


def test_a_fast_bot_has_several_slots_at_once_but_no_more_than_it_is_asked_for() -> None:
    limits = pace.limits(1000, 1)

    assert len(limits.free_slots(None, now=NOW, most=100)) == 10
    assert limits.free_slots(None, now=NOW, most=2) == [NOW, NOW + limits.gap]
