"""Webhooks whose receivers refuse, are slow, or are gone: later tries, closing, and what is given up."""

import datetime as dt
import threading
import uuid
from collections import Counter

import pytest

from companion.clinics.models import Clinic, Role
from companion.service.clock import database_now
from companion.webhooks import calling, deliveries, sending, turn, webhooks
from companion.webhooks.models import Delivery, Webhook
from companion.webhooks.sending import Waiting
from companion.webhooks.turn import FIRST_PAUSE, LONGEST_PAUSE, TRIED_FOR
from tests.builders import NOW, a_caller
from tests.support.receivers import Hook
from tests.webhooks.stories import a_webhook, an_id, calls, happens, ids, sent_off

pytestmark = pytest.mark.django_db
A_MINUTE = dt.timedelta(minutes=1)


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


def test_a_call_that_a_receiver_wants_later_is_sent_no_earlier(clinic: Clinic, hook: Hook) -> None:
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


@pytest.mark.parametrize(
    ("headers", "body"),
    [({"Content-Length": "1000"}, b""), *(({"Transfer-Encoding": "chunked"}, size) for size in (b"-5\r\n", b"f" * 40))],
)
def test_an_answer_counts_by_its_status_even_if_its_body_breaks_off(
    clinic: Clinic, hook: Hook, headers: dict[str, str], body: bytes
) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, times=2)
    hook.status, hook.more, hook.body = 200, headers, body

    sent_off(webhook)

    assert set(Delivery.objects.values_list("tries", "answer", "error")) == {(1, 200, "")}


def _waiting(clinic: uuid.UUID, number: int, *, is_slow: bool = False) -> dict[uuid.UUID, Waiting]:
    return {an_id(): Waiting(clinic, is_slow) for _ in range(number)}


def test_ten_receivers_of_one_clinic_leave_threads_for_others() -> None:
    evil, good = an_id(), an_id()
    many, others = _waiting(evil, 10), _waiting(good, 3)

    first = sending.next_turns(many | others, {}, {})
    then = sending.next_turns(many | others, dict(list(many.items())[:4]), {})

    assert Counter(waiting.clinic for waiting in first.values()) == {evil: 4, good: 3}
    assert list(then) == list(others)


def test_slow_receivers_of_many_clinics_leave_half_of_the_threads_to_quick_receivers() -> None:
    slow: dict[uuid.UUID, Waiting] = {}
    for _ in range(20):
        slow |= _waiting(an_id(), 10, is_slow=True)
    quick = _waiting(an_id(), 2)

    first = sending.next_turns(slow | quick, {}, {})
    then = sending.next_turns(slow | quick, {id: waiting for id, waiting in first.items() if waiting.is_slow}, {})

    assert sum(waiting.is_slow for waiting in first.values()) == 4
    assert set(quick) <= set(first)
    assert set(then) == set(quick)


def test_before_a_clinic_that_waits_each_other_clinic_gets_at_most_one_thread() -> None:
    """Their receivers are new, so that nobody knows yet that they are slow, and they stand in front."""
    evil, good = [an_id() for _ in range(20)], an_id()
    new: dict[uuid.UUID, Waiting] = {}
    for clinic in evil:
        new |= _waiting(clinic, 10)
    ready = new | _waiting(good, 1)
    served: dict[uuid.UUID, float] = {}
    turns: list[uuid.UUID] = []

    while good not in turns:
        chosen = sending.next_turns(ready, {}, served)
        turns += [waiting.clinic for waiting in chosen.values()]
        served |= {waiting.clinic: len(turns) for waiting in chosen.values()}
        ready = {id: waiting for id, waiting in ready.items() if id not in chosen}

    before = turns[: turns.index(good)]
    assert len(before) == len(set(before)) == 20


def test_a_clinic_without_a_thread_comes_before_a_clinic_with_threads() -> None:
    """Even if the other clinic got its threads longer ago, because its receivers are slow."""
    busy, quiet = an_id(), an_id()
    ready = _waiting(busy, 1) | _waiting(quiet, 1)
    running = _waiting(busy, 3) | _waiting(an_id(), 4)

    chosen = sending.next_turns(ready, running, {busy: 1, quiet: 2})

    assert [waiting.clinic for waiting in chosen.values()] == [quiet]


def test_a_slow_answer_ends_the_turn_and_a_quick_turn_makes_up_for_it(clinic: Clinic, hook: Hook) -> None:
    webhook, _ = a_webhook(clinic, hook)
    happens(clinic, times=3)

    turn.take(webhook.pk, threading.Event(), slow_seconds=0)
    slow = sending.due(now=database_now())[webhook.pk].is_slow
    came = len(hook.posts)
    turn.take(webhook.pk, threading.Event(), slow_seconds=60)

    assert (came, slow) == (1, True)
    assert len(hook.posts) == 3
    assert not Webhook.objects.get().is_slow


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


def test_calls_missed_by_a_dead_receiver_are_given_up_after_a_day_and_forgotten_after_two_weeks(
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


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    hook.status, hook.location = 302, hook.url

    assert calling.Receiver(hook.url).post("{}", {}).error == "it answered 302"
    assert len(hook.posts) == 1
