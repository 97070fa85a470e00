"""Several real processes, and the end of a single process: health misses a killed process until it is replaced.

After a clean stop, nothing is missed.
"""

import datetime as dt
import signal
from collections.abc import Mapping

import pytest
from django.db.models import F

from companion.clinics.models import Clinic
from companion.panel import alerts, facts, health, judge
from companion.panel.finding import Cause
from companion.panel.models import Alert
from companion.service.clock import database_now
from companion.service.models import Heartbeat, Kind
from tests.support import session
from tests.support.services import a_service, eventually, stop

pytestmark = pytest.mark.skipif(not session.on_postgresql(), reason="SQLite carries few processes")


def missed() -> list[int]:
    """The lost listeners' process ids."""
    now = database_now()
    return [beat.pid for beat in judge.gone(facts.beats(now=now), Kind.LISTENER, now=now)]


def look(clinic: Clinic) -> list[str]:
    """Look as the Control Panel's thread does, and return the told causes that concern the listeners."""
    health.forget()
    alerts.check_clinic(clinic, now=database_now())
    own = {Cause.LISTENER_LOST, Cause.LISTENER_MISSING, Cause.LISTENER_HANGS}
    return list(Alert.objects.filter(cause__in=own).exclude(told_status="").values_list("cause", flat=True))


def half_a_minute_passes_for_alerts() -> None:
    Alert.objects.update(opened_at=F("opened_at") - dt.timedelta(seconds=30))


def test_a_killed_listener_is_missed_and_told_until_another_takes_its_place_and_a_stopped_listener_is_not(
    product_environment: Mapping[str, str], clinic: Clinic
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
        # As if they had run for an hour, and twenty seconds had passed for the killed listener.
        rows.update(started_at=F("started_at") - dt.timedelta(hours=1))
        rows.filter(pid=killed.pid).update(beat_at=F("beat_at") - dt.timedelta(seconds=20))

        assert missed() == [killed.pid]
        assert look(clinic) == []
        with a_service("listener", product_environment) as successor:
            eventually(lambda: rows.count() == 3, "the listener that takes the place")
            half_a_minute_passes_for_alerts()
            assert missed() == []
            assert look(clinic) == []
            stop(successor)
        # No restart any more: the killed listener has no successor.
        look(clinic)
        half_a_minute_passes_for_alerts()
        assert look(clinic) == [Cause.LISTENER_LOST]
