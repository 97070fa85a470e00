"""Messages that a patient edits: both wordings are kept, staff reads them, and an edit to STOP is a STOP."""

import datetime as dt

import pytest

from companion.clinics.models import Bot
from companion.listener import handling
from companion.listener.conversation import conversation, of_stranger
from companion.listener.models import Conversation, Reply, ReplyKind, Standing
from companion.patients.models import Consent, Patient
from tests.api.calls import a_program
from tests.builders import NOW, a_bot, a_clinic, a_patient
from tests.listener.stories import (
    CHAT,
    a_question,
    a_text,
    answers,
    comes_in,
    edited_to,
    incoming,
    said,
    something_else,
)
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db
PHOTO = [{"file_id": "first", "file_unique_id": "u", "width": 1, "height": 1}]


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic(urgent_words=["help"], urgent_phone="112"))


@pytest.fixture
def ana(bot: Bot) -> Patient:
    return a_patient(bot.clinic, telegram_id=CHAT)


def shown(patient: Patient) -> list[tuple[str, list[str]]]:
    """Return the patient's messages as the conversation shows them: the newest wording and the earlier wordings."""
    items = conversation(patient.clinic, patient, limit=50)
    return [(item.text, [wording.text for wording in item.earlier]) for item in items if item.direction == "in"]


def consent_of(patient: Patient) -> str:
    patient.refresh_from_db()
    return patient.consent


def test_all_wordings_stand_in_the_conversation_where_the_first_was_written(bot: Bot, ana: Patient) -> None:
    first = a_text(CHAT, "I took 2")
    comes_in(bot, first)
    comes_in(bot, a_text(CHAT, "Good night"))

    comes_in(bot, edited_to(first, "I took 3"))
    comes_in(bot, edited_to(first, "I took 4"))

    assert shown(ana) == [("I took 4", ["I took 2", "I took 3"]), ("Good night", [])]


def test_a_correction_opens_the_conversation_for_staff_again(bot: Bot, ana: Patient) -> None:
    first = a_text(CHAT, "I took 2")
    comes_in(bot, first)
    Conversation.objects.update(standing=Standing.DONE, unread=0)

    comes_in(bot, edited_to(first, "I took 3"))

    conversation = Conversation.objects.get(patient=ana)
    assert (conversation.standing, conversation.unread) == (Standing.UNREAD, 1)
    assert conversation.last_reply is not None
    assert conversation.last_reply.text == "I took 3"


@pytest.mark.parametrize("text", ["STOP", "¡Stop!", "/stop", "stop stop"])
def test_an_edit_to_stop_is_a_stop(bot: Bot, ana: Patient, text: str) -> None:
    first = a_text(CHAT, "Stpo")
    comes_in(bot, first)

    comes_in(bot, edited_to(first, text))

    assert consent_of(ana) == Consent.WITHDRAWN
    assert said(bot) == ["Done: {clinic} sends"]
    assert shown(ana) == [(text, ["Stpo"])]


@pytest.mark.parametrize("text", ["Please go on", "/start", "Start"])
def test_an_edit_away_from_stop_undoes_nothing(bot: Bot, ana: Patient, text: str) -> None:
    first = a_text(CHAT, "STOP")
    comes_in(bot, first)

    comes_in(bot, edited_to(first, text))

    assert consent_of(ana) == Consent.WITHDRAWN
    assert shown(ana) == [(text, ["STOP"])]
    assert Conversation.objects.get(patient=ana).standing == Standing.UNREAD


def test_an_edit_of_an_answer_goes_to_staff_and_answers_nothing_else(bot: Bot, ana: Patient) -> None:
    question = a_question(ana, answer_by=NOW)
    first = a_text(CHAT, "yes")
    comes_in(bot, first)
    question.refresh_from_db()
    answered_at = question.answered_at
    newer = a_question(ana, answer_by=NOW, telegram_message_id=78)

    comes_in(bot, edited_to(first, "no"))

    question.refresh_from_db()
    newer.refresh_from_db()
    assert answered_at is not None
    assert question.answered_at == answered_at
    assert (newer.answered_at, newer.answer_by) == (None, NOW)
    assert shown(ana) == [("no", ["yes"])]
    assert Conversation.objects.get(patient=ana).unread == 2


