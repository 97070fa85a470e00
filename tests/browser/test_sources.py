"""Sources of patients in a real browser: a SQL and a FHIR directory; the timer syncs each again and again."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from companion.clinics.models import Role
from companion.listener.sync_loop import SyncLoop
from companion.patients.sources import configuration
from companion.service.clock import machine_now
from tests.browser.signed_in import sign_in
from tests.builders import a_caller, a_clinic
from tests.patients.fhir_directory import a_fhir_server, a_resource
from tests.patients.fhir_server import TOKEN

pytestmark = pytest.mark.browser
MAPPING = """
table = "people"
changed_at = "updated"
[columns]
external_id = "mrn"
name = "full_name"
"""
COLUMNS = ("added", "changed", "left", "as before", "refused")


@pytest.fixture
def timer(transactional_db: None) -> Iterator[None]:
    """The listener service's timer, with shorter pauses than in production."""
    loop = SyncLoop(every=0.1)
    loop.start()
    yield
    loop.stop()


def newest(page: Page, number: int) -> dict[str, str]:
    """Wait until the page, without a reload, shows the newest of this many syncs as done, and return its result."""
    entries = page.locator(".list-runs .entry")
    expect(entries).to_have_count(number)
    expect(entries.first).to_contain_text("Done")
    return {name: entries.first.locator(f'[data-label="{name}"]').inner_text().split()[0] for name in COLUMNS}


def counted(**wanted: int) -> dict[str, str]:
    return {name: str(wanted.get(name.replace(" ", "_"), 0)) for name in COLUMNS}


def sync_now(page: Page) -> None:
    page.get_by_role("button", name="Sync now").click()


@pytest.mark.usefixtures("timer")
def test_a_second_sync_of_a_sql_and_a_fhir_directory_changes_nothing_and_what_changes_then_shows(
    page: Page, live_server: LiveServer, tmp_path: Path
) -> None:
    clinic = a_clinic()
    people = sqlite3.connect(tmp_path / "hospital.sqlite3", isolation_level=None)
    people.execute("CREATE TABLE people (mrn TEXT, full_name TEXT, updated TEXT)")
    people.execute("INSERT INTO people VALUES ('P-1', 'Ana Silva', '2026-11-01'), ('P-2', 'Bo Berg', '2026-11-02')")
    url = f"sqlite:///{tmp_path / 'hospital.sqlite3'}"
    configuration.set_sql(a_caller(clinic, Role.ADMIN), url, MAPPING, now=machine_now())
    sign_in(page, live_server.url, clinic, Role.ADMIN)

    page.goto(f"{live_server.url}/patients/sources")
    assert newest(page, 1) == counted(added=2)
    sync_now(page)
    assert newest(page, 2) == counted(as_before=1)
    people.execute("UPDATE people SET full_name = 'Bo Lind', updated = '2026-11-03' WHERE mrn = 'P-2'")
    sync_now(page)
    assert newest(page, 3) == counted(changed=1)
    page.locator(".list-runs .open").first.click()
    expect(page.get_by_role("row", name="Bo Lind")).to_contain_text("name")

    with a_fhir_server(tmp_path) as server:
        server.has(a_resource(1), a_resource(2), a_resource(3))
        page.goto(f"{live_server.url}/patients/sources")
        page.get_by_text("Another FHIR server instead").click()
        page.get_by_label("Base address").fill(server.url)
        page.get_by_label("Bearer token").fill(TOKEN)
        page.get_by_label("Identifier system").fill("urn:mrn")
        page.get_by_role("button", name="Save").click()
        assert newest(page, 4) == counted(added=1, changed=2)
        sync_now(page)
        assert newest(page, 5) == counted(as_before=1)
        gone = a_resource(1, active=False, meta={"lastUpdated": "2026-11-20T08:00:00Z"})
        server.has(gone, a_resource(2), a_resource(3))
        sync_now(page)
        assert newest(page, 6) == counted(left=1, as_before=1)
        page.locator(".list-runs .open").first.click()
        expect(page.get_by_role("row", name="P-1")).to_contain_text("left")
    people.close()
