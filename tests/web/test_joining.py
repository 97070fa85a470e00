"""A membership begins when its own person accepts it by a link, and no admin sees a link into another account."""

import datetime as dt
import re

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core import mail
from django.db import transaction
from django.test import Client
from pydantic import SecretStr
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from companion.clinics import members, operators
from companion.clinics.models import AuditEntry, Clinic, Member, Role
from companion.clinics.sign_in_links import operators_link
from tests.builders import NOW, a_clinic, a_member
from tests.web.signed_in import signed_in, words

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
EVA = "eva@clinic.example"
PASSWORD = "four calm horses"


@pytest.fixture
def mail_server(settings: Settings) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"smtp_url": SecretStr("smtp://mail.example")})


def invited(clinic: Clinic, role: str = "provider") -> Member:
    return members.add_member(clinic, EVA, role, now=NOW)


def path(link: str) -> str:
    return "/sign-in/" + link.partition("/sign-in/")[2]


def shown_link(answer: object) -> str:
    found = re.search(r"/sign-in/[^\"<\s]+", str(getattr(answer, "content", b"").decode()))
    return found[0] if found else ""


def with_a_password(member: Member) -> Client:
    client = Client()
    client.post(path(operators_link(member, now=NOW)))
    client.post("/accounts/password/set/", {"password1": PASSWORD, "password2": PASSWORD})
    return client


def opens(client: Client, clinic: Clinic) -> bool:
    """Return whether the person can choose this clinic and read its pages."""
    client.post("/clinic", {"clinic": str(clinic.id)})
    context = client.get("/scheduled-messages").context
    return context is not None and context.get("clinic") == clinic


def acts_in(clinic: Clinic) -> list[str]:
    return list(AuditEntry.objects.filter(clinic=clinic).order_by("id").values_list("action", flat=True))


def test_an_admin_of_one_clinic_becomes_nobody_in_another() -> None:
    """Birch makes an account for Eva's address and sets its password; then Linden invites Eva."""
    birch, linden = a_clinic(name="Birch"), a_clinic(name="Linden")
    admin = signed_in(birch, Role.ADMIN)
    stolen = shown_link(admin.post("/settings/members", {"email": EVA, "role": "viewer"}))
    thief = Client()
    thief.post(stolen)
    thief.post("/accounts/password/set/", {"password1": PASSWORD, "password2": PASSWORD})
    assert opens(thief, birch)

    member = invited(linden, "admin")

    assert not opens(thief, linden)
    again = Client()
    again.post("/accounts/login/", {"login": EVA, "password": PASSWORD})
    assert not opens(again, linden)

    eva = Client()
    member.user.refresh_from_db()
    eva.post(path(operators_link(member, now=NOW)))

    assert opens(eva, linden)
    assert not opens(thief, linden)
    assert thief.get("/scheduled-messages").status_code == 302
    fresh = Client()
    fresh.post("/accounts/login/", {"login": EVA, "password": PASSWORD})
    assert fresh.get("/scheduled-messages").status_code == 302


def test_a_signed_in_person_is_in_no_further_clinic_before_they_accept() -> None:
    first, second = a_clinic(name="First"), a_clinic(name="Second")
    eva = with_a_password(invited(first))

    invited(second, "admin")

    assert not opens(eva, second)
    assert "Second" not in words(eva.get("/scheduled-messages"))


@pytest.mark.parametrize(
    "other", ["a password", "a passkey", "an operator's page", "another clinic", "an invitation elsewhere"]
)
def test_no_admin_sees_a_link_into_an_account_that_opens_more(other: str) -> None:
    clinic = a_clinic()
    member = invited(clinic)
    match other:
        case "a password":
            with_a_password(member)
        case "a passkey":
            Authenticator.objects.create(user=member.user, type=Authenticator.Type.WEBAUTHN, data={})
        case "an operator's page":
            operators.add(EVA, now=NOW)
        case "another clinic":
            Member.objects.create(clinic=a_clinic(), user=member.user, role="viewer", created_at=NOW, joined_at=NOW)
        case _:
            invited(a_clinic())
    admin = signed_in(clinic, Role.ADMIN)

    answers = [
        admin.post(f"/settings/members/{member.id}", {"do": "link"}, follow=True),
        admin.post("/settings/members", {"email": EVA, "role": "provider"}, follow=True),
    ]

    assert [shown_link(answer) for answer in answers] == ["", ""]
    assert "companion member add" in words(answers[0])


