"""A message that could be a STOP: staff reads it, and the chat is asked by two buttons what was meant."""

import datetime as dt

import pytest

from companion.clinics.models import Bot
from companion.listener import handling
from companion.listener.models import Conversation, Reply, Standing
from companion.listener.words import WORDS, Word
from companion.patients.models import Consent, ConsentChange, Patient
from companion.schedules.models import Lane, Message, Status
from tests.builders import NOW, a_message, a_patient
from tests.listener.stories import (
    CHAT,
    a_question,
    a_tap,
    a_text,
    answers,
    comes_in,
    enrolled,
    incoming,
    person,
    said,
)

pytestmark = pytest.mark.django_db
STOP, GO_ON = 0, 1


@pytest.fixture
def rosa(bot: Bot) -> Patient:
    return a_patient(bot.clinic, "Rosa", telegram_id=CHAT, language="es")


def consent_of(patient: Patient) -> str:
    patient.refresh_from_db()
    return patient.consent


def asked(bot: Bot) -> Message:
    """The question, when it has arrived as number 90 of the chat."""
    question = answers(bot)[-1]
    Message.objects.filter(pk=question.pk).update(status=Status.SENT, sent_at=NOW, telegram_message_id=90)
    return question


def tap(bot: Bot, number: int) -> str:
    """Tap this button, and return the text that is shown over the chat."""
    question = next(
        answer for answer in answers(bot) if answer.buttons and "meant" in answer.buttons[0][0]["callback_data"]
    )
    assert question.buttons
    button = question.buttons[number][0]
    taken = comes_in(bot, a_tap(CHAT, button["callback_data"], button["text"], message_id=90))
    return taken.acknowledgement.text if taken.acknowledgement else ""


def taps() -> list[str]:
    return [reply.text for reply in Reply.objects.filter(kind="tap").order_by("update_id")]


def test_an_ordinary_word_as_an_answer_is_asked_about_and_shown_to_staff(bot: Bot, rosa: Patient) -> None:
    question = a_question(rosa, answer_by=NOW + dt.timedelta(hours=1))

    comes_in(bot, a_text(CHAT, "Baja."))

    answer = answers(bot)[-1]
    question.refresh_from_db()
    assert consent_of(rosa) == Consent.GIVEN
    assert answer.text == WORDS["es"][Word.STOP_MEANT]
    assert answer.buttons
    assert [row[0]["text"] for row in answer.buttons] == ["No enviar más mensajes", "Seguir recibiéndolos"]
    assert (answer.lane, answer.patient, answer.answers_stop_or_start) == (Lane.ANSWER, rosa, False)
    assert Conversation.objects.get(patient=rosa).standing == Standing.UNREAD
    assert question.answered_at == NOW


def test_without_an_open_question_the_word_is_a_stop(bot: Bot, rosa: Patient) -> None:
    comes_in(bot, a_text(CHAT, "Baja."))

    assert consent_of(rosa) == Consent.WITHDRAWN


def test_the_second_time_the_word_is_a_stop_since_the_question_has_its_answer(bot: Bot, rosa: Patient) -> None:
    a_question(rosa, answer_by=NOW + dt.timedelta(hours=1))
    comes_in(bot, a_text(CHAT, "Alto"))
    later = NOW + dt.timedelta(minutes=5)
    bot.refresh_from_db()
    offset = bot.next_update_id

    again = a_text(CHAT, "ALTO", date=int(later.timestamp()))
    handling.handle(bot.id, incoming(again, offset), offset=offset, now=later)

    assert consent_of(rosa) == Consent.WITHDRAWN


@pytest.mark.parametrize("within", [None, dt.timedelta(hours=1)])
def test_buttons_that_nobody_tapped_are_an_open_question(bot: Bot, rosa: Patient, within: dt.timedelta | None) -> None:
    a_question(rosa, answer_within=within)

    comes_in(bot, a_text(CHAT, "baja"))

    assert consent_of(rosa) == Consent.GIVEN


def test_a_question_that_a_member_asked_in_words_is_an_open_question(bot: Bot, rosa: Patient) -> None:
    a_message(rosa, text="¿Cómo está la tensión?", status="sent", sent_at=NOW, created_by_kind="member")

    comes_in(bot, a_text(CHAT, "baja"))

    assert consent_of(rosa) == Consent.GIVEN
    assert said(bot)[-1] == "¿Quiso decir que"


def test_the_question_of_consent_tells_the_word_so_it_is_a_stop(bot: Bot) -> None:
    patient = enrolled(bot, language="es")
    Message.objects.update(status=Status.SENT, sent_at=NOW)

    comes_in(bot, a_text(CHAT, "ALTO"))

    assert consent_of(patient) == Consent.WITHDRAWN


