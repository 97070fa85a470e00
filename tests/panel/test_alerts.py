"""Alerts: once for a cause, with "recovered" after, never in a storm, and to nobody but the clinic's own admins."""

import datetime as dt

import pytest

from companion.clinics.models import AuditEntry, Clinic, Role
from companion.panel import alerts
from companion.panel.alerts import CALM, SETTLED, Cause
from companion.panel.facts import Facts
from companion.panel.models import AlertContact
from companion.schedules.models import Lane, Message, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_clinic, a_member, a_message, a_patient
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db
BROKEN = [Cause("health", "The dispatcher is {not} running.")]


def an_admin_who_hears(clinic: Clinic, role: Role = Role.ADMIN) -> int:
    contact = AlertContact.objects.create(clinic=clinic, member=a_member(clinic, role), telegram_id=7_000_000_001)
    return contact.telegram_id


def told() -> list[str]:
    return [message.text or "" for message in Message.objects.filter(patient=None).order_by("created_at", "id")]


def rounds(clinic: Clinic, found: list[Cause], *, first: dt.datetime, last: dt.datetime) -> None:
    """The watch looks every ten seconds."""
    at = first
    while at <= last:
        alerts.step(clinic, found, now=at)
        at += dt.timedelta(seconds=10)


def test_a_cause_is_told_once_however_long_it_lasts() -> None:
    clinic = a_clinic()
    chat = an_admin_who_hears(clinic)

    rounds(clinic, BROKEN, first=NOW, last=NOW + dt.timedelta(minutes=5))

    (message,) = Message.objects.all()
    assert (message.telegram_id, message.lane, message.text) == (
        chat,
        Lane.ANSWER,
        "The dispatcher is {{not}} running.",
    )


def test_what_is_over_at_once_is_told_to_nobody() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)

    alerts.step(clinic, BROKEN, now=NOW)
    rounds(clinic, [], first=NOW + CALM, last=NOW + CALM + SETTLED)

    assert told() == []


def test_what_was_told_is_told_to_be_over() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)
    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)

    rounds(clinic, [], first=NOW + SETTLED, last=NOW + SETTLED + CALM + CALM)

    assert [text.startswith("Recovered:") for text in told()] == [False, True]
    assert alerts.open_alerts(clinic) == []


def test_what_comes_and_goes_is_no_storm() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)
    at = NOW

    for _ in range(6):
        rounds(clinic, BROKEN, first=at, last=at + SETTLED)
        rounds(clinic, [], first=at + SETTLED, last=at + SETTLED + CALM)
        at += SETTLED + CALM

    assert len(told()) == 2


def test_who_is_no_longer_an_admin_hears_nothing() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic, Role.PROVIDER)

    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)

    assert told() == []


def test_another_clinics_admins_hear_nothing() -> None:
    an_admin_who_hears(a_clinic())

    rounds(a_clinic(), BROKEN, first=NOW, last=NOW + SETTLED)

    assert told() == []


def test_many_failures_for_one_reason_are_a_cause() -> None:
    patient = a_patient(a_clinic())
    for _ in range(alerts.SPIKE):
        a_message(patient, status=Status.FAILED, reason=Reason.BLOCKED, ended_at=NOW)

    found = alerts.causes(patient.clinic, Facts((), ()), now=NOW)

    assert "failed:blocked" in [cause.name for cause in found]


def test_an_admin_gives_their_own_telegram_id_and_gets_a_test_message() -> None:
    clinic = a_clinic()
    browser = signed_in(clinic, Role.ADMIN)

    browser.post("/mcp/alerts", {"telegram_id": "7000000009"})
    browser.post("/mcp/alerts", {"test": "1"})

    assert Message.objects.get().telegram_id == 7_000_000_009
    assert AuditEntry.objects.filter(clinic=clinic, action="test message sent").exists()


def test_a_patients_telegram_id_is_refused() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)

    answer = signed_in(clinic, Role.ADMIN).post("/mcp/alerts", {"telegram_id": str(patient.telegram_id)})

    assert "patient's Telegram ID" in words(answer)
    assert not AlertContact.objects.exists()
