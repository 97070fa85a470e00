"""A clinic's own sign-in service, against a real OpenID Connect provider in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx
import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.test import Client
from pydantic import ValidationError
from pytest_django import Settings

from companion.clinics import members
from companion.clinics.models import ApiKey, AuditEntry, Clinic, Member, Role
from companion.clinics.provider_file import Provider, read
from companion.clinics.sign_in_links import operators_link
from companion.config.environment import Environment
from tests.builders import NOW, a_clinic, a_member
from tests.web.accounts import PASSWORD, a_person, acts_of, aged, is_in, sign_in
from tests.web.signed_in import signed_in, words

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = pytest.mark.django_db
LOGIN: Final = "/accounts/oidc/linden/login/"
SUB: Final = "eva-1"
GROUPS: Final = {"nurses": "provider", "heads": "admin"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for(address: str) -> None:
    for _ in range(300):
        try:
            httpx.get(f"{address}/.well-known/openid-configuration")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the provider did not start")


def a_provider(issuer: str, **fields: object) -> Provider:
    values = {
        "name": "Linden staff",
        "issuer": issuer,
        "client_id": "companion",
        "client_secret": "s",
        "groups": GROUPS,
    }
    return Provider.model_validate(values | fields)


@pytest.fixture
def linden(issuer: str, settings: Settings) -> Clinic:
    settings.OIDC_PROVIDERS = {"linden": a_provider(issuer)}
    return a_clinic(slug="linden", name="Linden")


def _person(issuer: str, **claims: object) -> None:
    """Set the service's words about this person from now on."""
    told = {"email": "eva@linden.example", "given_name": "Eva", "family_name": "Lind"} | claims
    httpx.put(f"{issuer}/users/{SUB}", json=told).raise_for_status()


def _through(client: Client, login: str = LOGIN) -> "Answer":
    """Go to the service, say yes there, and come back."""
    there = client.get(login)["Location"]
    back = httpx.post(there, data={"sub": SUB}).headers["Location"]
    parts = urlsplit(back)
    return client.get(f"{parts.path}?{parts.query}")


def test_a_person_of_the_service_becomes_a_member_with_the_role_of_their_group(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["nurses"])
    client = Client()

    _through(client)

    assert is_in(client)
    member = Member.objects.get(clinic=linden)
    assert (member.role, member.user.get_full_name()) == ("provider", "Eva Lind")
    assert not member.user.has_usable_password()
    assert acts_of(linden) == ["member came by the sign-in service", "signed in"]


def test_the_same_person_comes_again_as_the_same_member(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["nurses"])

    _through(Client())
    _through(Client())

    assert Member.objects.count() == 1


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["nurses", "heads"]}, "admin"),
        ({"groups": "nurses"}, "provider"),
        ({"groups": [], "email_verified": True}, "viewer"),
        ({"groups": ["nurses"], "email_verified": True}, "provider"),
        ({"groups": [7, None, "heads"]}, "admin"),
    ],
)
def test_the_highest_role_of_groups_and_verified_domain_counts(
    issuer: str, linden: Clinic, settings: Settings, claims: dict[str, object], role: str
) -> None:
    settings.OIDC_PROVIDERS = {"linden": a_provider(issuer, domains={"Linden.example": "viewer"})}
    _person(issuer, **claims)

    _through(Client())

    assert Member.objects.get().role == role


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"groups": ["others"]},
        {"groups": None},
        {"groups": {"nurses": 1}},
        {"email_verified": False},
        {"email_verified": True, "email": "eva@evil.example"},
        {"email_verified": True, "email": "eva@sub.linden.example"},
        {"email_verified": True, "email": ["eva@linden.example"]},
    ],
)
def test_a_stranger_is_turned_away_and_no_account_is_made(
    issuer: str, linden: Clinic, settings: Settings, claims: dict[str, object]
) -> None:
    settings.OIDC_PROVIDERS = {"linden": a_provider(issuer, domains={"linden.example": "viewer"})}
    _person(issuer, **claims)
    client = Client()

    answer = _through(client)

    assert answer.status_code == 403
    assert not is_in(client)
    assert not User.objects.exists()
    assert acts_of(linden) == ["stranger turned away"]


