"""Tests of when an answer counts as later than usual."""

import math
import uuid

import pytest

from companion.dispatch.answer_times import AnswerTimes


def times_of(*seconds: float) -> AnswerTimes:
    times = AnswerTimes()
    for took in seconds:
        attempt = uuid.uuid4()
        times.request_written(attempt, 0.0)
        times.ended(attempt, took, answered=True)
    return times


@pytest.mark.parametrize(
    ("seconds", "patience"),
    [
        ([0.02] * 100, 0.3),
        ([0.2] * 100, 0.8),
        ([0.2] * 98 + [0.3, 3.0], 1.2),
        ([1.0] * 100, 2.0),
        ([5.0] * 50 + [0.02] * 100, 0.3),
        ([0.02] * 9, 1.0),
        ([], 1.0),
    ],
    ids=["quick", "usual", "one of a hundred is slow", "slow", "slow long ago", "too few", "none"],
)
def test_patience_is_four_times_the_recent_99th_percentile(seconds: list[float], patience: float) -> None:
    assert times_of(*seconds).patience() == pytest.approx(patience)


def test_the_oldest_open_answer_decides() -> None:
    times = times_of(*[0.02] * 100)
    first, second = uuid.uuid4(), uuid.uuid4()
    times.request_written(first, 10.0)
    times.request_written(second, 10.2)
    at_first = times.late_at()
    times.ended(first, 10.25, answered=True)

    assert [at_first, times.late_at()] == pytest.approx([10.3, 10.5])


def test_nothing_is_late_while_nothing_is_open() -> None:
    assert times_of(*[0.02] * 100).late_at() == math.inf


def test_a_request_that_hung_before_the_bot_answered_again_says_nothing() -> None:
    times = times_of(*[0.02] * 100)
    before, after = uuid.uuid4(), uuid.uuid4()
    times.request_written(before, 10.0)
    times.start_afresh(20.0)
    times.request_written(after, 21.0)

    assert times.late_at() == pytest.approx(21.3)
    assert times.ended(before, 22.0, answered=False) is False
    assert times.ended(after, 22.0, answered=False) is True


def test_an_answer_that_never_came_is_no_usual_time() -> None:
    times = times_of(*[0.02] * 20)
    attempt = uuid.uuid4()
    times.request_written(attempt, 0.0)
    times.ended(attempt, 25.0, answered=False)

    assert times.patience() == pytest.approx(0.3)
