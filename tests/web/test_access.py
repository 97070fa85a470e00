"""Roles and pages: what is shown to whom, and the words of a refusal. test_every_address.py tries every page."""

import pytest
from django.test import Client

from companion.clinics.models import Member, Role
from tests.builders import NOW, a_clinic, a_member, a_message, a_patient
from tests.web.signed_in import a_clinic_by_day, nobody, signed_in, soon, words

pytestmark = pytest.mark.django_db


def test_after_the_sign_in_a_stranger_comes_back_to_the_page() -> None:
    answer = Client().get("/settings")

    assert answer["Location"] == "/accounts/login/?next=/settings"


def test_a_part_of_a_page_takes_the_whole_page_to_the_sign_in() -> None:
    answer = Client().get("/banner", headers={"HX-Request": "true"})

    assert answer["HX-Redirect"].startswith("/accounts/login/")


def test_a_viewer_is_offered_no_action() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic), due_at=soon())

    shown = words(signed_in(clinic, Role.VIEWER).get("/scheduled-messages?status=pending"))

    assert "Ana Silva" in shown
    assert "Don't send" not in shown
    assert "New message" not in shown


def test_an_unknown_address_is_explained_kindly() -> None:
    answer = signed_in(a_clinic()).get(f"/scheduled-messages/{nobody()}")

    assert answer.status_code == 404
    assert "There is nothing here" in words(answer)


def test_a_person_without_a_clinic_is_told_whom_to_ask() -> None:
    member = a_member(a_clinic())
    client = Client()
    client.force_login(member.user)
    member.delete()

    answer = client.get("/scheduled-messages")

    assert answer.status_code == 403
    assert "Ask an admin" in words(answer)


def test_a_member_of_two_clinics_chooses_one() -> None:
    first, second = a_clinic(name="First"), a_clinic(name="Second")
    member = a_member(first)
    Member.objects.create(clinic=second, user=member.user, role=Role.VIEWER, created_at=NOW, joined_at=NOW)
    client = Client()
    client.force_login(member.user)

    client.post("/clinic", {"clinic": str(second.id)})

    assert client.get("/scheduled-messages").context["clinic"] == second


def test_nobody_chooses_a_clinic_that_isnt_theirs() -> None:
    client = signed_in(a_clinic())

    assert client.post("/clinic", {"clinic": str(a_clinic().id)}).status_code == 404


def test_after_an_action_nobody_is_sent_to_another_site() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon())

    answer = signed_in(clinic).post(f"/scheduled-messages/{message.id}/cancel", {"next": "https://evil.example/"})

    assert answer["Location"] == f"/scheduled-messages/{message.id}"


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere() -> None:
    answer = signed_in(a_clinic()).get("/scheduled-messages")

    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert " style=" not in answer.content.decode()
    assert " onclick=" not in answer.content.decode()


def test_a_name_in_the_audit_trails_filters_does_not_follow_to_the_sign_in() -> None:
    answer = Client().get("/audit?who=Nora&what=Nora&kind=acts")

    assert answer["Location"] == "/accounts/login/?next=/audit%3Fkind%3Dacts"
