"""Two people edit a series in two browsers: the second to save sees the changes, and is asked."""

import datetime as dt
import re

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from companion.clinics.models import Clinic, Member
from companion.planning import drafts
from companion.schedules.models import Schedule
from tests.browser.signed_in import sign_in
from tests.builders import a_clinic, a_patient
from tests.planning.plans import DAILY, planned

pytestmark = pytest.mark.browser


@pytest.fixture
def clinic(live_server: LiveServer) -> Clinic:
    return a_clinic(timezone="UTC")


@pytest.fixture
def series(clinic: Clinic) -> Schedule:
    made_at = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    rule = {"starts_at": "2035-12-01T06:00", "timezone": "UTC", "recurrence": DAILY}
    return planned(clinic, a_patient(clinic), now=made_at, **rule).schedule


def changes_the_time(browser: Browser, live_server: LiveServer, series: Schedule) -> None:
    """Open the series as another person in another browser, and save another time of day."""
    other = browser.new_context().new_page()
    sign_in(other, live_server.url, series.clinic)
    other.goto(f"{live_server.url}/scheduled-messages/series/{series.id}/edit")
    other.locator('[name="time"]').fill("07:30")
    other.locator(".plan-go button").first.click()
    other.wait_for_url("**/series/*")
    other.context.close()


def test_a_person_who_saves_second_is_told_about_the_other_change_and_is_asked(
    page: Page, browser: Browser, live_server: LiveServer, series: Schedule
) -> None:
    sign_in(page, live_server.url, series.clinic)
    edit = f"{live_server.url}/scheduled-messages/series/{series.id}/edit"
    page.goto(edit)
    page.locator('[name="text"]').fill("Two tablets, please.")
    changes_the_time(browser, live_server, series)
    ben = Member.objects.latest("id").user.email

    page.locator(".plan-go button").first.click()

    clash = page.locator("#clash")
    expect(clash).to_contain_text("Nothing of yours is saved yet.")
    expect(clash.locator("li")).to_have_text(re.compile(rf"{re.escape(ben)}, \d+ \w+ \d\d:\d\d: schedule changed"))
    expect(clash.locator("tbody tr")).to_have_text(re.compile(r"Time\s*06:00\s*07:30\s*unchanged by you"))
    expect(page.locator('[name="text"]')).to_have_value("Two tablets, please.")
    expect(page.locator('[name="time"]')).to_have_value("07:30")
    assert drafts.of(Schedule.objects.get()).text != "Two tablets, please."

    clash.get_by_role("button", name="Save my changes").press("Enter")

    page.wait_for_url(f"**/series/{series.id}")
    saved = Schedule.objects.get()
    assert (drafts.of(saved).text, saved.starts_at) == ("Two tablets, please.", "2035-12-01T07:30")


def test_a_person_who_saves_second_can_keep_the_present_state(
    page: Page, browser: Browser, live_server: LiveServer, series: Schedule
) -> None:
    sign_in(page, live_server.url, series.clinic)
    page.goto(f"{live_server.url}/scheduled-messages/series/{series.id}/edit")
    page.locator('[name="time"]').fill("09:45")
    changes_the_time(browser, live_server, series)
    page.locator(".plan-go button").first.click()

    page.get_by_role("link", name="Discard my changes").press("Enter")

    expect(page.locator("#clash")).to_have_count(0)
    expect(page.locator('[name="time"]')).to_have_value("07:30")
    assert Schedule.objects.get().starts_at == "2035-12-01T07:30"
