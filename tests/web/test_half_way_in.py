"""Sign-ins half way, while the account changes: an old password before a second step, a link in another's browser."""

import pytest
from django.test import Client

from companion.clinics import operators, sign_in_links
from companion.clinics.models import Member, Role
from companion.clinics.sign_in_links import operators_link
from tests.builders import NOW, a_clinic
from tests.web.accounts import a_person, app_code, is_in, sign_in, with_an_app
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db


def _path(member: Member) -> str:
    return "/sign-in/" + operators_link(member, now=NOW).partition("/sign-in/")[2]


def _half_way(member: Member) -> tuple[Client, str]:
    """A browser in which the password was right and the code is awaited, and the key of the app."""
    key = with_an_app(sign_in(member))
    return sign_in(member), key


@pytest.mark.parametrize("again", [False, True])
def test_a_sign_in_that_waits_for_its_code_ends_with_what_opened_the_account(again: bool) -> None:
    """`again`: the person has a new app by then, and the thief has a code of the former app."""
    member = a_person(a_clinic())
    thief, key = _half_way(member)
    sign_in_links.shut(member, now=NOW)
    member.user.refresh_from_db()
    owner = Client()
    owner.post(_path(member))
    if again:
        with_an_app(owner)

    thief.post("/accounts/2fa/authenticate/", {"code": app_code(key, steps=1)})
    thief.get("/accounts/login/")

    assert is_in(owner)
    assert not is_in(thief)


def test_a_link_in_anothers_browser_ends_their_session_and_mixes_nothing() -> None:
    clinic = a_clinic()
    admin, member = a_person(clinic, Role.ADMIN), a_person(clinic, Role.VIEWER)
    browser = sign_in(admin)

    browser.post(_path(member))

    assert browser.get("/scheduled-messages").context["caller"].id == member.id
    assert browser.post("/settings/keys", {"name": "till", "role": "viewer"}).status_code == 403


def test_a_link_of_a_person_with_a_second_step_leaves_the_browser_without_anybody() -> None:
    clinic = a_clinic()
    admin, member = a_person(clinic, Role.ADMIN), a_person(clinic)
    with_an_app(sign_in(member))
    browser = sign_in(admin)
    member.user.refresh_from_db()

    browser.post(_path(member))

    assert not is_in(browser)


def test_a_used_link_opens_nothing_in_a_second_browser_also_before_the_second_step() -> None:
    member = a_person(a_clinic())
    with_an_app(sign_in(member))
    member.user.refresh_from_db()
    link = _path(member)

    Client().post(link)
    second = Client().post(link)

    assert second.status_code == 410


def test_an_operators_flag_opens_no_clinic() -> None:
    linden, birch = a_clinic(name="Linden"), a_clinic(name="Birch")
    a_person(linden, Role.VIEWER, "eva@linden.example")
    client = Client()
    client.force_login(operators.add("eva@linden.example", now=NOW).user)

    assert "Birch" in words(client.get("/clinics"))
    assert client.post("/clinic", {"clinic": str(birch.id)}).status_code == 404
    assert client.post("/settings/keys", {"name": "till", "role": "viewer"}).status_code == 403
