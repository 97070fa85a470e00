"""Cards with invitations, as they come out of the printer."""

import io
import re

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.signed_in import sign_in
from tests.builders import a_bot, a_clinic, a_cohort, a_patient

pytestmark = pytest.mark.browser
_A4_INSIDE: ViewportSize = {"width": 718, "height": 1047}
"""A4 without its margins, in CSS pixels."""


def test_a_cohort_s_cards_fill_sheets_of_a4_with_eight_each_and_every_code_can_be_read(
    page: Page, live_server: LiveServer
) -> None:
    clinic = a_clinic()
    a_bot(clinic)
    languages = ("de", "es", "pt", "en", "fr")
    people = [
        a_patient(clinic, f"Maximiliane Oberbergermeisterin {number}", telegram_id=None, language=languages[number % 5])
        for number in range(9)
    ]
    a_cohort(clinic, "Heart", *people)
    sign_in(page, live_server.url, clinic)
    page.goto(f"{live_server.url}/patients")
    page.get_by_label("Tick all of this page").check()
    expect(page.get_by_text("9 patients ticked")).to_be_visible()
    page.goto(f"{live_server.url}/patients/cohorts")

    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_text("Heart: 9 cards to hand out")).to_be_visible()
    printed = page.pdf(prefer_css_page_size=True)
    page.emulate_media(media="print")
    page.set_viewport_size(_A4_INSIDE)
    sheet = Image.open(io.BytesIO(page.screenshot())).convert("L")

    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2
    codes = {code.text for code in zxingcpp.read_barcodes(sheet)}
    assert len(codes) == 8
    assert all(re.fullmatch(r"https://t\.me/\w+\?start=[\w-]{43}", code) for code in codes)