def test_words_for_urgent_help_in_an_edit_raise_what_they_raise_in_a_message(bot: Bot, ana: Patient) -> None:
    first = a_text(CHAT, "I fell")
    comes_in(bot, first)

    comes_in(bot, edited_to(first, "I fell, help"))

    assert Conversation.objects.get(patient=ana).urgent_at == NOW
    assert said(bot) == ["Nobody watches this"]


def test_an_edit_of_a_message_that_never_came_is_a_reply_of_its_own(bot: Bot, ana: Patient) -> None:
    comes_in(bot, edited_to(a_text(CHAT, "I took 2"), "I took 3"))

    assert shown(ana) == [("I took 3", [])]
    assert Conversation.objects.get(patient=ana).standing == Standing.UNREAD


def test_an_edit_is_heard_although_other_parts_cannot_be_read(bot: Bot, ana: Patient) -> None:
    first = a_text(CHAT, "Hello")
    comes_in(bot, first)

    comes_in(bot, edited_to(first, "STOP", edit_date="soon", date={}, entities=7, forward_origin=[]))

    assert consent_of(ana) == Consent.WITHDRAWN
    assert shown(ana) == [("STOP", ["Hello"])]


def test_an_edit_to_stop_of_a_message_that_never_came_is_a_stop(bot: Bot, ana: Patient) -> None:
    comes_in(bot, edited_to(a_text(CHAT, "Hello"), "STOP"))

    assert consent_of(ana) == Consent.WITHDRAWN


def test_an_edit_that_comes_twice_is_kept_once(bot: Bot, ana: Patient) -> None:
    first = a_text(CHAT, "I took 2")
    comes_in(bot, first)
    edit = edited_to(first, "I took 3")
    update = incoming(edit, 501)
    handling.handle(bot.id, update, offset=501, now=NOW)
    handling.handle(bot.id, update, offset=502, now=NOW)

    comes_in(bot, edit)

    assert shown(ana) == [("I took 3", ["I took 2"])]
    assert Conversation.objects.get(patient=ana).unread == 2


def test_a_change_that_is_none_of_the_words_stops_nobody_again(bot: Bot, ana: Patient) -> None:
    first = a_text(CHAT, "STOP")
    comes_in(bot, first)
    comes_in(bot, a_text(CHAT, "/start"))

    comes_in(bot, edited_to(first, "STOP"))

    assert consent_of(ana) == Consent.GIVEN


def test_an_edited_answer_of_an_ordinary_word_is_asked_about(bot: Bot) -> None:
    ana = a_patient(bot.clinic, telegram_id=CHAT, language="es")
    a_question(ana, answer_by=NOW)
    first = a_text(CHAT, "vaja")
    comes_in(bot, first)

    comes_in(bot, edited_to(first, "baja"))

    assert consent_of(ana) == Consent.GIVEN
    assert said(bot) == ["¿Quiso decir que"]


@pytest.mark.parametrize("text", ["please stop", "🛑"])
def test_an_edit_to_a_probable_stop_is_asked_about_and_read_by_staff(bot: Bot, ana: Patient, text: str) -> None:
    first = a_text(CHAT, "hello")
    comes_in(bot, first)
    Conversation.objects.update(standing=Standing.DONE, unread=0)

    comes_in(bot, edited_to(first, text))

    assert consent_of(ana) == Consent.GIVEN
    assert said(bot) == ["Did you mean"]
    assert Conversation.objects.get(patient=ana).standing == Standing.UNREAD


def test_an_edit_in_a_chat_that_has_another_patient_by_now_stays_with_the_first(bot: Bot, ana: Patient) -> None:
    first = a_text(CHAT, "I took 2")
    comes_in(bot, first)
    Patient.objects.filter(pk=ana.pk).update(telegram_id=None)
    rosa = a_patient(bot.clinic, "Rosa", telegram_id=CHAT)

    comes_in(bot, edited_to(first, "I took 3"))

    assert shown(ana) == [("I took 3", ["I took 2"])]
    assert shown(rosa) == []


