"""Start by an invitation, the question of consent, and the answers to it."""

import pytest

from companion.clinics.models import AuditEntry, Bot
from companion.patients.models import Consent, Patient
from companion.schedules.models import Lane, Message
from tests.builders import a_patient
from tests.listener.stories import (
    CHAT,
    a_tap,
    a_text,
    answers,
    button,
    comes_in,
    enrolled,
    invited,
    said,
    told,
)

pytestmark = pytest.mark.django_db


def test_start_by_invitation_links_the_chat_and_asks_with_two_buttons(bot: Bot) -> None:
    patient = enrolled(bot)

    question = answers(bot)[0]
    assert patient.telegram_id == CHAT
    assert (question.patient, question.lane, question.telegram_id) == (patient, Lane.ANSWER, CHAT)
    assert question.text
    assert "{first_name}" in question.text
    assert [row[0]["text"] for row in question.buttons or []] == ["I agree", "That's not me"]


def test_the_question_comes_in_the_patient_s_language(bot: Bot) -> None:
    enrolled(bot, language="pt-BR")

    assert [row[0]["text"] for row in answers(bot)[0].buttons or []] == ["Concordo", "Não sou eu"]


def test_agreeing_gives_consent_with_its_wording_and_thanks(bot: Bot) -> None:
    patient = enrolled(bot)

    taken = comes_in(bot, a_tap(CHAT, button(bot, 0)))

    patient.refresh_from_db()
    change = patient.consent_history.get()
    assert (patient.consent, patient.consent_asked_at) == (Consent.GIVEN, None)
    assert (change.source, change.wording) == ("patient: agreed", "2026-1")
    assert taken.acknowledgement
    assert said(bot)[-1] == "Thank you. Messages"


def test_not_me_unlinks_the_chat_and_tells_the_clinic(bot: Bot) -> None:
    patient = enrolled(bot)

    comes_in(bot, a_tap(CHAT, button(bot, 1)))

    patient.refresh_from_db()
    answer = answers(bot)[-1]
    assert (patient.telegram_id, patient.consent, patient.consent_asked_at) == (None, Consent.UNKNOWN, None)
    assert (answer.patient, answer.telegram_id, answer.lane) == (None, CHAT, Lane.STRANGER)
    assert AuditEntry.objects.filter(subject_id=patient.id, action="enrolment answered: not me").exists()
    assert told(bot) == [("not_me", patient)]


def test_an_answered_question_can_t_be_answered_again(bot: Bot) -> None:
    patient = enrolled(bot)
    agree, not_me = button(bot, 0), button(bot, 1)
    comes_in(bot, a_tap(CHAT, agree))

    again = comes_in(bot, a_tap(CHAT, agree)).acknowledgement
    other = comes_in(bot, a_tap(CHAT, not_me)).acknowledgement

    patient.refresh_from_db()
    assert patient.consent == Consent.GIVEN
    assert again
    assert other
    assert (again.text, other.text[:13]) == ("You have agreed already.", "This question")


def test_an_opted_out_patient_gets_no_message_over_the_chat_either(bot: Bot) -> None:
    enrolled(bot)
    agree = button(bot, 0)
    comes_in(bot, a_text(CHAT, "STOP"))
    told = said(bot)

    while_open = comes_in(bot, a_tap(CHAT, agree)).acknowledgement
    Patient.objects.update(consent_asked_at=None)
    later = comes_in(bot, a_tap(CHAT, agree)).acknowledgement

    assert [tapped.text for tapped in (while_open, later) if tapped] == ["", ""]
    assert (Patient.objects.get().consent, said(bot)) == (Consent.WITHDRAWN, told)


def test_not_me_after_stop_still_unlinks_and_tells_the_clinic(bot: Bot) -> None:
    patient = enrolled(bot)
    not_me = button(bot, 1)
    comes_in(bot, a_text(CHAT, "STOP"))
    told = said(bot)

    comes_in(bot, a_tap(CHAT, not_me))

    patient.refresh_from_db()
    assert (patient.telegram_id, said(bot)) == (None, told)


def test_nobody_answers_for_another_chat(bot: Bot) -> None:
    patient = enrolled(bot)

    comes_in(bot, a_tap(CHAT + 1, button(bot, 0)))

    patient.refresh_from_db()
    assert patient.consent == Consent.UNKNOWN


@pytest.mark.parametrize("data", ["consent:yes:", "consent:yes:zz", "consent:maybe:1", "consent:no:" + "0" * 32])
def test_a_made_up_button_gives_no_consent(bot: Bot, data: str) -> None:
    patient = enrolled(bot)

    comes_in(bot, a_tap(CHAT, data))

    patient.refresh_from_db()
    assert (patient.consent, patient.telegram_id) == (Consent.UNKNOWN, CHAT)


def test_start_again_by_the_same_link_asks_again_while_the_question_is_open(bot: Bot) -> None:
    _, start = invited(bot)
    comes_in(bot, a_text(CHAT, start))
    Message.objects.update(status="sent")

    comes_in(bot, a_text(CHAT, start))

    assert said(bot) == ["Hello! {clinic} would"] * 2


@pytest.mark.parametrize(("chat", "words"), [(CHAT + 1, "This invitation was"), (CHAT, "Messages from {clinic}")])
def test_a_used_link_is_answered_kindly(bot: Bot, chat: int, words: str) -> None:
    _, start = invited(bot)
    comes_in(bot, a_text(CHAT, start))
    comes_in(bot, a_tap(CHAT, button(bot, 0)))

    comes_in(bot, a_text(chat, start))

    assert said(bot)[-1] == words


def test_a_made_up_link_is_answered_kindly(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "/start nonsense and more"))

    assert said(bot) == ["This invitation isn't"]


def test_a_taken_chat_is_answered_kindly(bot: Bot) -> None:
    a_patient(bot.clinic, telegram_id=CHAT)
    _, start = invited(bot)

    comes_in(bot, a_text(CHAT, start))

    assert said(bot) == ["This chat is"]
    assert [kind for kind, _ in told(bot)] == ["taken"]
