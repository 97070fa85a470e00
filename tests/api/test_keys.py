"""API keys with limits: parts of the API, networks, a last day, and the installation that they were made for."""

import datetime as dt

import pytest
from django.test import Client
from pytest_django import Settings

from companion.api.scopes import scopes_of
from companion.api.urls import api
from companion.clinics.api_keys import make_key
from companion.clinics.key_limits import KeyLimits
from companion.clinics.models import ApiKey, Clinic, Role, Scope
from companion.clinics.refusals import Refused
from companion.service.clock import database_now
from tests.builders import NOW, a_clinic

pytestmark = pytest.mark.django_db


def a_key(limits: KeyLimits, clinic: Clinic | None = None) -> str:
    return make_key(clinic or a_clinic(), "Ward system", Role.ADMIN, limits, now=database_now())[1]


def status(secret: str, path: str, address: str = "127.0.0.1") -> int:
    """Return the answer's status to this key's GET, which comes from `address`."""
    headers = {"Authorization": f"Bearer {secret}"}
    return Client(headers=headers).get(path, REMOTE_ADDR=address).status_code


def test_a_key_for_messages_gets_no_further_than_messages() -> None:
    secret = a_key(KeyLimits([Scope.MESSAGES]))

    paths = ("/api/scheduler/messages", "/api/scheduler/schedules", "/api/scheduler/patients", "/api/scheduler/inbox")
    others = ("/api/mcp/status", "/metrics")

    assert [status(secret, path) for path in paths] == [200, 200, 403, 403]
    assert [status(secret, path) for path in others] == [403, 403]


def test_a_key_for_patients_reads_no_conversation() -> None:
    secret = a_key(KeyLimits([Scope.PATIENTS]))
    patient = "0190d2d4-0000-7000-8000-000000000001"

    assert status(secret, f"/api/scheduler/patients/{patient}/conversation") == 403
    assert status(secret, f"/api/scheduler/patients/{patient}") == 404


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/scheduler/patients/{id}/export"),
        ("POST", "/api/scheduler/patients/{id}/erase"),
        ("POST", "/api/scheduler/patients/{id}/merge"),
        ("GET", "/api/scheduler/messages/{id}/evidence"),
        ("GET", "/api/mcp/unknown"),
        ("POST", "/api/mcp/unknown"),
        ("POST", "/api/mcp/retry"),
    ],
)
def test_a_key_for_one_part_gets_nothing_that_holds_several(scope: Scope, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {a_key(KeyLimits([scope]))}"}
    path = path.format(id="0190d2d4-0000-7000-8000-000000000001")

    answer = Client(headers=headers).generic(method, path, b"{}", content_type="application/json")

    assert answer.status_code == 403


def test_a_key_for_all_of_a_patient_exports() -> None:
    secret = a_key(KeyLimits([Scope.PATIENTS, Scope.MESSAGES, Scope.INBOX]))

    assert status(secret, "/api/scheduler/patients/0190d2d4-0000-7000-8000-000000000001/export") == 404


def test_a_key_for_metrics_reads_metrics_alone() -> None:
    secret = a_key(KeyLimits([Scope.CONTROL]))

    assert (status(secret, "/metrics"), status(secret, "/api/scheduler/messages")) == (200, 403)


def test_a_key_without_scopes_reads_all() -> None:
    secret = a_key(KeyLimits())

    assert [status(secret, path) for path in ("/api/scheduler/messages", "/api/mcp/status", "/metrics")] == [200] * 3


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.77", 200),
        ("192.0.2.0/24", "192.0.3.1", 403),
        ("192.0.2.0/24, 2001:db8::/32", "2001:db8::5", 200),
        ("192.0.2.0/24", "::ffff:192.0.2.77", 200),
        ("::ffff:192.0.2.0/120", "192.0.2.77", 200),
        ("::ffff:192.0.2.0/120", "::ffff:192.0.2.77", 200),
        ("::ffff:192.0.2.0/120", "192.0.3.1", 403),
        ("192.0.2.7", "192.0.2.7", 200),
        ("192.0.2.7", "192.0.2.8", 403),
    ],
)
def test_a_key_works_from_its_networks_alone(networks: str, address: str, expected: int) -> None:
    secret = a_key(KeyLimits(networks=networks))

    assert status(secret, "/api/scheduler/messages", address) == expected
    assert status(secret, "/metrics", address) == expected


def test_a_key_ends_with_its_last_day_on_the_clinics_clock() -> None:
    clinic = a_clinic(timezone="Pacific/Auckland")
    today = dt.datetime(2026, 12, 1, 22, 30, tzinfo=dt.UTC)
    key, _ = make_key(clinic, "Ward system", Role.VIEWER, KeyLimits(expires_on="2026-12-02"), now=today)

    assert key.expires_at == dt.datetime(2026, 12, 2, 11, tzinfo=dt.UTC)


def test_an_expired_key_is_unknown() -> None:
    secret = a_key(KeyLimits(expires_on=str(database_now().date() + dt.timedelta(days=5))))
    before = status(secret, "/api/scheduler/messages")

    ApiKey.objects.update(expires_at=database_now())

    assert (before, status(secret, "/api/scheduler/messages")) == (200, 401)


def test_a_practice_key_opens_no_live_installation(settings: Settings) -> None:
    settings.SANDBOX_ON = True
    practice = a_key(KeyLimits())
    settings.SANDBOX_ON = False
    live = a_key(KeyLimits())

    assert practice.startswith("ack_practice_")
    assert live.startswith("ack_live_")
    assert (status(practice, "/api/scheduler/messages"), status(live, "/api/scheduler/messages")) == (403, 200)


def test_a_key_that_was_made_before_there_were_kinds_goes_on_working(settings: Settings) -> None:
    secret = a_key(KeyLimits())
    ApiKey.objects.update(kind="", prefix="")
    settings.SANDBOX_ON = not settings.SANDBOX_ON

    assert status(secret, "/api/scheduler/messages") == 200


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (KeyLimits(["everything"]), "scopes"),
        (KeyLimits(networks="here"), "networks"),
        (KeyLimits(networks="192.0.2.1/24"), "networks"),
        (KeyLimits(networks="0.0.0.0/0"), "networks"),
        (KeyLimits(networks=",".join(f"192.0.2.{number}" for number in range(21))), "networks"),
        (KeyLimits(expires_on="2026-11-30"), "expires_on"),
        (KeyLimits(expires_on="2037-01-01"), "expires_on"),
        (KeyLimits(expires_on="soon"), "expires_on"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_by_its_field(limits: KeyLimits, field: str) -> None:
    with pytest.raises(Refused) as refused:
        make_key(a_clinic(), "Ward system", Role.VIEWER, limits, now=NOW)

    assert [problem.field for problem in refused.value.problems] == [field]


def test_every_call_of_the_api_belongs_to_a_scope() -> None:
    open_to_all = {"/api/scheduler"}
    paths = set(api.get_openapi_schema()["paths"]) - open_to_all

    assert frozenset().union(*map(scopes_of, paths)) == set(Scope)
