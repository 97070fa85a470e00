"""Hostile addresses and forms: any value gets a page as its answer, and never an error 500."""

import uuid

import pytest
from django.test import Client
from pytest_django import Settings

from companion.clinics.models import Clinic, Role
from companion.schedules.models import Schedule
from tests.builders import a_clinic, a_conversation, a_message, a_patient
from tests.web.signed_in import signed_in, soon, typed

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ADDRESSES = [
    "/scheduled-messages?day=9999-12-31",
    "/scheduled-messages?day=0001-01-01",
    "/scheduled-messages?day=2026-02-30",
    "/scheduled-messages?day=%00",
    "/scheduled-messages?status=delivered",
    "/scheduled-messages?status=sent&after=garbage",
    "/scheduled-messages?status=sent&after=%F0%9F%92%8A",
    "/scheduled-messages?after=garbage",
    "/scheduled-messages?q=%00",
    "/scheduled-messages?q=%ED%A0%80%25_%27",
    "/scheduled-messages?cohort=x",
    "/scheduled-messages?patient=x&part=rows",
    "/scheduled-messages/calendar?day=%00&span=%00",
    "/scheduled-messages/calendar?day=0001-01-01&span=month",
    "/scheduled-messages/calendar?day=1901-01-01&span=month",
    "/scheduled-messages/calendar?day=2099-12-31&span=month",
    "/scheduled-messages/calendar?q=%00&cohort=x",
    "/scheduled-messages/calendar?q=%ED%A0%80%25_%27&standing=due&reason=blocked",
    "/scheduled-messages/calendar?status=delivered",
    "/scheduled-messages/calendar?patient=x&schedule=%F0%9F%92%8A",
    "/scheduled-messages/series?page=x&state=active",
    "/scheduled-messages/series?state=x",
    "/scheduled-messages/new?patient=x&cohort=%00",
    "/patients?q=%00&cohort=%00&reachable=perhaps&after=x",
    "/sandbox/99999999999999999999999",
    "/mcp?part=x",
    "/mcp/retry/%00",
    "/mcp/retry/opted_out",
    "/mcp/unknown/x/resend",
    "/mcp/unknown/0192f0c2-5d19-7e88-a3c4-9b0e1f2d3c33/perhaps",
    "/accounts/login/?next=%00",
    "/sign-in/%00/x-y",
]


@pytest.fixture
def client() -> Client:
    clinic = a_clinic()
    a_message(a_patient(clinic), due_at=soon())
    client = signed_in(clinic, Role.ADMIN)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_breaks_a_page(client: Client, settings: Settings, address: str) -> None:
    settings.SANDBOX_ON = True

    assert client.get(address).status_code < 500


WRONG = ["", "\0", "x" * 5000, "\ud83d", "-1", "9" * 30, "9" * 5000, "<script>", "{", "😀" * 3000]


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_no_value_breaks_the_alerts_forms(client: Client, value: str) -> None:
    wrong = value.encode("utf-8", "replace").decode()
    forms = {"me": "telegram_id", "webhook": "url", "test": "way"}

    answers = [client.post(f"/mcp/alerts/{form}", {field: wrong}).status_code for form, field in forms.items()]

    assert max(answers) < 500


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_no_value_breaks_the_planning_form(client: Client, value: str) -> None:
    # No browser can send a lone half of a surrogate pair; the bytes that it sends instead are just as wrong.
    wrong = value.encode("utf-8", "replace").decode()
    for name in [*typed(), "cohort", "find", "weekdays", "until", "count", "review_on", "late_after", "quiet_hours"]:
        values = typed() | {"repeat": "weekly", "ends": "on" if name == "until" else "after"} | {name: wrong}
        assert client.post("/scheduled-messages/new", values).status_code < 500, name


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_no_value_breaks_the_patients_form(client: Client, value: str) -> None:
    wrong = value.encode("utf-8", "replace").decode()
    fine = {"name": "Ana", "external_id": "P-1", "timezone": "UTC", "language": "en"}
    for name in [*fine, "telegram_id", "birth_date", "phone", "caregiver", "cohorts"]:
        assert client.post("/patients/new", fine | {name: wrong}).status_code < 500, name


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_no_value_breaks_the_other_forms(client: Client, value: str) -> None:
    wrong = value.encode("utf-8", "replace").decode()
    patient = a_patient(a_clinic())
    forms = {
        "/clinic": ["clinic"],
        "/settings/clinic": ["name", "timezone", "quiet_from"],
        "/settings/members": ["email", "role"],
        "/settings/keys": ["name", "role"],
        "/patients/cohorts": ["name"],
        "/scheduled-messages/many": ["do", "id", "next"],
        f"/patients/{patient.id}/invite": ["x"],
    }
    for address, names in forms.items():
        for name in names:
            assert client.post(address, {"do": "cancel", name: wrong}).status_code < 500, (address, name)
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_no_value_breaks_the_inbox_or_the_sources(client: Client, value: str) -> None:
    wrong = value.encode("utf-8", "replace").decode()
    conversation = a_conversation(a_patient(Clinic.objects.get()))
    forms = {
        f"/inbox/{conversation.id}/assign": ["member"],
        f"/inbox/{conversation.id}/done": ["seen"],
        f"/inbox/{conversation.id}/answer": ["id", "text"],
        "/patients/sources/fhir": ["url", "token", "identifier_system", "telegram", "every_minutes"],
        "/settings/help": ["words", "phone"],
    }
    fine = {"id": str(uuid.uuid4()), "text": "Come in.", "url": "https://fhir.example", "every_minutes": "60"}

    for address, names in forms.items():
        for name in names:
            answer = client.post(address, fine | {"words": "help", "phone": "112", name: wrong})
            assert answer.status_code < 500, (address, name)
