"""Alerts by e-mail and webhook: over real sockets, once, tried again, and nowhere that they must not go."""

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest
from django.test import Client
from pydantic import SecretStr
from pytest_django import Settings

from companion.clinics.models import Clinic, Member, Role
from companion.clinics.refusals import Refused
from companion.config.environment import smtp
from companion.panel import alerts, contacts, notices, runbook, webhook
from companion.panel.alerts import CALM, SETTLED, Wrong
from companion.panel.models import AlertContact, AlertWebhook, Notice
from tests.builders import NOW, a_caller, a_clinic, a_member
from tests.support.receivers import Hook, MailBox, a_mail_server, a_program
from tests.web.signed_in import signed_in, words

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


def a_clinic_with_a_webhook(hook: Hook) -> tuple[Clinic, str]:
    clinic = a_clinic(slug="linden")
    return clinic, contacts.set_webhook(a_caller(clinic, Role.ADMIN), hook.url, now=NOW)


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


def test_who_wants_no_email_gets_none(mailbox: MailBox) -> None:
    clinic = a_clinic()
    admin = a_member(clinic, Role.ADMIN)
    AlertContact.objects.create(clinic=clinic, member=admin, by_email=False)

    trouble(clinic)

    assert mailbox.mails == []


def test_a_webhook_gets_it_signed_and_a_reader_can_tell_that_it_is_genuine(hook: Hook) -> None:
    clinic, secret = a_clinic_with_a_webhook(hook)

    trouble(clinic)

    ((headers, body),) = hook.posts
    said = json.loads(body)
    assert {name: said[name] for name in ("event", "cause", "status", "clinic")} == {
        "event": "opened",
        "cause": "dispatcher_missing",
        "status": "degraded",
        "clinic": "linden",
    }
    # As docs/operations.md tells readers to do it.
    sent = dict(part.split("=", 1) for part in headers["X-Companion-Signature"].split(","))
    ours = hmac.new(secret.encode(), sent["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(ours, sent["v1"])


def test_a_program_that_is_not_there_is_tried_again_under_the_same_id_and_then_given_up(hook: Hook) -> None:
    clinic, _ = a_clinic_with_a_webhook(hook)
    hook.status = 503
    trouble(clinic)
    at = NOW + SETTLED

    for pause in notices.PAUSES:
        notices.deliver(now=at + pause / 2)
        at += pause
        notices.deliver(now=at)
    notices.deliver(now=at + dt.timedelta(days=1))

    assert len(hook.posts) == 1 + len(notices.PAUSES)
    assert len({json.loads(body)["id"] for _, body in hook.posts}) == 1
    assert (Notice.objects.get().error, Notice.objects.get().sent_at) == ("it answered 503", None)


def test_of_two_processes_that_send_at_once_one_does(hook: Hook) -> None:
    clinic, _ = a_clinic_with_a_webhook(hook)
    alerts.step(clinic, BROKEN, now=NOW)
    alerts.step(clinic, BROKEN, now=NOW + SETTLED)
    ones, others = Notice.objects.get(), Notice.objects.get()

    assert [notices._claim(notice, NOW + SETTLED) for notice in (ones, others)] == [True, False]


def test_a_mail_server_that_refuses_is_named_without_its_words(mailbox: MailBox) -> None:
    clinic = a_clinic()
    a_member(clinic, Role.ADMIN)
    mailbox.refuses = "550 no such user: secret"

    trouble(clinic)

    assert Notice.objects.get().error == "the mail server refused the address"


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    hook.status, hook.location = 302, hook.url

    assert webhook.post(hook.url, "secret", b"{}", at=1) == "it answered 302"
    assert len(hook.posts) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.8]/",
        "https://[64:ff9b::a00:8]/",
        "https://[2002:a00:8::]/",
        "https://0.0.0.0/",
        "https://localhost/",
    ],
)
def test_in_earnest_no_webhook_reaches_into_private_networks(url: str, settings: Settings) -> None:
    settings.SANDBOX_ON = False

    assert "may not be reached" in webhook.post(url, "secret", b"{}", at=1)


def test_private_networks_are_open_where_the_environment_says_so(settings: Settings, hook: Hook) -> None:
    settings.SANDBOX_ON = False
    settings.COMPANION = settings.COMPANION.model_copy(update={"webhook_private_networks": True})

    assert webhook.post(hook.url, "secret", b"{}", at=1) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a.example/",
        "http://a.example/",
        "https://",
        "https://nora:pass@a.example/",
        "https://a.example:99999/",
        "https://a.example/\r\nX: y",
        "https://bücher.example/",
        f"https://a.example/{'x' * 500}",
    ],
)
def test_an_address_that_no_webhook_may_have_is_refused(url: str, settings: Settings) -> None:
    settings.SANDBOX_ON = False

    with pytest.raises(Refused):
        webhook.check(url)


def test_the_page_shows_the_secret_once_and_the_address_never(hook: Hook) -> None:
    browser = signed_in(a_clinic(), Role.ADMIN)

    saved = browser.post("/mcp/alerts/webhook", {"url": hook.url}).content.decode()
    later = browser.get("/mcp/alerts").content.decode()

    secret = AlertWebhook.objects.get().secret
    assert (secret in saved, secret in later, hook.url in later) == (True, False, False)


def test_the_page_tries_each_way_and_says_what_came_of_it(hook: Hook, mailbox: MailBox) -> None:
    browser = signed_in(a_clinic(), Role.ADMIN)
    browser.post("/mcp/alerts/webhook", {"url": hook.url})
    hook.status = 500

    said = [_tried(browser, way) for way in ("email", "webhook", "telegram")]

    assert "The mail server took the test e-mail." in said[0]
    assert "The webhook was not reached: it answered 500." in said[1]
    assert "Give your own Telegram ID first." in said[2]
    assert (len(mailbox.mails), json.loads(hook.posts[0][1])["event"]) == (1, "test")


def test_a_wrong_address_is_refused_beside_the_field() -> None:
    answer = signed_in(a_clinic(), Role.ADMIN).post("/mcp/alerts/webhook", {"url": "alerts.clinic.example"})

    assert answer.status_code == 422
    assert "Write an address like https://" in words(answer)


@pytest.mark.parametrize("path", ["", "/me", "/webhook", "/test"])
def test_only_admins_decide_who_hears(path: str) -> None:
    browser = signed_in(a_clinic(), Role.PROVIDER)

    assert (browser.post if path else browser.get)(f"/mcp/alerts{path}").status_code == 403


def test_each_alert_leads_to_its_page_of_the_runbook() -> None:
    page = signed_in(a_clinic(), Role.VIEWER).get("/mcp/runbook").content.decode()

    assert f'id="{runbook.link("failed:too_late").partition("#")[2]}"' in page


def _tried(browser: Client, way: str) -> str:
    return words(browser.post("/mcp/alerts/test", {"way": way}, follow=True))
