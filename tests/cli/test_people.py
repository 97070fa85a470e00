"""`companion member` and `companion key`: members and keys are added, listed, changed and ended."""

import pytest
from click.testing import CliRunner, Result

from companion.cli.keys_of_programs import key
from companion.cli.people import member
from companion.clinics.api_keys import caller_of_key
from companion.clinics.models import ApiKey, AuditEntry, Member, Role
from companion.service.clock import database_now
from tests.builders import a_clinic, a_member

pytestmark = pytest.mark.django_db


def typed(*words: str) -> Result:
    return CliRunner().invoke({"member": member, "key": key}[words[0]], words[1:])


def test_members_are_listed_with_role_and_state() -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN, "eva@linden.example")
    typed("member", "add", "nora@linden.example", "--role", "viewer")
    a_member(a_clinic(slug="birch"), Role.ADMIN, "ben@birch.example")

    listed = typed("member", "list", "--clinic", clinic.slug)

    assert listed.stdout.splitlines() == ["eva@linden.example\tadmin\tjoined", "nora@linden.example\tviewer\tinvited"]


def test_a_role_is_changed_and_recorded() -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN, "eva@linden.example")
    nora = a_member(clinic, Role.VIEWER, "nora@linden.example")

    done = typed("member", "role", "nora@linden.example", "admin")

    assert done.exit_code == 0
    assert Member.objects.get(pk=nora.pk).role == Role.ADMIN
    assert AuditEntry.objects.filter(subject_id=nora.pk, actor_name="command line").exists()


@pytest.mark.parametrize("reset", [(), ("--reset",)])
def test_another_link_leaves_a_member_the_role(reset: tuple[str, ...]) -> None:
    """An admin who lost the second step would otherwise come back as a provider."""
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN, "eva@linden.example")
    a_member(clinic, Role.ADMIN, "nora@linden.example")

    again, new = typed("member", "add", "nora@linden.example", *reset), typed("member", "add", "ben@linden.example")

    assert (again.exit_code, new.exit_code) == (0, 0)
    assert "/sign-in/" in again.stdout
    assert Member.objects.get(user__username="nora@linden.example").role == Role.ADMIN
    assert Member.objects.get(user__username="ben@linden.example").role == Role.PROVIDER


def test_a_member_is_removed_but_never_the_last_admin() -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN, "eva@linden.example")
    a_member(clinic, Role.VIEWER, "nora@linden.example")

    removed, kept = typed("member", "remove", "nora@linden.example"), typed("member", "remove", "eva@linden.example")

    assert (removed.exit_code, kept.exit_code) == (0, 1)
    assert "last admin" in kept.stderr
    assert [member.user.username for member in Member.objects.filter(clinic=clinic)] == ["eva@linden.example"]


@pytest.mark.parametrize("words", [("member", "role", "no@x.example", "admin"), ("member", "remove", "no@x.example")])
def test_an_unknown_member_is_one_plain_line(words: tuple[str, ...]) -> None:
    a_clinic()

    done = typed(*words)

    assert done.exit_code == 1
    assert "There is no member of this address." in done.stderr


def test_a_key_is_made_with_limits_listed_and_revoked() -> None:
    a_clinic(timezone="UTC")
    day = f"{database_now().date().replace(month=1, day=31, year=database_now().year + 1)}"
    limits = ("--scope", "messages", "--network", "192.0.2.0/24", "--expires", day)

    secret = typed("key", "add", "Ward system", "--role", "viewer", *limits).stdout.strip()
    listed = typed("key", "list").stdout
    typed("key", "revoke", "Ward system")

    found = ApiKey.objects.get()
    assert listed.strip() == f"Ward system\t{found.prefix}\tviewer\tmessages\tuntil {day}\tnever used\t192.0.2.0/24"
    assert caller_of_key(secret, "192.0.2.1", now=database_now()) is None
    assert "revoked" in typed("key", "list").stdout


@pytest.mark.parametrize("limit", ["--network", "--scope", "--expires"])
@pytest.mark.parametrize("empty", ["", " ", ","])
def test_an_empty_limit_makes_no_key_without_this_limit(limit: str, empty: str) -> None:
    """A script whose variable is not set gives an empty value."""
    a_clinic()

    done = typed("key", "add", "Ward system", limit, empty)

    assert done.exit_code != 0
    assert not ApiKey.objects.exists()


def test_another_clinics_keys_are_neither_listed_nor_revoked() -> None:
    a_clinic(slug="linden")
    a_clinic(slug="birch")
    typed("key", "add", "Ward system", "--clinic", "birch")

    listed, refused = (
        typed("key", "list", "--clinic", "linden"),
        typed("key", "revoke", "Ward system", "--clinic", "linden"),
    )

    assert listed.stdout == ""
    assert (refused.exit_code, ApiKey.objects.get().revoked_at) == (1, None)
