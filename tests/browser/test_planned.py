"""A planned Occurrence in the list's side panel, opened and changed by the keyboard alone."""

import datetime as dt

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from companion.schedules.models import Message, Schedule, Status
from tests.browser.signed_in import sign_in
from tests.builders import a_clinic, a_patient
from tests.planning.plans import DAILY, planned

pytestmark = pytest.mark.browser


@pytest.fixture
def day() -> dt.date:
    """Return a day so far ahead that no Message exists yet."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(days=9)).date()


@pytest.fixture
def at_the_side(page: Page, live_server: LiveServer, day: dt.date) -> Page:
    """Open that day's list, and Ana's planned message in the side panel, by the keyboard."""
    clinic = a_clinic(timezone="UTC")
    now = dt.datetime.now(dt.UTC)
    starts = f"{now - dt.timedelta(days=3):%Y-%m-%d}T09:00"
    planned(clinic, a_patient(clinic), now=now, starts_at=starts, timezone="UTC", recurrence=DAILY)
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages?day={day}")
    page.locator(".entry .open").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel h1")).to_be_focused()
    return page


def to(page: Page, name: str) -> None:
    """Press Tab until this button or link of the panel has the focus."""
    wanted = page.locator("#panel .message").get_by_text(name, exact=True)
    for _ in range(12):
        page.keyboard.press("Tab")
        if wanted.evaluate("here => here.contains(document.activeElement)"):
            return
    pytest.fail(f"The keyboard doesn't come to {name}")


def except_() -> object:
    return (Schedule.objects.get().recurrence or {}).get("except")


def test_it_opens_says_what_it_is_and_closes(at_the_side: Page) -> None:
    page = at_the_side
    expect(page.locator("#panel")).to_contain_text("Planned")
    expect(page.locator("#panel")).to_contain_text("It becomes a message two days before its time.")

    page.keyboard.press("Escape")

    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator(".entry .open")).to_be_focused()


def test_it_is_skipped_for_all_and_taken_back(at_the_side: Page, day: dt.date) -> None:
    page = at_the_side
    address = page.url

    to(page, "Skip it for all patients")
    page.keyboard.press("Enter")

    expect(page.get_by_text("This occurrence is skipped.")).to_be_visible()
    expect(page.locator(".entry")).to_have_count(0)
    assert page.url == address
    assert except_() == [f"{day}T09:00"]

    page.locator("#undo button").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text("Undone: this occurrence is sent after all.")).to_be_visible()
    expect(page.locator(".entry")).to_have_count(1)
    assert except_() == []


def test_this_one_alone_is_not_sent_and_taken_back(at_the_side: Page, day: dt.date) -> None:
    page = at_the_side

    to(page, "Don't send this message")
    page.keyboard.press("Enter")

    expect(page.get_by_text("This one message won't be sent.")).to_be_visible()
    expect(page.locator(".entry .badge")).to_have_text("Cancelled")

    page.locator("#undo button").focus()
    page.keyboard.press("Enter")

    expect(page.locator(".entry .badge")).to_have_text("Pending")
    assert Message.objects.get(occurrence=f"{day}T09:00").status == Status.PENDING


def test_this_one_only_gets_another_text_and_a_person_s_hand(at_the_side: Page, day: dt.date) -> None:
    page = at_the_side

    to(page, "Change only this message")
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("Come at ten on this day.")
    page.get_by_role("button", name="Save").press("Enter")

    expect(page.get_by_text("This one message was changed. The series goes on as it is.")).to_be_visible()
    changed = Message.objects.get(occurrence=f"{day}T09:00")
    assert (changed.text, changed.by_hand, except_()) == ("Come at ten on this day.", True, [])
