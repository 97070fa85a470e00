"""The newcomer's two minutes, on the real product: import a list, plan, watch it arrive on the phone, see "sent"."""

import datetime as dt
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.services import eventually

pytestmark = pytest.mark.browser

PATIENTS = """external_id,name,telegram_id,birth_date,timezone,language
P-1,Ana Silva,5100000001,1940-01-10,Europe/Lisbon,pt
P-2,Jonas Weber,5100000002,1946-03-12,Europe/Berlin,de
P-3,Chidi Okafor,@chidi,1955-06-15,Africa/Lagos,en
"""
ARRIVES = 15_000
"""Milliseconds; a message due at once is there long before."""


@pytest.fixture
def sign_in_link(tmp_path: Path) -> Iterator[str]:
    """Everything, as `companion up` starts it for the first time in an empty folder with the Sandbox on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("COMPANION_", "DJANGO_"))}
    environment = ours | {"COMPANION_SANDBOX": "1", "COMPANION_DATA_DIR": str(tmp_path), "COMPANION_PORT": str(port)}
    command = [sys.executable, "-m", "companion.cli.main", "up"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout
        try:
            found = (re.search(r"http\S+/sign-in/\S+", line) for line in process.stdout)
            yield next(link.group() for link in found if link)
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()


def test_the_newcomers_two_minutes(page: Page, sign_in_link: str, tmp_path: Path) -> None:
    address = sign_in_link.partition("/sign-in/")[0]
    page.goto(sign_in_link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Three steps to your first message")).to_be_visible()

    # Import the CSV: the wrong row is named, the others are in.
    file = tmp_path / "patients.csv"
    file.write_text(PATIENTS, encoding="utf-8")
    page.get_by_role("link", name="Import a file").click()
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".tally")).to_contain_text("2added")
    expect(page.get_by_role("row", name="4 ")).to_be_visible()

    # Plan, for this very minute.
    page.locator(".buttons").get_by_role("link", name="New message").click()
    page.locator("#find").fill("ana")
    page.get_by_label("Ana Silva").check()
    page.locator("#text").fill("Good morning {first_name}, please take your tablet. {clinic}")
    page.get_by_label("Time", exact=True).fill(f"{dt.datetime.now(dt.UTC):%H:%M}")
    expect(page.locator("#preview .bubble")).to_have_text("Good morning Ana, please take your tablet. My clinic")
    page.get_by_role("button", name="Plan message").last.click()
    expect(page.get_by_text("Planned. 1 message is on the list.")).to_be_visible()

    # See it sent, without touching anything, and watch it on the phone.
    page.goto(page.url)
    expect(page.locator(".line .badge")).to_have_text("Sent", timeout=ARRIVES)
    page.get_by_role("link", name="Open the phones").click()
    expect(page.locator(".said")).to_contain_text("Good morning Ana, please take your tablet. My clinic")

    # The patient answers, and the answer stands in the conversation.
    page.get_by_label("Write as the patient").fill("Thank you, done")
    page.get_by_label("Send").click()
    page.goto(f"{address}/patients?q=ana")
    page.get_by_role("link", name="Ana Silva").click()
    patient = page.url

    def answered() -> bool:
        page.goto(patient)
        return page.locator(".chat .in").count() > 0

    eventually(answered, "the answer in the conversation")
    expect(page.locator(".chat .in")).to_contain_text("Thank you, done")
