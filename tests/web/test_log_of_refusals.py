"""The log of what was refused: who tried, by the id, and failed sign-ins, whether or not the account is known."""

import logging

import pytest
from django.test import Client

from companion.clinics import api_keys
from companion.clinics.key_limits import KeyLimits
from companion.clinics.models import Member, Role, Scope
from tests.builders import NOW, a_clinic
from tests.web.accounts import a_person, sign_in

pytestmark = pytest.mark.django_db


def _lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, object]]:
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in told if line["event"] == event]


def test_a_refused_member_is_named_by_id(caplog: pytest.LogCaptureFixture) -> None:
    member = a_person(a_clinic(), Role.VIEWER)
    client = sign_in(member)
    caplog.clear()

    with caplog.at_level(logging.INFO):
        client.post("/settings/keys", {"name": "till", "role": "viewer"})
        client.post("/api/scheduler/patients", "{}", content_type="application/json")

    lines = _lines(caplog, "request")
    assert [(line["status"], line["caller"]) for line in lines] == [(403, f"member {member.id}")] * 2


def test_a_refused_key_is_named_by_id(caplog: pytest.LogCaptureFixture) -> None:
    limits = KeyLimits(scopes=[Scope.CONTROL])
    key, secret = api_keys.make_key(a_clinic(), "till", Role.VIEWER, limits, now=NOW)

    with caplog.at_level(logging.INFO):
        Client().get("/api/scheduler/messages", headers={"Authorization": f"Bearer {secret}"})

    (line,) = _lines(caplog, "request")
    assert (line["status"], line["caller"]) == (403, f"key {key.id}")


@pytest.mark.parametrize("account", ["known", "unknown"])
def test_a_failed_sign_in_is_logged_without_the_name(account: str, caplog: pytest.LogCaptureFixture) -> None:
    member: Member = a_person(a_clinic(), email="eva@clinic.example")
    name = member.user.email if account == "known" else "otto@clinic.example"

    with caplog.at_level(logging.INFO):
        Client().post("/accounts/login/", {"login": name, "password": "wrong and long"})

    (line,) = _lines(caplog, "a sign-in failed")
    assert (line["account"], line["client"]) == (account, "127.0.0.1")
    assert name not in str([record.msg for record in caplog.records])


def test_a_page_without_a_sign_in_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Client().get("/accounts/login/")

    assert "caller" not in _lines(caplog, "request")[0]
