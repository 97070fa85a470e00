"""The calls of webhooks over real HTTP: signed by the standard, in order, tried again, and never to be lost."""

import datetime as dt
from collections.abc import Iterator

import pytest
from pytest_django import Settings
from standardwebhooks import WebhookVerificationError

from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Refused
from companion.service.clock import database_now
from companion.webhooks import calling, deliveries, outbox, sending, webhooks
from companion.webhooks.models import Delivery, Kind, Webhook
from companion.webhooks.outbox import Event
from companion.webhooks.turn import FIRST_PAUSE, LONGEST_PAUSE, TRIED_FOR
from tests.builders import NOW, a_caller, a_clinic
from tests.support.receivers import Hook, a_program
from tests.webhooks.stories import a_webhook, an_id, calls, ids, sent_off

pytestmark = pytest.mark.django_db
A_MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with a_program() as program:
        yield program


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


def happens(clinic: Clinic, *, times: int = 1, now: dt.datetime | None = None) -> None:
    """Let so many patients enrol."""
    events = [Event(an_id()) for _ in range(times)]
    outbox.tell(clinic.pk, Kind.ENROLMENT, events, now=now or database_now())


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


def test_a_call_that_was_not_taken_is_made_again_later_and_later_for_a_day_under_one_id(
    clinic: Clinic, hook: Hook
) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, now=NOW)
    hook.status = 500
    at, pauses = NOW, list[dt.timedelta]()

    while Delivery.objects.get().next_try_at is not None:
        sent_off(webhook, now=at)
        again = Delivery.objects.get().next_try_at
        if again is not None:
            pauses.append(again - at)
            at = again + dt.timedelta(minutes=6)

    assert 8 <= len(hook.posts) <= 12
    assert len(set(ids(hook))) == 1
    assert pauses == sorted(pauses[:7]) + pauses[7:]
    assert TRIED_FOR - dt.timedelta(hours=7) < at - NOW < TRIED_FOR
    given_up = Delivery.objects.get()
    assert (given_up.error, given_up.answer, given_up.taken_at) == ("it answered 500", 500, None)


def test_what_a_receiver_wants_later_is_sent_no_earlier(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, now=NOW)
    hook.status, hook.more = 429, {"Retry-After": "1800"}

    sent_off(webhook, now=NOW)

    assert Delivery.objects.get().next_try_at == NOW + 30 * A_MINUTE
    assert not sending.due(now=NOW + 29 * A_MINUTE)
    assert list(sending.due(now=NOW + 31 * A_MINUTE)) == [webhook.pk]


@pytest.mark.parametrize(
    ("told", "pause"),
    [
        ("Sun, 06 Nov 2126 08:49:37 GMT", LONGEST_PAUSE),
        ("99999999", LONGEST_PAUSE),
        ("1e9", FIRST_PAUSE),
        ("-5", FIRST_PAUSE),
        ("Sun, 06 Nov 1994 08:49:37 GMT", FIRST_PAUSE),
        ("Sun, 99 Nov 1994 08:49:37 GMT", FIRST_PAUSE),
        ("soon \xe9", FIRST_PAUSE),
    ],
)
def test_a_date_to_come_back_is_heeded_and_no_wish_uses_up_the_day(
    clinic: Clinic, hook: Hook, told: str, pause: float
) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, now=NOW)
    hook.status, hook.more = 503, {"Retry-After": told}

    sent_off(webhook, now=NOW)

    again = Delivery.objects.get().next_try_at
    assert again is not None
    assert 0.9 * pause <= (again - NOW).total_seconds() <= 1.1 * pause


def test_an_answer_counts_by_its_status_even_if_its_body_breaks_off(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, times=2)
    hook.status, hook.more = 200, {"Content-Length": "1000"}

    sent_off(webhook)

    assert set(Delivery.objects.values_list("tries", "answer", "error")) == {(1, 200, "")}


def test_the_webhook_whose_turn_is_the_longest_ago_comes_next(clinic: Clinic, hook: Hook) -> None:
    busy, quiet = a_webhook(clinic, hook)[0], a_webhook(a_clinic(), hook)[0]
    happens(clinic, now=NOW)
    happens(quiet.clinic, now=NOW)
    assert list(sending.due(now=NOW)) == [busy.pk, quiet.pk]

    sent_off(busy, now=NOW)
    happens(clinic, now=NOW)

    assert list(sending.due(now=NOW)) == [quiet.pk, busy.pk]