def test_a_new_caption_and_another_photo_are_corrections(bot: Bot, ana: Patient) -> None:
    first = something_else(CHAT, photo=PHOTO, caption="my arm")
    comes_in(bot, first)
    edit = something_else(CHAT, photo=PHOTO, caption="my left arm")["message"]
    other = [PHOTO[0] | {"file_id": "second"}]
    assert isinstance(edit, dict)
    assert isinstance(first["message"], dict)
    edit["message_id"] = first["message"]["message_id"]

    comes_in(bot, {"edited_message": edit})
    comes_in(bot, {"edited_message": edit | {"photo": other}})

    item = conversation(bot.clinic, ana, limit=5)[0]
    assert item.text == "[photo] my left arm"
    assert [wording.text for wording in item.earlier] == ["[photo] my arm", "[photo] my left arm"]
    assert item.media is not None
    assert item.media.file_id == "second"
    assert [wording.media.file_id if wording.media else "" for wording in item.earlier] == ["first", ""]


def test_a_live_location_is_shown_where_it_is_and_where_it_was_first(bot: Bot, ana: Patient) -> None:
    place = {"latitude": 38.7, "longitude": -9.1, "live_period": 900}
    first = something_else(CHAT, location=place)
    comes_in(bot, first)
    came = first["message"]
    assert isinstance(came, dict)

    for seconds, latitude in ((10, 38.8), (20, 38.9), (30, 39.0)):
        moved = {"location": place | {"latitude": latitude}, "edit_date": int(NOW.timestamp()) - 300 + seconds}
        comes_in(bot, {"edited_message": came | {"date": int(NOW.timestamp()) - 300} | moved})
    comes_in(bot, {"edited_message": came | {"location": {"latitude": "north"}}})

    (item,) = conversation(bot.clinic, ana, limit=5)
    assert item.text == "[location] 39.000000, -9.100000"
    assert "mlat=39.000000" in item.map_link
    assert [(wording.text, wording.map_link.partition("?")[2][:14]) for wording in item.earlier] == [
        ("[location] 38.700000, -9.100000", "mlat=38.700000")
    ]
    assert item.edited_at == NOW - dt.timedelta(seconds=270)
    # However long it moves, two places are kept, and staff is called once.
    assert Reply.objects.count() == 2
    assert Conversation.objects.get(patient=ana).unread == 1


def test_a_moved_live_location_is_shown_on_the_page_and_over_the_api(bot: Bot, ana: Patient) -> None:
    place = {"latitude": 38.7, "longitude": -9.1, "live_period": 900}
    first = something_else(CHAT, location=place)
    comes_in(bot, first)
    came = first["message"]
    assert isinstance(came, dict)

    comes_in(bot, {"edited_message": came | {"location": place | {"latitude": 39.5}}})

    page = signed_in(bot.clinic).get(f"/inbox/{Conversation.objects.get().id}")
    (item,) = a_program(bot.clinic).get(f"/patients/{ana.id}/conversation").json["items"]
    assert "[location] 39.500000, -9.100000 Show it on a map" in words(page)
    assert "The first place [location] 38.700000, -9.100000 Show it on a map" in words(page)
    assert "mlat=39.500000" in item["map"]
    assert "mlat=38.700000" in item["earlier"][0]["map"]


def test_a_stranger_s_correction_stands_in_the_stranger_s_conversation(bot: Bot) -> None:
    first = a_text(CHAT, "Helo")
    comes_in(bot, first)

    comes_in(bot, edited_to(first, "Hello"))

    assert [(item.text, len(item.earlier)) for item in of_stranger(bot.clinic, CHAT, limit=5)] == [("Hello", 1)]


def test_a_tap_is_never_taken_for_the_message_that_is_edited(bot: Bot, ana: Patient) -> None:
    first = a_text(CHAT, "Good")
    message = first["message"]
    assert isinstance(message, dict)
    Reply.objects.create(
        clinic=bot.clinic,
        patient=ana,
        kind=ReplyKind.TAP,
        text="Taken",
        telegram_id=CHAT,
        telegram_message_id=message["message_id"],
        update_id=1,
        at=NOW,
    )

    comes_in(bot, edited_to(first, "Better"))

    assert shown(ana) == [("Taken", []), ("Better", [])]


def test_edits_in_groups_are_none_of_ours(bot: Bot) -> None:
    group = {"id": -100123, "type": "supergroup", "title": "X"}
    comes_in(bot, edited_to(a_text(CHAT, "Hello", chat=group), "STOP"))

    assert not Reply.objects.exists()
    assert not answers(bot)