def test_another_group_gives_another_role_at_the_next_sign_in(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["heads"])
    _through(Client())
    _person(issuer, groups=["nurses"])

    _through(Client())

    assert Member.objects.get().role == "provider"
    changed = AuditEntry.objects.get(clinic=linden, action="member's role changed to provider")
    assert changed.changes == {"role": ["admin", "provider"]}


def test_an_archived_clinics_service_makes_no_member(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["nurses"])
    Clinic.objects.filter(pk=linden.pk).update(archived_at=NOW)

    assert _through(Client()).status_code == 404
    assert not Member.objects.exists()


def test_who_has_left_the_group_gets_in_no_more(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["nurses"])
    _through(Client())
    _person(issuer, groups=[])
    client = Client()

    _through(client)

    assert not is_in(client)


def test_a_service_that_claims_another_clinics_address_opens_nothing_there(issuer: str, linden: Clinic) -> None:
    birch = a_clinic(name="Birch")
    victim = a_person(birch, Role.ADMIN, "eva@birch.example")
    _person(issuer, groups=["heads"], email="eva@birch.example", email_verified=True)
    client = Client()

    _through(client)
    client.post("/clinic", {"clinic": str(birch.id)})

    assert client.get("/scheduled-messages").context["clinic"] == linden
    assert Member.objects.get(clinic=linden).user != victim.user


def test_a_member_of_before_keeps_the_membership_under_the_service(issuer: str, linden: Clinic) -> None:
    before = a_person(linden, Role.VIEWER, "eva@linden.example")
    _person(issuer, groups=["nurses"], email_verified=True)

    _through(Client())

    member = Member.objects.get(clinic=linden)
    assert member.pk == before.pk
    assert member.user != before.user
    assert "member moved to the sign-in service" in acts_of(linden)


def test_an_unverified_address_takes_over_nobodys_membership(issuer: str, linden: Clinic) -> None:
    before = a_person(linden, Role.ADMIN, "eva@linden.example")
    _person(issuer, groups=["nurses"])

    _through(Client())

    before.refresh_from_db()
    assert before.user.email == before.user.username
    assert Member.objects.filter(clinic=linden).count() == 2


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


