"""Failed sign-ins: each is in the audit trail, they wait like wrong passwords, and the person gets an e-mail."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from pydantic import SecretStr
from pytest_django import Settings

from companion.clinics.models import Member
from tests.builders import a_clinic, a_member
from tests.support.services import eventually
from tests.web.accounts import a_person, acts_of, is_in, sign_in, with_an_app
from tests.web.passkeys import a_wrong_passkey, try_a_passkey
from tests.web.waits import ATTACKER, ELSEWHERE, nothing_passes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
FIREFOX = "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/130.0"
FAILED = "A sign-in to your account failed"
SECOND_STEP = "/accounts/2fa/authenticate/"


@pytest.fixture
def mail_server(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"smtp_url": SecretStr("smtp://mail.example")})


def _letters() -> list[str]:
    """The e-mails about failures, the oldest first. They leave in threads of their own."""
    return [str(letter.body) for letter in mail.outbox if letter.subject == FAILED]


def test_a_wrong_passkey_in_place_of_a_password_is_in_the_trail_of_each_of_the_persons_clinics() -> None:
    member = a_person(a_clinic())
    other = a_member(a_clinic())
    Member.objects.filter(pk=other.pk).update(user=member.user)

    try_a_passkey(member)

    assert [acts_of(clinic)[-1:] for clinic in (member.clinic, other.clinic)] == [["sign-in failed"]] * 2


def test_passkeys_in_place_of_a_password_wait_like_passwords() -> None:
    member = a_person(a_clinic())

    first = [try_a_passkey(member, REMOTE_ADDR=ATTACKER) for _ in range(6)]
    nothing_passes()
    late = try_a_passkey(member, REMOTE_ADDR=ATTACKER)

    assert (first, late) == ([302] * 6, 429)
    assert not is_in(sign_in(member, REMOTE_ADDR=ATTACKER))
    assert acts_of(member.clinic).count("sign-in failed") == 6
    assert is_in(sign_in(member, REMOTE_ADDR=ELSEWHERE))


def test_passkeys_that_belong_to_nobody_wait_and_shut_nobody_out() -> None:
    member = a_person(a_clinic())

    first = [try_a_passkey(None, REMOTE_ADDR=ATTACKER) for _ in range(6)]
    nothing_passes()

    assert (first, try_a_passkey(None, REMOTE_ADDR=ATTACKER)) == ([302] * 6, 429)
    assert is_in(sign_in(member, REMOTE_ADDR=ATTACKER))


def test_passkeys_as_the_second_step_wait_like_codes() -> None:
    member = a_person(a_clinic())
    with_an_app(sign_in(member))
    _guess_passkeys(sign_in(member), SECOND_STEP, member)


def test_passkeys_that_confirm_the_identity_wait_like_codes() -> None:
    member = a_person(a_clinic())
    client = sign_in(member)
    Authenticator.objects.create(user=member.user, type="webauthn", data={"name": "Mine", "credential": {}})
    _guess_passkeys(client, "/accounts/2fa/webauthn/reauthenticate/", member)


def _guess_passkeys(client: Client, address: str, member: Member) -> None:
    """Try six wrong passkeys, which are judged and recorded, and one more, which is not."""
    form = {"credential": a_wrong_passkey(member)}
    first = [client.post(address, form).status_code for _ in range(6)]
    nothing_passes()

    assert 429 not in first
    assert client.post(address, form).status_code == 429
    assert acts_of(member.clinic).count("second step failed") == 6


def test_a_person_is_told_of_a_wrong_password_from_an_unknown_browser(mail_server: None) -> None:
    member = a_person(a_clinic())

    sign_in(member, "wrong and long", HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR=ATTACKER)

    eventually(_letters)
    (letter,) = _letters()
    assert "A sign-in to your account failed at" in letter
    assert f"by Firefox on Windows, from {ATTACKER}." in letter
    assert mail.outbox[0].to == [member.user.email]
    assert "wrong and long" not in letter


def test_a_person_is_told_of_a_wrong_passkey(mail_server: None) -> None:
    try_a_passkey(a_person(a_clinic()), HTTP_USER_AGENT=FIREFOX)

    eventually(_letters)


@pytest.mark.parametrize("wrong", ["code", "credential"])
def test_a_person_is_told_if_the_password_was_right_and_the_second_step_was_not(wrong: str, mail_server: None) -> None:
    member = a_person(a_clinic())
    with_an_app(sign_in(member))
    stranger = sign_in(member)

    stranger.post(SECOND_STEP, {wrong: {"code": "000000", "credential": a_wrong_passkey(member)}[wrong]})

    eventually(_letters)
    assert "The second step of a sign-in to your account failed" in _letters()[0]


def test_a_person_gets_one_e_mail_a_day_however_many_passwords_fail(mail_server: None) -> None:
    member, other = a_person(a_clinic()), a_person(a_clinic())

    for _ in range(3):
        sign_in(member, "wrong and long")
    sign_in(other, "wrong and long")

    eventually(lambda: len(_letters()) == 2)
    assert {letter.to[0] for letter in mail.outbox} == {member.user.email, other.user.email}
    assert acts_of(member.clinic).count("sign-in failed") == 3


def test_a_slip_in_the_persons_own_browser_is_recorded_and_not_mailed(mail_server: None) -> None:
    member = a_person(a_clinic())
    own = sign_in(member)
    own.post("/accounts/logout/")

    sign_in(member, "wrong and long", own)
    sign_in(member, "wrong and long", REMOTE_ADDR=ELSEWHERE)

    eventually(_letters)
    assert acts_of(member.clinic).count("sign-in failed") == 2
    assert [ELSEWHERE in letter for letter in _letters()] == [True]


def test_a_failed_sign_in_to_an_unknown_account_mails_nobody(mail_server: None) -> None:
    a_person(a_clinic())

    Client().post("/accounts/login/", {"login": "nobody@clinic.example", "password": "wrong and long"})
    try_a_passkey(None)

    assert mail.outbox == []


def test_a_person_without_an_address_gets_no_e_mail(mail_server: None) -> None:
    member = a_person(a_clinic())
    User.objects.filter(pk=member.user_id).update(email="eva-1")

    try_a_passkey(member)
    try_a_passkey(other := a_person(a_clinic()))

    eventually(_letters)
    assert [letter.to for letter in mail.outbox] == [[other.user.email]]
    assert acts_of(member.clinic)[-1] == "sign-in failed"
