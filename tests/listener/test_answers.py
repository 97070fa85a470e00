"""Answer buttons: a tap counts once, and some taps change nothing."""

import datetime as dt

import pytest

from companion.clinics.models import Bot
from companion.listener.models import Conversation, Reply, ReplyKind, Standing
from companion.patients.models import Consent, Patient
from companion.schedules.models import Follow, Lane, Message, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_bot, a_clinic, a_message, a_patient
from tests.listener.stories import a_question, a_tap, a_text, comes_in, following, tap_on
from tests.rights.dumps import stored

pytestmark = pytest.mark.django_db
TAKEN, LATER = 0, 1


def taps() -> list[str]:
    """Return the texts of the taps that were kept."""
    return [reply.text for reply in Reply.objects.filter(kind=ReplyKind.TAP).order_by("update_id")]


def test_a_tap_is_kept_with_its_message_and_shown_in_place_of_the_buttons(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)

    taken = comes_in(bot, tap_on(question, TAKEN))

    question.refresh_from_db()
    reply = Reply.objects.get()
    (shown,) = following(question, Follow.SHOWN)
    assert (reply.text, reply.message, reply.patient, reply.kind) == ("Taken", question, ana, ReplyKind.TAP)
    assert question.answered_at == NOW
    assert (shown.lane, shown.telegram_message_id, shown.telegram_id) == (Lane.ANSWER, 77, ana.telegram_id)
    assert shown.text == "✓ Taken"
    assert taken.acknowledgement
    assert taken.acknowledgement.text == ""
    assert not Conversation.objects.exists()


def test_a_tapped_answer_lies_nowhere_in_the_clear(bot: Bot, ana: Patient) -> None:
    comes_in(bot, tap_on(a_question(ana), TAKEN))

    assert "Taken" not in "\n".join(stored())


def test_a_tap_on_the_answer_that_is_shown_is_nothing_new(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, TAKEN))
    (shown,) = following(question, Follow.SHOWN)

    for message in (shown, question):
        comes_in(bot, a_tap(ana.telegram_id or 0, f"answer:{message.pk.hex}:", "✓ Taken", 77))

    assert taps() == ["Taken"]


def test_later_plans_the_message_once_more_and_says_when(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)

    comes_in(bot, tap_on(question, LATER))

    (later,) = following(question, Follow.LATER)
    (shown,) = following(question, Follow.SHOWN)
    assert (later.due_at, later.status, later.patient, later.version) == (
        NOW + dt.timedelta(minutes=30),
        Status.PENDING,
        ana,
        question.version,
    )
    assert later.late_at - later.due_at == dt.timedelta(hours=1)
    # 08:30 UTC is 09:30 in Berlin.
    assert shown.text == "✓ Later · 9:30\u202fAM"


def test_later_can_be_asked_of_what_came_later(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, LATER))
    (later,) = following(question, Follow.LATER)
    Message.objects.filter(pk=later.pk).update(status=Status.SENT, sent_at=NOW, telegram_message_id=79)

    comes_in(bot, tap_on(later, LATER))

    assert len(following(later, Follow.LATER)) == 1
    assert taps() == ["Later", "Later"]


@pytest.mark.parametrize("number", [TAKEN, LATER])
def test_the_same_tap_twice_counts_once(bot: Bot, ana: Patient, number: int) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, number))
    before = Message.objects.count()

    comes_in(bot, tap_on(question, number))
    comes_in(bot, a_tap(ana.telegram_id or 0, f"answer:{question.pk.hex}:", "✓", 77))

    assert len(taps()) == 1
    assert Message.objects.count() == before


def test_taken_after_later_takes_back_the_message_and_staff_reads_both(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, LATER))

    comes_in(bot, tap_on(question, TAKEN))

    (later,) = following(question, Follow.LATER)
    (shown,) = following(question, Follow.SHOWN)
    assert (later.status, later.reason) == (Status.CANCELLED, Reason.BY_PERSON)
    assert shown.text == "✓ Taken"
    assert taps() == ["Later", "Taken"]
    assert Conversation.objects.get().standing == Standing.UNREAD


