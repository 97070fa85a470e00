"""The heartbeat to an outside monitoring service: once a minute while sending works, and never in a drill."""

import datetime as dt
import socket
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from companion.clinics.models import Clinic, Role
from companion.panel import health, maintenance, outside_heartbeat
from companion.panel.models import OutsideHeartbeat
from companion.panel.outside_heartbeat import EVERY
from companion.planning import archiving
from companion.service import health_port
from companion.service.models import Heartbeat, Kind
from tests.builders import NOW, a_bot, a_caller, a_clinic
from tests.panel.stories import a_heartbeat
from tests.support.receivers import Hook, a_program
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    clinic = a_clinic()
    a_bot(clinic)
    for kind in Kind:
        a_heartbeat(kind)
    return clinic


@pytest.fixture
def watcher(clinic: Clinic) -> Iterator[Hook]:
    with a_program() as program:
        url = program.url.replace("/alerts", "/api/push/x?status=up&msg=OK&ping=")
        outside_heartbeat.set_url(a_caller(clinic, Role.ADMIN), url, now=NOW)
        yield program


def beats(watcher: Hook, now: dt.datetime = NOW) -> int:
    health.forget()
    outside_heartbeat.send_due(now=now)
    return len(watcher.gets)


def test_a_heartbeat_goes_out_once_a_minute_to_the_very_address(watcher: Hook) -> None:
    assert [beats(watcher, NOW + dt.timedelta(seconds=seconds)) for seconds in (0, 1, 9)] == [1, 1, 1]

    Heartbeat.objects.update(beat_at=NOW + EVERY)
    assert beats(watcher, NOW + EVERY) == 2
    assert watcher.gets[0] == "/api/push/x?status=up&msg=OK&ping="


@pytest.mark.parametrize("kind", [Kind.DISPATCHER, Kind.LISTENER])
def test_it_stays_away_while_a_service_hangs(watcher: Hook, kind: Kind) -> None:
    Heartbeat.objects.filter(kind=kind).delete()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        a_heartbeat(kind, seconds=60, health_url=f"http://127.0.0.1:{silent.getsockname()[1]}")

        assert beats(watcher) == 0


def test_it_stays_away_while_the_database_takes_no_changes(watcher: Hook) -> None:
    Heartbeat.objects.filter(kind=Kind.DISPATCHER).delete()
    says: dict[str, object] = {"status": "degraded", "detail": "It can't write.", "cause": "database_read_only"}
    port = health_port.serve(lambda: says, host="127.0.0.1", port=0)
    a_heartbeat(Kind.DISPATCHER, seconds=60, health_url=port.url)
    try:
        assert beats(watcher) == 0
    finally:
        port.close()


@pytest.mark.parametrize("kind", [Kind.DISPATCHER, Kind.LISTENER])
def test_it_stays_away_while_messages_cannot_leave_or_come_in(watcher: Hook, kind: Kind) -> None:
    Heartbeat.objects.filter(kind=kind).delete()

    assert beats(watcher) == 0
    a_heartbeat(kind)
    assert beats(watcher) == 1


def test_maintenance_makes_no_watcher_alert(clinic: Clinic, watcher: Hook) -> None:
    Heartbeat.objects.all().delete()
    maintenance.begin(a_caller(clinic, Role.ADMIN), NOW + EVERY, "", now=NOW)

    assert beats(watcher) == 1


def test_an_archived_clinic_tells_no_watcher_that_it_works(clinic: Clinic, watcher: Hook) -> None:
    archiving.archive(clinic, now=NOW)

    assert beats(watcher) == 0


def test_in_a_drill_no_watcher_is_called(watcher: Hook, settings: Settings) -> None:
    settings.DRILL = True

    assert beats(watcher) == 0


def test_the_page_takes_an_address_shows_what_came_of_it_and_never_the_address(clinic: Clinic, watcher: Hook) -> None:
    browser = signed_in(clinic, Role.ADMIN)
    refused = browser.post("/mcp/alerts/heartbeat", {"heartbeat_url": "hc-ping.com"})
    browser.post("/mcp/alerts/heartbeat", {"heartbeat_url": f"{watcher.url}/secret"})
    OutsideHeartbeat.objects.update(next_at=NOW)
    watcher.status = 404

    beats(watcher)
    page = browser.get("/mcp/alerts")

    assert refused.status_code == 422
    assert "Not reached: it answered 404" in words(page)
    assert "/secret" not in page.content.decode()
    browser.post("/mcp/alerts/heartbeat", {"do": "remove"})
    assert not OutsideHeartbeat.objects.exists()


def test_only_admins_name_a_watcher(clinic: Clinic) -> None:
    browser = signed_in(clinic, Role.PROVIDER)

    assert browser.post("/mcp/alerts/heartbeat", {"heartbeat_url": "https://hc-ping.com/x"}).status_code == 403
