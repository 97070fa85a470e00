"""Planning in a real browser: by keyboard alone, and without JavaScript."""

import datetime as dt

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from companion.schedules.models import Message, Schedule
from tests.browser.signed_in import sign_in
from tests.builders import a_clinic, a_cohort, a_message, a_patient
from tests.support.services import eventually

pytestmark = pytest.mark.browser


def _tab_to(page: Page, wanted: str, most: int = 60) -> None:
    """Press Tab until the `wanted` element has the focus."""
    for _ in range(most):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {wanted}")


def test_a_message_is_planned_by_keyboard_alone(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    ana = a_patient(clinic)
    a_patient(clinic, "Jonas Weber")
    sign_in(page, live_server.url, clinic)

    _tab_to(page, 'a[href="/scheduled-messages/new"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/new")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("ana")
    expect(page.locator("#choices li")).to_have_count(1)
    page.keyboard.press("Enter")
    _tab_to(page, "#text")
    page.keyboard.type("Good morning {first_name}")
    expect(page.locator("#preview")).to_contain_text("Good morning Ana")
    _tab_to(page, ".plan-go button")
    page.keyboard.press("Enter")

    expect(page.get_by_text("Planned. 1 message is on the list.")).to_be_visible()
    assert Message.objects.get().patient == ana


def test_enter_right_after_typing_chooses_nobody_of_the_list_of_before(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    for name in ("Amara Okafor", "Camila Rojas"):
        a_patient(clinic, name)
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/new")

    page.locator("#find").press_sequentially("camila")
    page.keyboard.press("Enter")
    _tab_to(page, "#text")
    page.keyboard.type("Good morning")

    expect(page.locator("#text")).to_have_value("Good morning")
    expect(page.locator("#choices input:checked")).to_have_count(1)
    expect(page.locator("#choices li").filter(has=page.locator("input:checked"))).to_contain_text("Camila Rojas")


def test_enter_chooses_nobody_while_several_patients_match(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    for name in ("Ana Costa", "Ana Silva"):
        a_patient(clinic, name)
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/new")

    page.locator("#find").press_sequentially("ana")
    page.keyboard.press("Enter")

    expect(page.locator("#choices input").first).to_be_focused()
    expect(page.locator("#choices input:checked")).to_have_count(0)
    page.keyboard.press("Space")
    expect(page.locator("#choices li").filter(has=page.locator("input:checked"))).to_contain_text("Ana Costa")


def test_a_placeholder_goes_in_where_the_cursor_is(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/new")

    page.locator("#text").fill("Good morning !")
    page.locator("#text").press("ArrowLeft")
    page.get_by_role("button", name="first name").click()

    expect(page.locator("#text")).to_have_value("Good morning {first_name}!")


def test_a_chosen_patient_stays_chosen_while_the_person_searches_for_another(
    page: Page, live_server: LiveServer
) -> None:
    clinic = a_clinic()
    a_patient(clinic)
    a_patient(clinic, "Jonas Weber")
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/new")

    page.get_by_label("Ana Silva").check()
    page.locator("#find").fill("jon")
    expect(page.get_by_label("Jonas Weber")).to_be_visible()

    expect(page.get_by_label("Ana Silva")).to_be_checked()


def test_a_series_is_planned_without_javascript(browser: Browser, live_server: LiveServer) -> None:
    clinic = a_clinic()
    a_patient(clinic)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, live_server.url, clinic)

    page.get_by_role("link", name="New message").first.click()
    page.locator("#find").fill("ana")
    page.get_by_role("button", name="Find").click()
    page.get_by_label("Ana Silva").check()
    page.locator("#text").fill("Take your tablet, {first_name}.")
    page.locator("#repeat").select_option("daily")
    page.get_by_role("button", name="Show the preview").click()
    expect(page.locator("#preview")).to_contain_text("Take your tablet, Ana.")
    expect(page.locator("#preview .instants li")).to_have_count(5)
    page.locator(".plan-go").get_by_role("button", name="Plan for 1 patient").click()

    expect(page.get_by_role("heading", name="Every day at")).to_be_visible()
    assert Schedule.objects.count() == 1
    context.close()


def test_a_form_that_was_begun_is_kept_and_continued_from_the_list(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    a_patient(clinic)
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/new")

    page.get_by_label("Ana Silva").check()
    page.locator("#text").fill("Half a sentence")
    expect(page.locator("#kept")).to_contain_text("Draft saved")
    page.locator("#text").press_sequentially(" more")
    page.get_by_role("link", name="Leave (draft is kept)").click()
    page.wait_for_url("**/scheduled-messages")

    def whole() -> bool:
        page.goto(f"{live_server.url}/scheduled-messages")
        return "Half a sentence more" in page.get_by_label("Your drafts").inner_text()

    eventually(whole, "what was typed right before leaving")
    page.get_by_role("link", name="Continue").click()

    expect(page.locator("#text")).to_have_value("Half a sentence more")
    expect(page.get_by_label("Ana Silva")).to_be_checked()
    page.get_by_role("button", name="Plan for 1 patient").last.click()
    expect(page.get_by_text("Planned. 1 message is on the list.")).to_be_visible()
    page.goto(f"{live_server.url}/scheduled-messages")
    expect(page.get_by_label("Your drafts")).to_have_count(0)


def test_a_draft_is_saved_without_javascript(browser: Browser, live_server: LiveServer) -> None:
    clinic = a_clinic()
    a_patient(clinic)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/new")

    page.locator("#text").fill("Half a sentence")
    page.get_by_role("button", name="Save draft").click()
    page.get_by_role("link", name="Continue").click()

    expect(page.locator("#text")).to_have_value("Half a sentence")
    context.close()


def test_the_date_leads_until_a_weekday_is_ticked(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    a_patient(clinic)
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/new")

    page.get_by_label("Ana Silva").check()
    page.locator("#text").fill("Take your tablet.")
    page.locator("#repeat").select_option("weekly")
    page.locator('[name="date"]').fill("2037-11-27")
    expect(page.locator(".days-of-week .implied")).to_have_text("Fri")
    expect(page.locator("#preview .instants li").first).to_contain_text("Fri 27 Nov 2037")

    page.locator(".days-of-week").get_by_text("Thu").click()
    expect(page.locator(".days-of-week .implied")).to_have_count(0)
    expect(page.locator("#preview")).to_contain_text("27 Nov 2037 is a Friday; the first message is Thu 3 Dec 2037.")


def test_touching_the_second_tuesday_chooses_it(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    a_patient(clinic)
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/new")

    page.get_by_label("Ana Silva").check()
    page.locator("#text").fill("Take your tablet.")
    page.locator('[name="date"]').fill("2037-11-26")
    page.locator("#repeat").select_option("monthly")
    page.get_by_label("Which", exact=True).select_option("2")
    page.get_by_label("Weekday", exact=True).select_option("tu")
    expect(page.locator("#on-weekday")).to_be_checked()
    expect(page.locator("#preview .instants li").first).to_contain_text("Tue 8 Dec 2037")

    page.get_by_label("the same day of the month").check()
    expect(page.locator("#preview .instants li").first).to_contain_text("Thu 26 Nov 2037")


@pytest.mark.parametrize("script", [True, False])
def test_more_than_fifty_are_asked_about_by_a_second_press(
    browser: Browser, live_server: LiveServer, script: bool
) -> None:
    clinic = a_clinic()
    everybody = a_cohort(clinic, "Everybody", *(a_patient(clinic, f"Patient {number}") for number in range(51)))
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/new?cohort={everybody.id}")

    page.locator("#text").fill("We are closed tomorrow.")
    page.locator(".plan-go").get_by_role("button", name="Plan for 51 patients").click()
    expect(page.locator("#asks")).to_contain_text("This goes to 51 patients")
    assert not Schedule.objects.exists()

    page.locator(".plan-go").get_by_role("button", name="Plan for 51 patients").click()
    expect(page.get_by_text("Planned. 51 messages are on the list.")).to_be_visible()
    context.close()


@pytest.mark.parametrize("script", [True, False])
def test_not_sending_is_taken_back_by_one_click(browser: Browser, live_server: LiveServer, script: bool) -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=2))
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/{message.id}")

    page.get_by_role("button", name="Don't send").click()
    expect(page.locator("#undo").get_by_role("status")).to_contain_text("undo this")
    page.get_by_role("button", name="Undo").press("Enter")

    expect(page.get_by_text("Undone: 1 message will be sent after all.")).to_be_visible()
    message.refresh_from_db()
    assert message.status == "pending"
    context.close()
