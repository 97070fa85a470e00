"""Acts that ask a person of an old session for the password once more, and are then carried out."""

import base64
import json
import time
import uuid

import pytest
from django.http.response import HttpResponseBase
from django.test import Client

from companion.clinics.models import ApiKey, Member, Role
from companion.clinics.sealed import seal, unseal
from companion.clinics.sign_in_links import operators_link
from tests.builders import NOW, a_clinic, a_member, a_patient
from tests.web.accounts import PASSWORD, a_person, acts_of, aged, app_code, sign_in, with_an_app
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db


def _hours_old(client: Client, hours: float) -> None:
    aged(client, began=time.time() - hours * 3600)


SENSITIVE = [
    ("/settings/keys", {"name": "till", "role": "viewer"}),
    ("/settings/members", {"email": "new@clinic.example", "role": "viewer"}),
    ("/settings/bot", {"token": "1:2"}),
    ("/settings/sign-in", {"second_factor": "admins"}),
    ("/patients/sources/fhir", {"url": "https://fhir.example"}),
    ("/patients/sources/remove", {}),
    ("/settings/webhooks/new", {"url": "https://hook.example"}),
]


@pytest.mark.parametrize(("address", "form"), SENSITIVE, ids=[address for address, _ in SENSITIVE])
def test_a_sensitive_act_asks_an_old_session_for_the_password(address: str, form: dict[str, str]) -> None:
    client = sign_in(a_person(a_clinic(), Role.ADMIN))
    _hours_old(client, 1)

    answer = client.post(address, form)

    assert answer["Location"] == "/accounts/reauthenticate/"


def test_a_program_in_the_browsers_session_needs_the_proof_as_well() -> None:
    clinic = a_clinic()
    client = sign_in(a_person(clinic, Role.ADMIN))
    patient = a_patient(clinic, name="Ana Silva")
    fresh = _sensitive_calls(client, patient.id)

    _hours_old(client, 1)

    assert 403 not in fresh
    assert _sensitive_calls(client, patient.id) == [403, 403, 403]


def _sensitive_calls(client: Client, patient: uuid.UUID) -> list[int]:
    answers = [
        client.get(f"/api/scheduler/patients/{patient}/export"),
        _posted(client, f"/patients/{patient}/erase", {"name": "Somebody Else"}),
        _posted(client, "/patient-sources", {"url": "https://fhir.example"}),
    ]
    return [answer.status_code for answer in answers]


def _posted(client: Client, path: str, body: dict[str, str]) -> HttpResponseBase:
    return client.post(f"/api/scheduler{path}", json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("do", ["link", "remove", "role"])
def test_a_members_role_link_and_removal_ask_for_the_password(do: str) -> None:
    clinic = a_clinic()
    other = a_person(clinic)
    client = sign_in(a_person(clinic, Role.ADMIN))
    _hours_old(client, 1)

    answer = client.post(f"/settings/members/{other.id}", {"do": do, "role": "admin", "shown": "provider"})

    assert answer["Location"] == "/accounts/reauthenticate/"
    assert Member.objects.filter(pk=other.pk, role=Role.PROVIDER).exists()


@pytest.mark.parametrize("address", ["/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/add/"])
def test_a_new_second_factor_asks_for_the_password(address: str) -> None:
    client = sign_in(a_person(a_clinic()))
    _hours_old(client, 1)

    assert client.get(address)["Location"] == f"/accounts/reauthenticate/?next={address.replace('/', '%2F')}"


def test_after_the_password_the_form_is_carried_out_without_being_typed_again() -> None:
    clinic = a_clinic()
    client = sign_in(a_person(clinic, Role.ADMIN))
    _hours_old(client, 1)
    client.post("/settings/keys", {"name": "till", "role": "viewer"})
    assert "till" not in str(dict(client.session))

    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD})

    assert ApiKey.objects.get(clinic=clinic).name == "till"
    assert "ack_" in answer.content.decode()


