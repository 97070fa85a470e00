"""Passkeys in a real browser, with the browser's own virtual authenticator."""

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.builders import a_clinic
from tests.web.accounts import PASSWORD, a_person

pytestmark = pytest.mark.browser


def _with_an_authenticator(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    kind = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": kind | {"isUserVerified": True}})


def _password(page: Page, address: str, email: str) -> None:
    page.goto(f"{address}/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_passkey_is_added_is_the_second_step_and_signs_in_alone(page: Page, live_server: LiveServer) -> None:
    member = a_person(a_clinic())
    _with_an_authenticator(page)
    _password(page, live_server.url, member.user.email)
    page.wait_for_url("**/scheduled-messages")

    page.goto(f"{live_server.url}/accounts/2fa/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Sign in with this passkey alone").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()

    page.context.clear_cookies()
    _password(page, live_server.url, member.user.email)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/scheduled-messages")

    page.context.clear_cookies()
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/scheduled-messages")
