"""The second step of a sign-in: an app's codes, recovery codes, passkeys, and clinics that demand a second step."""

import json
import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from click.testing import CliRunner
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pydantic import SecretStr
from pytest_django import Settings

from companion.cli.people import add_member
from companion.clinics import members
from companion.clinics.api_keys import make_key
from companion.clinics.models import KnownDevice, Member, Role
from companion.clinics.second_factors import has_one
from companion.clinics.sign_in_links import operators_link
from tests.builders import NOW, a_clinic
from tests.web.accounts import PASSWORD, a_person, acts_of, aged, app_code, is_in, sign_in, with_an_app
from tests.web.passkeys import a_wrong_passkey
from tests.web.signed_in import words

# on_commit must run: allauth tells of second factors only then.
pytestmark = pytest.mark.django_db(transaction=True)
SECOND_STEP = "/accounts/2fa/authenticate/"


def recovery_codes(client: Client) -> list[str]:
    return re.findall(r"<li>(\d{8})</li>", client.get("/accounts/2fa/recovery-codes/").content.decode())


def test_an_app_is_set_up_and_its_code_is_the_second_step() -> None:
    clinic = a_clinic()
    member = a_person(clinic)
    secret = with_an_app(sign_in(member))

    client = sign_in(member)
    assert not is_in(client)
    client.post(SECOND_STEP, {"code": app_code(secret, steps=1)})

    assert is_in(client)
    assert "authenticator app added" in acts_of(clinic)
    assert "recovery codes added" in acts_of(clinic)


def test_the_page_shows_the_apps_key_as_a_qr_code_of_our_own() -> None:
    answer = sign_in(a_person(a_clinic())).get("/accounts/2fa/totp/activate/")

    assert answer.context["totp_url"].startswith("otpauth://totp/member-")
    assert 'src="data:image/svg+xml;base64,' in answer.content.decode()


def test_a_wrong_code_lets_nobody_in_and_is_in_the_audit_trail() -> None:
    clinic = a_clinic()
    member = a_person(clinic)
    with_an_app(sign_in(member))
    client = sign_in(member)

    answer = client.post(SECOND_STEP, {"code": "000000"})

    assert "Incorrect code" in words(answer)
    assert not is_in(client)
    assert acts_of(clinic)[-1] == "second step failed"


@pytest.mark.both_databases
def test_a_code_is_taken_once() -> None:
    member = a_person(a_clinic())
    secret = with_an_app(sign_in(member))
    code = app_code(secret, steps=1)
    sign_in(member).post(SECOND_STEP, {"code": code})

    late = sign_in(member)
    late.post(SECOND_STEP, {"code": code})

    assert not is_in(late)


def test_the_code_that_set_up_an_app_signs_nobody_in() -> None:
    """Somebody who knows the password may have watched it."""
    member = a_person(a_clinic())
    client = sign_in(member)
    secret = str(client.get("/accounts/2fa/totp/activate/").context["form"].secret)
    code = app_code(secret)
    client.post("/accounts/2fa/totp/activate/", {"code": code})

    late = sign_in(member)
    late.post(SECOND_STEP, {"code": code})

    assert has_one(member.user)
    assert not is_in(late)


@pytest.mark.parametrize("spelling", ["{}-{}", " {} {} ", "{}.{}"])
def test_a_code_is_taken_once_also_in_another_spelling(spelling: str) -> None:
    """allauth itself forgets a used code after half a minute, while the code is still valid."""
    member = a_person(a_clinic())
    secret = with_an_app(sign_in(member))
    code = app_code(secret, steps=1)
    sign_in(member).post(SECOND_STEP, {"code": code})
    cache.delete(f"allauth.mfa.totp.used?user={member.user.pk}&code={code}")

    late = sign_in(member)
    late.post(SECOND_STEP, {"code": spelling.format(code[:3], code[3:])})

    assert not is_in(late)


@pytest.mark.both_databases
def test_codes_can_not_be_tried_without_end() -> None:
    member = a_person(a_clinic())
    secret = with_an_app(sign_in(member))
    client = sign_in(member)
    for number in range(7):
        client.post(SECOND_STEP, {"code": f"{number:06}"})

    answer = client.post(SECOND_STEP, {"code": app_code(secret, steps=1)})

    assert answer.status_code == 429
    assert not is_in(client)