@pytest.mark.parametrize("elsewhere", ["/accounts/2fa/totp/activate/", "/"])
def test_a_form_that_was_left_is_not_carried_out_by_a_proof_for_another_page(elsewhere: str) -> None:
    """The admin begins to remove a colleague, thinks better of it, and later sets up an app, or uses the API."""
    clinic = a_clinic()
    other = a_person(clinic)
    client = sign_in(a_person(clinic, Role.ADMIN))
    _hours_old(client, 1)
    client.post(f"/settings/members/{other.id}", {"do": "remove"})

    client.get("/accounts/reauthenticate/", {"next": elsewhere})
    left = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": elsewhere})
    again = client.post("/accounts/reauthenticate/", {"password": PASSWORD})

    assert [left["Location"], again["Location"]] == [elsewhere, "/scheduled-messages"]
    assert Member.objects.filter(pk=other.pk).exists()


def test_a_form_that_waited_for_longer_than_a_proof_holds_is_not_carried_out_and_its_person_is_told() -> None:
    clinic = a_clinic()
    other = a_person(clinic)
    client = sign_in(a_person(clinic, Role.ADMIN))
    _hours_old(client, 1)
    client.post(f"/settings/members/{other.id}", {"do": "remove"})
    _minutes_pass(client, 16)

    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD}, follow=True)

    assert "Your last action waited too long" in words(answer)
    assert Member.objects.filter(pk=other.pk).exists()


def _minutes_pass(client: Client, minutes: float) -> None:
    """Let the form that waits in the session grow old."""
    session = client.session
    state = session["account_reauthentication_state"]["state"]
    waiting = json.loads(unseal(base64.b64decode(state["sealed"]), "web.proof"))
    waiting["at"] -= minutes * 60
    state["sealed"] = base64.b64encode(seal(json.dumps(waiting), "web.proof")).decode()
    session.save()


def test_a_wrong_password_carries_out_nothing() -> None:
    clinic = a_clinic()
    client = sign_in(a_person(clinic, Role.ADMIN))
    _hours_old(client, 1)
    client.post("/settings/keys", {"name": "till", "role": "viewer"})

    client.post("/accounts/reauthenticate/", {"password": "wrong and long"})

    assert not ApiKey.objects.exists()


def test_a_person_without_a_password_sets_a_password_before_a_sensitive_act() -> None:
    member = a_person(a_clinic(), Role.ADMIN)
    member.user.set_unusable_password()
    member.user.save()
    client = Client()
    client.post("/sign-in/" + operators_link(member, now=NOW).partition("/sign-in/")[2])
    _hours_old(client, 1)

    answer = client.post("/settings/keys", {"name": "till", "role": "viewer"}, follow=True)

    assert "Set a password first" in words(answer)
    assert not ApiKey.objects.exists()


def test_a_first_password_asks_an_old_session_for_the_second_step_that_the_person_has() -> None:
    """The thief of a session would otherwise set a password, and confirm all sensitive acts with it."""
    clinic = a_clinic()
    member = a_member(clinic, Role.ADMIN)
    client = Client()
    client.post("/sign-in/" + operators_link(member, now=NOW).partition("/sign-in/")[2])
    secret = with_an_app(client)
    aged(client, began=time.time() - 3600, proved=0)
    typed = {"password1": PASSWORD, "password2": PASSWORD}

    asked = [client.get("/accounts/password/set/"), client.post("/accounts/password/set/", typed)]
    member.user.refresh_from_db()
    before = member.user.has_usable_password()
    client.post("/accounts/2fa/reauthenticate/", {"code": app_code(secret, steps=1)})
    member.user.refresh_from_db()

    assert [answer["Location"] for answer in asked] == ["/accounts/reauthenticate/"] * 2
    assert PASSWORD not in str(dict(client.session))
    assert (before, member.user.has_usable_password()) == (False, True)


def test_a_wrong_present_password_at_the_change_counts_and_is_recorded_like_a_wrong_sign_in() -> None:
    clinic = a_clinic()
    client = sign_in(a_person(clinic))
    wrong = {"oldpassword": "wrong and long", "password1": "five loud donkeys", "password2": "five loud donkeys"}

    changes = [client.post("/accounts/password/change/", wrong) for _ in range(4)]
    recorded = acts_of(clinic)
    confirmed = [client.post("/accounts/reauthenticate/", {"password": "wrong and long"}) for _ in range(3)]

    assert [answer.status_code for answer in changes] == [200] * 4
    assert recorded.count("sign-in failed") == 4
    assert [answer.status_code for answer in confirmed] == [200, 200, 429]
