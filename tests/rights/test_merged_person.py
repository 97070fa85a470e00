"""The one patient whom a merge of two gives: values, consent, chat and conversation."""

import datetime as dt

import pytest
from django.utils.timezone import now as present

from companion.clinics.models import Clinic
from companion.listener.models import Conversation, Reply, Standing
from companion.patients import consent
from companion.patients.models import Consent, ConsentChange, Enrolment, FormerChat, Patient, Withdrawal
from companion.schedules.models import Lane, Message
from tests.api.calls import Program
from tests.builders import (
    a_conversation,
    a_patient,
)
from tests.rights.merges import merged
from tests.rights.patients import a_whole_story

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
DAY = dt.timedelta(days=1)


def test_everything_of_the_one_belongs_to_the_other(clinic: Clinic, api: Program) -> None:
    story, stays = a_whole_story(clinic), a_patient(clinic, "Canary Silva")

    merged(api, story.patient, stays)

    told = api.get(f"/patients/{stays.id}/export").text
    assert str(story.patient.id) in told
    for kept in ("CANARYSENT", "CANARYPENDING", "CANARYREPLY", "CANARYEDIT", "CANARYFILE.png", "CANARYWORDING"):
        assert kept in told
    assert api.get(f"/patients/{stays.id}").json["cohorts"] == ["Diabetes"]
    assert not Patient.objects.filter(pk=story.patient.pk).exists()
    assert Enrolment.objects.get().patient == stays
    assert ConsentChange.objects.filter(patient=stays).exists()
    assert {chat.telegram_id for chat in FormerChat.objects.filter(patient=stays)} >= {story.patient.telegram_id}


@pytest.mark.parametrize(
    ("of_gone", "of_stays", "expected"),
    [
        ("withdrawn", "given", "withdrawn"),
        ("given", "withdrawn", "withdrawn"),
        ("withdrawn", "unknown", "withdrawn"),
        ("given", "unknown", "unknown"),
        ("unknown", "given", "given"),
    ],
)
def test_withdrawn_wins_and_a_consent_stays_with_its_chat(
    clinic: Clinic, api: Program, of_gone: str, of_stays: str, expected: str
) -> None:
    gone, stays = a_patient(clinic, consent=of_gone), a_patient(clinic, "Ana M. Silva", consent=of_stays)

    merged(api, gone, stays)

    assert stays.consent == expected
    if expected == "withdrawn":
        assert stays.withdrawal == Withdrawal.OWN


def test_the_chat_of_the_one_without_another_comes_along_with_its_consent(clinic: Clinic, api: Program) -> None:
    gone = a_patient(clinic, caregiver="Rosa", consent=Consent.GIVEN)
    stays = a_patient(clinic, "Ana M. Silva", telegram_id=None, consent=Consent.UNKNOWN)

    merged(api, gone, stays)

    assert (stays.telegram_id, stays.caregiver, stays.consent) == (gone.telegram_id, "Rosa", Consent.GIVEN)
    assert not FormerChat.objects.exists()


def test_the_chat_that_is_left_is_told(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")

    merged(api, gone, stays)

    told = Message.objects.get(lane=Lane.ANSWER)
    assert told.telegram_id == gone.telegram_id
    assert "no longer come here" in (told.text or "")


def test_a_start_in_the_chat_undoes_a_withdrawal_that_came_along(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic, consent=Consent.WITHDRAWN), a_patient(clinic, "Ana M. Silva")
    merged(api, gone, stays)

    assert stays.telegram_id
    consent.restore(clinic, stays.telegram_id, source="patient: /start", now=present())

    stays.refresh_from_db()
    assert stays.consent == Consent.GIVEN


def test_empty_values_are_filled_and_the_longer_pause_holds(clinic: Clinic, api: Program) -> None:
    until = (present() + 9 * DAY).date()
    gone = a_patient(clinic, phone="+49 30 1", birth_date=dt.date(1957, 3, 14), paused_until=until, paused_reason="ill")
    stays = a_patient(clinic, "Ana M. Silva", phone="+49 30 2")

    merged(api, gone, stays)

    assert (stays.phone, stays.birth_date) == ("+49 30 2", dt.date(1957, 3, 14))
    assert (stays.paused_until, stays.paused_reason) == (until, "ill")


def test_a_former_chat_of_both_counts_as_agreed_if_either_had_agreed(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva", telegram_id=None)
    for patient, agreed in ((gone, True), (stays, False)):
        FormerChat.objects.create(clinic=clinic, patient=patient, telegram_id=5_001, agreed=agreed, left_at=present())

    merged(api, gone, stays)

    told = api.get(f"/patients/{stays.id}/export").json["former_chats"]
    assert [(chat["telegram_id"], chat["agreed"]) for chat in told] == [(5_001, True)]


def test_a_chat_that_comes_back_is_no_former_chat(clinic: Clinic, api: Program) -> None:
    gone = a_patient(clinic, telegram_id=5_001)
    stays = a_patient(clinic, "Ana M. Silva", telegram_id=None)
    FormerChat.objects.create(clinic=clinic, patient=stays, telegram_id=5_001, left_at=present())

    merged(api, gone, stays)

    assert stays.telegram_id == 5_001
    assert not FormerChat.objects.exists()


def test_the_two_conversations_become_one_conversation(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic, telegram_id=5_001), a_patient(clinic, "Ana M. Silva")
    reply = Reply.objects.create(
        clinic=clinic, patient=gone, kind="text", text="Hi", telegram_id=5_001, update_id=9, at=present()
    )
    a_conversation(gone, unread=2, last_reply=reply, urgent_at=present())
    a_conversation(stays, unread=1, standing=Standing.DONE)

    merged(api, gone, stays)

    conversation = Conversation.objects.get()
    assert (conversation.patient, conversation.unread, conversation.last_reply, conversation.standing) == (
        stays,
        3,
        reply,
        Standing.UNREAD,
    )
    assert conversation.urgent_at is not None
    assert conversation.telegram_id == gone.telegram_id
