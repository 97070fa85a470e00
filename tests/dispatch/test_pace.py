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
    slot, left = NOW, []
    for delay in delays:
        left.append(slot + dt.timedelta(seconds=delay))
        slot = pace.after(slot, rate)

    most = max(sum(1 for one in left if first <= one < first + SECOND) for first in left)

    assert most <= rate


def test_a_bot_that_rested_may_send_at_once() -> None:
    found = pace.slots(NOW - dt.timedelta(hours=1), now=NOW, until=NOW, rate=30, most=10)

    assert found == [NOW]


def test_no_slot_is_free_before_the_bots_next() -> None:
    found = pace.slots(NOW + SECOND, now=NOW, until=NOW + SECOND / 2, rate=30, most=10)

    assert found == []


def test_slots_are_a_little_further_apart_than_the_rate_asks() -> None:
    found = pace.slots(NOW, now=NOW, until=NOW + SECOND, rate=30, most=100)

    assert len(found) == 29
    assert found[-1] - found[0] == 28 * pace.gap(30)
