"""The calls of webhooks over real HTTP: signed by the standard, in order, tried again, and never to be lost."""

import datetime as dt
import json

import pytest
from standardwebhooks import WebhookVerificationError

from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict
from companion.schedules.models import Status
from companion.service.clock import database_now
from companion.webhooks import outbox, sending, webhooks
from companion.webhooks.models import Delivery, Kind, Webhook
from companion.webhooks.outbox import Event
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient
from tests.listener.stories import a_text, comes_in, edited_to, our_message
from tests.support.receivers import Hook, a_program
from tests.webhooks.stories import a_webhook, an_id, calls, happens, ids, sent_off

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
A_MINUTE = dt.timedelta(minutes=1)


def test_a_call_is_genuine_for_the_librarys_own_verifier(clinic: Clinic, hook: Hook) -> None:
    webhook, secret = a_webhook(clinic, hook)
    happens(clinic)

    sent_off(webhook)

    [call] = calls(hook, secret)
    delivery = Delivery.objects.get()
    assert secret.startswith("whsec_")
    assert call.id == str(delivery.id)
    assert call.type == "patient.enrolled"
    assert dt.datetime.fromisoformat(call.body["timestamp"]) == delivery.at
    assert call.body["data"] == {"patient": str(delivery.subject)}
    assert (delivery.tries, delivery.answer, delivery.next_try_at) == (1, 204, None)


def test_another_secret_or_a_changed_body_is_not_genuine(clinic: Clinic, hook: Hook) -> None:
    webhook, secret = a_webhook(clinic, hook)
    _, other = a_webhook(a_clinic(), hook)
    happens(clinic)
    sent_off(webhook)

    with pytest.raises(WebhookVerificationError):
        calls(hook, other)
    hook.posts = [(headers, body.replace(b"patient.", b"doctor.")) for headers, body in hook.posts]
    with pytest.raises(WebhookVerificationError):
        calls(hook, secret)


def test_for_a_day_after_an_exchange_both_secrets_sign(clinic: Clinic, hook: Hook) -> None:
    webhook, former = a_webhook(clinic, hook)
    admin = a_caller(clinic, Role.ADMIN)
    secret = webhooks.exchange_secret(admin, webhook, now=database_now())
    happens(clinic)
    sent_off(webhook)

    assert len(calls(hook, former)) == len(calls(hook, secret)) == 1

    Webhook.objects.update(former_until=database_now() - A_MINUTE)
    happens(clinic)
    sent_off(webhook)
    assert len(calls(hook, secret)) == 2
    with pytest.raises(WebhookVerificationError):
        calls(hook, former)


def test_a_secret_that_is_exchanged_twice_in_a_day_leaves_the_programs_own_in_force(clinic: Clinic, hook: Hook) -> None:
    webhook, first = a_webhook(clinic, hook)
    admin = a_caller(clinic, Role.ADMIN)
    lost = webhooks.exchange_secret(admin, webhook, now=database_now())
    newest = webhooks.exchange_secret(admin, webhook, now=database_now())
    happens(clinic)

    sent_off(webhook)

    assert [len(calls(hook, secret)) for secret in (first, lost, newest)] == [1, 1, 1]


