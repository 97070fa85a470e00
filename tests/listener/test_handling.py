"""What follows from what a patient does in the chat: each update once, with its answer, in one transaction."""

import pytest

from companion.clinics.models import AuditEntry, Bot
from companion.listener import handling
from companion.listener.handling import SomebodyWasFaster
from companion.listener.models import Reply, ReplyKind
from companion.patients import enrolment, enrolment_notes
from companion.patients.models import Consent, Patient, Trouble
from companion.schedules.models import Lane, Message
from companion.telegram.methods import Incoming
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient, a_schedule
from tests.listener.stories import a_block, a_tap, a_text, answers, comes_in, incoming, our_message, said

pytestmark = pytest.mark.django_db

CHAT = 5_111_111_111


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic())


def invited(bot: Bot, **fields: object) -> tuple[Patient, str]:
    """A patient without a Telegram ID, and the text that Start by the invitation sends."""
    patient = a_patient(bot.clinic, "Ana Silva", **{"telegram_id": None, "consent": Consent.UNKNOWN} | fields)
    link = enrolment.invite(a_caller(bot.clinic), patient, now=NOW).link
    return patient, f"/start {link.partition('?start=')[2]}"


def enrolled(bot: Bot, **fields: object) -> Patient:
    """A patient who has pressed Start and was asked."""
    patient, start = invited(bot, **fields)
    comes_in(bot, a_text(CHAT, start))
    patient.refresh_from_db()
    return patient


def button(bot: Bot, number: int) -> str:
    """The data of a button of the last question."""
    rows = answers(bot)[-1].buttons
    assert rows
    return str(rows[number][0]["callback_data"])


def told(bot: Bot) -> list[tuple[str, Patient]]:
    """What the clinic hears of enrolments that went wrong."""
    return [(note.kind, note.patient) for note in enrolment_notes.unseen(bot.clinic)]


# Enrolment


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


def test_who_opted_out_is_told_nothing_over_the_chat_either(bot: Bot) -> None:
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


# Start and STOP


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


@pytest.mark.parametrize("text", ["Should I stop?", "STOP?", "please stop", "stopp", "nonstop", "alto"])
def test_what_only_speaks_of_stopping_goes_to_the_clinic(bot: Bot, text: str) -> None:
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


# Blocking


def test_a_block_is_noted_and_its_end_clears_it(bot: Bot) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT)

    comes_in(bot, a_block(CHAT, blocked=True))

    patient.refresh_from_db()
    assert (patient.trouble, patient.trouble_at) == (Trouble.BLOCKED, NOW)
    comes_in(bot, a_block(CHAT, blocked=False))
    patient.refresh_from_db()
    assert (patient.trouble, patient.trouble_at) == ("", None)


# Replies


def test_a_text_is_kept_with_its_patient(bot: Bot) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT)

    comes_in(bot, a_text(CHAT, "I feel <b>dizzy</b> 🤒"))

    reply = Reply.objects.get()
    assert (reply.patient, reply.kind, reply.text) == (patient, ReplyKind.TEXT, "I feel <b>dizzy</b> 🤒")


def test_a_stranger_s_text_is_kept_without_a_patient(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "Hello?"))

    reply = Reply.objects.get()
    assert (reply.patient, reply.telegram_id) == (None, CHAT)


def test_what_is_no_text_is_kept_as_that(bot: Bot) -> None:
    a_patient(bot.clinic, telegram_id=CHAT)
    photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
    content = a_text(CHAT, "", photo=photo, caption="my arm")
    message = content["message"]
    assert isinstance(message, dict)
    del message["text"]

    comes_in(bot, content)

    reply = Reply.objects.get()
    assert (reply.kind, reply.text) == (ReplyKind.OTHER, "[photo] my arm")


