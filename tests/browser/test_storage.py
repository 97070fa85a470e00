"""Nothing of patients stays in a browser after work, neither in its storages nor in its cookies."""

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.signed_in import sign_in
from tests.builders import a_bot, a_clinic, a_conversation, a_message, a_patient
from tests.journeys.canaries import c, found_in

pytestmark = pytest.mark.browser
_EVERYTHING = """async () => JSON.stringify({
    local: {...localStorage}, session: {...sessionStorage}, cookie: document.cookie, name: window.name,
    databases: await indexedDB.databases(), caches: await caches.keys(), history: history.state,
    workers: (await navigator.serviceWorker.getRegistrations()).length,
})"""


def test_nothing_of_patients_stays_in_the_browser(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    a_bot(clinic)
    patient = a_patient(clinic, c("name"), external_id=c("external"))
    a_message(patient, text=c("note"))
    a_conversation(patient)
    sign_in(page, live_server.url, clinic)
    kept = []

    for path in (f"/patients?q={c('name')}", f"/patients/{patient.id}", "/inbox", "/scheduled-messages/new"):
        page.goto(f"{live_server.url}{path}")
        kept.append(str(page.evaluate(_EVERYTHING)))
    page.locator("textarea[name=text]").fill(c("series"))
    expect(page.get_by_text("Draft saved")).to_be_visible()
    kept.append(str(page.evaluate(_EVERYTHING)))
    kept.append(repr(page.context.cookies()))

    assert found_in("\n".join(kept).encode()) == set()
    assert all('"databases":[],"caches":[]' in state for state in kept[:-1])
