"""Signing in: by a link that works once, or by e-mail and password; nobody makes an account alone."""

import pytest
from django.core import mail
from django.test import Client

from companion.clinics.models import Member, Role
from companion.clinics.sign_in_links import operators_link
from tests.builders import NOW, a_clinic, a_member
from tests.web.signed_in import nobody, signed_in, words

pytestmark = pytest.mark.django_db


def _path(member: Member) -> str:
    return "/sign-in/" + operators_link(member, now=NOW).partition("/sign-in/")[2]


def test_a_link_signs_in_when_its_button_is_pressed() -> None:
    link = _path(a_member(a_clinic()))
    client = Client()

    client.post(link)

    assert client.get("/scheduled-messages").status_code == 200


def test_looking_at_a_link_does_not_use_it_up() -> None:
    link = _path(a_member(a_clinic()))
    Client().get(link)

    assert "Sign in" in words(Client().get(link))
    assert Client().post(link).status_code == 302


def test_a_link_works_once() -> None:
    link = _path(a_member(a_clinic()))
    Client().post(link)
    late = Client()

    assert late.post(link).status_code == 410
    assert late.get(link).status_code == 410
    assert late.get("/scheduled-messages").status_code == 302


def test_a_made_up_link_is_over() -> None:
    assert Client().get(f"/sign-in/{nobody()}/abc-def").status_code == 410


def test_a_person_who_came_by_a_link_sets_a_password_and_signs_in_with_it() -> None:
    member = a_member(a_clinic(), email="nora@x.example")
    client = Client()
    client.post(_path(member))

    client.post("/accounts/password/set/", {"password1": "four calm horses", "password2": "four calm horses"})

    fresh = Client()
    fresh.post("/accounts/login/", {"login": "nora@x.example", "password": "four calm horses"})
    assert fresh.get("/scheduled-messages").status_code == 200


def test_nobody_makes_an_account_alone() -> None:
    shown = words(Client().get("/accounts/signup/"))

    assert "A clinic's admins create the accounts." in shown


def test_a_wrong_password_is_said() -> None:
    answer = Client().post("/accounts/login/", {"login": "nora@x.example", "password": "wrong"})

    assert "not correct" in words(answer)


def test_signing_out_ends_the_session() -> None:
    client = signed_in(a_clinic(), Role.VIEWER)

    client.post("/accounts/logout/")

    assert client.get("/scheduled-messages").status_code == 302


@pytest.mark.parametrize("below", ["email/", "confirm-email/", "password/reset/done/", "login/code/confirm/"])
def test_nobody_changes_their_address_alone_and_nothing_is_mailed(below: str) -> None:
    client = Client()
    client.post(_path(a_member(a_clinic())))
    client.post("/accounts/password/set/", {"password1": "four calm horses", "password2": "four calm horses"})

    answers = [
        client.get(f"/accounts/{below}"),
        client.post(f"/accounts/{below}", {"email": "else@x.example", "action_add": ""}),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert mail.outbox == []
