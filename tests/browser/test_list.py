"""The list in a real browser: on a desktop and on a phone, for providers and for viewers."""

import datetime as dt

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from companion.clinics.models import Role
from companion.schedules.models import Message, Status
from tests.browser.signed_in import sign_in
from tests.builders import a_clinic, a_cohort, a_message, a_patient, a_schedule
from tests.web.signed_in import soon

pytestmark = pytest.mark.browser


def stop_the_clock(page: Page) -> None:
    """Stop the page's clock, which goes on only by `run_for` from now on. A fake clock runs until it is stopped."""
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 60)


def test_a_click_opens_the_message_at_the_side_and_escape_returns_to_its_row(
    page: Page, live_server: LiveServer
) -> None:
    clinic = a_clinic()
    for name in ("Ana Silva", "Jonas Weber"):
        a_message(a_patient(clinic, name), due_at=soon())
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages?status=pending")
    second = page.locator(".entry .open").nth(1)

    second.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel h1")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.locator("#panel")).to_be_hidden()
    expect(second).to_be_focused()


def test_an_act_at_the_side_comes_back_to_the_list(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    a_message(a_patient(clinic), due_at=soon())
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages?status=pending")

    page.locator(".entry .open").click()
    page.locator("#panel").get_by_role("button", name="Don't send").click()

    expect(page.get_by_text("The message to Ana Silva won't be sent.")).to_be_visible()
    assert page.url.endswith("?status=pending")


def test_ticking_rows_brings_the_bar_for_many(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    for number in range(3):
        a_message(a_patient(clinic, f"Patient {number}"), due_at=soon())
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages?status=pending")

    for number in range(2):
        page.get_by_label(f"Tick the message to Patient {number}").check()
    expect(page.get_by_text("2 messages ticked")).to_be_visible()
    page.get_by_label("For all ticked messages").get_by_role("button", name="Don't send").click()

    expect(page.get_by_text("2 messages won't be sent.")).to_be_visible()
    assert Message.objects.filter(status=Status.CANCELLED).count() == 2


def test_a_change_shows_in_its_place_and_new_rows_are_announced_not_moved(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    old = a_message(a_patient(clinic), due_at=soon())
    page.clock.install()
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages?patient={old.patient_id}")
    expect(page.locator(".entry")).to_have_count(1)
    stop_the_clock(page)

    Message.objects.update(status=Status.SENT, sent_at=soon(0))
    assert old.patient
    a_message(old.patient, due_at=soon(20))
    page.clock.run_for(11_000)

    expect(page.locator(".entry .badge")).to_have_text("Sent")
    expect(page.locator(".entry")).to_have_count(1)
    page.get_by_role("button", name="1 update").click()
    expect(page.locator(".entry")).to_have_count(2)


def test_sending_now_counts_down_and_can_be_stopped(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon(300))
    page.clock.install()
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/{message.id}/send-now")
    stop_the_clock(page)

    page.get_by_role("button", name="Send now").click()
    page.clock.run_for(3_000)
    expect(page.get_by_text("Sending in 7 s")).to_be_visible()
    page.get_by_role("button", name="Don't send").click()
    page.clock.run_for(20_000)
    assert Message.objects.get().due_at == message.due_at

    page.get_by_role("button", name="Send now").click()
    page.clock.run_for(10_000)
    expect(page.get_by_text("The message to Ana Silva is being sent.")).to_be_visible()
    assert Message.objects.get().due_at < message.due_at


def test_the_calendar_goes_on_by_keys_and_shows_a_message_at_its_side(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    a_message(a_patient(clinic), due_at=dt.datetime(2026, 6, 3, 8, tzinfo=dt.UTC), status=Status.SENT)
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages/calendar?day=2026-06-11")

    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/calendar?span=week&day=2026-06-07")
    page.locator(".entry .open").click()
    expect(page.locator("#panel h1")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".entry .open")).to_be_focused()
    page.get_by_label("Patient's name or id").press("t")
    page.locator(".entry .open").press("t")

    page.wait_for_url("**/calendar?span=week")


def test_without_a_connection_the_page_says_so_and_offers_nothing(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    a_message(a_patient(clinic), due_at=soon())
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages?status=pending")

    page.context.set_offline(True)

    expect(page.locator("#offline")).to_contain_text("No connection. As of")
    expect(page.locator(".entry").get_by_role("button", name="Don't send")).to_be_disabled()
    page.context.set_offline(False)
    expect(page.locator("#offline")).to_be_hidden()


def test_a_viewer_sees_no_action(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon())
    sign_in(page, live_server.url, clinic, Role.VIEWER)

    for address in ("/scheduled-messages?status=pending", f"/scheduled-messages/{message.id}"):
        page.goto(live_server.url + address)
        expect(page.get_by_text("Ana Silva").first).to_be_visible()
        for action in ("Don't send", "Retry", "Send now", "New message"):
            expect(page.get_by_text(action, exact=True)).to_have_count(0)


ON_A_PHONE = [
    "/scheduled-messages",
    "/scheduled-messages?status=pending",
    "/scheduled-messages/calendar",
    "/scheduled-messages/calendar?span=month",
    "/scheduled-messages/series",
    "/scheduled-messages/new",
    "/patients",
    "/patients/new",
    "/patients/import",
    "/patients/cohorts",
    "/patients/sources",
    "/mcp",
    "/settings",
]


def test_on_a_phone_nothing_has_to_be_moved_sideways(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic(name="The Linden Clinic for Everybody in the Whole Town")
    patient = a_patient(clinic, "Maximiliane Oberbergermeisterin-Feuerstein", telegram_id=None)
    schedule = a_schedule(clinic, patient, text="Averyveryverylongwordwithoutanyspaceinit" * 4)
    message = a_message(patient, schedule, due_at=soon())
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, live_server.url, clinic, Role.ADMIN)

    too_wide = {}
    for address in [*ON_A_PHONE, f"/scheduled-messages/{message.id}", f"/patients/{patient.id}"]:
        page.goto(live_server.url + address)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            too_wide[address] = width

    assert too_wide == {}


def test_on_a_phone_the_members_menu_stands_at_the_right_edge(page: Page, live_server: LiveServer) -> None:
    page.set_viewport_size({"width": 390, "height": 844})

    sign_in(page, live_server.url, a_clinic(name="Elm"))

    menu = page.locator(".me").bounding_box()
    assert menu
    assert menu["x"] + menu["width"] > 360


def test_on_a_phone_a_tap_opens_the_whole_page(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon())
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/scheduled-messages?status=pending")

    page.locator(".entry .open").click()

    page.wait_for_url(f"**/scheduled-messages/{message.id}")


def test_no_name_widens_a_page(page: Page, live_server: LiveServer) -> None:
    clinic = a_clinic()
    name = "Maximiliana-Alexandra Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren von und zu Sigmaringen"
    patient = a_patient(clinic, name, telegram_id=None, external_id="X-" + "0123456789" * 5)
    a_cohort(clinic, "A cohort whose name says all that there is to be said about it", patient)
    a_message(patient, due_at=soon())
    sign_in(page, live_server.url, clinic)

    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for place in ("/scheduled-messages", "/patients", f"/patients/{patient.id}", "/inbox"):
            page.goto(live_server.url + place)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (place, width)


def test_the_focus_is_where_a_person_types_and_at_a_refused_field(page: Page, live_server: LiveServer) -> None:
    sign_in(page, live_server.url, a_clinic())
    page.goto(f"{live_server.url}/patients/new")

    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("Ana Silva")
    page.keyboard.press("Enter")

    expect(page.locator("#external_id")).to_be_focused()
