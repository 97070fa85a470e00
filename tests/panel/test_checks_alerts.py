"""The checks of alerts, webhooks and the mail server against the faults that they are made for."""

import datetime as dt

import pytest
from pydantic import SecretStr
from pytest_django import Settings

from companion.webhooks import outbox, sending
from companion.webhooks.models import Kind as Happening
from companion.webhooks.outbox import Event
from tests.builders import NOW, a_clinic
from tests.panel.stories import check
from tests.support.receivers import a_program
from tests.webhooks.stories import a_webhook, sent_off

pytestmark = pytest.mark.django_db


def test_alerts_that_nobody_would_hear_are_warned_of(settings: Settings) -> None:
    settings.SANDBOX_ON = False
    a_clinic()

    found = check("Alerts")

    assert (found.result, found.value) == ("warning", "nobody hears of them")


def test_an_archived_clinic_needs_no_way_of_alerts(settings: Settings) -> None:
    settings.SANDBOX_ON = False
    a_clinic(archived_at=NOW)

    assert check("Alerts").result == "ok"


def test_webhooks_that_take_no_calls_are_warned_of() -> None:
    clinic = a_clinic()
    with a_program() as hook:
        webhook, _ = a_webhook(clinic, hook)
        well = check("Webhooks", clinic)
        outbox.tell(clinic.pk, Happening.ENROLMENT, [Event(clinic.pk)], now=NOW)
        hook.status = 410
        sent_off(webhook, now=NOW)

    found = check("Webhooks", clinic)

    assert (well.result, well.value) == ("ok", "1 taking calls")
    assert (found.result, found.value) == ("warning", "1 closed by an answer 410")


@pytest.mark.parametrize("hours", [25, 40])
def test_a_webhooks_missed_calls_cause_a_warning_for_a_day_after_they_were_given_up(hours: int) -> None:
    clinic = a_clinic()
    with a_program() as hook:
        webhook, _ = a_webhook(clinic, hook)
        outbox.tell(clinic.pk, Happening.ENROLMENT, [Event(clinic.pk)], now=NOW - dt.timedelta(hours=hours))
        hook.status = 404
        sent_off(webhook, now=NOW - dt.timedelta(hours=hours))
    sending.tidy(now=NOW)

    assert check("Webhooks", clinic).value == "1 not taking calls, 1 call given up since yesterday"


def test_a_mail_server_that_is_not_there_fails(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.COMPANION = settings.COMPANION.model_copy(update={"smtp_url": SecretStr("smtp://127.0.0.1:1")})
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    assert check("Mail server").value == "127.0.0.1: no mail server listens there"
