"""Alerts: once for a cause, with "recovered" after, never in a storm, and to nobody but the clinic's own admins."""

import datetime as dt

import pytest

from companion.clinics.models import AuditEntry, Clinic, Role
from companion.listener.models import Conversation
from companion.panel import alerts, health, runbook
from companion.panel.alerts import AGAIN, CALM, SETTLED, Wrong
from companion.panel.finding import Cause, Finding
from companion.panel.models import Alert, AlertContact
from companion.schedules.models import Lane, Message, Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from companion.service.models import Heartbeat, Kind
from companion.webhooks import outbox, webhooks
from companion.webhooks.models import Kind as Happening
from companion.webhooks.models import Webhook
from companion.webhooks.outbox import Event
from tests.api.calls import a_program
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_conversation, a_member, a_message, a_patient
from tests.panel.stories import a_heartbeat
from tests.support.receivers import a_program as a_receiver
from tests.web.signed_in import signed_in, words
from tests.webhooks.stories import a_webhook, sent_off

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_seen_before() -> None:
    health.forget()


BROKEN = [Wrong("dispatcher_missing", "degraded", "The dispatcher is {not} running.")]
DOWN = [Wrong("dispatcher_missing", "down", "Nothing leaves.")]


def an_admin_who_hears(clinic: Clinic, role: Role = Role.ADMIN) -> int:
    chat = 7_000_000_001
    AlertContact.objects.create(clinic=clinic, member=a_member(clinic, role), telegram_id=chat)
    return chat


def told() -> list[str]:
    return [message.text or "" for message in Message.objects.filter(patient=None).order_by("created_at", "id")]


def rounds(clinic: Clinic, found: list[Wrong], *, first: dt.datetime, last: dt.datetime) -> None:
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
        "The dispatcher is {{not} running.",
    )


def test_a_problem_that_is_over_at_once_causes_no_alert() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)

    alerts.step(clinic, BROKEN, now=NOW)
    rounds(clinic, [], first=NOW + CALM, last=NOW + CALM + SETTLED)

    assert told() == []


def test_a_problem_that_is_over_before_its_alert_causes_no_alert() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)

    alerts.step(clinic, BROKEN, now=NOW)
    rounds(clinic, [], first=NOW + dt.timedelta(seconds=10), last=NOW + CALM + SETTLED)

    assert told() == []


def test_a_problem_seen_before_and_after_an_outage_of_the_database_has_yet_to_last() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)
    back = NOW + dt.timedelta(seconds=55)
    alerts.step(clinic, BROKEN, now=NOW)

    alerts.step(clinic, BROKEN, now=back)
    assert told() == []
    rounds(clinic, BROKEN, first=back, last=back + SETTLED)

    assert len(told()) == 1


def test_a_cause_is_looked_at_once_more_before_it_is_told() -> None:
    clinic = a_clinic(sending_paused_at=NOW)
    a_bot(clinic)
    an_admin_who_hears(clinic)
    for seconds in (0, 10, 19):
        alerts.check_clinic(clinic, now=NOW + dt.timedelta(seconds=seconds))

    # The look of a second ago still says that sending is paused.
    Clinic.objects.update(sending_paused_at=None)
    alerts.check_clinic(clinic, now=NOW + SETTLED)

    assert [text for text in told() if "paused" in text] == []


@pytest.mark.parametrize("replaced", [True, False])
def test_a_lost_service_is_told_to_be_back_only_if_it_is(replaced: bool) -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)
    lost = [Wrong("dispatcher_lost", "degraded", "A dispatcher has gone.")]
    a_heartbeat(Kind.DISPATCHER, seconds=4000)
    rounds(clinic, lost, first=NOW, last=NOW + SETTLED)

    if replaced:
        a_heartbeat(Kind.DISPATCHER)
        Heartbeat.objects.filter(beat_at__gt=NOW - SETTLED).update(started_at=NOW, beat_at=NOW + SETTLED + CALM)
    rounds(clinic, [], first=NOW + SETTLED, last=NOW + SETTLED + CALM)

    assert [text.startswith("Recovered:") for text in told()] == [False] + [True] * replaced
    assert alerts.open_alerts(clinic) == []


