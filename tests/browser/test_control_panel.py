"""The Control Panel in a real browser, on real services: what people see when the dispatcher dies and returns."""

import re
import signal
import socket
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from companion.sandbox.phone import make_bot
from tests.browser.signed_in import sign_in
from tests.builders import a_bot, a_clinic
from tests.support.services import a_free_port, a_service, eventually, stop

pytestmark = pytest.mark.browser
_STARTS = 40_000
"""The most milliseconds that a service needs to start on a slow machine."""


def test_the_banner_turns_within_ten_seconds_of_the_dispatchers_death_and_turns_back(
    page: Page, product_environment: dict[str, str]
) -> None:
    clinic = a_clinic()
    token = make_bot(clinic.name, "linden_practice_bot")
    a_bot(clinic, token=token, telegram_id=int(token.partition(":")[0]))
    port = a_free_port()
    environment = product_environment | {"COMPANION_PORT": str(port)}
    banner = page.locator("#health")
    with ExitStack() as services:
        services.enter_context(a_service("web", environment))
        services.enter_context(a_service("listener", environment))
        dispatcher = services.enter_context(a_service("dispatcher", environment))
        _wait_for(port)
        sign_in(page, f"http://127.0.0.1:{port}", clinic)
        page.goto(f"http://127.0.0.1:{port}/mcp")
        expect(banner).to_contain_text("Sending normally", timeout=_STARTS)

        stop(dispatcher, signal.SIGKILL)
        expect(banner).to_contain_text("No dispatcher answers at its own address", timeout=10_000)
        expect(page.locator("#numbers")).to_contain_text(re.compile("Source: the Control Panel"), timeout=10_000)

        services.enter_context(a_service("dispatcher", environment))
        expect(banner).to_contain_text("Sending normally", timeout=_STARTS)


def _wait_for(port: int) -> None:
    def answers() -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", port)) == 0

    eventually(answers, "the web service")
