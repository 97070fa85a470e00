"""The pages of a clinic's webhooks: choose kinds, exchange the secret, see deliveries, retry and replay."""

import datetime as dt
import uuid
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from companion.clinics.models import AuditEntry, Clinic, Role
from companion.service.clock import database_now
from companion.webhooks import deliveries, outbox, webhooks
from companion.webhooks.models import Delivery, Kind, Webhook
from companion.webhooks.outbox import Event
from tests.builders import NOW, a_caller, a_clinic
from tests.support.receivers import Hook
from tests.web.signed_in import signed_in, words
from tests.webhooks.stories import ALL, a_webhook, calls, sent_off

pytestmark = pytest.mark.django_db
LIST = "/settings/webhooks"
_BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def admin(clinic: Clinic) -> Client:
    return signed_in(clinic, Role.ADMIN)


def happens(clinic: Clinic, *, times: int = 1, now: dt.datetime | None = None) -> None:
    events = [Event(uuid.uuid4(), code="given") for _ in range(times)]
    outbox.tell(clinic.pk, Kind.CONSENT, events, now=now or database_now())


def done(clinic: Clinic) -> list[str]:
    return list(AuditEntry.objects.filter(clinic=clinic, subject_kind="webhook").values_list("action", flat=True))


def test_a_webhook_is_added_and_its_secret_shown_once_and_its_address_never(
    clinic: Clinic, admin: Client, hook: Hook
) -> None:
    added = admin.post(f"{LIST}/new", {"url": hook.url, "kinds": ["alert", "message.failed"]}).content.decode()

    webhook = Webhook.objects.get(clinic=clinic)
    later = admin.get(f"{LIST}/{webhook.pk}").content.decode() + admin.get(LIST).content.decode()
    assert (webhook.secret in added, webhook.secret in later) == (True, False)
    assert hook.url not in added + later
    assert webhooks.kinds_of(webhook) == {"alert", "message.failed"}
    assert "webhook added" in AuditEntry.objects.values_list("action", flat=True)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"url": "hooks.clinic.example", "kinds": ["alert"]}, "Write an address like https://"),
        ({"url": "https://93.184.216.34/", "kinds": []}, "Choose at least one kind of event."),
        ({"url": "https://93.184.216.34/", "kinds": ["alert", "texts"]}, "Choose at least one kind of event."),
    ],
)
def test_an_impossible_value_is_refused_beside_the_field(admin: Client, form: dict[str, object], said: str) -> None:
    answer = admin.post(f"{LIST}/new", form)

    assert answer.status_code == 422
    assert said in words(answer)
    assert not Webhook.objects.exists()


def test_a_clinic_has_ten_webhooks_at_most(clinic: Clinic, admin: Client, hook: Hook) -> None:
    for _ in range(webhooks.MOST):
        a_webhook(clinic, hook)

    answer = admin.post(f"{LIST}/new", {"url": hook.url, "kinds": ["alert"]})

    assert "up to 10 webhooks" in words(answer)


def test_kinds_are_chosen_anew(clinic: Clinic, admin: Client, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)

    admin.post(f"{LIST}/{webhook.pk}/kinds", {"shown": " ".join(sorted(ALL)), "kinds": ["reply.received"]})
    refused = admin.post(f"{LIST}/{webhook.pk}/kinds", {"kinds": []})

    assert webhooks.kinds_of(webhook) == {"reply.received"}
    assert refused.status_code == 422


def test_a_new_secret_is_shown_once_and_overlaps_with_the_former(clinic: Clinic, admin: Client, hook: Hook) -> None:
    webhook, former = a_webhook(clinic, hook)

    page = admin.post(f"{LIST}/{webhook.pk}/act", {"do": "secret"})

    webhook.refresh_from_db()
    assert webhook.secret in page.content.decode()
    assert webhook.secret != former
    assert "the former secret signs each call, too" in words(admin.get(f"{LIST}/{webhook.pk}"))


def test_a_test_is_genuine_and_says_what_came_of_it(clinic: Clinic, admin: Client, hook: Hook) -> None:
    webhook, secret = a_webhook(clinic, hook)

    taken = admin.post(f"{LIST}/{webhook.pk}/act", {"do": "test"}, follow=True)
    hook.status = 500
    failed = admin.post(f"{LIST}/{webhook.pk}/act", {"do": "test"}, follow=True)

    assert [call.type for call in calls(hook, secret)] == ["test", "test"]
    assert "The program accepted the test." in words(taken)
    assert "The webhook was not reached: it answered 500." in words(failed)


@pytest.mark.parametrize("act", ["test", "secret"])
def test_a_webhook_whose_key_is_lost_says_so(clinic: Clinic, admin: Client, hook: Hook, act: str) -> None:
    webhook, _ = a_webhook(clinic, hook)
    Webhook.objects.update(url=b"\x01" * 40, secret=b"\x01" * 40)

    answer = admin.post(f"{LIST}/{webhook.pk}/act", {"do": act}, follow=True)

    assert "Restore the former COMPANION_SECRET_KEY" in words(answer)


def test_a_closed_webhook_says_so_and_is_opened_again(clinic: Clinic, admin: Client, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic)
    hook.status = 410
    sent_off(webhook)
    closed = words(admin.get(f"{LIST}/{webhook.pk}"))

    admin.post(f"{LIST}/{webhook.pk}/act", {"do": "open"})

    assert "it answered 410" in closed
    assert Webhook.objects.get().closed_at is None