def test_on_a_caregiver_s_phone_a_reply_belongs_to_the_patient_it_answers(bot: Bot) -> None:
    first = a_patient(bot.clinic, "Ana", telegram_id=CHAT, caregiver="Maria")
    second = a_patient(bot.clinic, "Bo", telegram_id=CHAT, caregiver="Maria")
    asked = a_message(first, status="sent", sent_at=NOW, telegram_message_id=41)
    a_message(second, status="sent", sent_at=NOW, telegram_message_id=42)

    comes_in(bot, a_text(CHAT, "Yes", reply_to_message=our_message(CHAT, 41)))

    reply = Reply.objects.get()
    assert (reply.patient, reply.message) == (first, asked)


def test_on_a_caregiver_s_phone_any_other_reply_belongs_to_the_one_last_written_to(bot: Bot) -> None:
    first = a_patient(bot.clinic, "Ana", telegram_id=CHAT, caregiver="Maria")
    second = a_patient(bot.clinic, "Bo", telegram_id=CHAT, caregiver="Maria")
    a_message(second, status="sent", sent_at=NOW)
    a_message(first, status="sent", sent_at=NOW, lane=Lane.ANSWER)
    a_message(first, status="pending")

    comes_in(bot, a_text(CHAT, "Yes"))

    assert Reply.objects.get().patient == second


def test_a_tap_on_a_message_s_button_is_kept_in_the_button_s_words(bot: Bot) -> None:
    patient = a_patient(bot.clinic, telegram_id=CHAT)
    message = a_message(patient, a_schedule(bot.clinic, patient), status="sent", sent_at=NOW, telegram_message_id=41)

    taken = comes_in(bot, a_tap(CHAT, "x:1", "Taken", message_id=41))

    reply = Reply.objects.get()
    assert (reply.kind, reply.text, reply.message) == (ReplyKind.TAP, "Taken", message)
    assert taken.acknowledgement


def test_half_a_surrogate_pair_is_kept_as_a_question_mark(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "a\ud800b\0c"))

    assert Reply.objects.get().text == "a?bc"


def test_groups_and_bots_are_none_of_ours(bot: Bot) -> None:
    comes_in(bot, a_text(CHAT, "STOP", chat={"id": -100123, "type": "supergroup", "title": "X"}))
    comes_in(bot, a_text(CHAT, "STOP", **{"from": {"id": CHAT, "is_bot": True, "first_name": "X"}}))

    assert not Reply.objects.exists()
    assert not answers(bot)


def test_another_clinic_s_patient_of_the_same_chat_is_left_alone(bot: Bot) -> None:
    foreign = a_patient(a_clinic(), telegram_id=CHAT)

    comes_in(bot, a_text(CHAT, "STOP"))

    foreign.refresh_from_db()
    assert foreign.consent == Consent.GIVEN


# Once and only once


def test_an_update_that_comes_twice_is_handled_once(bot: Bot) -> None:
    update = incoming(a_text(CHAT, "Hello"), 500)
    handling.take(bot.id, update, offset=0, now=NOW)

    taken = handling.take(bot.id, update, offset=501, now=NOW)

    assert taken.next_update_id == 501
    assert Reply.objects.count() == 1


def test_of_two_processes_one_handles_an_update_and_the_other_keeps_nothing(bot: Bot) -> None:
    update = incoming(a_text(CHAT, "Hello"), 500)
    handling.take(bot.id, update, offset=0, now=NOW)

    with pytest.raises(SomebodyWasFaster):
        handling.take(bot.id, incoming(a_text(CHAT, "STOP"), 500), offset=0, now=NOW)

    assert Reply.objects.count() == 1
    assert not answers(bot)


def test_updates_that_begin_anew_at_a_low_number_are_handled(bot: Bot) -> None:
    Bot.objects.update(next_update_id=900_000_000)

    handling.take(bot.id, incoming(a_text(CHAT, "Hello"), 17), offset=900_000_000, now=NOW)

    bot.refresh_from_db()
    assert (bot.next_update_id, Reply.objects.count()) == (18, 1)


def test_an_update_that_can_t_be_read_is_passed_over(bot: Bot) -> None:
    taken = handling.take(bot.id, Incoming(500, None), offset=0, now=NOW)

    bot.refresh_from_db()
    assert taken.next_update_id == bot.next_update_id == 501
