"""Access to the API: keys, sessions with their CSRF token, and roles. test_every_call.py tries every call."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client

from companion.clinics import api_keys
from companion.clinics.access import Caller
from companion.clinics.models import ApiKey, Clinic, Role
from tests.api.calls import NOBODY, PROBLEM, Program, a_program
from tests.builders import (
    NOW,
    a_clinic,
    a_member,
    a_message,
    a_patient,
    a_schedule,
)


def signed_in(clinic: Clinic, role: Role = Role.PROVIDER, *, csrf: bool = True) -> Client:
    client = Client(enforce_csrf_checks=csrf)
    client.force_login(a_member(clinic, role).user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.mark.django_db
def test_a_call_without_a_key_is_told_to_sign_in() -> None:
    answer = NOBODY.get("/messages")

    assert (answer.status, answer.media_type) == (401, PROBLEM)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["ack_" + "x" * 43, "ä", "ack_ two", "\udcff"])
def test_a_wrong_key_is_refused(key: str) -> None:
    client = Client(headers={"Authorization": f"Bearer {key}"})

    assert client.get("/api/scheduler/messages").status_code == 401


def test_a_revoked_key_is_refused_at_once(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    admin = Caller(clinic, "service", None, "admin", Role.ADMIN)
    api_keys.revoke(admin, ApiKey.objects.get(clinic=clinic), now=now)

    assert api.get("/messages").status == 401


def test_a_viewer_reads(program: Callable[[Role], Program]) -> None:
    assert program(Role.VIEWER).get("/messages").status == 200


def test_a_viewer_writes_nothing(clinic: Clinic, program: Callable[[Role], Program]) -> None:
    answer = program(Role.VIEWER).post("/cohorts", {"name": "Diabetes"})

    assert (answer.status, answer.media_type) == (403, PROBLEM)
    assert "Provider" in answer.json["detail"]
    assert not clinic.cohorts.exists()


def test_a_signed_in_member_reads(clinic: Clinic) -> None:
    assert signed_in(clinic).get("/api/scheduler/messages").status_code == 200


def test_a_session_without_a_csrf_token_writes_nothing(clinic: Clinic) -> None:
    answer = signed_in(clinic).post("/api/scheduler/cohorts", {"name": "Diabetes"}, content_type="application/json")

    assert (answer.status_code, answer["Content-Type"]) == (403, PROBLEM)
    assert not clinic.cohorts.exists()


def test_a_session_with_its_csrf_token_writes(clinic: Clinic) -> None:
    client = signed_in(clinic)
    client.get("/api/scheduler/docs")  # hands out the token's cookie
    token = client.cookies["csrftoken"].value

    answer = client.post(
        "/api/scheduler/cohorts",
        {"name": "Diabetes"},
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )

    assert answer.status_code == 201


def test_a_key_that_is_wrong_never_falls_back_to_a_session(clinic: Clinic) -> None:
    client = signed_in(clinic)

    assert client.get("/api/scheduler/messages", headers={"Authorization": "Bearer no"}).status_code == 401


@pytest.mark.django_db
def test_a_person_who_is_in_no_clinic_is_refused(clinic: Clinic) -> None:
    client = signed_in(clinic)
    clinic.members.all().delete()

    assert client.get("/api/scheduler/messages").status_code == 401


def test_a_member_of_two_clinics_works_in_the_chosen_clinic(clinic: Clinic) -> None:
    other = a_clinic()
    member = a_member(clinic)
    other.members.create(user=member.user, role=Role.PROVIDER, created_at=NOW, joined_at=NOW)
    a_patient(other, name="Theirs")
    client = Client()
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    session = client.session
    session["clinic"] = str(other.id)
    session.save()

    names = [item["name"] for item in client.get("/api/scheduler/patients").json()["items"]]

    assert names == ["Theirs"]


@pytest.mark.parametrize("path", ["/messages", "/patients", "/schedules", "/cohorts"])
def test_lists_hold_nothing_of_another_clinic(clinic: Clinic, path: str) -> None:
    a_message(a_patient(clinic), a_schedule(clinic))
    clinic.cohorts.create(name="Ours", created_at=clinic.created_at)

    answer = a_program(a_clinic()).get(path).json

    assert (answer["items"], answer["next"]) == ([], None)


def test_another_clinics_patient_can_not_be_written_to(clinic: Clinic) -> None:
    body = {"patient": str(a_patient(clinic).id), "text": "Hello"}

    answer = a_program(a_clinic()).post("/messages", body)

    assert (answer.status, answer.wrong_fields) == (422, ["patient"])