def test_a_recovery_code_is_a_second_step_once() -> None:
    member = a_person(a_clinic())
    first = sign_in(member)
    with_an_app(first)
    code = recovery_codes(first)[0]
    client, late = sign_in(member), sign_in(member)

    client.post(SECOND_STEP, {"code": code})
    late.post(SECOND_STEP, {"code": code})

    assert (is_in(client), is_in(late)) == (True, False)
    assert len(recovery_codes(first)) == 9


def test_secrets_are_stored_sealed() -> None:
    client = sign_in(a_person(a_clinic()))
    secret = with_an_app(client)

    stored = json.dumps([row.data for row in Authenticator.objects.all()])

    assert secret not in stored
    assert recovery_codes(client)[0] not in stored


def test_a_link_in_place_of_the_password_still_needs_the_second_step() -> None:
    member = a_person(a_clinic())
    with_an_app(sign_in(member))
    member.user.refresh_from_db()
    client = Client()

    answer = client.post("/sign-in/" + operators_link(member, now=NOW).partition("/sign-in/")[2])

    assert answer["Location"] == SECOND_STEP
    assert not is_in(client)


def test_an_app_is_removed_and_the_recovery_codes_with_it() -> None:
    clinic = a_clinic()
    member = a_person(clinic)
    client = sign_in(member)
    with_an_app(client)

    client.post("/accounts/2fa/totp/deactivate/")

    assert not Authenticator.objects.exists()
    assert acts_of(clinic)[-2:] == ["authenticator app removed", "recovery codes removed"]
    assert is_in(sign_in(member))


def test_a_code_proves_anew_who_the_person_is() -> None:
    member = a_person(a_clinic(), Role.ADMIN)
    client = sign_in(member)
    secret = with_an_app(client)
    aged(client, began=client.session["began"] - 3600, proved=0)
    client.post("/settings/keys", {"name": "till", "role": "viewer"})

    answer = client.post("/accounts/2fa/reauthenticate/", {"code": app_code(secret, steps=1)})

    assert "ack_" in answer.content.decode()


def _demanding(demand: str) -> tuple[Member, Member]:
    clinic = a_clinic(name="Linden", second_factor=demand)
    return a_person(clinic, Role.ADMIN), a_person(clinic, Role.VIEWER)


@pytest.mark.parametrize(("demand", "led"), [("", (False, False)), ("admins", (True, False)), ("all", (True, True))])
def test_a_clinic_demands_a_second_step_of_admins_or_of_all(demand: str, led: tuple[bool, bool]) -> None:
    clients = [sign_in(member) for member in _demanding(demand)]

    answers = [client.get("/scheduled-messages") for client in clients]

    assert tuple(answer.status_code == 302 and answer["Location"] == "/accounts/2fa/" for answer in answers) == led


def test_a_member_without_a_second_step_is_told_why_and_goes_on_afterwards() -> None:
    client = sign_in(_demanding("all")[1])

    shown = words(client.get("/scheduled-messages", follow=True))
    with_an_app(client)

    assert "Linden asks for a second step at the sign-in." in shown
    assert is_in(client)


def test_until_then_neither_forms_nor_the_api_work_and_polling_leads_there_too() -> None:
    client = sign_in(_demanding("all")[0])

    assert client.post("/settings/keys", {"name": "till", "role": "viewer"})["Location"] == "/accounts/2fa/"
    assert client.get("/api/scheduler/messages").status_code == 403
    assert client.get("/banner", headers={"HX-Request": "true"})["HX-Redirect"].endswith("/accounts/2fa/")


def test_recovery_codes_alone_are_no_second_step() -> None:
    member = _demanding("all")[0]
    client = sign_in(member)
    with_an_app(client)
    Authenticator.objects.filter(type="totp").delete()

    assert not is_in(client)