@pytest.mark.parametrize("door", ["page", "api"])
def test_an_acknowledged_loss_is_reported_no_longer(door: str) -> None:
    clinic = a_clinic()
    now = database_now()
    for seconds in (NOW - now).total_seconds() + 2, (NOW - now).total_seconds() + 60:
        a_heartbeat(Kind.LISTENER, seconds=seconds)
    assert "listener_lost" in [problem.cause for problem in alerts.all_wrong(clinic, now=now)]
    Alert.objects.create(clinic=clinic, cause="listener_lost", words="Gone.", opened_at=now, seen_at=now)

    if door == "page":
        browser = signed_in(clinic, Role.ADMIN)
        assert "Acknowledge the missing services" in words(browser.get("/mcp/alerts"))
        browser.post("/mcp/acknowledge")
    else:
        program = a_program(clinic, Role.ADMIN)
        assert program.post("/api/mcp/acknowledge", {}).status == 200
        assert program.post("/api/mcp/acknowledge", {}).status == 409

    assert "listener_lost" not in [problem.cause for problem in alerts.all_wrong(clinic, now=database_now())]
    assert (alerts.open_alerts(clinic), told()) == ([], [])
    assert AuditEntry.objects.filter(clinic=clinic, action="lost services acknowledged").exists()


def test_a_problem_with_an_alert_causes_a_message_when_it_is_over() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)
    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)

    rounds(clinic, [], first=NOW + SETTLED, last=NOW + SETTLED + CALM + CALM)

    assert [text.startswith("Recovered:") for text in told()] == [False, True]
    assert alerts.open_alerts(clinic) == []


def test_a_problem_that_comes_and_goes_causes_no_storm_of_alerts() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)
    at = NOW

    for _ in range(6):
        rounds(clinic, BROKEN, first=at, last=at + SETTLED)
        rounds(clinic, [], first=at + SETTLED, last=at + SETTLED + CALM)
        at += SETTLED + CALM

    assert len(told()) == 2


def test_a_former_admin_gets_no_alert() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic, Role.PROVIDER)

    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)

    assert told() == []


def test_another_clinics_admins_hear_nothing() -> None:
    an_admin_who_hears(a_clinic())

    rounds(a_clinic(), BROKEN, first=NOW, last=NOW + SETTLED)

    assert told() == []


def test_a_problem_that_gets_worse_causes_one_more_alert_and_no_more() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)
    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)

    rounds(clinic, DOWN, first=NOW + SETTLED, last=NOW + SETTLED + CALM)
    rounds(clinic, BROKEN, first=NOW + SETTLED + CALM, last=NOW + SETTLED + CALM + CALM)

    assert told() == ["The dispatcher is {{not} running.", "Worse: Nothing leaves."]


def test_a_real_outage_is_told_though_something_lesser_came_and_went_lately() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)
    rounds(clinic, BROKEN, first=NOW, last=NOW + SETTLED)
    rounds(clinic, [], first=NOW + SETTLED, last=NOW + SETTLED + CALM)

    soon = NOW + AGAIN / 2
    rounds(clinic, DOWN, first=soon, last=soon + SETTLED)

    assert told()[-1] == "Nothing leaves."


def test_two_causes_are_told_each() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)

    rounds(clinic, [*BROKEN, Wrong("bot_refused", "degraded", "No token.")], first=NOW, last=NOW + SETTLED)

    assert len(told()) == 2


def test_two_processes_that_look_at_once_tell_once() -> None:
    clinic = a_clinic()
    an_admin_who_hears(clinic)
    alerts.step(clinic, BROKEN, now=NOW)
    first, second = Alert.objects.get(), Alert.objects.get()

    for seen in (first, second):
        alerts._tell(clinic, seen, NOW + SETTLED)

    assert len(told()) == 1


def test_a_dispatcher_that_does_not_answer_and_a_missing_dispatcher_are_the_same_cause() -> None:
    findings = (
        Finding("down", "Messages are overdue.", Cause.DISPATCHER_MISSING),
        Finding("degraded", "It is not running.", Cause.DISPATCHER_MISSING),
        Finding("degraded", "It doesn't answer.", Cause.DISPATCHER_NO_ANSWER),
    )

    assert alerts.by_cause(findings) == [Wrong("dispatcher_missing", "down", "Messages are overdue.")]


def test_many_failures_for_one_reason_are_a_cause() -> None:
    patient = a_patient(a_clinic())
    for _ in range(alerts.SPIKE):
        a_message(patient, status=Status.FAILED, reason=Reason.BLOCKED, ended_at=NOW)

    found = alerts.all_wrong(patient.clinic, now=NOW)

    assert "failed:blocked" in [wrong.cause for wrong in found]


