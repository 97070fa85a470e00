"""People come in by a clinic's own sign-in service: who becomes a member, with which role, and who is turned away."""

from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from pydantic import SecretStr
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from companion.clinics.models import AuditEntry, Clinic, Member, Role
from companion.service.slots import SIGN_INS
from tests.builders import NOW, a_clinic
from tests.web.accounts import a_person, acts_of, is_in
from tests.web.provider import LOGIN, SUB, a_provider, the_service_says, through_the_service
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db


def test_a_person_of_the_service_becomes_a_member_with_the_role_of_their_group(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["nurses"])
    client = Client()

    through_the_service(client)

    assert is_in(client)
    member = Member.objects.get(clinic=linden)
    assert (member.role, member.user.get_full_name()) == ("provider", "Eva Lind")
    assert not member.user.has_usable_password()
    assert acts_of(linden) == ["member came by the sign-in service", "signed in"]


def test_the_same_person_comes_again_as_the_same_member(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["nurses"])

    through_the_service(Client())
    through_the_service(Client())

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
    the_service_says(issuer, **claims)

    through_the_service(Client())

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
    the_service_says(issuer, **claims)
    client = Client()

    answer = through_the_service(client)

    assert answer.status_code == 403
    assert not is_in(client)
    assert not User.objects.exists()
    assert acts_of(linden) == ["stranger turned away"]


def test_another_group_gives_another_role_at_the_next_sign_in(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["heads"])
    through_the_service(Client())
    the_service_says(issuer, groups=["nurses"])

    through_the_service(Client())

    assert Member.objects.get().role == "provider"
    changed = AuditEntry.objects.get(clinic=linden, action="member's role changed to provider")
    assert changed.changes == {"role": ["admin", "provider"]}


def test_a_person_without_name_and_address_is_named_by_the_services_id(
    issuer: str, linden: Clinic, settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"smtp_url": SecretStr("smtp://mail.example")})
    the_service_says(issuer, groups=["heads"], email="", given_name="", family_name="")
    client = Client()

    with django_capture_on_commit_callbacks(execute=True):
        through_the_service(client)

    assert AuditEntry.objects.get(action="signed in").actor_name == SUB
    assert SUB in words(client.get("/settings"))
    assert mail.outbox == []


def test_another_name_or_address_at_the_service_is_in_the_audit_trail(issuer: str, linden: Clinic) -> None:
    """The trail names the person by these, and anybody could take a colleague's name at the service."""
    the_service_says(issuer, groups=["nurses"])
    through_the_service(Client())
    before = acts_of(linden)
    through_the_service(Client())
    unchanged = acts_of(linden)

    the_service_says(issuer, groups=["nurses"], given_name="Nora", email="nora@linden.example")
    through_the_service(Client())

    entry = AuditEntry.objects.get(clinic=linden, action="name or address changed by the sign-in service")
    assert unchanged == [*before, "signed in"]
    assert entry.changes == {
        "name": ["Eva Lind", "Nora Lind"],
        "email": ["eva@linden.example", "nora@linden.example"],
    }
    assert entry.subject_id == Member.objects.get().pk


def test_an_archived_clinics_service_makes_no_member(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["nurses"])
    Clinic.objects.filter(pk=linden.pk).update(archived_at=NOW)

    assert through_the_service(Client()).status_code == 404
    assert not Member.objects.exists()


def test_a_person_who_has_left_the_group_gets_in_no_more(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["nurses"])
    through_the_service(Client())
    the_service_says(issuer, groups=[])
    client = Client()

    through_the_service(client)

    assert not is_in(client)


def test_a_service_that_claims_another_clinics_address_opens_nothing_there(issuer: str, linden: Clinic) -> None:
    birch = a_clinic(name="Birch")
    victim = a_person(birch, Role.ADMIN, "eva@birch.example")
    the_service_says(issuer, groups=["heads"], email="eva@birch.example", email_verified=True)
    client = Client()

    through_the_service(client)
    client.post("/clinic", {"clinic": str(birch.id)})

    assert client.get("/scheduled-messages").context["clinic"] == linden
    assert Member.objects.get(clinic=linden).user != victim.user