def test_programs_with_a_key_are_not_concerned() -> None:
    clinic = a_clinic(second_factor="all")
    secret = make_key(clinic, "till", Role.VIEWER, now=NOW)[1]

    assert Client().get("/api/scheduler/messages", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_an_admin_sets_the_demand_and_it_is_audited() -> None:
    clinic = a_clinic()
    client = sign_in(a_person(clinic, Role.ADMIN))

    client.post("/settings/sign-in", {"second_factor": "all", "shown": ""})

    clinic.refresh_from_db()
    assert clinic.second_factor == "all"
    assert acts_of(clinic)[-1] == "clinic changed"


@pytest.mark.parametrize("wrong", ["everybody", "ALL", "\x00"])
def test_a_made_up_demand_is_refused(wrong: str) -> None:
    client = sign_in(a_person(a_clinic(), Role.ADMIN))

    assert client.post("/settings/sign-in", {"second_factor": wrong, "shown": ""}).status_code == 422


def test_two_admins_who_set_the_demand_at_once_are_told() -> None:
    clinic = a_clinic()
    client = sign_in(a_person(clinic, Role.ADMIN))

    answer = client.post("/settings/sign-in", {"second_factor": "", "shown": "all"}, follow=True)

    assert "meanwhile" in words(answer) or "changed" in words(answer)


def test_joining_from_elsewhere_clears_factors_passkeys_codes_devices_and_sessions() -> None:
    """Make the account of another person before, with a second factor and an open session of theirs."""
    thief_member = a_person(a_clinic(), email="eva@clinic.example")
    thief = sign_in(thief_member)
    with_an_app(thief)
    Authenticator.objects.create(user=thief_member.user, type="webauthn", data={"name": "Mine", "credential": {}})
    invited = members.add_member(a_clinic(), "eva@clinic.example", "admin", now=NOW)

    eva = Client()
    eva.post("/sign-in/" + operators_link(invited, now=NOW).partition("/sign-in/")[2])

    assert is_in(eva)
    assert not is_in(thief)
    assert not Authenticator.objects.exists()
    assert KnownDevice.objects.filter(user=thief_member.user).count() == 1
    assert not is_in(sign_in(thief_member, PASSWORD))


def test_a_person_is_told_of_changed_second_factors(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"smtp_url": SecretStr("smtp://mail.example")})
    client = sign_in(a_person(a_clinic()))
    mail.outbox.clear()

    with_an_app(client)
    client.post("/accounts/2fa/recovery-codes/generate/")
    client.post("/accounts/2fa/totp/deactivate/")

    assert {letter.subject for letter in mail.outbox} == {"Your two-step sign-in was changed"}
    assert [str(letter.body).split("\n")[0] for letter in mail.outbox] == [
        "Authenticator app added.",
        "Recovery codes added.",
        "Recovery codes made anew.",
        "Authenticator app removed.",
        "Recovery codes removed.",
    ]


def test_the_operator_resets_the_account_of_a_person_who_lost_the_second_step() -> None:
    clinic = a_clinic()
    person = a_person(clinic)
    client = sign_in(person)
    with_an_app(client)

    printed = CliRunner().invoke(add_member, [person.user.email, "--reset"]).stdout

    assert not is_in(client)
    fresh = Client()
    fresh.post("/sign-in/" + printed.strip().partition("/sign-in/")[2])
    assert is_in(fresh)
    assert "account reset" in acts_of(clinic)


def test_a_session_from_before_the_first_second_step_opens_nothing_any_more() -> None:
    clinic = a_clinic(second_factor="all")
    member = a_person(clinic)
    thief, owner = sign_in(member), sign_in(member)

    secret = with_an_app(owner)

    assert (is_in(owner), is_in(thief)) == (True, False)
    assert "sessions ended" in acts_of(clinic)
    late = sign_in(member)
    late.post(SECOND_STEP, {"code": app_code(secret, steps=1)})
    assert is_in(late)


def test_a_further_second_step_leaves_the_sessions_that_had_one() -> None:
    member = a_person(a_clinic())
    owner = sign_in(member)
    secret = with_an_app(owner)
    elsewhere = sign_in(member)
    elsewhere.post(SECOND_STEP, {"code": app_code(secret, steps=1)})
    passkey = Authenticator.objects.create(user=member.user, type="webauthn", data={"name": "Mine", "credential": {}})
    request = owner.get("/accounts/2fa/").wsgi_request

    authenticator_added.send(sender=Authenticator, request=request, user=member.user, authenticator=passkey)

    assert (is_in(owner), is_in(elsewhere)) == (True, True)


@pytest.mark.parametrize("again", [False, True])
def test_a_wrong_passkey_is_in_the_audit_trail_like_a_wrong_code(again: bool) -> None:
    clinic = a_clinic()
    member = a_person(clinic)
    client = sign_in(member)
    with_an_app(client)

    if again:
        Authenticator.objects.create(user=member.user, type="webauthn", data={"name": "Mine", "credential": {}})
        client.post("/accounts/2fa/webauthn/reauthenticate/", {"credential": a_wrong_passkey(member)})
    else:
        sign_in(member).post(SECOND_STEP, {"credential": a_wrong_passkey(member)})

    assert acts_of(clinic)[-1] == "second step failed"