def test_a_paused_clinics_admins_hear_of_the_pause_by_its_name() -> None:
    clinic = a_clinic(sending_paused_at=NOW)
    a_bot(clinic)

    assert "paused" in [wrong.cause for wrong in alerts.all_wrong(clinic, now=NOW)]


def test_an_admin_gives_their_own_telegram_id_and_gets_a_test_message() -> None:
    clinic = a_clinic()
    browser = signed_in(clinic, Role.ADMIN)

    browser.post("/mcp/alerts/me", {"telegram_id": "7000000009"})
    browser.post("/mcp/alerts/test", {"way": "telegram"})

    assert Message.objects.get().telegram_id == 7_000_000_009
    assert AuditEntry.objects.filter(clinic=clinic, action="test message sent").exists()


def test_a_patients_telegram_id_is_refused() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)

    answer = signed_in(clinic, Role.ADMIN).post("/mcp/alerts/me", {"telegram_id": str(patient.telegram_id)})

    assert "patient's Telegram ID" in words(answer)
    assert not AlertContact.objects.exists()


def test_a_cry_for_help_is_told_without_a_name_and_the_next_one_again() -> None:
    clinic = a_clinic(urgent_words=["help"], urgent_phone="112")
    an_admin_who_hears(clinic)
    ana, ben = (a_conversation(a_patient(clinic, name), urgent_at=NOW) for name in ("Ana Silva", "Ben Silva"))

    def wrong() -> list[Wrong]:
        return [problem for problem in alerts.all_wrong(clinic, now=NOW) if problem.cause.startswith("urgent_help:")]

    Conversation.objects.filter(pk=ben.pk).update(urgent_at=None)
    rounds(clinic, wrong(), first=NOW, last=NOW + SETTLED)
    Conversation.objects.filter(pk=ana.pk).update(urgent_at=None)
    Conversation.objects.filter(pk=ben.pk).update(urgent_at=NOW)
    rounds(clinic, wrong(), first=NOW + SETTLED, last=NOW + 3 * SETTLED)

    assert [words for words in told() if "Ana" in words or "Ben" in words] == []
    assert [words[:36] for words in told()] == ["A patient asked for urgent help, and"] * 2
    assert {runbook.name_of(alert.cause) for alert in Alert.objects.all()} == {"urgent_help"}


@pytest.mark.parametrize("status", [301, 401, 404, 410, 503])
def test_admins_hear_of_a_webhook_that_takes_no_calls_and_that_it_does_again(status: int) -> None:
    clinic, other = a_clinic(), a_clinic()
    with a_receiver() as hook:
        webhook, _ = a_webhook(clinic, hook, [Happening.ENROLMENT])
        outbox.tell(clinic.pk, Happening.ENROLMENT, [Event(clinic.pk)] * 2, now=NOW)
        hook.status, at = status, NOW
        for _ in range(20):
            sent_off(webhook, now=at)
            at += dt.timedelta(hours=2)
        shown = signed_in(clinic, Role.ADMIN).get(f"/settings/webhooks/{webhook.pk}")
        wrong = alerts.all_wrong(clinic, now=NOW)
        well = alerts.all_wrong(other, now=NOW)

        hook.status = 204
        webhooks.reopen(a_caller(clinic, Role.ADMIN), webhook, now=at)

    assert [problem.cause for problem in wrong if problem not in well] == [runbook.WEBHOOK]
    said = {410: "it answered 410", 503: "Doesn't answer"}.get(status, "Refuses events")
    assert said in words(shown)
    assert [problem for problem in alerts.all_wrong(clinic, now=NOW) if problem.cause == runbook.WEBHOOK] == []


def test_a_test_that_was_taken_ends_the_rest_of_a_webhook() -> None:
    clinic = a_clinic()
    with a_receiver() as hook:
        webhook, _ = a_webhook(clinic, hook)
        Webhook.objects.update(failures=webhooks.UNANSWERED, rests_until=NOW + dt.timedelta(minutes=5))

        webhooks.try_out(a_caller(clinic, Role.ADMIN), webhook, now=NOW)

    assert not webhooks.unanswered(clinic).exists()
    assert Webhook.objects.get().rests_until is None