def test_with_a_mail_server_such_a_link_goes_to_the_mailbox_alone(
    mail_server: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    linden = a_clinic(name="Linden")
    Member.objects.create(clinic=linden, user=a_member(a_clinic(), email=EVA).user, role="viewer", created_at=NOW)
    admin = signed_in(linden, Role.ADMIN)

    with django_capture_on_commit_callbacks(execute=True):
        answer = admin.post("/settings/members", {"email": EVA, "role": "viewer"}, follow=True)

    assert shown_link(answer) == ""
    assert f"A sign-in link was sent to {EVA}." in words(answer)
    (letter,) = mail.outbox
    assert letter.to == [EVA]
    eva = Client()
    eva.post(shown_link(type("Letter", (), {"content": str(letter.body).encode()})))
    assert opens(eva, linden)


def test_the_page_of_an_invitation_names_clinic_and_role_and_changes_nothing() -> None:
    member = invited(a_clinic(name="Linden"))
    link = path(operators_link(member, now=NOW))

    shown = words(Client().get(link))

    assert "By signing in you become Provider of Linden ." in shown
    member.refresh_from_db()
    assert member.joined_at is None


def test_each_step_is_in_the_audit_trail() -> None:
    clinic = a_clinic()
    member = invited(clinic)
    with_a_password(member)
    Client().post("/accounts/login/", {"login": EVA, "password": "wrong and long"})
    Client().post("/accounts/login/", {"login": EVA, "password": PASSWORD})
    admin = members.caller_of_member(a_member(clinic, Role.ADMIN))
    members.change_role(admin, member, "viewer", now=NOW)
    members.remove_member(admin, member, now=NOW)

    assert acts_in(clinic) == [
        "member invited",
        "sign-in link made",
        "membership accepted",
        "sign-in link used",
        "signed in",
        "password changed",
        "sign-in failed",
        "signed in",
        "member's role changed to viewer",
        "member removed",
    ]


def test_an_unknown_address_at_the_sign_in_leaves_no_entry() -> None:
    Client().post("/accounts/login/", {"login": "nobody@x.example", "password": "wrong and long"})

    assert not AuditEntry.objects.exists()


def test_the_person_is_told_by_email_of_what_happens_to_their_account(
    mail_server: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    clinic = a_clinic(name="Linden")
    admin = members.caller_of_member(a_member(clinic, Role.ADMIN))

    with django_capture_on_commit_callbacks(execute=True):
        member = invited(clinic)
        with_a_password(member)
        members.change_role(admin, member, "viewer", now=NOW)
        members.remove_member(admin, member, now=NOW)

    assert {tuple(letter.to) for letter in mail.outbox} == {(EVA,)}
    assert [letter.subject for letter in mail.outbox] == [
        "A sign-in link was made for your account",
        "Somebody signed in with your link",
        "Your password was changed",
        "Your account at Linden",
        "Your account at Linden",
    ]


def test_a_link_that_an_admin_sees_is_told_to_its_person(
    mail_server: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    admin = signed_in(a_clinic(name="Linden"), Role.ADMIN)

    with django_capture_on_commit_callbacks(execute=True):
        answer = admin.post("/settings/members", {"email": EVA, "role": "viewer"})

    link = shown_link(answer)
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == ([EVA], "A sign-in link was made for your account")
    assert link.startswith("/sign-in/")
    assert "/sign-in/" not in str(letter.body)


def test_a_link_works_once_and_ends_with_any_other_sign_in_also_within_one_second() -> None:
    member = a_member(a_clinic())
    User.objects.filter(pk=member.user_id).update(last_login=NOW)
    member.user.refresh_from_db()
    link = path(operators_link(member, now=NOW))

    User.objects.filter(pk=member.user_id).update(last_login=NOW + dt.timedelta(milliseconds=1))

    assert Client().get(link).status_code == 410


def test_a_newer_link_ends_an_earlier_link_that_went_to_the_wrong_person() -> None:
    member, other = a_member(a_clinic()), a_member(a_clinic())
    earlier, of_another = path(operators_link(member, now=NOW)), path(operators_link(other, now=NOW))

    newer = path(operators_link(member, now=NOW))

    assert [Client().get(earlier).status_code, Client().post(earlier).status_code] == [410, 410]
    assert [Client().get(link).status_code for link in (newer, of_another)] == [200, 200]


def test_a_link_ends_when_the_person_is_invited_to_another_clinic() -> None:
    link = path(operators_link(invited(a_clinic()), now=NOW))

    invited(a_clinic(), "admin")

    assert Client().post(link).status_code == 410


def test_a_link_of_one_membership_opens_no_other() -> None:
    here, there = invited(a_clinic()), invited(a_clinic())
    token = operators_link(here, now=NOW).rpartition("/")[2]

    assert Client().post(f"/sign-in/{there.id}/{token}").status_code == 410


def test_a_person_who_was_shut_out_gets_in_by_no_link() -> None:
    member = a_member(a_clinic())
    link = path(operators_link(member, now=NOW))

    User.objects.filter(pk=member.user_id).update(is_active=False)

    assert Client().post(link).status_code == 410


def test_an_invited_admin_doesnt_count_as_the_last_admin() -> None:
    clinic = a_clinic()
    admin = signed_in(clinic, Role.ADMIN)
    invited(clinic, "admin")
    only = Member.objects.get(clinic=clinic, joined_at__isnull=False)

    answer = admin.post(f"/settings/members/{only.id}", {"do": "remove"}, follow=True)

    assert "last admin" in words(answer)


def test_an_act_that_is_rolled_back_tells_nobody(
    mail_server: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    clinic = a_clinic()
    member, admin = a_member(clinic), members.caller_of_member(a_member(clinic, Role.ADMIN))

    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        members.change_role(admin, member, "viewer", now=NOW)
        transaction.set_rollback(True)

    assert mail.outbox == []


def test_a_link_into_an_archived_clinic_is_over_and_ends_no_password() -> None:
    linden = a_clinic(name="Linden")
    eva = with_a_password(invited(linden))
    birch = a_clinic(name="Birch")
    member = invited(birch)
    link = path(operators_link(member, now=NOW))
    Clinic.objects.filter(pk=birch.pk).update(archived_at=NOW)

    assert [Client().get(link).status_code, Client().post(link).status_code] == [410, 410]
    assert opens(eva, linden)
