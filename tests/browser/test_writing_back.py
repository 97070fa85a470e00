"""Patients' replies on real services: taps and words on their phones, and the nurse's pages that show them live."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from companion.clinics import bots
from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.planning import drafts, edit
from companion.sandbox import phone as phones
from companion.sandbox.models import Phone, SandboxBot
from companion.service.clock import database_now
from companion.times.walls import local, wall_name
from tests.browser.signed_in import sign_in
from tests.builders import a_caller, a_clinic, a_patient
from tests.support.services import a_free_port, a_service, eventually

pytestmark = pytest.mark.browser
_ARRIVES = 25_000
"""The most milliseconds until a message arrives or a page shows a reply, on a slow machine."""


@dataclass(frozen=True)
class Practice:
    """A clinic whose services all run, and their address."""

    clinic: Clinic
    address: str
    bot: SandboxBot


@pytest.fixture
def practice(product_environment: dict[str, str]) -> Iterator[Practice]:
    clinic = a_clinic(urgent_words=["chest pain"], urgent_phone="+49 30 112112")
    token = phones.make_bot("Linden", "linden_bot")
    bots.connect(clinic, token, "linden_bot", sandbox=True, now=database_now())
    bot = phones.bot_of(token)
    assert bot
    port = a_free_port()
    environment = product_environment | {"COMPANION_PORT": str(port), "COMPANION_SANDBOX": "1"}
    with ExitStack() as services:
        for name in ("web", "listener", "dispatcher"):
            services.enter_context(a_service(name, environment))
        eventually(lambda: _answers(port), "the web service")
        yield Practice(clinic, f"http://127.0.0.1:{port}", bot)


def _answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def _asked(clinic: Clinic, *patients: Patient) -> None:
    """Plan a reminder with buttons that is due now."""
    now = database_now()
    asked = {
        "patients": [str(patient.id) for patient in patients],
        "text": "Please take your tablet, {first_name}.",
        "starts_at": wall_name(local(now, clinic.timezone).replace(microsecond=0, tzinfo=None)),
        "timezone": clinic.timezone,
        "buttons": [{"text": "Taken"}, {"text": "Later", "again_after": "PT30M"}],
    }
    edit.create(a_caller(clinic), drafts.read(clinic, asked, now=now), now=now)


def _writes(page: Page, words: str) -> None:
    page.get_by_label("Write as the patient").fill(words)
    page.get_by_role("button", name="Send", exact=True).click()


def _takes_over_and_answers(page: Page, words: str) -> None:
    page.get_by_role("link", name="Read the message").click()
    page.get_by_role("button", name="Assign to me").last.click()
    expect(page.locator("#urgent")).to_be_hidden()
    page.get_by_label("Your answer").fill(words)
    page.get_by_role("button", name="Send answer").click()


def test_a_mother_s_phone_for_two_children_from_a_tap_to_stop(page: Page, practice: Practice) -> None:
    clinic, address = practice.clinic, practice.address
    mother = phones.new_phone(practice.bot, "Maria")
    Phone.objects.filter(pk=mother.pk).update(state="normal")
    ana, ben = (
        a_patient(clinic, name, telegram_id=mother.telegram_id, caregiver="Maria Silva")
        for name in ("Ana Silva", "Ben Silva")
    )
    sign_in(page, address, clinic)
    phone = page.context.new_page()
    phone.goto(f"{address}/sandbox/{mother.telegram_id}")
    page.goto(f"{address}/patients/{ana.id}")
    _asked(clinic, ana)

    # The reminder names the patient, and the nurse's open page shows the tap without a reload.
    expect(phone.locator(".phone-chat")).to_contain_text("For Ana: Please take your tablet, Ana.", timeout=_ARRIVES)
    expect(page.locator(".chat .out")).to_contain_text("Please take your tablet, Ana.", timeout=_ARRIVES)
    phone.get_by_role("button", name="Taken").click()
    expect(page.locator(".chat .in")).to_contain_text("Taken", timeout=_ARRIVES)
    expect(phone.get_by_role("button", name="✓ Taken")).to_be_visible(timeout=_ARRIVES)
    expect(phone.get_by_role("button", name="Later")).to_have_count(0)

    # Her words belong to the child who was written to last.
    _asked(clinic, ben)
    expect(phone.locator(".phone-chat")).to_contain_text("For Ben:", timeout=_ARRIVES)
    _writes(phone, "He has chest pain")
    expect(page.locator("#urgent")).to_contain_text("Ben Silva asked for urgent help", timeout=_ARRIVES)
    expect(phone.locator(".phone-chat")).to_contain_text("please call: +49 30 112112", timeout=_ARRIVES)

    # The nurse assigns the conversation to herself and answers; the answer arrives on the phone.
    _takes_over_and_answers(page, "Call an ambulance now: 112.")
    expect(phone.locator(".phone-chat")).to_contain_text("Call an ambulance now: 112.", timeout=_ARRIVES)

    # STOP covers both children: one confirmation, and nobody can write to them any more.
    _writes(phone, "STOP")
    expect(phone.locator(".phone-chat")).to_contain_text("sends no more messages to this chat", timeout=_ARRIVES)
    page.reload()
    expect(page.get_by_text("The patient opted out with STOP")).to_be_visible()
    page.goto(f"{address}/patients/{ana.id}")
    expect(page.get_by_text("Opted out").first).to_be_visible()
    assert set(Patient.objects.filter(clinic=clinic).values_list("consent", flat=True)) == {"withdrawn"}
