"""The page of the Control Panel: numbers with their lists, charts, what Telegram said of the bot."""

import datetime as dt

import pytest
from django.conf import settings

from companion.clinics.models import Clinic, Role
from companion.panel import alerts, bot_checks, charts, health, hour_counts, message_counts, status
from companion.panel.message_counts import Measure
from companion.panel.models import BotCheck, HourCount
from companion.patients.models import Patient
from companion.schedules.models import AttemptOutcome, Message, Status
from companion.schedules.reasons import Reason
from companion.telegram.outcomes import Answer, Outcome
from companion.telegram.outcomes import Kind as OutcomeKind
from companion.web.control.chart import chart
from tests.builders import NOW, a_bot, a_clinic, a_message, a_patient, a_sent_message, an_attempt
from tests.panel.stories import ago
from tests.web.signed_in import signed_in

pytestmark = pytest.mark.django_db
SECOND = dt.timedelta(seconds=1)
LEASE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _nothing_seen_before() -> None:
    health.forget()


def failed(patient: Patient, *, at: dt.datetime, reason: Reason = Reason.TOO_LATE) -> Message:
    return a_message(patient, due_at=at, status=Status.FAILED, reason=reason, ended_at=at)


def behind(clinic: Clinic, name: Measure) -> int:
    return message_counts.narrow(Message.objects.filter(clinic=clinic), clinic, name, now=NOW).count()


def test_each_number_is_as_long_as_the_list_behind_it() -> None:
    patient = a_patient(a_clinic())
    for at in (ago(hours=20), ago(hours=2), ago(minutes=1)):
        a_sent_message(patient, at=at)
        failed(patient, at=at)
    a_message(patient, due_at=ago(minutes=1))
    a_message(patient, due_at=NOW + dt.timedelta(minutes=59))
    a_message(patient, due_at=NOW + dt.timedelta(minutes=61))

    numbers = status.status(patient.clinic, now=NOW).messages

    shown = {name: getattr(numbers, name.value) for name in Measure}
    assert shown == {name: behind(patient.clinic, name) for name in Measure}
    assert (numbers.sent_today, numbers.sent_24h, numbers.next_hour, numbers.overdue) == (2, 3, 1, 1)


def test_a_message_begun_before_midnight_and_sent_after_it_was_sent_today() -> None:
    clinic = a_clinic()
    midnight = message_counts.midnight(clinic, now=NOW)
    a_sent_message(a_patient(clinic), at=midnight + SECOND, due_at=midnight - SECOND)

    assert status.status(clinic, now=NOW).messages.sent_today == 1


def test_a_begun_message_with_a_lease_is_on_the_wire() -> None:
    patient = a_patient(a_clinic())
    for begun in (NOW - SECOND, ago(minutes=5)):
        message = a_message(patient, due_at=begun)
        attempt = an_attempt(message, began_at=begun, ended_at=None, outcome=AttemptOutcome.OPEN)
        Message.objects.filter(pk=message.pk).update(open_attempt_id=attempt.id, lease_until=begun + LEASE)

    numbers = status.status(patient.clinic, now=NOW).messages

    assert (numbers.on_wire, behind(patient.clinic, Measure.ON_WIRE)) == (1, 1)


def test_an_hour_is_counted_once_however_many_count() -> None:
    patient = a_patient(a_clinic())
    a_sent_message(patient, at=ago(hours=2))
    failed(patient, at=ago(hours=2))

    hour_counts.count_past_hours(patient.clinic, now=NOW)
    hour_counts.count_past_hours(patient.clinic, now=NOW + dt.timedelta(minutes=30))

    counted = HourCount.objects.exclude(count=0).values_list("what", "count")
    assert sorted(counted) == [("sent", 1), ("too_late", 1)]


def test_an_hour_in_which_nothing_happened_is_not_counted_again() -> None:
    clinic = a_clinic()

    hour_counts.count_past_hours(clinic, now=NOW + dt.timedelta(minutes=5))

    assert hour_counts.counted_until(clinic, now=NOW) == NOW