def test_ten_slow_receivers_of_one_clinic_leave_threads_for_others() -> None:
    evil, good = an_id(), an_id()
    slow, others = {an_id(): evil for _ in range(10)}, {an_id(): good for _ in range(3)}

    first = sending.next_turns(slow | others, {})
    then = sending.next_turns(slow | others, dict(list(slow.items())[:4]))

    assert list(first.values()) == [evil] * 4 + [good] * 3
    assert list(then) == list(others)


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


def test_a_receiver_that_is_gone_is_closed_and_told_what_it_missed_once_it_is_opened(
    clinic: Clinic, hook: Hook
) -> None:
    webhook, secret = a_webhook(clinic, hook)
    happens(clinic, times=3)
    hook.status = 410
    sent_off(webhook)
    happens(clinic)
    sent_off(webhook)

    assert len(hook.posts) == 1
    assert Webhook.objects.get().closed_at is not None
    assert Delivery.objects.count() == 3

    hook.status = 200
    hook.posts.clear()
    webhooks.reopen(a_caller(clinic, Role.ADMIN), webhook, now=database_now())
    sent_off(webhook)
    assert len(calls(hook, secret)) == 3


def test_a_webhook_that_was_closed_for_days_has_a_day_again_from_its_opening(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, times=3, now=NOW)
    hook.status = 410
    sent_off(webhook, now=NOW)
    later = NOW + 3 * TRIED_FOR

    webhooks.reopen(a_caller(clinic, Role.ADMIN), webhook, now=later)
    hook.status = 503
    sent_off(webhook, now=later)
    sending.tidy(now=later + A_MINUTE)
    hook.status = 200
    hook.posts.clear()
    sent_off(webhook, now=later + A_MINUTE)

    assert len(set(ids(hook))) == 3


def test_a_receiver_that_is_out_of_order_is_left_alone_for_longer_and_longer(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, times=100, now=NOW)
    hook.status = 503
    at = NOW

    rests = []
    for _ in range(9):
        sent_off(webhook, now=at)
        until = Webhook.objects.get().rests_until
        assert until
        rests.append((until - at).total_seconds())
        at = until

    assert len(hook.posts) == 9
    assert rests == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    hook.status = 204
    sent_off(webhook, now=at)
    assert Delivery.objects.filter(taken_at=None).count() <= 9
    assert Webhook.objects.get().failures == 0


def test_what_a_dead_receiver_missed_is_given_up_after_a_day_and_forgotten_after_two_weeks(
    clinic: Clinic, hook: Hook
) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, times=3, now=NOW)
    hook.status = 503
    sent_off(webhook, now=NOW)

    sending.tidy(now=NOW + TRIED_FOR + A_MINUTE)
    assert set(Delivery.objects.values_list("next_try_at", "error")) == {(None, sending.GIVEN_UP)}

    sending.tidy(now=NOW + deliveries.KEPT + A_MINUTE)
    assert not Delivery.objects.exists()


def test_one_process_at_a_time_has_a_turn_and_a_killed_one_loses_it(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, now=NOW)
    Webhook.objects.update(held_by=an_id(), held_until=NOW + A_MINUTE)

    sent_off(webhook, now=NOW)
    assert hook.posts == []

    sent_off(webhook, now=NOW + A_MINUTE)
    assert len(hook.posts) == 1


def test_many_calls_share_a_connection_and_one_that_ends_between_costs_none(clinic: Clinic) -> None:
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


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    hook.status, hook.location = 302, hook.url

    assert calling.Line(hook.url).post("{}", {}).error == "it answered 302"
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

    assert "may not be reached" in calling.Line(url).post("{}", {}).error


def test_private_networks_are_open_where_the_environment_says_so(settings: Settings, hook: Hook) -> None:
    settings.SANDBOX_ON = False
    settings.COMPANION = settings.COMPANION.model_copy(update={"webhook_private_networks": True})

    assert calling.Line(hook.url).post("{}", {}).error == ""


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
        calling.check(url)
