"""The events of webhooks, noted in the transaction in which it happens: ids, instants and codes, never a word."""

import datetime as dt
import json
import uuid

import pytest
from django.db import transaction

from companion.clinics.models import Clinic
from companion.delivery import lifecycle
from companion.panel import alerts
from companion.panel.alerts import CALM, SETTLED, Wrong
from companion.patients import consent, directory
from companion.patients.models import Consent
from companion.schedules.models import AttemptOutcome, IfUnknown, Message, Status
from companion.schedules.reasons import Reason
from companion.webhooks.models import Delivery, Kind, Webhook
from companion.webhooks.payload import body_of
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient
from tests.delivery import steps
from tests.listener.stories import (
    a_question,
    a_tap,
    a_text,
    button,
    comes_in,
    edited_to,
    enrolled,
    something_else,
    tap_on,
)
from tests.support.receivers import Hook
from tests.webhooks.stories import ALL, Json, a_webhook, calls, sent_off

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SECOND = dt.timedelta(seconds=1)
LATER = NOW + dt.timedelta(seconds=61)


@pytest.fixture
def clinic(hook: Hook) -> Clinic:
    clinic = a_clinic()
    a_webhook(clinic, hook)
    return clinic


def noted(clinic: Clinic) -> list[Json]:
    """The bodies of all calls that are to be made, in their order."""
    return [json.loads(body_of(delivery)) for delivery in Delivery.objects.filter(clinic=clinic).order_by("number")]


def a_due_message(clinic: Clinic, **fields: object) -> Message:
    return a_message(a_patient(clinic), None, **fields)


def begun(clinic: Clinic, now: dt.datetime = NOW) -> steps.Step:
    [found] = steps.begin(clinic, now=now)
    return found


def test_a_sent_message_is_told_with_its_instant_and_nobodys_name(clinic: Clinic) -> None:
    message = a_due_message(clinic)

    steps.sent(begun(clinic), now=NOW + SECOND)

    [told] = noted(clinic)
    assert told == {
        "type": "message.sent",
        "timestamp": "2026-12-01T08:00:01Z",
        "data": {"message": str(message.id), "patient": str(message.patient_id)},
    }


def test_a_failed_message_is_told_with_the_code(clinic: Clinic) -> None:
    a_due_message(clinic)

    steps.record(begun(clinic), AttemptOutcome.PERMANENT, Status.FAILED, now=NOW + 0.5 * SECOND, reason=Reason.BLOCKED)

    [told] = noted(clinic)
    assert (told["type"], told["data"]["reason"]) == ("message.failed", "blocked")
    assert told["timestamp"] == "2026-12-01T08:00:00.500000Z"


def test_an_end_that_is_written_down_a_second_time_is_told_once(clinic: Clinic) -> None:
    a_due_message(clinic)
    attempt = begun(clinic)

    # As the ledger does when nobody knows whether the first commit succeeded.
    for _ in range(2):
        steps.sent(attempt, now=NOW + SECOND)

    assert [told["type"] for told in noted(clinic)] == ["message.sent"]


def test_a_message_that_is_tried_again_has_not_ended(clinic: Clinic) -> None:
    a_due_message(clinic)

    steps.record(begun(clinic), AttemptOutcome.TRANSIENT, Status.PENDING, now=NOW)

    assert noted(clinic) == []


def test_a_lost_message_is_told_as_unknown_and_as_sent_once_proof_comes(clinic: Clinic) -> None:
    a_due_message(clinic)
    attempt = begun(clinic)
    steps.rescue(now=LATER)

    steps.sent(attempt, now=LATER + SECOND)
    steps.sent(attempt, now=LATER + 2 * SECOND)

    assert [(told["type"], told["data"].get("reason")) for told in noted(clinic)] == [
        ("message.failed", "outcome_unknown"),
        ("message.sent", None),
    ]


def test_a_message_whose_schedule_resends_it_is_not_told_before_its_end(clinic: Clinic) -> None:
    a_due_message(clinic, if_unknown=IfUnknown.RESEND)
    begun(clinic)

    steps.rescue(now=LATER)

    assert noted(clinic) == []


def test_a_message_that_became_too_late_is_told(clinic: Clinic) -> None:
    a_due_message(clinic, late_at=NOW + SECOND)

    steps.expire(now=LATER)

    assert [told["data"]["reason"] for told in noted(clinic)] == ["too_late"]


def test_a_message_that_somebody_else_ended_is_not_told_twice(clinic: Clinic) -> None:
    a_due_message(clinic)
    attempt = begun(clinic)
    steps.sent(attempt, now=NOW + SECOND)

    steps.sent(attempt, now=NOW + 2 * SECOND)

    assert len(noted(clinic)) == 1


def test_messages_failed_by_people_and_the_planner_cause_an_event_and_cancelled_messages_do_not(clinic: Clinic) -> None:
    dropped, cancelled = (a_due_message(clinic) for _ in range(2))

    lifecycle.stop(Message.objects.filter(pk=dropped.pk), Reason.TOO_LATE, now=NOW)
    lifecycle.stop(Message.objects.filter(pk=cancelled.pk), Reason.BY_PERSON, now=NOW)

    assert [told["data"]["message"] for told in noted(clinic)] == [str(dropped.pk)]


def test_a_message_held_by_a_restore_causes_an_event_of_an_unknown_outcome(clinic: Clinic) -> None:
    a_bot(clinic)
    message = a_due_message(clinic, due_at=NOW)

    with transaction.atomic():
        lifecycle.hold(Message.objects.filter(pk=message.pk), now=LATER)

    assert [told["data"]["reason"] for told in noted(clinic)] == ["outcome_unknown"]


