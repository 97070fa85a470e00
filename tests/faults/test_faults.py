"""Each promise with real processes over real sockets: kill -9, SIGSTOP, cut lines, a database that goes away.

A short run is part of `make test`; `make faults` does each far more often.
"""

import asyncio
import os
import random
import signal
import time
from contextlib import ExitStack
from functools import partial

import pytest
from aiohttp import web
from django.db import connection, transaction
from django.utils.timezone import now as present

from companion.clinics.models import Clinic
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from tests.faults.drains import ROUNDS, SEED, a_backlog, check, drained, fast
from tests.support import session
from tests.support.rates import most_in_a_second
from tests.support.services import a_service, eventually
from tests.support.stand_in import Arrival, StandIn, refusal

pytestmark = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.skipif(not session.on_postgresql(), reason="PostgreSQL's")


def test_a_dispatcher_killed_again_and_again_sends_nothing_twice_and_loses_nothing(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    dice = random.Random(SEED)
    environment = fast(product_environment, telegram)
    a_backlog(clinic, 60 * ROUNDS)

    for _ in range(ROUNDS):
        enough = len(telegram.arrivals) + dice.randrange(1, 40)
        with a_service("dispatcher", environment) as process:
            eventually(partial(_far_enough, clinic, telegram, enough))
            process.kill()
            process.wait()
    with a_service("dispatcher", environment):
        drained(clinic)

    toll = check(clinic, telegram)
    assert toll.unknown <= 20 * ROUNDS


def test_on_a_bad_connection_nothing_is_sent_twice_and_every_unknown_outcome_is_reported(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    dice = random.Random(SEED)

    async def answer(arrival: Arrival) -> web.StreamResponse:
        fate = dice.random()
        if fate < 0.1:
            telegram.arrivals.remove(arrival)
            return refusal(502, "Bad Gateway")
        if fate < 0.15:
            telegram.arrivals.remove(arrival)
            return refusal(429, "Too Many Requests: retry after 1", retry_after=1)
        if fate < 0.25 and arrival.request.transport:
            arrival.request.transport.close()
        if fate < 0.3:
            await asyncio.sleep(dice.random())
        return telegram.yes(arrival)

    telegram.answer = answer
    a_backlog(clinic, 40 * ROUNDS)

    with a_service("dispatcher", fast(product_environment, telegram)):
        drained(clinic)

    toll = check(clinic, telegram)
    assert 0 < toll.unknown == toll.failed


def test_a_dispatcher_frozen_past_its_lease_writes_over_nothing_and_sends_nothing_that_it_no_longer_holds(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    environment = fast(product_environment, telegram)
    a_backlog(clinic, 150)

    with ExitStack() as services:
        frozen = services.enter_context(a_service("dispatcher", environment))
        eventually(lambda: len(telegram.arrivals) >= 10)
        os.kill(frozen.pid, signal.SIGSTOP)
        if session.on_postgresql():
            services.enter_context(a_service("dispatcher", environment))
            eventually(lambda: not Message.objects.filter(clinic=clinic, status=Status.PENDING).exists())
        else:
            eventually(lambda: not Message.objects.filter(clinic=clinic, lease_until__gt=present()).exists())
        os.kill(frozen.pid, signal.SIGCONT)
        drained(clinic)

    check(clinic, telegram)


@on_postgresql
def test_connections_cut_in_the_middle_of_a_drain_cost_nothing(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    a_backlog(clinic, 60 * ROUNDS)

    with a_service("dispatcher", fast(product_environment, telegram)) as process:
        for _ in range(ROUNDS):
            enough = len(telegram.arrivals) + 10
            eventually(partial(_far_enough, clinic, telegram, enough))
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        drained(clinic)
        assert process.poll() is None

    toll = check(clinic, telegram)
    assert toll.failed == 0


@on_postgresql
def test_three_dispatchers_share_the_work_and_keep_one_bots_rate(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    a_backlog(clinic, 90)
    environment = fast(product_environment, telegram) | {"COMPANION_RATE_PER_SECOND": "30"}

    with ExitStack() as services:
        for _ in range(3):
            services.enter_context(a_service("dispatcher", environment))
        drained(clinic)

    assert most_in_a_second(clinic) <= 30
    assert check(clinic, telegram).sent == 90


@on_postgresql
def test_a_dead_dispatchers_leases_are_taken_over(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    environment = fast(product_environment, telegram)
    a_backlog(clinic, 120)

    with a_service("dispatcher", environment) as dies, a_service("dispatcher", environment):
        eventually(lambda: len(telegram.arrivals) >= 20)
        dies.kill()
        drained(clinic)

    toll = check(clinic, telegram)
    assert toll.failed == toll.unknown <= 20


@pytest.mark.skipif(session.on_postgresql(), reason="SQLite's")
def test_a_locked_database_delays_and_loses_nothing(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    a_backlog(clinic, 80)
    with a_service("dispatcher", fast(product_environment, telegram)) as process:
        eventually(lambda: len(telegram.arrivals) >= 10)
        with transaction.atomic():
            Message.objects.filter(clinic=clinic).first()
            time.sleep(2)  # the lock itself is the fault, and it lasts as long as this
        drained(clinic)
        assert process.poll() is None

    toll = check(clinic, telegram)
    assert (toll.sent, toll.failed) == (80, 0)


def _far_enough(clinic: Clinic, telegram: StandIn, arrivals: int) -> bool:
    if len(telegram.arrivals) >= arrivals:
        return True
    return not Message.objects.filter(clinic=clinic, status=Status.PENDING).exclude(reason=Reason.TOO_LATE).exists()