def test_a_webhook_is_removed_with_its_deliveries(clinic: Clinic, admin: Client, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic)

    admin.post(f"{LIST}/{webhook.pk}/act", {"do": "remove"})

    assert not Webhook.objects.exists()
    assert not Delivery.objects.exists()
    assert "webhook removed" in done(clinic)


def test_deliveries_are_shown_with_state_tries_and_the_answers_code(clinic: Clinic, admin: Client, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic)
    sent_off(webhook)
    hook.status = 418
    happens(clinic)
    sent_off(webhook)
    happens(clinic)

    page = words(admin.get(f"{LIST}/{webhook.pk}"))

    assert "consent.changed given" in page
    assert all(word in page for word in ("204", "418", "Accepted", "it answered 418; next try", "Waits"))


def test_older_deliveries_stand_on_further_pages(clinic: Clinic, admin: Client, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, times=deliveries.SHOWN + 1)
    oldest = Delivery.objects.order_by("number").values_list("id", flat=True)[0]

    first = admin.get(f"{LIST}/{webhook.pk}").content.decode()
    before = first.partition("?before=")[2].partition("#")[0]
    second = admin.get(f"{LIST}/{webhook.pk}?before={before}").content.decode()

    assert (str(oldest) in first, str(oldest) in second) == (False, True)
    assert admin.get(f"{LIST}/{webhook.pk}?before=x").status_code == 200


def test_one_delivery_is_tried_again_now_under_its_id(clinic: Clinic, admin: Client, hook: Hook) -> None:
    webhook, secret = a_webhook(clinic, hook)
    happens(clinic)
    hook.status = 418
    sent_off(webhook)
    hook.status = 204
    delivery = Delivery.objects.get()

    said = admin.post(f"{LIST}/{webhook.pk}/retry/{delivery.id}", follow=True)
    sent_off(webhook)
    again = admin.post(f"{LIST}/{webhook.pk}/retry/{delivery.id}", follow=True)

    assert "The delivery is tried again now." in words(said)
    assert {call.id for call in calls(hook, secret)} == {str(delivery.id)}
    assert "This was delivered meanwhile" in words(again)
    assert "webhook delivery retried" in done(clinic)


def test_a_span_is_sent_once_more_in_its_order_under_the_ids_of_before(
    clinic: Clinic, admin: Client, hook: Hook
) -> None:
    webhook, secret = a_webhook(clinic, hook)
    present = database_now()
    for minutes in (50, 30, 20, 1):
        happens(clinic, now=present - dt.timedelta(minutes=minutes))
    sent_off(webhook)
    there = [f"{(present - dt.timedelta(minutes=m)).astimezone(_BERLIN):%Y-%m-%dT%H:%M}" for m in (40, 10)]

    said = admin.post(f"{LIST}/{webhook.pk}/replay", {"since": there[0], "until": there[1]}, follow=True)
    sent_off(webhook)

    before, again = calls(hook, secret)[:4], calls(hook, secret)[4:]
    assert "2 events are being sent again." in words(said)
    assert [call.id for call in again] == [call.id for call in before[1:3]]
    assert "webhook deliveries replayed" in done(clinic)


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-12-01T10:00", "2026-12-01T09:00", "The end must be after the beginning."),
        ("", "2026-12-01T09:00", "Give a date and a time."),
        ("2026-12-01T10:00", "9999-12-01T09:00", "Give a date and a time."),
        ("2026-12-01T10:00Z", "2026-12-02T09:00", "Give a date and a time."),
    ],
)
def test_a_span_that_cannot_be_is_refused(
    clinic: Clinic, admin: Client, hook: Hook, since: str, until: str, said: str
) -> None:
    webhook, _ = a_webhook(clinic, hook)

    answer = admin.post(f"{LIST}/{webhook.pk}/replay", {"since": since, "until": until})

    assert answer.status_code == 422
    assert said in words(answer)


def test_another_clinics_webhook_is_not_there(admin: Client, hook: Hook) -> None:
    theirs, _ = a_webhook(a_clinic(), hook)
    happens(theirs.clinic)
    delivery = Delivery.objects.get()

    answers = [admin.get(f"{LIST}/{theirs.pk}")] + [
        admin.post(f"{LIST}/{theirs.pk}/{path}", {"do": "remove", "kinds": ["alert"]})
        for path in ("act", "kinds", "replay", f"retry/{delivery.id}")
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert Webhook.objects.exists()


def test_only_admins_see_or_change_webhooks(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    browser = signed_in(clinic, Role.PROVIDER)

    seen = [browser.get(path).status_code for path in (LIST, f"{LIST}/{webhook.pk}")]
    changed = [
        browser.post(f"{LIST}/{path}").status_code
        for path in ("new", *(f"{webhook.pk}/{act}" for act in ("act", "kinds", "replay", f"retry/{webhook.pk}")))
    ]

    assert set(seen + changed) == {403}


def test_the_pages_of_alerts_and_settings_lead_there(clinic: Clinic, admin: Client, hook: Hook) -> None:
    webhooks.add(a_caller(clinic, Role.ADMIN), hook.url, ["alert"], now=NOW)

    assert f'href="{LIST}"' in admin.get("/settings").content.decode()
    assert "1 webhook gets alerts" in words(admin.get("/mcp/alerts"))
