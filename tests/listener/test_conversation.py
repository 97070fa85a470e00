"""A patient's conversation, as pages and the API show it."""

import datetime as dt

import pytest

from companion.listener.conversation import conversation
from companion.listener.models import Reply
from companion.patients.models import Patient
from tests.builders import NOW, a_clinic, a_message, a_patient, a_schedule

pytestmark = pytest.mark.django_db


def at(minutes: int) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minutes)


def a_reply(patient: Patient, text: str, minutes: int, **fields: object) -> Reply:
    values = {"kind": "text", "text": text, "telegram_id": 1, "update_id": minutes, "at": at(minutes)}
    return Reply.objects.create(clinic=patient.clinic, patient=patient, **values | fields)


def test_messages_and_replies_stand_in_the_order_of_time() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, "Ana Silva")
    schedule = a_schedule(clinic, patient, text="Hello {first_name}")
    sent = a_message(patient, schedule, status="sent", sent_at=at(0))
    a_reply(patient, "Hi", 1, message=sent)
    a_message(patient, text="Bye", status="sent", sent_at=at(2))

    items = conversation(clinic, patient, limit=10)

    assert [(item.direction, item.text) for item in items] == [("out", "Hello Ana"), ("in", "Hi"), ("out", "Bye")]
    assert items[0].message == items[1].message == sent.id


def test_a_message_that_was_not_sent_is_not_in_the_conversation() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    a_message(patient)
    a_message(patient, status="failed", reason="blocked")

    assert conversation(clinic, patient, limit=10) == []


def test_the_newest_items_are_shown_oldest_first() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    for minute in range(5):
        a_reply(patient, str(minute), minute)

    assert [item.text for item in conversation(clinic, patient, limit=2)] == ["3", "4"]


def test_nobody_else_s_words_are_among_them() -> None:
    clinic = a_clinic()
    a_reply(a_patient(clinic), "private", 1)

    assert conversation(clinic, a_patient(clinic), limit=10) == []
