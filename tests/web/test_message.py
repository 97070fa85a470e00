"""A message's page, and a person's acts on the message."""

import datetime as dt

import pytest

from companion.clinics.ids import new_id
from companion.schedules.models import AttemptOutcome, Message, Status
from companion.schedules.reasons import NO_TRACE, Reason
from tests.builders import a_clinic, a_message, a_patient, an_attempt
from tests.web.signed_in import signed_in, soon, words

pytestmark = pytest.mark.django_db


def test_a_sent_message_never_claims_to_be_read() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon(-1), status=Status.SENT, sent_at=soon(-1))
    an_attempt(message, ended_at=soon(-1))

    shown = words(signed_in(clinic).get(f"/scheduled-messages/{message.id}"))

    assert "Sent to Telegram. Telegram doesn't say whether it was read." in shown
    assert "elivered" not in shown


def test_the_text_is_shown_as_the_patient_got_it() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon(-1), status=Status.SENT, sent_at=soon(-1))
    an_attempt(message, text="1 < 2 & *so*")

    shown = words(signed_in(clinic).get(f"/scheduled-messages/{message.id}"))

    assert "1 < 2 & *so*" in shown


def test_the_attempts_are_told_in_words() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon(-2), ready_at=soon(1), tries=1)
    an_attempt(message, outcome=AttemptOutcome.TRANSIENT, note="connection refused")

    shown = words(signed_in(clinic).get(f"/scheduled-messages/{message.id}"))

    assert "Not sent: Telegram didn't answer. Sending is tried again automatically. (connection refused)" in shown
    assert "Next try" in shown


def test_the_page_says_who_cancelled_a_message() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon())
    client = signed_in(clinic)

    shown = words(client.post(f"/scheduled-messages/{message.id}/cancel", follow=True))

    assert "The message to Ana Silva won't be sent." in shown
    assert "decided: don't send" in shown


def test_a_message_on_its_way_offers_nothing() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon(), open_attempt_id=new_id())

    shown = words(signed_in(clinic).get(f"/scheduled-messages/{message.id}"))

    assert "On its way" in shown
    assert "Don't send" not in shown


def test_a_person_who_cancels_too_late_is_told_so_and_sees_the_present_state() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon(), open_attempt_id=new_id())

    answer = signed_in(clinic).post(f"/scheduled-messages/{message.id}/cancel", follow=True)

    assert "on its way to Telegram" in words(answer)


def test_sending_now_first_says_what_it_means_for_the_patient() -> None:
    clinic = a_clinic(timezone="UTC")
    message = a_message(a_patient(clinic, timezone="Asia/Kathmandu"), due_at=soon(30))

    shown = words(signed_in(clinic).get(f"/scheduled-messages/{message.id}/send-now"))

    assert "for Ana (Kathmandu). Send now?" in shown
    assert "Don't send now" in shown


def test_sending_now_makes_it_due_at_once() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon(300))

    signed_in(clinic).post(f"/scheduled-messages/{message.id}/send-now")

    assert Message.objects.get().due_at < soon(1)


def test_a_retry_of_what_may_have_arrived_asks_first() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    message = a_message(patient, due_at=soon(-10), status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN)
    client = signed_in(clinic)

    assert "I know that it may arrive twice" in words(client.get(f"/scheduled-messages/{message.id}/retry"))
    client.post(f"/scheduled-messages/{message.id}/retry")
    assert Message.objects.get().status == Status.FAILED
    client.post(f"/scheduled-messages/{message.id}/retry", {"may_arrive_twice": "yes"})
    assert Message.objects.get().status == Status.PENDING


def _edited(message: Message, **fields: str) -> dict[str, str]:
    local = message.due_at
    return {"text": "Your results are here.", "date": f"{local:%Y-%m-%d}", "time": f"{local:%H:%M}"} | fields


def test_a_message_of_which_telegram_shows_no_trace_says_so_and_may_still_arrive_twice() -> None:
    clinic = a_clinic()
    failed = {"status": Status.FAILED, "reason": Reason.OUTCOME_UNKNOWN, "ended_at": soon(-1), "no_trace_at": soon(-1)}
    message = a_message(a_patient(clinic), None, due_at=soon(-1), tries=1, **failed)
    an_attempt(message, outcome=AttemptOutcome.UNKNOWN, note=f"cut; {NO_TRACE}")
    client = signed_in(clinic)

    page = words(client.get(f"/scheduled-messages/{message.id}"))
    asked = words(client.get(f"/scheduled-messages/{message.id}/retry"))

    for shown in (page, asked):
        assert "Telegram shows no trace of it" in shown
        assert "may still arrive twice" in shown
    assert "I know that it may arrive twice" in asked


def test_another_text_leaves_the_time_to_the_second() -> None:
    clinic = a_clinic(timezone="UTC")
    due = (soon(60)).replace(second=42)
    message = a_message(a_patient(clinic), due_at=due)

    signed_in(clinic).post(f"/scheduled-messages/{message.id}/edit", _edited(message, text="Come at ten."))

    message.refresh_from_db()
    assert (message.text, message.due_at) == ("Come at ten.", due)


def test_another_time_is_the_clinics_own() -> None:
    clinic = a_clinic(timezone="Asia/Kathmandu")
    message = a_message(a_patient(clinic), due_at=soon(60))
    year = dt.datetime.now(dt.UTC).year + 1

    signed_in(clinic).post(
        f"/scheduled-messages/{message.id}/edit", _edited(message, date=f"{year}-06-01", time="09:00")
    )

    assert Message.objects.get().due_at == dt.datetime(year, 6, 1, 3, 15, tzinfo=dt.UTC)


def test_a_refused_edit_keeps_what_was_typed() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon(60))

    answer = signed_in(clinic).post(f"/scheduled-messages/{message.id}/edit", _edited(message, text="Dear {nurse}"))

    assert answer.status_code == 422
    assert "Dear {nurse}" in words(answer)
    assert "is no placeholder" in words(answer)


def test_the_panel_is_the_message_without_the_page() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon())

    answer = signed_in(clinic).get(f"/scheduled-messages/{message.id}?part=panel")

    assert b"<html" not in answer.content
    assert "Ana Silva" in words(answer)


def test_a_page_tells_the_patient_s_time_across_the_date_line() -> None:
    clinic = a_clinic(timezone="Pacific/Pago_Pago")
    patient = a_patient(clinic, timezone="Pacific/Kiritimati")
    # 23:30 on the 9th at the clinic, half past midnight on the 11th for the patient.
    message = a_message(patient, due_at=dt.datetime(2090, 12, 10, 10, 30, tzinfo=dt.UTC))

    shown = signed_in(clinic).get(f"/scheduled-messages/{message.id}")

    assert shown.status_code == 200
    assert "two days later 00:30 Kiritimati" in words(shown)
