"""One of several real processes goes: killed, it is missed until another takes its place; stopped, it is not missed."""

import datetime as dt
import signal
from collections.abc import Mapping

import pytest
from django.db.models import F

from companion.panel import facts, judge
from companion.service.clock import database_now
from companion.service.models import Heartbeat, Kind
from tests.support import session
from tests.support.services import a_service, eventually, stop

pytestmark = pytest.mark.skipif(not session.on_postgresql(), reason="SQLite carries few processes")


def missed() -> list[int]:
    """The lost listeners' process ids."""
    now = database_now()
    return [beat.pid for beat in judge.gone(facts.beats(now=now), Kind.LISTENER, now=now)]


def test_a_killed_listener_is_missed_until_another_takes_its_place_and_a_stopped_one_is_not(
    product_environment: Mapping[str, str],
) -> None:
    rows = Heartbeat.objects.filter(kind=Kind.LISTENER)
    with (
        a_service("listener", product_environment) as killed,
        a_service("listener", product_environment) as stopped,
        a_service("listener", product_environment),
    ):
        eventually(lambda: rows.count() == 3, "three listeners")
        stop(stopped)
        stop(killed, signal.SIGKILL)
        # As if they had run for an hour, and twenty seconds had passed for the killed one.
        rows.update(started_at=F("started_at") - dt.timedelta(hours=1))
        rows.filter(pid=killed.pid).update(beat_at=F("beat_at") - dt.timedelta(seconds=20))

        assert missed() == [killed.pid]
        with a_service("listener", product_environment):
            eventually(lambda: rows.count() == 3, "the listener that takes the place")
            assert missed() == []
