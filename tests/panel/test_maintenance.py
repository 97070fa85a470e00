"""Maintenance windows: until the end only calls for help are reported; problems that remain are reported afterwards."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from companion.clinics.models import AuditEntry, Clinic, Role
from companion.clinics.refusals import Refused
from companion.panel import alerts, maintenance, notices
from companion.panel.alerts import CALM, SETTLED, Wrong
from companion.panel.models import Maintenance
from companion.service.clock import database_now
from tests.api.calls import a_program as an_api_program
from tests.builders import NOW, a_caller, a_clinic
from tests.cli.running import a_command
from tests.support.receivers import Hook, a_program
from tests.web.signed_in import signed_in, words
from tests.webhooks.stories import a_webhook, sent_off

pytestmark = pytest.mark.django_db

BROKEN = [Wrong("dispatcher_missing", "degraded", "The dispatcher is not running.")]
CALL_FOR_HELP = [Wrong("urgent_help:00000001", "degraded", "A patient asked for urgent help.")]
END = NOW + dt.timedelta(hours=1)


@pytest.fixture
def hook(clinic: Clinic) -> Iterator[Hook]:
    with a_program() as program:
        a_webhook(clinic, program)
        yield program


def a_window(clinic: Clinic, *, now: dt.datetime = NOW) -> None:
    maintenance.begin(a_caller(clinic, Role.ADMIN), END, "A new disk", now=now)


def rounds(clinic: Clinic, found: list[Wrong], *, first: dt.datetime, last: dt.datetime) -> None:
    at = first
    while at <= last:
        alerts.step(clinic, found, now=at)
        notices.deliver(now=at)
        sent_off(clinic.webhooks.get(), now=at)
        at += dt.timedelta(seconds=10)


def events(hook: Hook) -> list[str]:
    return [json.loads(body)["data"]["event"] for _, body in hook.posts]


def test_nothing_is_told_in_the_window_and_what_is_still_wrong_is_told_after_it(clinic: Clinic, hook: Hook) -> None:
    a_window(clinic)

    rounds(clinic, BROKEN, first=NOW, last=END - SETTLED)
    assert events(hook) == []
    rounds(clinic, BROKEN, first=END - SETTLED, last=END + SETTLED)

    assert events(hook) == ["opened"]


def test_a_problem_that_began_and_ended_in_the_window_causes_no_alert(clinic: Clinic, hook: Hook) -> None:
    a_window(clinic)

    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)
    rounds(clinic, [], first=NOW + SETTLED, last=NOW + SETTLED + CALM)
    rounds(clinic, [], first=END, last=END + SETTLED)

    assert (events(hook), alerts.open_alerts(clinic)) == ([], [])


def test_a_problem_that_ends_in_the_window_is_reported_to_be_over_after_the_window(clinic: Clinic, hook: Hook) -> None:
    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)
    a_window(clinic, now=NOW + SETTLED)

    rounds(clinic, [], first=NOW + SETTLED, last=NOW + SETTLED + CALM + CALM)
    assert events(hook) == ["opened"]
    rounds(clinic, [], first=END, last=END)

    assert events(hook) == ["opened", "recovered"]


def test_a_notice_that_failed_before_is_not_tried_again_within(clinic: Clinic, hook: Hook) -> None:
    hook.status = 503
    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)
    tried = len(events(hook))
    a_window(clinic, now=NOW + SETTLED)

    sent_off(clinic.webhooks.get(), now=END - SETTLED)
    assert len(events(hook)) == tried
    sent_off(clinic.webhooks.get(), now=END + SETTLED)

    assert len(events(hook)) == tried + 1


def test_a_patients_call_for_help_is_told_in_the_window(clinic: Clinic, hook: Hook) -> None:
    a_window(clinic)

    rounds(clinic, CALL_FOR_HELP, first=NOW, last=NOW + SETTLED)

    assert events(hook) == ["opened"]


def test_another_clinics_window_silences_nobody_else(clinic: Clinic, hook: Hook) -> None:
    a_window(a_clinic())

    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)

    assert events(hook) == ["opened"]


@pytest.mark.parametrize("length", [dt.timedelta(), dt.timedelta(seconds=-1), dt.timedelta(days=7, seconds=1)])
def test_a_window_needs_an_end_within_a_week(clinic: Clinic, length: dt.timedelta) -> None:
    with pytest.raises(Refused, match="until"):
        maintenance.begin(a_caller(clinic, Role.ADMIN), NOW + length, "", now=NOW)


def test_an_admin_begins_and_ends_a_window_on_the_page(clinic: Clinic) -> None:
    browser = signed_in(clinic, Role.ADMIN)

    browser.post("/mcp/maintenance", {"hours": "2", "reason": "A new disk"})
    during = words(browser.get("/mcp/alerts"))
    browser.post("/mcp/maintenance", {"do": "end"})

    assert "began this maintenance: A new disk" in during
    assert maintenance.current(clinic, now=database_now()) is None
    assert AuditEntry.objects.filter(clinic=clinic, action__startswith="maintenance").count() == 2
    assert browser.post("/mcp/maintenance", {"hours": "3000"}).status_code == 422


def test_a_program_begins_and_ends_a_window(clinic: Clinic) -> None:
    program = an_api_program(clinic, Role.ADMIN)
    until = (database_now() + dt.timedelta(hours=2)).isoformat()

    assert program.post("/api/mcp/maintenance", {"until": until, "reason": "A new disk"}).json["reason"] == "A new disk"
    assert program.post("/api/mcp/maintenance", {"until": "2020-01-01T00:00:00Z"}).status == 422
    assert program.post("/api/mcp/maintenance/end", {}).status == 200
    assert program.post("/api/mcp/maintenance/end", {}).status == 409
    assert an_api_program(clinic, Role.PROVIDER).post("/api/mcp/maintenance", {"until": until}).status == 403


@pytest.mark.django_db(transaction=True)
def test_the_command_begins_and_ends_windows_everywhere(product_environment: dict[str, str], tmp_path: Path) -> None:
    a_clinic(), a_clinic()

    begun = a_command("maintenance", "begin", "--hours", "2", environment=product_environment, folder=tmp_path)
    windows = Maintenance.objects.filter(until__gt=database_now()).count()
    ended = a_command("maintenance", "end", environment=product_environment, folder=tmp_path)

    assert (begun.returncode, windows, ended.returncode) == (0, 2, 0)
    assert not Maintenance.objects.filter(until__gt=database_now()).exists()