def test_a_tap_that_proves_an_arrival_is_told_before_the_answer(clinic: Clinic) -> None:
    bot = a_bot(clinic)
    patient = a_patient(clinic)
    question = a_question(
        patient, status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN, sent_at=None, telegram_message_id=None
    )

    comes_in(bot, tap_on(question, 0))

    sent, answer = noted(clinic)
    assert (sent["type"], answer["type"]) == ("message.sent", "answer.given")
    assert answer["data"].pop("reply")
    assert answer["data"] == {"message": str(question.id), "patient": str(patient.id), "button": 0}


def test_replies_are_told_without_their_words(clinic: Clinic) -> None:
    bot = a_bot(clinic)
    patient = a_patient(clinic, "Ana Silva")
    chat = patient.telegram_id or 0
    came = a_text(chat, "My canary sings")

    comes_in(bot, came)
    comes_in(bot, edited_to(came, "My canary sang"))
    comes_in(bot, something_else(chat, sticker={"file_id": "1", "emoji": "🐤"}))

    first, edit, sticker = (told["data"] for told in noted(clinic))
    assert (first["kind"], edit["kind"], sticker["kind"]) == ("text", "text", "other")
    assert {first["patient"], edit["patient"]} == {str(patient.id)}
    assert edit["corrects"] == first["reply"]
    assert "canary" not in str(list(Delivery.objects.values()))


def test_a_strangers_words_are_told_without_a_patient(clinic: Clinic) -> None:
    comes_in(a_bot(clinic), a_text(5_999_999_999, "Hello?"))

    [told] = noted(clinic)
    assert (told["type"], told["data"]["patient"]) == ("reply.received", None)


def test_enrolment_and_the_yes_to_the_question_are_told(clinic: Clinic) -> None:
    bot = a_bot(clinic)

    patient = enrolled(bot)
    comes_in(bot, a_tap(patient.telegram_id or 0, button(bot, 0)))

    told = [(body["type"], body["data"]) for body in noted(clinic)]
    assert ("patient.enrolled", {"patient": str(patient.id)}) in told
    assert ("consent.changed", {"patient": str(patient.id), "consent": "given"}) in told


def test_a_stop_and_a_members_note_are_told_as_consent(clinic: Clinic) -> None:
    bot = a_bot(clinic)
    stopped, noted_by_nora = a_patient(clinic), a_patient(clinic, consent=Consent.UNKNOWN)

    comes_in(bot, a_text(stopped.telegram_id or 0, "STOP"))
    consent.note(a_caller(clinic), noted_by_nora, Consent.GIVEN, now=NOW)

    changes = [told["data"] for told in noted(clinic) if told["type"] == "consent.changed"]
    assert changes == [
        {"patient": str(stopped.id), "consent": "withdrawn"},
        {"patient": str(noted_by_nora.id), "consent": "given"},
    ]


def test_a_new_chat_that_asks_for_consent_anew_is_told(clinic: Clinic) -> None:
    patient = a_patient(clinic)

    directory.change(a_caller(clinic), patient, {"telegram_id": 5_777_777_777}, now=NOW)

    assert [told["data"]["consent"] for told in noted(clinic)] == ["unknown"]


def test_an_alert_is_told_by_its_cause_and_once_more_when_it_is_over(clinic: Clinic) -> None:
    wrong = [Wrong("dispatcher_missing", "degraded", "The dispatcher is not running. Start it.")]
    alerts.step(clinic, wrong, now=NOW)
    alerts.step(clinic, wrong, now=NOW + SETTLED)

    alerts.step(clinic, [], now=NOW + SETTLED + CALM)

    opened, recovered = (told["data"] for told in noted(clinic))
    assert opened.pop("runbook").endswith("/mcp/runbook#dispatcher_missing")
    assert opened.pop("alert") == recovered["alert"]
    assert opened == {"cause": "dispatcher_missing", "event": "opened", "status": "degraded"}
    assert (recovered["event"], recovered["status"]) == ("recovered", "ok")


def test_an_event_that_is_rolled_back_is_not_told(clinic: Clinic) -> None:
    a_due_message(clinic)
    attempt = begun(clinic)

    with transaction.atomic():
        steps.sent(attempt, now=NOW)
        transaction.set_rollback(True)

    assert noted(clinic) == []


def test_only_the_webhooks_that_want_it_and_are_open_hear_of_an_end(clinic: Clinic, hook: Hook) -> None:
    sent, _ = a_webhook(clinic, hook, [Kind.SENT])
    a_webhook(clinic, hook, [kind for kind in ALL if kind != Kind.SENT])
    closed, _ = a_webhook(clinic, hook)
    Webhook.objects.filter(pk=closed.pk).update(closed_at=NOW)
    elsewhere, _ = a_webhook(a_clinic(), hook)
    a_due_message(clinic)

    steps.sent(begun(clinic), now=NOW)

    told = set(Delivery.objects.values_list("webhook", flat=True))
    assert sent.pk in told
    assert len(told) == 2
    assert not told & {closed.pk, elsewhere.pk}


def test_events_noted_by_the_statement_are_sent_like_other_events(hook: Hook) -> None:
    clinic = a_clinic()
    webhook, secret = a_webhook(clinic, hook)
    message = a_due_message(clinic)
    steps.sent(begun(clinic), now=NOW)
    Delivery.objects.update(next_try_at=NOW - dt.timedelta(days=365))

    sent_off(webhook)

    [call] = calls(hook, secret)
    assert uuid.UUID(call.id)
    assert call.body["data"]["message"] == str(message.id)
