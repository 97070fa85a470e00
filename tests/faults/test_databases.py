"""The database goes away and comes back, in the middle of a drain: PostgreSQL crashes, SQLite's disk is full."""

import resource
import time
from collections import Counter

import pytest

from bench import inside, service
from bench.grounds import POSTGRESQL, grounds
from companion.clinics.models import Clinic
from tests.faults.drains import a_backlog, check, drained, fast
from tests.support import session
from tests.support.services import a_service, eventually
from tests.support.stand_in import StandIn

_PENDING = "SELECT count(*) FROM schedules_message WHERE status = 'pending'"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.skipif(not session.on_postgresql(), reason="PostgreSQL's")
def test_a_postgresql_that_crashes_and_comes_back_costs_no_message(telegram: StandIn) -> None:
    with grounds() as ground, ground.fresh(POSTGRESQL) as database:
        inside.call(database, "bench.rows:due", count=150, first=time.time())
        with service.dispatcher(database, telegram.url, rate_per_second=50):
            eventually(lambda: len(telegram.arrivals) >= 20)
            ground.restart_postgresql()
            eventually(lambda: database.ask(_PENDING) == [(0,)])
        ended = Counter(row[0] for row in database.ask("SELECT status || reason FROM schedules_message"))

    assert ended == {"sent": 150}
    assert Counter(telegram.chats()).most_common(1)[0][1] == 1


@pytest.mark.skipif(session.on_postgresql(), reason="SQLite's")
def test_a_full_disk_delays_and_loses_nothing(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    a_backlog(clinic, 80)
    with a_service("dispatcher", fast(product_environment, telegram)) as process:
        eventually(lambda: len(telegram.arrivals) >= 10)
        # No file may grow beyond this: what a full disk does, without filling the machine's.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        stuck = _when_it_stands_still(telegram)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        drained(clinic)
        assert process.poll() is None

    toll = check(clinic, telegram)
    assert stuck < 80
    assert (toll.sent, toll.failed) == (80, 0)


def _when_it_stands_still(telegram: StandIn) -> int:
    """Return how many have arrived once nothing more does for a second."""
    seen = (0, time.monotonic())

    def still() -> bool:
        nonlocal seen
        if len(telegram.arrivals) != seen[0]:
            seen = (len(telegram.arrivals), time.monotonic())
        return time.monotonic() - seen[1] > 1

    eventually(still)
    return seen[0]
