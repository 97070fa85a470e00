"""STOP, Start after a STOP, and a block of the bot: the consent and the answer after each."""

import pytest

from companion.clinics.models import AuditEntry, Bot
from companion.listener.models import Reply
from companion.patients.consent import note
from companion.patients.models import Consent, Patient
from companion.patients.reach import Why
from companion.schedules.models import Lane, Message
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_patient
from tests.listener.stories import (
    CHAT,
    a_block,
    a_text,
    answers,
    comes_in,
    enrolled,
    said,
)

pytestmark = pytest.mark.django_db


def test_a_plain_start_of_a_stranger_says_how_to_come_in(bot: Bot) -> None:
    comes_in(
        bot, a_text(CHAT, "/start", **{"from": {"id": CHAT, "is_bot": False, "first_name": "X", "language_code": "de"}})
    )

    answer = answers(bot)[0]
    assert (answer.patient, answer.lane) == (None, Lane.STRANGER)
    assert said(bot) == ["Das ist der"]


@pytest.mark.parametrize(
    "text", ["STOP", "stop", " Stop. ", "/stop", "/STOP@linden_bot", "STOP!", "“Stop”", "unsubscribe"]
)
def test_stop_as_the_whole_message_opts_out_and_is_confirmed_once(bot: Bot, text: str) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT)

    comes_in(bot, a_text(CHAT, text))
    comes_in(bot, a_text(CHAT, text))

    patient.refresh_from_db()
    answer = answers(bot)[0]
    assert (patient.consent, patient.consent_before_stop) == (Consent.WITHDRAWN, Consent.GIVEN)
    assert answer.answers_stop_or_start
    assert said(bot) == ["Done: {clinic} sends"]


@pytest.mark.parametrize("text", ["Should I stop?", "STOP?", "please stop", "nonstop", "alto"])
def test_a_text_that_only_speaks_of_stopping_goes_to_the_clinic(bot: Bot, text: str) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT)

    comes_in(bot, a_text(CHAT, text))

    patient.refresh_from_db()
    assert patient.consent == Consent.GIVEN
    assert Reply.objects.get().text == text


@pytest.mark.parametrize(("language", "text"), [("de", "Stopp"), ("es-MX", "ALTO"), ("pt", "parar"), ("fr", "STOP")])
def test_stop_is_understood_in_the_patient_s_language(bot: Bot, language: str, text: str) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT, language=language)

    comes_in(bot, a_text(CHAT, text))

    patient.refresh_from_db()
    assert patient.consent == Consent.WITHDRAWN


def test_stop_on_a_caregiver_s_phone_covers_all_and_is_confirmed_once(bot: Bot) -> None:
    for name in ("Ana", "Bo"):
        a_patient(bot.clinic, name, telegram_id=CHAT, caregiver="Maria")

    comes_in(bot, a_text(CHAT, "STOP"))

    assert set(Patient.objects.values_list("consent", flat=True)) == {Consent.WITHDRAWN}
    assert len(answers(bot)) == 1


def test_start_after_stop_gives_back_the_consent_that_was_held(bot: Bot) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT, consent=Consent.GIVEN)
    comes_in(bot, a_text(CHAT, "STOP"))

    comes_in(bot, a_text(CHAT, "/start"))

    patient.refresh_from_db()
    assert patient.consent == Consent.GIVEN
    assert said(bot) == ["Done: {clinic} sends", "Messages from {clinic}"]


def test_start_gives_each_patient_of_the_chat_back_what_was_held(bot: Bot) -> None:
    held = {"Ana Silva": Consent.GIVEN, "Ben Silva": Consent.UNKNOWN}
    for name, consent in held.items():
        a_patient(bot.clinic, name, telegram_id=CHAT, caregiver="Maria Silva", consent=consent)

    for words in ("STOP", "STOP", "/start"):
        comes_in(bot, a_text(CHAT, words))

    assert dict(Patient.objects.values_list("name", "consent")) == held


def test_only_the_answer_to_stop_passes_an_opt_out(bot: Bot) -> None:
    enrolled(bot)

    comes_in(bot, a_text(CHAT, "STOP"))

    assert [message.answers_stop_or_start for message in answers(bot)] == [False, True]


def test_start_after_stop_asks_again_where_the_question_was_still_open(bot: Bot) -> None:
    enrolled(bot)
    comes_in(bot, a_text(CHAT, "STOP"))
    Message.objects.update(status="sent")

    comes_in(bot, a_text(CHAT, "/start"))

    assert said(bot)[-1] == "Hello! {clinic} would"


def test_where_the_clinic_demands_consent_start_asks_for_it() -> None:
    bot = a_bot(a_clinic(consent_required=True))
    patient = a_patient(bot.clinic, telegram_id=CHAT, consent=Consent.UNKNOWN)

    comes_in(bot, a_text(CHAT, "/start"))

    patient.refresh_from_db()
    assert patient.consent_asked_at == NOW
    assert said(bot) == ["Hello! {clinic} would"]


def test_a_chat_that_repeats_itself_is_answered_once(bot: Bot) -> None:
    for _ in range(5):
        comes_in(bot, a_text(CHAT, "/start"))

    assert len(answers(bot)) == 1


def test_a_block_is_noted_and_its_end_clears_it(bot: Bot) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT)

    comes_in(bot, a_block(CHAT, blocked=True))

    patient.refresh_from_db()
    assert (patient.trouble, patient.trouble_at) == (Why.BLOCKED, NOW)
    comes_in(bot, a_block(CHAT, blocked=False))
    patient.refresh_from_db()
    assert (patient.trouble, patient.trouble_at) == ("", None)


@pytest.mark.both_databases
def test_the_stop_and_start_of_a_chat_without_a_patient_stand_in_the_audit_trail(bot: Bot) -> None:
    for words in ("STOP", "STOP", "/start", "/start"):
        comes_in(bot, a_text(CHAT, words))

    entries = AuditEntry.objects.filter(subject_kind="opt_out").order_by("id")
    assert [(entry.actor_kind, entry.action) for entry in entries] == [
        ("patient", "chat opted out"),
        ("patient", "chat's opt-out undone"),
    ]
    assert str(CHAT) not in str([vars(entry) for entry in entries])


def test_a_stop_after_a_noted_withdrawal_stands_in_the_audit_trail(bot: Bot, ana: Patient) -> None:
    note(a_caller(bot.clinic), ana, Consent.WITHDRAWN, now=NOW)

    comes_in(bot, a_text(CHAT, "STOP"))

    assert AuditEntry.objects.filter(action="chat opted out").count() == 1
