"""Alerts while the database is gone, so that nothing can be read from it."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from companion.clinics.models import Clinic, Role
from companion.panel import maintenance
from companion.panel.outage import PATIENCE, Outage
from tests.builders import NOW, a_caller, a_clinic
from tests.support.receivers import Hook, a_program
from tests.webhooks.stories import a_webhook

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook() -> Iterator[Hook]:
    with a_program() as program:
        a_webhook(a_clinic(), program)
        yield program


def a_watch(folder: Path) -> Outage:
    watch = Outage(folder)
    watch.remember(now=NOW)
    return watch


def lasts(watch: Outage, minutes: float) -> None:
    at = NOW
    while at <= NOW + dt.timedelta(minutes=minutes):
        watch.lasts(at)
        at += dt.timedelta(seconds=10)


def events(hook: Hook) -> list[str]:
    return [json.loads(body)["data"]["event"] for _, body in hook.posts]


def test_a_database_that_is_gone_is_told_once_and_once_that_it_is_back(hook: Hook, tmp_path: Path) -> None:
    watch = a_watch(tmp_path)

    lasts(watch, 30)
    watch.over(NOW + dt.timedelta(minutes=31))
    watch.over(NOW + dt.timedelta(minutes=32))

    said = json.loads(hook.posts[0][1])["data"]
    assert (said["cause"], said["status"]) == ("database_gone", "down")
    assert events(hook) == ["opened", "recovered"]


def test_a_restart_of_the_database_is_told_to_nobody(hook: Hook, tmp_path: Path) -> None:
    watch = a_watch(tmp_path)

    lasts(watch, PATIENCE.total_seconds() / 60 - 0.5)
    watch.over(NOW + PATIENCE)

    assert events(hook) == []


def test_of_a_hosts_processes_one_tells(hook: Hook, tmp_path: Path) -> None:
    first, second = a_watch(tmp_path), a_watch(tmp_path)

    lasts(first, 5)
    lasts(second, 5)
    for watch in (first, second):
        watch.over(NOW + dt.timedelta(minutes=6))

    assert events(hook) == ["opened", "recovered"]


def test_a_receiver_that_was_not_told_of_the_outage_is_told_of_no_recovery(hook: Hook, tmp_path: Path) -> None:
    watch = a_watch(tmp_path)
    hook.status = 503
    lasts(watch, 30)
    hook.status = 204

    watch.remember(now=NOW)
    watch.over(NOW + dt.timedelta(minutes=31))

    assert "recovered" not in events(hook)


def test_a_receiver_that_could_not_be_told_is_called_again_a_few_times(hook: Hook, tmp_path: Path) -> None:
    hook.status = 503

    lasts(a_watch(tmp_path), 30)

    assert len(hook.posts) == 5


def test_during_maintenance_an_outage_is_told_only_after_the_window(hook: Hook, tmp_path: Path) -> None:
    maintenance.begin(a_caller(Clinic.objects.get(), Role.ADMIN), NOW + dt.timedelta(minutes=20), "", now=NOW)
    watch = a_watch(tmp_path)

    lasts(watch, 19)
    assert events(hook) == []
    lasts(watch, 21)

    assert events(hook) == ["opened"]
