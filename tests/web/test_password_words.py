"""Passwords made of words that everybody knows about the clinic are refused by each form that sets a password."""

import pytest
from django.test import Client

from companion.clinics.models import Clinic, Member
from companion.clinics.password_words import OF_THE_PRODUCT, is_decorated
from companion.clinics.sign_in_links import operators_link
from tests.builders import NOW, a_bot, a_clinic, a_member
from tests.web.accounts import PASSWORD, a_person, sign_in
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db
REFUSED = [
    "Companion2026!!",
    "lindenlinden1234",
    "L1nden-Hei9hts!!",
    "LindenHeights-2026",
    "wien-linden-2026",
    "nightingale_bot!",
    "Cl1n1c-Adm1n-2026",
    "P@$$word-Linden-1",
    "Müller-Müller-99",
    "eva.linden.example",
    "C.o.m.p.a.n.i.o.n",
]
TAKEN = [
    PASSWORD,
    "a linden tree in the garden",
    "companions of my youth sing",
    "wet-gravel-9-umbrella",
    "4829175638201",
    "ракета летит высоко",
]


@pytest.fixture
def linden() -> Clinic:
    clinic = a_clinic(name="Linden Heights Wien", slug="linden")
    a_bot(clinic, username="nightingale_bot")
    return clinic


@pytest.fixture
def eva(linden: Clinic) -> Member:
    eva = a_person(linden, email="eva@linden.example")
    eva.user.last_name = "Müller"
    eva.user.save()
    return eva


def _changed(eva: Member, new: str) -> bool:
    client = sign_in(eva)
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    eva.user.refresh_from_db()
    return eva.user.check_password(new)


@pytest.mark.parametrize("new", REFUSED)
def test_a_password_of_the_clinics_words_is_refused(eva: Member, new: str) -> None:
    assert not _changed(eva, new)


@pytest.mark.parametrize("new", TAKEN)
def test_a_password_with_other_words_is_taken(eva: Member, new: str) -> None:
    assert _changed(eva, new)


def test_the_refusal_says_why_and_quotes_no_password(eva: Member) -> None:
    new = "LindenHeights-2026"

    answer = sign_in(eva).post(
        "/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new}
    )

    assert "the names of your clinic and of its bot" in words(answer)
    assert new not in answer.content.decode()


def test_a_password_may_hold_the_words_of_another_clinic(eva: Member) -> None:
    a_clinic(name="Gravel Umbrella", slug="gravel")

    assert _changed(eva, "gravel-umbrella-9")


def test_a_person_with_a_link_of_the_operator_has_the_same_rules_for_passwords(linden: Clinic) -> None:
    nora = a_member(linden, email="nora@x.example")
    client = Client()
    client.post(operators_link(nora, now=NOW).partition("http://127.0.0.1:8000")[2])

    for new in ("lindenlinden1234", "four calm horses"):
        client.post("/accounts/password/set/", {"password1": new, "password2": new})
        nora.user.refresh_from_db()
        assert nora.user.check_password(new) == (new == "four calm horses")


@pytest.mark.parametrize("word", OF_THE_PRODUCT)
def test_each_word_of_the_product_is_refused_with_digits_around_it(word: str) -> None:
    assert is_decorated(f"2026-{word.title()}-2026!", OF_THE_PRODUCT)
