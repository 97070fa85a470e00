"""Sessions that others end: with the membership, by an admin, by the operator, by the sign-in service; and the keys
that a session and a browser get anew.
"""

import time

import pytest
from click.testing import CliRunner
from django.test import Client

from companion.cli.people import member as command
from companion.clinics.models import Clinic, KnownDevice, Member, Role
from companion.planning.archiving import archive
from tests.builders import NOW, a_clinic
from tests.web.accounts import PASSWORD, a_person, acts_of, aged, is_in, session_of, sign_in
from tests.web.provider import the_service_says, through_the_service
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db


def _joins(clinic: Clinic, member: Member, role: Role = Role.PROVIDER) -> Member:
    return Member.objects.create(clinic=clinic, user=member.user, role=role, created_at=NOW, joined_at=NOW)


def _does(admin: Client, member: Member, do: str) -> str:
    return words(admin.post(f"/settings/members/{member.id}", {"do": do}, follow=True))


@pytest.mark.parametrize("do", ["sign-out", "remove"])
def test_an_admin_ends_a_members_sessions(do: str) -> None:
    clinic = a_clinic()
    admin, member = sign_in(a_person(clinic, Role.ADMIN)), a_person(clinic)
    first, other = sign_in(member), sign_in(member)

    _does(admin, member, do)

    assert ["_auth_user_id" in client.session for client in (first, other, admin)] == [False, False, True]


def test_the_end_of_a_members_sessions_is_recorded_and_leaves_the_password() -> None:
    clinic = a_clinic()
    admin, member = sign_in(a_person(clinic, Role.ADMIN)), a_person(clinic)

    _does(admin, member, "sign-out")

    assert "member signed out" in acts_of(clinic)
    assert is_in(sign_in(member))


@pytest.mark.parametrize("do", ["sign-out", "remove"])
def test_no_admin_signs_a_person_out_of_another_clinic(do: str) -> None:
    linden, birch = a_clinic(), a_clinic(name="Birch")
    admin, member = sign_in(a_person(birch, Role.ADMIN)), a_person(linden)
    in_birch, client = _joins(birch, member), sign_in(member)

    answer = _does(admin, in_birch, do)

    assert ("only the operator" in answer) == (do == "sign-out")
    assert client.get("/scheduled-messages").context["clinic"] == linden


@pytest.mark.parametrize("do", ["sign-out", "remove"])
def test_a_membership_in_an_archived_clinic_keeps_no_admin_from_ending_sessions(do: str) -> None:
    linden, birch = a_clinic(), a_clinic(name="Birch")
    admin, member = sign_in(a_person(linden, Role.ADMIN)), a_person(linden)
    _joins(birch, member)
    archive(birch, now=NOW)
    client = sign_in(member)

    _does(admin, member, do)

    assert "_auth_user_id" not in client.session


def test_an_invitation_elsewhere_keeps_no_admin_from_ending_sessions() -> None:
    linden, birch = a_clinic(), a_clinic(name="Birch")
    admin, member = sign_in(a_person(linden, Role.ADMIN)), a_person(linden)
    Member.objects.create(clinic=birch, user=member.user, role=Role.VIEWER, created_at=NOW)
    client = sign_in(member)

    _does(admin, member, "sign-out")

    assert not is_in(client)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PROVIDER])
def test_only_admins_end_others_sessions(role: Role) -> None:
    clinic = a_clinic()
    member, other = a_person(clinic), sign_in(a_person(clinic, role))
    client = sign_in(member)

    _does(other, member, "sign-out")

    assert is_in(client)


def test_the_operator_signs_a_person_out_of_all_clinics() -> None:
    linden = a_clinic(slug="linden")
    member = a_person(linden, email="eva@linden.example")
    _joins(a_clinic(name="Birch"), member)
    client = sign_in(member)

    done = CliRunner().invoke(command, ["sign-out", "eva@linden.example", "--clinic", "linden"])

    assert done.exit_code == 0
    assert not is_in(client)


def test_an_account_that_is_disabled_is_out_at_once() -> None:
    member = a_person(a_clinic())
    client = sign_in(member)

    member.user.is_active = False
    member.user.save()

    assert not is_in(client)
    assert not is_in(sign_in(member))


def test_a_person_who_has_left_the_group_is_signed_out_everywhere_at_the_next_try(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["nurses"])
    before = Client()
    through_the_service(before)
    assert is_in(before)
    the_service_says(issuer, groups=[])

    through_the_service(Client())

    assert not is_in(before)


def test_ending_a_session_asks_for_the_password_in_an_old_session() -> None:
    member = a_person(a_clinic())
    here, there = sign_in(member), sign_in(member)
    aged(here, began=time.time() - 3600)

    asked = here.post("/accounts/sessions/end", {"session": "others"})
    assert is_in(there)
    here.post(asked["Location"], {"password": PASSWORD})

    assert not is_in(there)


def test_a_fresh_proof_gives_the_session_another_key() -> None:
    clinic = a_clinic()
    client = sign_in(a_person(clinic))
    aged(client, began=time.time() - 3600)
    stolen = Client()
    stolen.cookies["sessionid"] = client.cookies["sessionid"].value

    client.post("/accounts/reauthenticate/", {"password": PASSWORD})

    assert is_in(client)
    assert not is_in(stolen)
    assert session_of(client)


def test_a_fresh_proof_at_the_service_gives_the_session_another_key(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["nurses"])
    client = Client()
    through_the_service(client)
    before = client.cookies["sessionid"].value
    aged(client, began=time.time() - 3600)

    through_the_service(client, login=client.get("/accounts/reauthenticate/")["Location"])

    assert client.cookies["sessionid"].value != before
    assert is_in(client)


def test_a_planted_device_cookie_is_replaced_at_the_sign_in() -> None:
    client = Client()
    client.cookies["device"] = "planted"

    sign_in(a_person(a_clinic()), client=client)

    assert client.cookies["device"].value != "planted"
    assert KnownDevice.objects.count() == 1


def test_each_sign_in_gives_the_browser_another_cookie_and_ends_the_one_before() -> None:
    member = a_person(a_clinic())
    client = sign_in(member)
    before = client.cookies["device"].value
    client.post("/accounts/logout/")

    sign_in(member, client=client)

    assert client.cookies["device"].value != before
    assert KnownDevice.objects.filter(user=member.user).count() == 1


def test_two_people_of_one_browser_both_stay_known_in_it() -> None:
    clinic = a_clinic()
    eva, nora = a_person(clinic), a_person(clinic)

    browser = sign_in(eva)
    browser.post("/accounts/logout/")
    sign_in(nora, client=browser)

    hashes = KnownDevice.objects.values_list("secret_hash", flat=True)
    assert len(hashes) == 2
    assert len(set(hashes)) == 1