def test_stop_itself_is_a_stop_also_as_an_answer(bot: Bot, rosa: Patient) -> None:
    a_question(rosa, answer_by=NOW)

    comes_in(bot, a_text(CHAT, "¡STOP!"))

    assert consent_of(rosa) == Consent.WITHDRAWN


def test_the_language_that_telegram_names_counts_as_well(bot: Bot) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT, language="en")

    comes_in(bot, a_text(CHAT, "alto", **{"from": person(CHAT, "es")}))

    assert consent_of(patient) == Consent.WITHDRAWN


def test_a_stop_as_its_own_sentence_opts_out_and_staff_reads_the_rest(bot: Bot, ana: Patient) -> None:
    comes_in(bot, a_text(ana.telegram_id or 0, "Stop. Thank you for all"))

    assert consent_of(ana) == Consent.WITHDRAWN
    assert said(bot) == ["Done: {clinic} sends"]
    conversation = Conversation.objects.get(patient=ana)
    assert conversation.standing == Standing.UNREAD
    assert conversation.last_reply is not None
    assert conversation.last_reply.text == "Stop. Thank you for all"


def test_words_behind_the_command_are_read_by_staff(bot: Bot, ana: Patient) -> None:
    comes_in(bot, a_text(ana.telegram_id or 0, "/stop@linden_bot my leg hurts"))

    assert consent_of(ana) == Consent.WITHDRAWN
    assert Conversation.objects.get(patient=ana).standing == Standing.UNREAD


@pytest.mark.parametrize("text", ["Stop. When is my visit?", "STOP?", "please stop", "Stop please!", "🛑"])
def test_a_probable_stop_goes_to_staff_and_is_asked_about(bot: Bot, ana: Patient, text: str) -> None:
    comes_in(bot, a_text(ana.telegram_id or 0, text))

    assert consent_of(ana) == Consent.GIVEN
    assert said(bot) == ["Did you mean"]
    assert Conversation.objects.get(patient=ana).standing == Standing.UNREAD


def test_a_caption_that_says_stop_opts_out_and_the_photo_goes_to_staff(bot: Bot, ana: Patient) -> None:
    photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
    content = a_text(ana.telegram_id or 0, "", photo=photo, caption="STOP!")

    comes_in(bot, content)

    assert consent_of(ana) == Consent.WITHDRAWN
    assert Conversation.objects.get(patient=ana).standing == Standing.UNREAD


def test_a_plain_stop_is_kept_in_the_conversation_and_calls_nobody(bot: Bot, ana: Patient) -> None:
    comes_in(bot, a_text(ana.telegram_id or 0, "STOP"))

    assert Reply.objects.get().text == "STOP"
    assert not Conversation.objects.exists()


def test_the_stop_button_opts_out_however_late_and_once(bot: Bot, rosa: Patient) -> None:
    comes_in(bot, a_text(CHAT, "¿STOP?"))
    asked(bot)
    Message.objects.update(sent_at=NOW - dt.timedelta(days=90))

    shown = [tap(bot, STOP) for _ in range(2)]

    assert consent_of(rosa) == Consent.WITHDRAWN
    assert shown == ["", ""]
    assert said(bot)[1:] == ["Listo: {clinic} no"]
    assert taps() == ["No enviar más mensajes"]
    assert [change.source for change in ConsentChange.objects.filter(patient=rosa)] == ["patient: STOP button"]


def test_the_go_on_button_changes_nothing_and_says_so(bot: Bot, rosa: Patient) -> None:
    comes_in(bot, a_text(CHAT, "¿STOP?"))
    asked(bot)

    shown = [tap(bot, GO_ON) for _ in range(2)]

    assert consent_of(rosa) == Consent.GIVEN
    assert shown == ["Los mensajes seguirán llegando."] * 2
    assert taps() == ["Seguir recibiéndolos"]


def test_go_on_after_a_real_stop_undoes_nothing_and_is_answered_by_nothing(bot: Bot, rosa: Patient) -> None:
    comes_in(bot, a_text(CHAT, "¿STOP?"))
    asked(bot)
    comes_in(bot, a_text(CHAT, "STOP"))

    shown = tap(bot, GO_ON)

    assert (consent_of(rosa), shown) == (Consent.WITHDRAWN, "")


def test_stop_after_go_on_opts_out(bot: Bot, rosa: Patient) -> None:
    comes_in(bot, a_text(CHAT, "¿STOP?"))
    asked(bot)
    tap(bot, GO_ON)

    tap(bot, STOP)

    assert consent_of(rosa) == Consent.WITHDRAWN


def test_an_opted_out_patient_is_asked_nothing(bot: Bot, rosa: Patient) -> None:
    comes_in(bot, a_text(CHAT, "STOP"))

    comes_in(bot, a_text(CHAT, "Stop. ¿Cuándo es mi cita?"))

    assert said(bot) == ["Listo: {clinic} no"]
    assert Conversation.objects.get(patient=rosa).standing == Standing.UNREAD
