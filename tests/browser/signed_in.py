"""A signed-in member at a real browser."""

from playwright.sync_api import Page

from companion.clinics.models import Clinic, Role
from companion.clinics.sign_in_links import operators_link
from tests.builders import NOW, a_member


def sign_in(page: Page, address: str, clinic: Clinic, role: Role = Role.PROVIDER) -> None:
    """Sign a new member of this clinic in by their one-time link, and wait for the list."""
    link = operators_link(a_member(clinic, role), now=NOW)
    page.goto(address + "/sign-in/" + link.partition("/sign-in/")[2])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/scheduled-messages")