@pytest.mark.parametrize(
    "address", ["password/change/", "password/set/", "2fa/", "2fa/totp/activate/", "2fa/webauthn/add/"]
)
def test_a_person_of_the_service_sets_no_password_and_no_second_step(issuer: str, linden: Clinic, address: str) -> None:
    _person(issuer, groups=["nurses"])
    client = Client()
    _through(client)

    typed = {"password1": PASSWORD, "password2": PASSWORD}
    answers = [client.get(f"/accounts/{address}"), client.post(f"/accounts/{address}", typed)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not Member.objects.get().user.has_usable_password()
    assert not Authenticator.objects.exists()


def test_a_second_step_that_the_clinic_demands_is_the_services_matter(issuer: str, linden: Clinic) -> None:
    Clinic.objects.update(second_factor="all")
    _person(issuer, groups=["nurses"])
    client = Client()

    _through(client)

    assert is_in(client)


def test_what_is_sensitive_goes_on_after_the_service_has_asked_again(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["heads"])
    client = Client()
    _through(client)
    aged(client, began=time.time() - 3600)
    client.post("/settings/keys", {"name": "till", "role": "viewer"})
    to_service = client.get("/accounts/reauthenticate/")["Location"]
    assert not ApiKey.objects.exists()

    _through(client, login=to_service)

    assert ApiKey.objects.get(clinic=linden).name == "till"
    assert "prompt=login" in client.get(to_service)["Location"]


def test_admins_invite_nobody_and_hand_out_no_link_where_the_service_decides(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["heads"])
    client = Client()
    _through(client)

    invited = client.post("/settings/members", {"email": "new@linden.example", "role": "viewer"}, follow=True)
    linked = client.post(f"/settings/members/{Member.objects.get().id}", {"do": "link"}, follow=True)

    assert "its own sign-in service" in words(invited)
    assert "by no link" in words(linked)


def test_the_sign_in_page_shows_the_services_that_are_listed(linden: Clinic, issuer: str, settings: Settings) -> None:
    assert "Linden staff" in words(Client().get("/accounts/login/"))

    settings.OIDC_PROVIDERS = {"linden": a_provider(issuer, listed=False)}

    assert "Linden staff" not in words(Client().get("/accounts/login/"))


@pytest.mark.parametrize(
    "made_up", ["", "?code=x&state=y", "?code=x", "?error=access_denied", "?state=%00", "?error=x&state=z"]
)
def test_a_made_up_way_back_is_refused_in_words(linden: Clinic, made_up: str) -> None:
    client = Client()

    answer = client.get(f"{LOGIN}callback/{made_up}")

    assert "The sign-in failed" in words(answer) or answer["Location"].startswith("/accounts/")
    assert not is_in(client)


def test_an_answer_for_another_browser_signs_nobody_in(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["nurses"])
    there = Client().get(LOGIN)["Location"]
    parts = urlsplit(httpx.post(there, data={"sub": SUB}).headers["Location"])
    victim = Client()

    victim.get(f"{parts.path}?{parts.query}")

    assert not is_in(victim)


def test_a_service_that_is_away_is_said(settings: Settings) -> None:
    a_clinic(slug="linden")
    settings.OIDC_PROVIDERS = {"linden": a_provider("http://127.0.0.1:9")}

    answer = Client().get(LOGIN)

    assert answer.status_code == 502
    assert "Linden staff can't be reached" in words(answer)


def test_a_clinic_without_a_service_has_no_such_address() -> None:
    a_clinic(slug="birch")

    assert [Client().get(f"/accounts/oidc/birch/login/{end}").status_code for end in ("", "callback/")] == [404, 404]


def test_nobody_is_sent_to_another_site_afterwards(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["nurses"])

    answer = _through(Client(), login=f"{LOGIN}?next=https://evil.example/")

    assert answer["Location"] == "/scheduled-messages"


def test_an_invitation_elsewhere_makes_another_account(issuer: str, linden: Clinic) -> None:
    _person(issuer, groups=["nurses"], email_verified=True)
    _through(Client())
    birch = a_clinic(name="Birch")

    invited = members.add_member(birch, "eva@linden.example", "viewer", now=NOW)

    assert invited.user != Member.objects.get(clinic=linden).user
    assert signed_in(birch).get("/settings").status_code == 200


WHOLE = """
[linden]
name = "Linden staff"
issuer = "https://login.linden.example"
client_id = "companion"
client_secret = "very secret"
[linden.domains]
"linden.example" = "viewer"
"""


def test_the_operators_file_is_read(tmp_path: Path) -> None:
    file, secret = tmp_path / "oidc.toml", tmp_path / "secret"
    secret.write_text("from a file\n")
    file.write_text(WHOLE.replace('client_secret = "very secret"', f'client_secret_file = "{secret}"'))

    assert read(file)["linden"].secret() == "from a file"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("https://login", "http://login"), "issuer must be an https address"),
        (('client_secret = "very secret"', ""), "client_secret"),
        (('client_secret = "very secret"', 'client_secret_file = "/nowhere/at/all"'), "can't be read"),
        (('"viewer"', '"owner"'), "domains"),
        (('[linden.domains]\n"linden.example" = "viewer"', ""), "domains or groups"),
        (('client_id = "companion"', 'client = "companion"'), "client"),
        (("[linden]", "[linden"), "is no TOML file"),
        (("[linden]", 'name = "x"\n[linden]'), "a table"),
    ],
)
def test_a_wrong_file_stops_the_start_with_a_sentence_that_quotes_no_secret(
    tmp_path: Path, wrong: tuple[str, str], said: str
) -> None:
    file = tmp_path / "oidc.toml"
    file.write_text(WHOLE.replace(*wrong))

    with pytest.raises(ValidationError) as refused:
        Environment(oidc_file=file)

    assert said in refused.value.errors()[0]["msg"]
    assert "very secret" not in refused.value.errors()[0]["msg"]