def test_later_after_taken_sends_nothing_again(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, TAKEN))

    comes_in(bot, tap_on(question, LATER))

    assert following(question, Follow.LATER) == []
    assert Conversation.objects.get().unread == 1


def test_a_tap_on_an_old_message_is_kept_and_brings_nothing_back(bot: Bot, ana: Patient) -> None:
    question = a_question(ana, sent_at=NOW - dt.timedelta(days=2))

    taken = comes_in(bot, tap_on(question, LATER))

    assert taps() == ["Later"]
    assert following(question, Follow.LATER) == []
    assert taken.acknowledgement
    assert taken.acknowledgement.text == "This message doesn't come again."
    assert Conversation.objects.get().standing == Standing.UNREAD


def test_a_stranger_s_tap_answers_nothing_of_ana_s(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)

    comes_in(bot, tap_on(question, TAKEN, chat=5_999_999_999))

    question.refresh_from_db()
    reply = Reply.objects.get()
    assert question.answered_at is None
    assert (reply.patient, reply.message) == (None, None)
    assert not Message.objects.filter(follows=question).exists()


def test_a_tap_in_another_clinic_s_bot_answers_nothing(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    elsewhere = a_bot(a_clinic())
    a_patient(elsewhere.clinic, telegram_id=ana.telegram_id)

    comes_in(elsewhere, tap_on(question, TAKEN))

    question.refresh_from_db()
    assert question.answered_at is None


@pytest.mark.parametrize("data", ["answer:", "answer:zz:1", "answer:" + "0" * 32 + ":0", "answer:" + "0" * 32 + ":10"])
def test_made_up_buttons_answer_nothing(bot: Bot, ana: Patient, data: str) -> None:
    question = a_question(ana)

    comes_in(bot, a_tap(ana.telegram_id or 0, data, "Taken", 77))

    question.refresh_from_db()
    assert question.answered_at is None


def test_a_button_that_the_message_doesn_t_have_answers_nothing(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)

    comes_in(bot, tap_on(question, 7))

    question.refresh_from_db()
    assert (question.answered_at, taps()) == (None, [])


def test_a_tap_of_who_opted_out_is_kept_and_nothing_is_said(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    Patient.objects.filter(pk=ana.pk).update(consent=Consent.WITHDRAWN)

    taken = comes_in(bot, tap_on(question, LATER))

    assert taps() == ["Later"]
    assert not Message.objects.filter(follows=question).exists()
    assert taken.acknowledgement
    assert taken.acknowledgement.text == ""


def test_a_tap_proves_that_a_message_of_unknown_outcome_arrived(bot: Bot, ana: Patient) -> None:
    question = a_question(
        ana, status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN, telegram_message_id=None, sent_at=None, tries=1
    )

    comes_in(bot, tap_on(question, TAKEN))

    question.refresh_from_db()
    assert (question.status, question.reason, question.telegram_message_id) == (Status.SENT, "", 78)
    assert [shown.telegram_message_id for shown in following(question, Follow.SHOWN)] == [78]


def test_on_a_mother_s_phone_a_tap_is_the_child_s_whose_message_it_is(bot: Bot) -> None:
    ana, ben = (
        a_patient(bot.clinic, name, telegram_id=5_123, caregiver="Maria Silva") for name in ("Ana Silva", "Ben Silva")
    )
    question = a_question(ana)
    a_message(ben, status=Status.SENT, sent_at=NOW + dt.timedelta(minutes=1), telegram_message_id=80)

    comes_in(bot, tap_on(question, TAKEN))
    comes_in(bot, a_text(5_123, "He is better"))

    assert [reply.patient for reply in Reply.objects.order_by("update_id")] == [ana, ben]


def test_a_patient_s_words_answer_what_waits_and_keep_the_buttons(bot: Bot, ana: Patient) -> None:
    question = a_question(ana, answer_by=NOW + dt.timedelta(hours=1))

    comes_in(bot, a_text(ana.telegram_id or 0, "I took it with tea"))
    comes_in(bot, tap_on(question, LATER))

    question.refresh_from_db()
    assert (question.answer_by, question.answered_at) == (None, NOW)
    assert len(following(question, Follow.LATER)) == 1
