"""Editing a series in a real browser: the preview shows what will be saved."""

import datetime as dt

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from companion.schedules.models import Schedule
from tests.browser.signed_in import sign_in
from tests.builders import a_clinic, a_patient
from tests.planning.plans import DAILY, planned

pytestmark = pytest.mark.browser


def test_the_preview_of_a_split_shows_from_when_it_goes_and_what_goes_away(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic(timezone="UTC")
    now = dt.datetime.now(dt.UTC)
    begun = f"{now - dt.timedelta(days=3):%Y-%m-%d}T06:00"
    made = planned(
        clinic, a_patient(clinic), now=now - dt.timedelta(days=4), starts_at=begun, timezone="UTC", recurrence=DAILY
    ).schedule
    since = now + dt.timedelta(days=2)
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/series/{made.id}/edit")

    page.locator("#from_occurrence").select_option(f"{since:%Y-%m-%d}T06:00")
    page.locator('[name="time"]').fill("07:30")

    preview = page.locator("#preview")
    expect(page.locator('[name="date"]')).to_have_value(f"{since:%Y-%m-%d}")
    expect(preview).to_contain_text(f"From {since:%a} {since.day} {since:%b %Y}, 07:30 on")
    expect(preview.locator(".instants").first.locator("li")).to_have_count(5)
    expect(preview.locator(".gone li").first).to_contain_text(f"{since:%a} {since.day} {since:%b %Y}, 06:00")

    page.locator(".plan-go button").first.click()
    page.wait_for_url("**/series/*")
    [new] = Schedule.objects.exclude(pk=made.pk)
    assert new.starts_at == f"{since:%Y-%m-%d}T07:30"
