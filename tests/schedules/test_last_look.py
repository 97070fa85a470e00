"""The last look, case by case."""

import dataclasses
import datetime as dt
import uuid

import pytest

from companion.patients.models import Consent
from companion.schedules.last_look import End, Go, Looked, Wait, last_look
from companion.schedules.models import Lane, Quiet, State
from companion.schedules.reasons import Reason
from companion.times.quiet import QuietHours
from tests.builders import NOW

SECOND = dt.timedelta(seconds=1)
READY = Looked(
    message=uuid.UUID(int=1),
    lane=Lane.REMINDER,
    due_at=NOW,
    ready_at=NOW,
    late_at=NOW + dt.timedelta(hours=1),
    quiet_hours=Quiet.IGNORE,
    tries=0,
    timezone="Europe/Berlin",
    quiet=QuietHours(dt.time(21), dt.time(8)),
    consent_required=False,
    answers_stop_or_start=False,
    by_hand=False,
    has_patient=True,
    consent=Consent.GIVEN,
    consent_asked=False,
    patient_left=False,
    telegram_id=5_000_000_001,
    schedule_state=State.ACTIVE,
    sending_paused=False,
    marked=False,
    newer_is_due=False,
    chat_free_at=None,
)
# 23:00 in Berlin: in the clinic's quiet hours, which end at 07:00 UTC.
NIGHT = NOW.replace(hour=22)
MORNING = (NOW + dt.timedelta(days=1)).replace(hour=7)


def test_a_message_that_nothing_speaks_against_goes() -> None:
    assert last_look(READY, NOW) == Go()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"patient_left": True}, Reason.PATIENT_LEFT),
        ({"schedule_state": State.CANCELLED}, Reason.SCHEDULE_ENDED),
        ({"consent": Consent.WITHDRAWN}, Reason.OPTED_OUT),
        ({"consent": Consent.WITHDRAWN, "lane": Lane.ANSWER}, Reason.OPTED_OUT),
        ({"consent": Consent.WITHDRAWN, "by_hand": True}, Reason.OPTED_OUT),
        ({"consent": Consent.UNKNOWN, "consent_required": True}, Reason.NO_CONSENT),
        ({"telegram_id": None}, Reason.NO_TELEGRAM_ID),
        ({"late_at": NOW}, Reason.TOO_LATE),
        ({"late_at": NOW, "tries": 3}, Reason.GAVE_UP),
        ({"late_at": NOW, "consent_asked": True, "consent": Consent.UNKNOWN}, Reason.NO_CONSENT),
        ({"newer_is_due": True}, Reason.SUPERSEDED),
    ],
)
def test_a_message_that_will_never_go_ends_with_its_reason(change: dict[str, object], reason: Reason) -> None:
    assert last_look(dataclasses.replace(READY, **change), NOW) == End(reason)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    "change",
    [
        {"consent": Consent.WITHDRAWN, "answers_stop_or_start": True},
        {"consent": Consent.UNKNOWN},
        {"consent": Consent.UNKNOWN, "consent_required": True, "lane": Lane.ANSWER},
        {"newer_is_due": True, "by_hand": True},
        {"schedule_state": State.PAUSED, "by_hand": True},
        {"has_patient": False, "consent": "", "lane": Lane.STRANGER},
    ],
)
def test_what_may_pass_passes(change: dict[str, object]) -> None:
    assert last_look(dataclasses.replace(READY, **change), NOW) == Go()  # type: ignore[arg-type]  # by name


def test_nothing_goes_before_its_time() -> None:
    assert last_look(READY, NOW - SECOND) == Wait(NOW)


def test_a_message_whose_plan_may_change_waits_for_the_planner() -> None:
    assert isinstance(last_look(dataclasses.replace(READY, marked=True), NOW), Wait)


def test_a_message_waits_while_sending_is_paused() -> None:
    assert isinstance(last_look(dataclasses.replace(READY, sending_paused=True), NOW), Wait)


def test_a_message_waits_for_the_answer_to_the_consent_question() -> None:
    asked = dataclasses.replace(READY, consent=Consent.UNKNOWN, consent_asked=True)

    assert isinstance(last_look(asked, NOW), Wait)


def test_a_broadcast_waits_for_the_end_of_quiet_hours_and_late_counts_from_there() -> None:
    broadcast = dataclasses.replace(READY, quiet_hours=Quiet.WAIT, late_at=NIGHT + dt.timedelta(hours=1))

    assert last_look(broadcast, NIGHT) == Wait(MORNING, restart=True)


def test_a_reminder_that_ignores_quiet_hours_goes_at_night() -> None:
    assert last_look(dataclasses.replace(READY, late_at=NIGHT + SECOND), NIGHT) == Go()


def test_a_chat_gets_no_second_message_within_its_second() -> None:
    soon = NOW + SECOND

    assert last_look(dataclasses.replace(READY, chat_free_at=soon), NOW) == Wait(soon)


def test_a_message_to_a_patient_on_pause_waits_and_is_looked_at_again() -> None:
    paused = dataclasses.replace(READY, paused_until=NOW + dt.timedelta(days=2), by_hand=True)

    assert last_look(paused, NOW) == Wait(NOW + dt.timedelta(seconds=10))


def test_an_answer_passes_a_pause() -> None:
    answer = dataclasses.replace(READY, paused_until=NOW + dt.timedelta(days=2), lane=Lane.ANSWER)

    assert last_look(answer, NOW) == Go()


def test_a_pause_that_is_over_holds_nothing() -> None:
    assert last_look(dataclasses.replace(READY, paused_until=NOW), NOW) == Go()
