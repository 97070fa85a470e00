"""Conclusions: what the numbers around a Message of unknown outcome tell, and what Telegram's answers add to that."""

import datetime as dt

import msgspec
import pytest

from companion.delivery import traces
from companion.delivery.traces import Ask, Case, Doubtful, Known, Nothing, NoTrace, Wait
from tests.builders import NOW

SECOND = dt.timedelta(seconds=1)
LEASE = dt.timedelta(seconds=60)
CUT = Doubtful(NOW, NOW + SECOND)
"""A Message whose line was cut after a second."""
FINAL = NOW + 2 * LEASE
"""The instant from which "not found" counts."""


def at(number: int, seconds: float) -> Known:
    """A number of ours that was sent at this second, counted from the begin of the Message in question."""
    began = NOW + seconds * SECOND
    return Known(number, began, began + SECOND / 10)


def a_case(*known: Known, attempt: Doubtful = CUT, **fields: object) -> Case:
    values: dict[str, object] = {"same_chat": (), "doubtful": 1, "asked": {}, "known_since": NOW - LEASE}
    return Case(attempt=attempt, lease=LEASE, known=known, **values | fields)  # type: ignore[arg-type]  # a test's own


def asked_in_vain(case: Case, now: dt.datetime) -> list[int]:
    """The numbers that are asked for, each of them in vain, until nothing is asked any more."""
    numbers: list[int] = []
    while isinstance(found := traces.conclusion(case, now), Ask):
        numbers.append(found.number)
        case = msgspec.structs.replace(case, asked={**case.asked, found.number: now})
    return numbers


def test_the_numbers_between_the_last_before_and_the_first_after_are_asked_for_but_those_of_others_are_not() -> None:
    case = a_case(at(99, -20), at(100, -10), at(102, 0.5), at(104, 70), at(105, 80))

    assert asked_in_vain(case, FINAL) == [101, 103]


def test_a_number_that_was_given_at_about_the_same_time_bounds_nothing() -> None:
    case = a_case(at(100, -10), at(103, -1), at(105, 50), at(107, 70))

    assert asked_in_vain(case, FINAL) == [101, 102, 104, 106]


def test_telegram_holds_no_trace_if_it_finds_none_of_them_well_after_the_lease() -> None:
    case = a_case(at(100, -10), at(102, 70), asked={101: FINAL})

    assert traces.conclusion(case, FINAL) == NoTrace()


def test_an_answer_from_before_is_asked_for_again() -> None:
    case = a_case(at(100, -10), at(102, 70), asked={101: FINAL - SECOND})

    assert traces.conclusion(case, FINAL - SECOND) == Wait(FINAL)
    assert traces.conclusion(case, FINAL) == Ask(101)


def test_a_gap_that_others_fill_holds_no_trace_and_nothing_is_asked() -> None:
    case = a_case(at(100, -10), at(101, 1), at(102, 70))

    assert traces.conclusion(case, FINAL - SECOND) == Wait(FINAL)
    assert traces.conclusion(case, FINAL) == NoTrace()


def test_without_a_later_number_the_next_numbers_are_asked_for_but_absence_is_not_concluded() -> None:
    case = a_case(at(100, -10), at(102, 1), doubtful=2)

    assert asked_in_vain(case, FINAL) == [101, 103, 104]
    assert traces.conclusion(msgspec.structs.replace(case, asked=dict.fromkeys((101, 103, 104), FINAL)), FINAL) == Wait(
        None
    )


def test_a_lease_that_ran_out_long_after_counts_from_its_end() -> None:
    rescued = Doubtful(NOW, NOW + 60 * LEASE)
    case = a_case(at(100, -10), at(102, 70), at(103, 60 * 61), attempt=rescued)

    assert asked_in_vain(case, NOW + 60 * LEASE) == [101]
    assert traces.absence_from(rescued, LEASE) == NOW + 61 * LEASE


@pytest.mark.parametrize(("gap", "concluded"), [(200, True), (201, False)])
def test_nothing_is_concluded_where_more_than_two_hundred_numbers_are_unaccounted_for(
    gap: int, concluded: bool
) -> None:
    case = a_case(at(100, -10), at(101 + gap, 70))

    assert isinstance(traces.conclusion(case, FINAL), Ask) is concluded
    assert isinstance(traces.conclusion(case, FINAL), Nothing) is not concluded


@pytest.mark.parametrize("other", [Doubtful(NOW - 5 * SECOND, NOW), Doubtful(NOW + 30 * SECOND, None)])
def test_nothing_is_concluded_where_another_message_to_the_chat_is_unknown_in_the_same_gap(other: Doubtful) -> None:
    case = a_case(at(100, -10), at(103, 70), same_chat=(other,))

    assert isinstance(traces.conclusion(case, FINAL), Nothing)
    assert not traces.is_candidate(case, 101, FINAL)


def test_another_unknown_message_to_the_chat_from_another_gap_is_no_hindrance() -> None:
    earlier = Doubtful(NOW - 90 * SECOND, NOW - 89 * SECOND)
    later = Doubtful(NOW + 90 * SECOND, None)
    case = a_case(at(100, -100), at(102, -10), at(104, 70), at(105, 100), same_chat=(earlier, later))

    assert traces.conclusion(case, FINAL) == Ask(103)


@pytest.mark.parametrize("since", [None, NOW + SECOND])
def test_nothing_is_concluded_where_another_program_uses_the_bot_or_the_numbers_are_not_known(
    since: dt.datetime | None,
) -> None:
    case = a_case(at(100, -10), at(102, 70), known_since=since)

    assert isinstance(traces.conclusion(case, FINAL), Nothing)


def test_nothing_is_concluded_without_an_earlier_number() -> None:
    assert isinstance(traces.conclusion(a_case(at(102, 70)), FINAL), Nothing)


def test_nothing_is_concluded_where_the_numbers_do_not_grow_with_time() -> None:
    put_back = a_case(at(100, -10), at(150, 1800), at(201, 20))

    assert isinstance(traces.conclusion(put_back, NOW + 60 * LEASE), Nothing)


def test_a_message_that_came_in_bounds_the_gap_by_telegrams_own_time() -> None:
    heard_late = Known(101, NOW - 10 * SECOND, NOW + 200 * SECOND)
    of_unknown_time = Known(102, None, NOW + 200 * SECOND)
    case = a_case(at(100, -10), heard_late, of_unknown_time)

    assert asked_in_vain(case, FINAL) == [103]
    assert traces.conclusion(msgspec.structs.replace(case, asked={103: FINAL}), FINAL) == Wait(None)


def test_a_number_that_somebody_has_accounted_for_meanwhile_proves_nothing() -> None:
    case = a_case(at(100, -10), at(101, 1), at(103, 70))

    assert not traces.is_candidate(case, 101, FINAL)
    assert traces.is_candidate(case, 102, FINAL)
