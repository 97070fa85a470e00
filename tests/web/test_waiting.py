"""Messages that are due and wait: each row says until when and why, instead of "Overdue"."""

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from companion.clinics.models import Clinic
from companion.patients.models import Consent
from companion.patients.reach import Why
from companion.schedules.models import AttemptOutcome, Lane, Message, Quiet, State
from tests.builders import a_message, a_patient, a_schedule, an_attempt
from tests.web.signed_in import a_clinic_by_day, signed_in, soon, words

pytestmark = [pytest.mark.django_db]

MINUTE: Final = dt.timedelta(minutes=1)


def _tried(clinic: Clinic, outcome: AttemptOutcome, *, wait: dt.timedelta = 2 * MINUTE, **attempt: object) -> Message:
    """Make a message that was due five minutes ago, was tried, and is tried again in `wait`."""
    message = a_message(a_patient(clinic), due_at=soon(-5), ready_at=soon(0) + wait, tries=1)
    an_attempt(message, outcome=outcome, began_at=soon(-5), ended_at=soon(-5), **attempt)
    return message


def _clock(message: Message) -> str:
    """Write the instant of the next try on the clinic's clock."""
    return f"{message.ready_at.astimezone(ZoneInfo(message.clinic.timezone)):%H:%M}"


def _list(clinic: Clinic) -> str:
    return words(signed_in(clinic).get("/scheduled-messages"))


@pytest.mark.parametrize(
    ("outcome", "error_code", "why"),
    [
        (AttemptOutcome.TRANSIENT, None, "Telegram doesn't answer"),
        (AttemptOutcome.TRANSIENT, 502, "Telegram is out of order"),
        (AttemptOutcome.TOO_MANY, 429, "Telegram asked to wait"),
        (AttemptOutcome.UNAUTHORIZED, 401, "Telegram refuses the bot's token"),
        (AttemptOutcome.UNKNOWN, None, "no answer came to the first try"),
    ],
)
def test_a_message_that_is_tried_again_says_when_and_why(
    outcome: AttemptOutcome, error_code: int | None, why: str
) -> None:
    clinic = a_clinic_by_day()
    message = _tried(clinic, outcome, error_code=error_code)

    assert f"Trying again {_clock(message)}: {why}" in _list(clinic)


def test_a_message_that_is_tried_again_does_not_stand_under_overdue() -> None:
    clinic = a_clinic_by_day()
    _tried(clinic, AttemptOutcome.TRANSIENT)

    shown = _list(clinic)

    assert "Waiting" in shown
    assert "Overdue" not in shown


def test_a_message_whose_next_try_is_over_due_stands_under_overdue() -> None:
    clinic = a_clinic_by_day()
    _tried(clinic, AttemptOutcome.TRANSIENT, wait=-MINUTE)

    shown = _list(clinic)

    assert "Overdue" in shown
    assert "Trying again" not in shown


def test_overdue_messages_stand_above_waiting_messages() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic, "Otto"), due_at=soon(-2))
    _tried(clinic, AttemptOutcome.TRANSIENT)

    shown = _list(clinic)

    assert shown.index("Overdue") < shown.index("Otto") < shown.index("Waiting")


def test_the_messages_page_says_when_it_is_tried_again() -> None:
    clinic = a_clinic_by_day()
    message = _tried(clinic, AttemptOutcome.TRANSIENT)

    shown = words(signed_in(clinic).get(f"/scheduled-messages/{message.id}"))

    assert f"Trying again {_clock(message)}: Telegram doesn't answer" in shown


def test_a_message_that_waits_for_the_end_of_quiet_hours_says_so() -> None:
    clinic = a_clinic_by_day()
    clinic.quiet_from, clinic.quiet_until = dt.time(0, 0), dt.time(23, 59)
    clinic.save()
    patient = a_patient(clinic, timezone=clinic.timezone)
    message = a_message(patient, due_at=soon(-5), ready_at=soon(5), quiet_hours=Quiet.WAIT)

    assert f"Waits until {_clock(message)}: quiet hours" in _list(clinic)


def test_a_message_that_an_outage_delayed_into_quiet_hours_says_so() -> None:
    clinic = a_clinic_by_day()
    zone = ZoneInfo(clinic.timezone)
    clinic.quiet_from, clinic.quiet_until = soon(-2).astimezone(zone).time(), soon(5).astimezone(zone).time()
    clinic.save()
    patient = a_patient(clinic, timezone=clinic.timezone)
    message = a_message(patient, due_at=soon(-5), ready_at=soon(5), quiet_hours=Quiet.WAIT, tries=1)
    an_attempt(message, outcome=AttemptOutcome.TRANSIENT, began_at=soon(-5), ended_at=soon(-5))

    assert f"Waits until {_clock(message)}: quiet hours" in _list(clinic)


def test_a_message_to_a_patient_who_was_asked_for_consent_says_so() -> None:
    clinic = a_clinic_by_day()
    patient = a_patient(clinic, consent=Consent.UNKNOWN, consent_asked_at=soon(-30))
    a_message(patient, due_at=soon(-5), ready_at=soon(0))

    assert "Waits: the patient hasn't agreed to messages yet" in _list(clinic)


def test_an_answer_that_is_tried_again_does_not_wait_for_consent() -> None:
    clinic = a_clinic_by_day()
    patient = a_patient(clinic, consent=Consent.UNKNOWN, consent_asked_at=soon(-30))
    answer = a_message(patient, lane=Lane.ANSWER, due_at=soon(-5), ready_at=soon(2), tries=1)
    an_attempt(answer, outcome=AttemptOutcome.TRANSIENT, began_at=soon(-5), ended_at=soon(-5))

    assert f"Trying again {_clock(answer)}: Telegram doesn't answer" in _list(clinic)


def test_a_message_of_a_clinic_that_pauses_sending_says_so() -> None:
    clinic = a_clinic_by_day()
    clinic.sending_paused_at = soon(-10)
    clinic.save()
    a_message(a_patient(clinic), due_at=soon(-5), ready_at=soon(0))

    assert "Waits: sending is paused" in _list(clinic)


def test_a_message_of_a_paused_series_says_so() -> None:
    clinic = a_clinic_by_day()
    patient = a_patient(clinic)
    a_message(patient, a_schedule(clinic, patient, state=State.PAUSED), due_at=soon(-5), ready_at=soon(0))

    assert "Waits: the series is paused" in _list(clinic)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (Why.BLOCKED, "Probably won't arrive: blocked the bot"),
        (Why.DEACTIVATED, "Probably won't arrive: deleted their Telegram account"),
        (Why.CHAT_NOT_FOUND, "Probably won't arrive: no chat with the bot"),
    ],
)
def test_a_row_says_that_its_message_probably_wont_arrive(trouble: Why, said: str) -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic, trouble=trouble), due_at=soon())

    assert said in _list(clinic)
