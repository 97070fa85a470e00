"""Members and API keys."""

import datetime as dt
import re

import pytest
from django.contrib.auth.models import User

from companion.clinics import api_keys, members
from companion.clinics.access import NotAllowed
from companion.clinics.models import ApiKey, AuditEntry, Member, Role
from companion.clinics.refusals import Conflict, Refused
from tests.builders import NOW, a_caller, a_clinic, a_member

pytestmark = pytest.mark.django_db


def test_a_member_is_added_once_and_then_changes_role() -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN)

    members.add_member(clinic, "Nora@Clinic.example ", "viewer", now=NOW)
    again = members.add_member(clinic, "nora@clinic.example", "provider", now=NOW)

    assert again.role == Role.PROVIDER
    assert Member.objects.filter(clinic=clinic, user__email="nora@clinic.example").count() == 1


def test_one_person_may_be_a_member_of_two_clinics() -> None:
    first, second = a_clinic(), a_clinic()

    members.add_member(first, "nora@clinic.example", "admin", now=NOW)
    members.add_member(second, "nora@clinic.example", "viewer", now=NOW)

    assert User.objects.filter(email="nora@clinic.example").count() == 1


@pytest.mark.parametrize(("email", "role"), [("nora", "admin"), ("", "admin"), ("n@c.example", "owner")])
def test_a_wrong_address_or_role_is_refused(email: str, role: str) -> None:
    with pytest.raises(Refused):
        members.add_member(a_clinic(), email, role, now=NOW)


def test_the_last_admin_stays_admin() -> None:
    clinic = a_clinic()
    admin = a_member(clinic, Role.ADMIN)
    caller = members.caller_of_member(admin)

    with pytest.raises(Conflict):
        members.change_role(caller, admin, "viewer", now=NOW)
    with pytest.raises(Conflict):
        members.remove_member(caller, admin, now=NOW)


def test_only_an_admin_adds_members() -> None:
    clinic = a_clinic()

    with pytest.raises(NotAllowed):
        members.add_member(clinic, "n@c.example", "viewer", now=NOW, by=a_caller(clinic, Role.PROVIDER))


def test_a_key_is_shown_once_and_only_its_hash_is_kept() -> None:
    key, secret = api_keys.make_key(a_clinic(), "Ward system", "provider", now=NOW)

    assert re.fullmatch(r"ack_practice_[A-Za-z0-9_-]{43}", secret)
    assert secret not in repr(ApiKey.objects.values().get(pk=key.pk))


def test_a_key_speaks_for_its_clinic_with_its_role() -> None:
    clinic = a_clinic()
    _, secret = api_keys.make_key(clinic, "Ward system", "viewer", now=NOW)

    caller = api_keys.caller_of_key(secret, "127.0.0.1", now=NOW)

    assert caller
    assert (caller.clinic, caller.kind, caller.name, caller.role) == (clinic, "key", "Ward system", Role.VIEWER)


def test_a_key_s_use_is_noted_at_most_once_a_minute() -> None:
    key, secret = api_keys.make_key(a_clinic(), "Ward system", "viewer", now=NOW)
    noted = []

    for seconds in (0, 30, 61):
        api_keys.caller_of_key(secret, "127.0.0.1", now=NOW + dt.timedelta(seconds=seconds))
        key.refresh_from_db()
        noted.append(key.last_used_at)

    assert noted == [NOW, NOW, NOW + dt.timedelta(seconds=61)]


@pytest.mark.parametrize("secret", ["", "ack_", "x" * 5000, "ack_é", "\ud800"])
def test_a_key_that_nobody_made_is_nobody_s(secret: str) -> None:
    assert api_keys.caller_of_key(secret, "127.0.0.1", now=NOW) is None


def test_a_revoked_key_is_nobody_s_from_that_moment() -> None:
    clinic = a_clinic()
    key, secret = api_keys.make_key(clinic, "Ward system", "viewer", now=NOW)

    api_keys.revoke(a_caller(clinic, Role.ADMIN), key, now=NOW)

    assert api_keys.caller_of_key(secret, "127.0.0.1", now=NOW) is None
    assert AuditEntry.objects.filter(action="API key revoked", subject_id=key.id).exists()


def test_a_key_s_name_is_taken_once() -> None:
    clinic = a_clinic()
    api_keys.make_key(clinic, "Ward system", "viewer", now=NOW)

    with pytest.raises(Refused):
        api_keys.make_key(clinic, "Ward system", "viewer", now=NOW)


def test_an_admin_of_another_clinic_revokes_nothing_here() -> None:
    key, secret = api_keys.make_key(a_clinic(), "Ward system", "viewer", now=NOW)

    api_keys.revoke(a_caller(a_clinic(), Role.ADMIN), key, now=NOW)

    assert api_keys.caller_of_key(secret, "127.0.0.1", now=NOW)