def test_the_chart_joins_what_was_counted_and_what_happens_now() -> None:
    patient = a_patient(a_clinic())
    a_sent_message(patient, at=ago(hours=5))
    hour_counts.count_past_hours(patient.clinic, now=NOW + dt.timedelta(minutes=5))
    a_sent_message(patient, at=NOW + dt.timedelta(minutes=6))
    failed(patient, at=NOW + dt.timedelta(minutes=6))

    bars = charts.last_24_hours(patient.clinic, now=NOW + dt.timedelta(minutes=10))

    assert (bars[-1].label, bars[-1].sent, bars[-1].failed) == ("09:00", 1, 1)
    assert (bars[-6].sent, sum(bar.sent for bar in bars)) == (1, 2)


def test_days_begin_at_the_clinics_own_midnight() -> None:
    patient = a_patient(a_clinic())
    a_sent_message(patient, at=dt.datetime(2026, 11, 29, 23, 30, tzinfo=dt.UTC))
    hour_counts.count_past_hours(patient.clinic, now=NOW)

    bars = charts.last_30_days(patient.clinic, now=NOW)

    assert [(bar.label, bar.sent) for bar in bars if bar.sent] == [("Mon 30 Nov", 1)]


def test_one_failure_beside_a_thousand_sent_is_seen() -> None:
    drawn = chart("Last 24 hours", [charts.Bar("09:00", 1000, 1)])

    assert drawn.columns[0].failed_height > 0
    assert drawn.columns[0].failed_y >= 0


def test_failures_are_grouped_by_code_with_what_to_do() -> None:
    patient = a_patient(a_clinic())
    for _ in range(2):
        failed(patient, at=ago(hours=1), reason=Reason.BLOCKED)
    failed(patient, at=ago(hours=1))

    found = message_counts.failures(patient.clinic, now=NOW)

    assert [(failures.code, failures.count) for failures in found] == [("blocked", 2), ("too_late", 1)]
    assert "unblock" in found[0].sentence


def test_the_list_behind_a_code_holds_that_code_only() -> None:
    patient = a_patient(a_clinic())
    now = dt.datetime.now(dt.UTC)
    blocked = failed(patient, at=now, reason=Reason.BLOCKED)
    other = failed(patient, at=now)
    browser = signed_in(patient.clinic, Role.VIEWER)

    page = browser.get("/scheduled-messages?standing=failed_24h&reason=blocked").content.decode()

    assert str(blocked.id) in page
    assert str(other.id) not in page


def test_the_page_draws_its_charts() -> None:
    page = signed_in(a_clinic(), Role.VIEWER).get("/mcp").content.decode()

    assert page.count('<svg viewBox="0 0 600 120"') == 2


def test_telegrams_answer_about_the_bot_is_shown_and_its_error_stays() -> None:
    clinic = a_clinic()
    bot = a_bot(clinic, sandbox=settings.SANDBOX_ON)
    no = Outcome(OutcomeKind.UNAUTHORIZED, error_code=401)
    bot_checks.keep(bot, bot_checks.BotAnswers(no, no, 3.0, ago(seconds=60)), now=ago(seconds=60))
    yes = bot_checks.BotAnswers(
        Answer({}, NOW), Answer({"url": "https://a.example/", "pending_update_count": 4}), 12.0, NOW
    )
    bot_checks.keep(bot, yes, now=NOW)

    panel = status.status(clinic, now=NOW)

    assert (panel.telegram["updates_by"], panel.telegram["latency_ms"]) == ("webhook", 12.0)
    assert panel.telegram["last_error"] == "the token was refused"
    assert panel.machine["clock_against_telegram_seconds"] == -0.5


def test_a_bot_that_was_just_asked_about_is_left_in_peace() -> None:
    clinic = a_clinic()
    a_bot(clinic, sandbox=settings.SANDBOX_ON)

    # Nothing serves the Sandbox in this test, so its address refuses.
    bot_checks.check_bots(now=NOW)
    bot_checks.check_bots(now=NOW + dt.timedelta(seconds=10))

    look = BotCheck.objects.get()
    assert (look.at, look.accepted, look.last_error) == (NOW, False, "connection refused")


def test_a_token_that_was_revoked_is_known_before_a_message_needs_it() -> None:
    clinic = a_clinic()
    bot = a_bot(clinic, sandbox=settings.SANDBOX_ON)
    no = Outcome(OutcomeKind.UNAUTHORIZED, error_code=401)

    bot_checks.keep(bot, bot_checks.BotAnswers(no, no, 3.0, NOW), now=NOW)

    assert "bot_refused" in [wrong.cause for wrong in alerts.all_wrong(clinic, now=NOW)]
