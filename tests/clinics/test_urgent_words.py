"""Urgent help: the clinic's words and the number, which comes first."""

import pytest

from companion.clinics import urgent_words
from companion.clinics.access import NotAllowed
from companion.clinics.models import Role
from companion.clinics.refusals import Refused
from tests.builders import NOW, a_caller, a_clinic

pytestmark = pytest.mark.django_db


def test_words_are_kept_once_each_with_their_number() -> None:
    admin = a_caller(a_clinic(), Role.ADMIN)

    clinic = urgent_words.change(admin, [" chest   pain", "help", "help", " "], "+49 (30) 123-456", now=NOW)

    assert (clinic.urgent_words, clinic.urgent_phone) == (["chest pain", "help"], "+49 (30) 123-456")


@pytest.mark.parametrize(
    ("words", "phone", "field"),
    [
        (["help"], "", "phone"),
        (["help"], None, "phone"),
        (["help"], "call us", "phone"),
        (["help"], "{name}", "phone"),
        (["!!"], "112", "words"),
        (["x" * 61], "112", "words"),
        (["a\nb" * 40], "112", "words"),
        ("help", "112", "words"),
        ([1], "112", "words"),
        ([f"word {number}" for number in range(101)], "112", "words"),
        ([], 112, "phone"),
    ],
)
def test_impossible_words_and_numbers_are_refused(words: object, phone: object, field: str) -> None:
    clinic = a_clinic()

    with pytest.raises(Refused) as refused:
        urgent_words.change(a_caller(clinic, Role.ADMIN), words, phone, now=NOW)

    clinic.refresh_from_db()
    assert [problem.field for problem in refused.value.problems] == [field]
    assert clinic.urgent_words == []


def test_an_empty_list_needs_no_number() -> None:
    assert urgent_words.change(a_caller(a_clinic(), Role.ADMIN), [], "", now=NOW).urgent_words == []


def test_only_admins_change_it() -> None:
    with pytest.raises(NotAllowed):
        urgent_words.change(a_caller(a_clinic()), [], "", now=NOW)