def test_a_member_of_before_keeps_the_membership_under_the_service(issuer: str, linden: Clinic) -> None:
    before = a_person(linden, Role.VIEWER, "eva@linden.example")
    the_service_says(issuer, groups=["nurses"], email_verified=True)

    through_the_service(Client())

    member = Member.objects.get(clinic=linden)
    assert member.pk == before.pk
    assert member.user != before.user
    assert "member moved to the sign-in service" in acts_of(linden)


def test_an_unverified_address_takes_over_nobodys_membership(issuer: str, linden: Clinic) -> None:
    before = a_person(linden, Role.ADMIN, "eva@linden.example")
    the_service_says(issuer, groups=["nurses"])

    through_the_service(Client())

    before.refresh_from_db()
    assert before.user.email == before.user.username
    assert Member.objects.filter(clinic=linden).count() == 2


def test_the_sign_in_page_shows_the_services_that_are_listed(linden: Clinic, issuer: str, settings: Settings) -> None:
    assert "Linden staff" in words(Client().get("/accounts/login/"))

    settings.OIDC_PROVIDERS = {"linden": a_provider(issuer, listed=False)}

    assert "Linden staff" not in words(Client().get("/accounts/login/"))


def test_the_sign_in_page_shows_no_service_of_an_archived_clinic(linden: Clinic) -> None:
    Clinic.objects.filter(pk=linden.pk).update(archived_at=NOW)

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
    the_service_says(issuer, groups=["nurses"])
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


def test_sign_ins_that_wait_for_a_slow_service_leave_threads_to_others(settings: Settings, issuer: str) -> None:
    """Anybody can press the button, and each sign-in waits for the service."""
    a_clinic(slug="linden")
    a_clinic(slug="birch")
    settings.OIDC_PROVIDERS = {"linden": a_provider("http://127.0.0.1:9"), "birch": a_provider(issuer)}
    failed = [Client().get(LOGIN).status_code for _ in range(10)]

    with ExitStack() as waiting:
        for _ in range(4):
            waiting.enter_context(SIGN_INS.taken("linden"))
        refused = [Client().get(LOGIN), Client().get(f"{LOGIN}callback/", {"state": "x", "code": "y"})]
        elsewhere = Client().get(LOGIN.replace("linden", "birch"))

    assert failed == [502] * 10
    assert [(answer.status_code, answer["Retry-After"]) for answer in refused] == [(429, "1")] * 2
    assert "their sign-in service is slow" in words(refused[0])
    assert elsewhere.status_code == 302


def test_a_clinic_without_a_service_has_no_such_address() -> None:
    a_clinic(slug="birch")

    assert [Client().get(f"/accounts/oidc/birch/login/{end}").status_code for end in ("", "callback/")] == [404, 404]


def test_nobody_is_sent_to_another_site_afterwards(issuer: str, linden: Clinic) -> None:
    the_service_says(issuer, groups=["nurses"])

    answer = through_the_service(Client(), login=f"{LOGIN}?next=https://evil.example/")

    assert answer["Location"] == "/scheduled-messages"


def test_a_person_of_the_service_is_told_of_the_way_and_the_role_that_it_gives(
    issuer: str,
    linden: Clinic,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"smtp_url": SecretStr("smtp://mail.example")})
    a_person(linden, Role.VIEWER, "eva@linden.example")
    the_service_says(issuer, groups=["nurses"], email_verified=True)

    with django_capture_on_commit_callbacks(execute=True):
        through_the_service(Client())

    told = [str(letter.body).split("\n")[0] for letter in mail.outbox]
    assert {tuple(letter.to) for letter in mail.outbox} == {("eva@linden.example",)}
    assert told[:2] == [
        "You now sign in by the clinic's sign-in service, and no longer by a password.",
        "Your role in Linden is now provider, by the clinic's sign-in service.",
    ]