def test_secrets_are_not_exchanged_without_end(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    admin = a_caller(clinic, Role.ADMIN)
    for _ in range(webhooks.SECRETS - 1):
        webhooks.exchange_secret(admin, webhook, now=database_now())

    with pytest.raises(Conflict, match="sign each call already"):
        webhooks.exchange_secret(admin, webhook, now=database_now())
    assert webhooks.exchange_secret(admin, webhook, now=database_now() + webhooks.OVERLAP)


def test_only_the_kinds_that_the_clinic_chose_are_told(clinic: Clinic, hook: Hook) -> None:
    webhook, secret = a_webhook(clinic, hook, [Kind.CONSENT])
    happens(clinic)
    outbox.tell(clinic.pk, Kind.CONSENT, [Event(an_id(), code="given")], now=database_now())

    sent_off(webhook)

    assert [call.type for call in calls(hook, secret)] == ["consent.changed"]


def test_a_clinic_hears_of_its_own_events_alone(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(a_clinic())

    sent_off(webhook)

    assert hook.posts == []


def test_the_webhook_whose_turn_is_the_longest_ago_comes_next(clinic: Clinic, hook: Hook) -> None:
    busy, quiet = a_webhook(clinic, hook)[0], a_webhook(a_clinic(), hook)[0]
    happens(clinic, now=NOW)
    happens(quiet.clinic, now=NOW)
    assert list(sending.due(now=NOW)) == [busy.pk, quiet.pk]

    sent_off(busy, now=NOW)
    happens(clinic, now=NOW)

    assert list(sending.due(now=NOW)) == [quiet.pk, busy.pk]


def test_the_events_of_one_message_arrive_in_their_order_and_others_go_on(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    message, other = an_id(), an_id()
    outbox.tell(clinic.pk, Kind.FAILED, [Event(message, code="gave_up")], now=NOW)
    hook.status = 422
    sent_off(webhook, now=NOW)
    hook.status = 204
    hook.posts.clear()

    outbox.tell(clinic.pk, Kind.SENT, [Event(message), Event(other)], now=NOW)
    sent_off(webhook, now=NOW)
    meanwhile = list(hook.posts)
    sent_off(webhook, now=NOW + A_MINUTE)

    failed, sent, others = Delivery.objects.order_by("number")
    assert [headers["webhook-id"] for headers, _ in meanwhile] == [str(others.id)]
    assert ids(hook)[1:] == [str(failed.id), str(sent.id)]


def test_a_reply_comes_after_the_message_that_it_answers_and_an_edit_after_its_first_wording(
    clinic: Clinic, hook: Hook
) -> None:
    bot, patient = a_bot(clinic), a_patient(clinic)
    chat = patient.telegram_id or 0
    message = a_message(patient, status=Status.SENT, sent_at=NOW, ended_at=NOW, telegram_message_id=77)
    webhook, _ = a_webhook(clinic, hook, [Kind.SENT, Kind.REPLY])
    outbox.tell(clinic.pk, Kind.SENT, [Event(message.id, patient.id)], now=NOW)
    first, answer = a_text(chat, "Hello"), a_text(chat, "Yes", reply_to_message=our_message(chat, 77))
    comes_in(bot, first)
    hook.status = 422
    sent_off(webhook, now=NOW)
    for content in (answer, edited_to(first, "Hello!")):
        comes_in(bot, content)

    sent_off(webhook, now=NOW)
    refused, hook.status, hook.posts = len(hook.posts), 204, []
    sent_off(webhook, now=NOW + A_MINUTE)

    told = [json.loads(body)["data"] for _, body in hook.posts]
    about = [body.get("reply", "sent") for body in told if body["message"] == str(message.id)]
    wording, edit = (body for body in told if body["message"] is None)
    assert (refused, about[0], len(about)) == (2, "sent", 2)
    assert edit["corrects"] == wording["reply"] != edit["reply"]


def test_one_process_at_a_time_has_a_turn_and_a_killed_one_loses_it(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, now=NOW)
    Webhook.objects.update(held_by=an_id(), held_until=NOW + A_MINUTE)

    sent_off(webhook, now=NOW)
    assert hook.posts == []

    sent_off(webhook, now=NOW + A_MINUTE)
    assert len(hook.posts) == 1


def test_many_calls_share_a_connection_and_the_end_of_a_connection_costs_no_call(clinic: Clinic) -> None:
    with a_program(keeps=3) as hook:
        webhook, secret = a_webhook(clinic, hook)
        happens(clinic, times=10)

        sent_off(webhook)

    assert len(calls(hook, secret)) == 10
    assert set(Delivery.objects.values_list("tries", "answer")) == {(1, 204)}
    assert hook.connections == 4


def test_a_webhook_that_cannot_be_opened_keeps_no_other_one_back(clinic: Clinic, hook: Hook) -> None:
    broken, _ = a_webhook(clinic, hook)
    webhook, secret = a_webhook(a_clinic(), hook)
    Webhook.objects.filter(pk=broken.pk).update(url=b"\x01" * 40)
    happens(clinic)
    happens(webhook.clinic)

    for id in sending.due(now=database_now()):
        sent_off(Webhook(pk=id))

    assert len(calls(hook, secret)) == 1
    assert Webhook.objects.defer("url").get(pk=broken.pk).failures == 1
