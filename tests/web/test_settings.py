"""Settings: a secret is shown only once, and no admin can lock the whole clinic out."""

import datetime as dt
import re

import pytest
from django.test import Client

from companion.clinics.models import ApiKey, Member, Role
from tests.builders import a_clinic, a_member
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


def test_an_api_key_is_shown_once_and_not_kept_by_the_browser() -> None:
    client = signed_in(a_clinic(), Role.ADMIN)

    answer = client.post("/settings/keys", {"name": "Lab system", "role": "provider"})

    (secret,) = re.findall(r'value="(ack_[^"]+)"', answer.content.decode())
    assert answer["Cache-Control"] == "no-store"
    assert secret not in client.get("/settings").content.decode()


def test_a_keys_limits_and_beginning_are_shown() -> None:
    client = signed_in(a_clinic(timezone="UTC"), Role.ADMIN)
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=40)
    limits = {"scopes": ["messages", "inbox"], "networks": "192.0.2.0/24, 2001:db8::/32", "expires_on": f"{day}"}

    client.post("/settings/keys", {"name": "Lab system", "role": "provider"} | limits)

    shown, key = words(client.get("/settings")), ApiKey.objects.get()
    assert key.prefix in shown
    assert "inbox, messages" in shown
    assert "from 192.0.2.0/24, 2001:db8::/32" in shown
    assert f"until {day}" in shown


def test_a_wrong_limit_is_named_and_the_others_stay_as_typed() -> None:
    client = signed_in(a_clinic(), Role.ADMIN)

    answer = client.post("/settings/keys", {"name": "Lab", "role": "viewer", "scopes": "inbox", "networks": "here"})

    assert answer.status_code == 422
    assert "Write networks like 192.0.2.0/24" in words(answer)
    assert re.search(r'value="inbox" checked', answer.content.decode())
    assert not ApiKey.objects.exists()


def test_a_revoked_key_says_so() -> None:
    clinic = a_clinic()
    client = signed_in(clinic, Role.ADMIN)
    client.post("/settings/keys", {"name": "Lab system", "role": "viewer"})

    client.post(f"/settings/keys/{ApiKey.objects.get().id}/revoke")

    assert "revoked" in words(client.get("/settings"))


def test_a_new_member_gets_a_sign_in_link() -> None:
    answer = signed_in(a_clinic(), Role.ADMIN).post("/settings/members", {"email": "ben@x.example", "role": "viewer"})

    assert b"/sign-in/" in answer.content
    assert Member.objects.filter(user__email="ben@x.example", role=Role.VIEWER).exists()


def test_an_admin_gets_no_link_into_another_clinic() -> None:
    theirs = a_member(a_clinic(name="Birch"), Role.ADMIN, "eva@birch.example")
    clinic = a_clinic()
    admin = signed_in(clinic, Role.ADMIN)

    added = admin.post("/settings/members", {"email": "eva@birch.example", "role": "viewer"}, follow=True)
    member = Member.objects.get(clinic=clinic, user=theirs.user)
    asked = admin.post(f"/settings/members/{member.id}", {"do": "link"}, follow=True)

    assert "/sign-in/" not in added.content.decode() + asked.content.decode()
    assert "companion member add" in words(added)
    assert "another clinic" in words(asked)


def test_a_wrong_address_is_refused_beside_the_field() -> None:
    answer = signed_in(a_clinic(), Role.ADMIN).post("/settings/members", {"email": "ben", "role": "viewer"})

    assert answer.status_code == 422
    assert "This is no e-mail address." in words(answer)


def test_the_last_admin_stays() -> None:
    clinic = a_clinic()
    admin = a_member(clinic, Role.ADMIN)
    client = Client()
    client.force_login(admin.user)

    answer = client.post(f"/settings/members/{admin.id}", {"do": "remove"}, follow=True)

    assert "last admin" in words(answer)
    # The page returns to the part whose button was pressed, not to the messages.
    assert answer.request["PATH_INFO"] == "/settings"
    assert Member.objects.filter(pk=admin.pk).exists()


def test_another_clinics_member_is_not_there() -> None:
    theirs = a_member(a_clinic())

    answer = signed_in(a_clinic(), Role.ADMIN).post(f"/settings/members/{theirs.id}", {"do": "remove"})

    assert answer.status_code == 404


def test_the_clinics_hours_are_changed() -> None:
    clinic = a_clinic()
    values = {"name": "Linden Clinic", "timezone": "Europe/Lisbon", "quiet_from": "22:00", "quiet_until": "07:30"}

    signed_in(clinic, Role.ADMIN).post("/settings/clinic", values)

    clinic.refresh_from_db()
    assert (clinic.timezone, clinic.quiet_from, clinic.quiet_until) == ("Europe/Lisbon", dt.time(22), dt.time(7, 30))


def test_a_wrong_zone_is_named_and_what_was_typed_stays() -> None:
    values = {"name": "New name", "timezone": "Lisbon", "quiet_from": "22:00", "quiet_until": "07:30"}

    answer = signed_in(a_clinic(), Role.ADMIN).post("/settings/clinic", values)

    assert answer.status_code == 422
    assert b'value="New name"' in answer.content
    assert "We don't know this time zone." in words(answer)


@pytest.mark.parametrize("address", ["/settings/clinic", "/settings/bot", "/settings/members", "/settings/keys"])
def test_only_admins_change_settings(address: str) -> None:
    assert signed_in(a_clinic(), Role.PROVIDER).post(address).status_code == 403
