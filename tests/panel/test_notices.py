"""Alerts by e-mail: over a real socket, once, and tried again. tests/webhooks has those by webhook."""

import datetime as dt
import json
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pydantic import SecretStr
from pytest_django import Settings

from companion.clinics.models import Clinic, Member, Role
from companion.config.mail_server import smtp
from companion.panel import alerts, notices, runbook
from companion.panel.alerts import CALM, SETTLED, Wrong
from companion.panel.models import AlertContact, Notice
from companion.service import old_rows
from tests.builders import NOW, a_clinic, a_member
from tests.support.receivers import Hook, MailBox, a_mail_server, a_program
from tests.web.signed_in import signed_in, words
from tests.webhooks.stories import a_webhook

pytestmark = pytest.mark.django_db
BROKEN = [Wrong("dispatcher_missing", "degraded", "The dispatcher is not running. Start it.")]


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[MailBox]:
    with a_mail_server() as box:
        server = smtp(box.url)
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.host, server.port
        settings.COMPANION = settings.COMPANION.model_copy(update={"smtp_url": SecretStr(box.url)})
        yield box


@pytest.fixture
def hook() -> Iterator[Hook]:
    with a_program() as program:
        yield program


def trouble(clinic: Clinic, found: list[Wrong] = BROKEN, *, at: dt.datetime = NOW) -> None:
    """Let the trouble be seen, last, and be reported."""
    alerts.step(clinic, found, now=at)
    alerts.step(clinic, found, now=at + SETTLED)
    notices.deliver(now=at + SETTLED)


def test_admins_get_an_email_with_where_to_read_on(mailbox: MailBox) -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN, "nora@clinic.example")
    a_member(clinic, Role.PROVIDER, "ben@clinic.example")

    trouble(clinic)

    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == ("nora@clinic.example", "Linden Clinic: The dispatcher is not running")
    assert "/mcp/runbook#dispatcher_missing" in str(mail.get_payload())


def test_notices_go_after_thirty_days_although_no_other_follows(mailbox: MailBox) -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN)
    trouble(clinic)

    old_rows.drop(now=NOW + dt.timedelta(days=30))
    kept = Notice.objects.count()
    old_rows.drop(now=NOW + dt.timedelta(days=31))

    assert (kept, Notice.objects.count()) == (1, 0)


def test_when_it_is_over_an_email_of_the_same_thread_says_so(mailbox: MailBox) -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN)
    trouble(clinic)

    over = NOW + SETTLED + CALM
    alerts.step(clinic, [], now=over)
    notices.deliver(now=over)

    first, second = mailbox.mails
    assert second["Subject"] == "Linden Clinic: Recovered: The dispatcher is not running"
    assert (first["References"], first["Message-ID"] == second["Message-ID"]) == (second["References"], False)


def test_an_admin_of_two_clinics_hears_once_that_the_dispatcher_is_gone(mailbox: MailBox) -> None:
    admin, other = a_member(a_clinic(), Role.ADMIN), a_clinic()
    Member.objects.create(clinic=other, user=admin.user, role=Role.ADMIN, created_at=NOW, joined_at=NOW)
    own = [Wrong("paused", "degraded", "Sending is paused.")]

    for clinic in (admin.clinic, other):
        trouble(clinic, [*BROKEN, *own])

    subjects = [str(mail["Subject"]) for mail in mailbox.mails]
    assert sum("dispatcher" in subject for subject in subjects) == 1
    assert sum("paused" in subject for subject in subjects) == 2


def test_an_admin_who_wants_no_email_gets_none(mailbox: MailBox) -> None:
    clinic = a_clinic()
    admin = a_member(clinic, Role.ADMIN)
    AlertContact.objects.create(clinic=clinic, member=admin, by_email=False)

    trouble(clinic)

    assert mailbox.mails == []


def test_an_admin_whom_a_sign_in_service_names_without_an_address_gets_no_email(mailbox: MailBox) -> None:
    clinic = a_clinic()
    admin = a_member(clinic, Role.ADMIN)
    User.objects.filter(pk=admin.user_id).update(username="oidc:1", email="eva-1")

    assert notices.addresses(clinic) == []


def test_a_mail_server_that_refuses_is_tried_again_and_then_given_up(mailbox: MailBox) -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN)
    mailbox.refuses = "450 later"
    trouble(clinic)
    at = NOW + SETTLED

    for pause in notices.PAUSES:
        notices.deliver(now=at + pause / 2)
        at += pause
        notices.deliver(now=at)
    notices.deliver(now=at + dt.timedelta(days=1))

    assert (Notice.objects.get().tries, Notice.objects.get().next_try_at) == (1 + len(notices.PAUSES), None)


def test_of_two_processes_that_send_at_once_one_does(mailbox: MailBox) -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN)
    alerts.step(clinic, BROKEN, now=NOW)
    alerts.step(clinic, BROKEN, now=NOW + SETTLED)
    first, second = Notice.objects.get(), Notice.objects.get()

    assert [notices._claim(notice, NOW + SETTLED) for notice in (first, second)] == [True, False]


def test_a_mail_server_that_refuses_is_named_without_its_words(mailbox: MailBox) -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN)
    mailbox.refuses = "550 no such user: secret"

    trouble(clinic)

    assert Notice.objects.get().error == "the mail server refused the address"


def test_the_page_tries_each_way_and_says_what_came_of_it(hook: Hook, mailbox: MailBox) -> None:
    clinic = a_clinic()
    browser = signed_in(clinic, Role.ADMIN)
    a_webhook(clinic, hook)
    hook.status = 500

    said = [_tried(browser, way) for way in ("email", "webhook", "telegram")]

    assert "The mail server accepted the test e-mail." in said[0]
    assert "The webhook was not reached: it answered 500." in said[1]
    assert "First enter your Telegram ID." in said[2]
    assert (len(mailbox.mails), json.loads(hook.posts[0][1])["type"]) == (1, "test")


@pytest.mark.parametrize("path", ["", "/me", "/test"])
def test_only_admins_decide_who_hears(path: str) -> None:
    browser = signed_in(a_clinic(), Role.PROVIDER)

    assert (browser.post if path else browser.get)(f"/mcp/alerts{path}").status_code == 403


def test_each_alert_leads_to_its_page_of_the_runbook() -> None:
    page = signed_in(a_clinic(), Role.VIEWER).get("/mcp/runbook").content.decode()

    assert f'id="{runbook.link("failed:too_late").partition("#")[2]}"' in page


def _tried(browser: Client, way: str) -> str:
    return words(browser.post("/mcp/alerts/test", {"way": way}, follow=True))
