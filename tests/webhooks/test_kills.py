"""Calls of webhooks that are killed, or replayed, before their note; and a receiver that never answers."""

import datetime as dt
import threading

import pytest

from companion.clinics.models import Clinic, Role
from companion.service.clock import database_now
from companion.webhooks import deliveries, outbox, turn
from companion.webhooks.models import Delivery, Kind, Webhook
from companion.webhooks.outbox import Event
from tests.builders import a_caller, a_clinic
from tests.support.receivers import Hook, a_program
from tests.support.services import a_service, eventually
from tests.support.threads import in_thread
from tests.webhooks.stories import a_webhook, an_id, calls, ids

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def environment(product_environment: dict[str, str]) -> dict[str, str]:
    return product_environment | {"COMPANION_SANDBOX": "1"}


def happens(clinic: Clinic) -> None:
    outbox.tell(clinic.pk, Kind.ENROLMENT, [Event(an_id())], now=database_now())


def test_a_sender_killed_before_its_note_is_followed_by_one_that_calls_under_the_same_id(
    hook: Hook, environment: dict[str, str]
) -> None:
    clinic = a_clinic()
    _, secret = a_webhook(clinic, hook)
    with a_service("listener", environment) as sender:
        hook.before_answer = sender.kill
        happens(clinic)
        eventually(lambda: sender.poll() is not None, "the kill")
    assert Delivery.objects.get().taken_at is None
    hook.before_answer = lambda: None
    # The killed process had its turn for a minute.
    Webhook.objects.update(held_until=database_now())

    with a_service("listener", environment):
        eventually(lambda: Delivery.objects.get().taken_at, "the second call")

    assert len(calls(hook, secret)) == 2
    assert len(set(ids(hook))) == 1


def test_an_event_that_is_replayed_while_it_is_called_is_called_once_more(clinic: Clinic, hook: Hook) -> None:
    webhook, secret = a_webhook(clinic, hook)
    happens(clinic)

    def replay() -> None:
        hook.before_answer = lambda: None
        now = database_now()
        in_thread(lambda: deliveries.replay(a_caller(clinic, Role.ADMIN), webhook, now - HOUR, now, now=now))

    hook.before_answer = replay
    for _ in range(2):
        turn.take(webhook.pk, threading.Event())

    assert len(calls(hook, secret)) == 2
    assert len(set(ids(hook))) == 1
    assert Delivery.objects.get().taken_at


def test_a_receiver_that_never_answers_holds_no_other_clinic_back(hook: Hook, environment: dict[str, str]) -> None:
    silent, well = a_clinic(), a_clinic()
    over = threading.Event()
    with a_program() as hanging:
        hanging.before_answer = lambda: over.wait(30)
        a_webhook(silent, hanging)
        a_webhook(well, hook)
        happens(silent)
        with a_service("listener", environment):
            eventually(lambda: hanging.posts, "the call that hangs")
            happens(well)
            eventually(lambda: hook.posts, "the other clinic's call")
            assert Delivery.objects.get(clinic=silent).tries == 0
            over.set()
