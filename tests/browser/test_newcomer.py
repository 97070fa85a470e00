"""The real product from an empty folder on: a person imports patients, plans a message and sees it on the phone; a
patient enrols by the QR code.
"""

import datetime as dt
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.services import a_free_port, eventually

pytestmark = pytest.mark.browser

PATIENTS = """external_id,name,telegram_id,birth_date,timezone,language
P-1,Ana Silva,5100000001,1940-01-10,Europe/Lisbon,pt
P-2,Jonas Weber,5100000002,1946-03-12,Europe/Berlin,de
P-3,Chidi Okafor,@chidi,1955-06-15,Africa/Lagos,en
"""
ARRIVES = 15_000
"""Milliseconds; a message that is due at once arrives long before."""


@dataclass(frozen=True)
class Product:
    """The product, started for the first time in an empty folder: the first sign-in link, and its environment."""

    sign_in_link: str
    environment: dict[str, str]

    @property
    def address(self) -> str:
        return self.sign_in_link.partition("/sign-in/")[0]

    def another_link(self) -> str:
        """Make a sign-in link for another admin by the operators' command."""
        command = [
            sys.executable,
            "-m",
            "companion.cli.main",
            "member",
            "add",
            "nora@clinic.example",
            "--role",
            "admin",
        ]
        return subprocess.check_output(command, env=self.environment, text=True).strip()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Run `companion up` with the Sandbox on. The tests of this file use it one after the other."""
    folder = tmp_path_factory.mktemp("product")
    port = a_free_port()
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("COMPANION_", "DJANGO_"))}
    environment = ours | {"COMPANION_SANDBOX": "1", "COMPANION_DATA_DIR": str(folder), "COMPANION_PORT": str(port)}
    command = [sys.executable, "-m", "companion.cli.main", "up"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout
        try:
            found = (re.search(r"http\S+/sign-in/\S+", line) for line in process.stdout)
            yield Product(next(link.group() for link in found if link), environment)
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()


def test_the_newcomers_two_minutes(page: Page, product: Product, tmp_path: Path) -> None:
    address = product.address
    page.goto(product.sign_in_link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Four steps to your first message")).to_be_visible()

    _sets_up_the_clinic(page)
    _imports_patients(page, tmp_path)
    _plans_a_message_for_this_minute(page)

    # Wait until the page shows the message as sent, then look at the phone.
    page.goto(page.url)
    expect(page.locator(".entry .badge")).to_have_text("Sent", timeout=ARRIVES)
    page.get_by_role("link", name="Open the phones").click()
    expect(page.locator(".speech")).to_contain_text("Good morning Ana, please take your tablet. My clinic")

    # The patient answers, and the answer stands in the conversation.
    page.get_by_label("Write as the patient").fill("Thank you, done")
    page.get_by_role("button", name="Send", exact=True).click()
    page.goto(f"{address}/patients?q=ana")
    page.get_by_role("link", name="Ana Silva").click()
    patient = page.url

    def answered() -> bool:
        page.goto(patient)
        return page.locator(".chat .in").count() > 0

    eventually(answered, "the answer in the conversation")
    expect(page.locator(".chat .in")).to_contain_text("Thank you, done")


def _sets_up_the_clinic(page: Page) -> None:
    """Answer the questions that come before the first plan."""
    page.get_by_role("link", name="Set up the clinic").click()
    page.get_by_label("Number for urgent help").fill("+49 30 123456")
    page.get_by_role("button", name="Save and continue").click()
    expect(page.get_by_text("Your clinic is set up")).to_be_visible()


def _imports_patients(page: Page, folder: Path) -> None:
    """Import the CSV: the page names the wrong row, and imports the others."""
    file = folder / "patients.csv"
    file.write_text(PATIENTS, encoding="utf-8")
    page.get_by_role("link", name="Import a file").click()
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".counts")).to_contain_text("2added")
    expect(page.get_by_role("row", name="4 ")).to_be_visible()


def _plans_a_message_for_this_minute(page: Page) -> None:
    page.locator(".buttons").get_by_role("link", name="New message").click()
    page.locator("#find").fill("ana")
    page.get_by_label("Ana Silva").check()
    page.locator("#text").fill("Good morning {first_name}, please take your tablet. {clinic}")
    page.get_by_label("Time", exact=True).fill(f"{dt.datetime.now(dt.UTC):%H:%M}")
    expect(page.locator("#preview .bubble")).to_have_text("Good morning Ana, please take your tablet. My clinic")
    page.get_by_role("button", name="Plan for 1 patient").click()
    expect(page.get_by_text("Planned. 1 message is on the list.")).to_be_visible()


def test_a_patient_enrols_by_the_qr_code_while_the_nurse_s_page_turns_green(page: Page, product: Product) -> None:
    page.goto(product.another_link())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/scheduled-messages")
    page.goto(f"{product.address}/patients/new")
    page.get_by_label("Name", exact=True).fill("Beate Lind")
    page.get_by_label("Your id").fill("P-9")
    page.get_by_label("Language").fill("de")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".reach-no")).to_contain_text("The patient has no Telegram ID.")
    page.get_by_role("link", name="Invite").click()
    page.get_by_role("button", name="Create an invitation").click()
    nurse = page.locator(".reachability")

    # The patient's own phone reads the code from the screen.
    code = page.locator(".qr svg").screenshot()
    [scanned] = zxingcpp.read_barcodes(Image.open(io.BytesIO(code)).convert("L"))
    assert scanned.text == page.get_by_label("Link, for this patient only").input_value()
    phone = page.context.new_page()
    phone.goto(f"{product.address}/sandbox")
    phone.get_by_label("New phone").fill("Beate")
    phone.get_by_role("button", name="Add phone").click()
    phone.get_by_label("Open an invitation on this phone").fill(scanned.text)
    phone.get_by_role("button", name="Open").click()

    # The bot asks in her language. Until she answers, the nurse sees the open question, and no other message goes
    # out.
    question = phone.locator("#chat .in").last
    expect(question).to_contain_text("My clinic möchte Nachrichten für Beate in diesen Chat schicken", timeout=ARRIVES)
    expect(question).to_contain_text("nicht Ende-zu-Ende-verschlüsselt")
    expect(nurse).to_contain_text("has not yet answered whether the clinic may write.")
    phone.get_by_role("button", name="Einverstanden").click()

    expect(nurse.locator(".reach-yes")).to_contain_text("Can be reached.", timeout=ARRIVES)
    expect(nurse).not_to_contain_text("not confirmed")
    page.get_by_role("link", name="Beate Lind").click()
    expect(page.locator(".story")).to_contain_text("patient: agreed, wording")
