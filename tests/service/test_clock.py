"""The one clock by hand-moved clocks, and read from a real database."""

import datetime as dt
from dataclasses import dataclass

import pytest

from companion.service.clock import STEP, Clock, database_now, machine_now
from tests.service.waiting import until

NOON = dt.datetime(2026, 12, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)


@dataclass
class Machine:
    """A machine's two clocks, moved by the test."""

    wall: dt.datetime = NOON
    monotonic: float = 1000.0

    def run(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += dt.timedelta(seconds=seconds)

    def clock(self, base: dt.datetime | None = None) -> Clock:
        return Clock(base, wall=lambda: self.wall, monotonic=lambda: self.monotonic)


def test_the_clock_starts_at_its_base_and_moves_on_by_the_monotonic_clock() -> None:
    machine = Machine()
    clock = machine.clock(base=NOON + HOUR)

    machine.run(90)

    assert clock.now() == NOON + HOUR + 90 * SECOND


def test_without_a_base_it_starts_at_the_machines_time() -> None:
    assert Machine().clock().now() == NOON


def test_a_wall_clock_that_steps_does_not_move_it() -> None:
    machine = Machine()
    clock = machine.clock()

    machine.wall -= HOUR

    assert clock.now() == NOON


@pytest.mark.parametrize("step", [HOUR, -HOUR, 6 * SECOND])
def test_a_step_is_told_and_stays_through_a_rebase_until_it_is_accepted(step: dt.timedelta) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += step

    clock.rebase(NOON)
    told = clock.stepped()
    clock.accept_step()

    assert told == step
    assert clock.stepped() == dt.timedelta()


def test_slow_drift_does_not_add_up_to_a_step() -> None:
    machine = Machine()
    clock = machine.clock()

    for _ in range(20):
        machine.wall += SECOND
        clock.rebase(machine.wall)

    assert abs(clock.stepped()) < STEP


def test_an_uneven_delay_of_the_databases_answers_moves_it_by_five_milliseconds_at_most() -> None:
    machine = Machine()
    clock = machine.clock(base=NOON)

    clock.rebase(NOON - 80 * SECOND / 1000)

    assert clock.now() == NOON - 5 * SECOND / 1000


def test_a_database_that_moved_to_another_time_is_followed_at_once() -> None:
    machine = Machine()
    clock = machine.clock(base=NOON)

    clock.rebase(NOON + HOUR)

    assert clock.now() == NOON + HOUR


@pytest.mark.django_db
def test_the_database_gives_its_time_in_utc() -> None:
    before = machine_now()
    now = database_now()
    after = machine_now()

    assert now.tzinfo is dt.UTC
    # The same machine's clock either way, here.
    assert before <= now <= after


@pytest.mark.django_db
def test_the_databases_time_moves_on_within_a_transaction() -> None:
    first = database_now()

    until(lambda: database_now() > first, "a later time")
