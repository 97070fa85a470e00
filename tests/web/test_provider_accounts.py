"""Accounts where a sign-in service decides: passwords, second steps and invitations beside it."""

import time

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from companion.clinics import members
from companion.clinics.models import ApiKey, Clinic, Member
from companion.clinics.sign_in_links import operators_link
from tests.builders import NOW, a_clinic, a_member
from tests.web.accounts import PASSWORD, a_person, aged, is_in, sign_in, with_an_app
from tests.web.provider import the_service_says, through_the_service
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


def test_a_password_opens_no_clinic_that_has_a_service(linden: Clinic) -> None:
    client = sign_in(a_person(linden))

    assert client.get("/scheduled-messages").status_code == 403
    assert client.get("/api/scheduler/messages").status_code == 401


def test_a_password_still_opens_the_persons_other_clinics(linden: Clinic) -> None:
    other = a_clinic(name="Other")
    member = a_person(other)
    Member.objects.create(clinic=linden, user=member.user, role="admin", created_at=NOW, joined_at=NOW)
    client = sign_in(member)

    assert client.post("/clinic", {"clinic": str(linden.id)}).status_code == 404
    page = client.get("/scheduled-messages")
    assert page.context["clinic"] == other
    assert "Linden" not in words(page)


def test_the_operators_link_opens_it_when_the_service_is_away(linden: Clinic) -> None:
    client = Client()
    client.post("/sign-in/" + operators_link(a_member(linden), now=NOW).partition("/sign-in/")[2])

    assert is_in(client)


def test_another_clinics_link_opens_no_clinic_that_has_a_service(linden: Clinic) -> None:
    """The person has left Linden's service, and still works at Birch."""
    birch = a_clinic(name="Birch")
    member = a_person(birch)
    Member.objects.create(clinic=linden, user=member.user, role="admin", created_at=NOW, joined_at=NOW)
    client = Client()

    client.post("/sign-in/" + operators_link(member, now=NOW).partition("/sign-in/")[2])

    assert client.get("/scheduled-messages").context["clinic"] == birch
    assert client.post("/clinic", {"clinic": str(linden.id)}).status_code == 404


def test_no_admin_hands_out_a_link_to_a_member_of_before_the_service(issuer: str, linden: Clinic) -> None:
    before = a_member(linden, email="nora@linden.example")
    the_service_says(issuer, groups=["heads"])
    admin = Client()
    through_the_service(admin)

    answer = admin.post(f"/settings/members/{before.id}", {"do": "link"}, follow=True)

    assert "/sign-in/" not in answer.content.decode()
    assert "Only the operator makes links" in words(answer)


@pytest.mark.parametrize(
    "address", ["password/change/", "password/set/", "2fa/", "2fa/totp/activate/", "2fa/webauthn/add/"]
)
def test_a_person_of_the_service_sets_no_password_and_no_second_step(issuer: str, linden: Clinic, address: str) -> None:
    the_service_says(issuer, groups=["nurses"])
    client = Client()
    through_the_service(client)

    typed = {"password1": PASSWORD, "password2": PASSWORD}
    answers = [client.get(f"/accounts/{address}"), client.post(f"/accounts/{address}", typed)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not Member.objects.get().user.has_usable_password()
    assert not Authenticator.objects.exists()


def test_a_second_step_that_the_clinic_demands_is_the_services_matter(issuer: str, linden: Clinic) -> None:
    Clinic.objects.update(second_factor="all")
    the_service_says(issuer, groups=["nurses"])
    client = Client()

    through_the_service(client)

    assert is_in(client)


def test_a_sensitive_act_goes_on_after_the_service_has_asked_again(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["heads"])
    client = Client()
    through_the_service(client)
    aged(client, began=time.time() - 3600)
    client.post("/settings/keys", {"name": "till", "role": "viewer"})
    to_service = client.get("/accounts/reauthenticate/")["Location"]
    assert not ApiKey.objects.exists()

    through_the_service(client, login=to_service)

    assert ApiKey.objects.get(clinic=linden).name == "till"
    assert "prompt=login" in client.get(to_service)["Location"]


def test_a_form_that_was_left_is_not_carried_out_by_a_proof_at_the_service_for_another_page(
    issuer: str, linden: Clinic
) -> None:
    the_service_says(issuer, groups=["heads"])
    client = Client()
    through_the_service(client)
    aged(client, began=time.time() - 3600)
    client.post("/settings/keys", {"name": "till", "role": "viewer"})

    through_the_service(client, login=client.get("/accounts/reauthenticate/", {"next": "/"})["Location"])

    assert not ApiKey.objects.exists()


def test_admins_invite_nobody_and_hand_out_no_link_where_the_service_decides(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["heads"])
    client = Client()
    through_the_service(client)

    invited = client.post("/settings/members", {"email": "new@linden.example", "role": "viewer"}, follow=True)
    linked = client.post(f"/settings/members/{Member.objects.get().id}", {"do": "link"}, follow=True)

    assert "the clinic's sign-in service" in words(invited)
    assert "Only the operator makes links" in words(linked)


def test_an_invitation_elsewhere_makes_another_account(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["nurses"], email_verified=True)
    through_the_service(Client())
    birch = a_clinic(name="Birch")

    invited = members.add_member(birch, "eva@linden.example", "viewer", now=NOW)

    assert invited.user != Member.objects.get(clinic=linden).user
    assert signed_in(birch).get("/settings").status_code == 200


def test_a_link_opens_the_clinic_of_a_service_for_its_own_person_alone(linden: Clinic) -> None:
    """Eva stops at the second step of her link; then another person signs in by a password in her browser."""
    eva, nora = a_person(linden), a_person(linden)
    Clinic.objects.update(slug="elsewhere")
    with_an_app(sign_in(eva))
    Clinic.objects.update(slug="linden")
    eva.user.refresh_from_db()
    browser = Client()
    browser.post("/sign-in/" + operators_link(eva, now=NOW).partition("/sign-in/")[2])

    browser.post("/accounts/logout/")
    sign_in(nora, client=browser)

    assert browser.get("/scheduled-messages").status_code == 403
