"""The inbox: Conversations that need staff, their assignment, and answers from there."""

import uuid

import pytest

from companion.clinics import members
from companion.clinics.access import Caller, NotAllowed
from companion.clinics.models import AuditEntry, Bot, Member, Role
from companion.clinics.refusals import Conflict, Refused
from companion.listener import inbox
from companion.listener.models import Conversation, Standing
from companion.patients.models import Consent, Patient
from companion.schedules.models import Lane, Message
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_member, a_message, a_patient
from tests.listener.stories import a_text, answers, comes_in, said
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic(urgent_words=["help", "chest pain", "Schmerzen"], urgent_phone="+49 30 112112"))


@pytest.fixture
def nora(bot: Bot) -> Caller:
    return members.caller_of_member(a_member(bot.clinic, email="nora@clinic.example"))


@pytest.fixture
def eva(bot: Bot) -> Caller:
    return members.caller_of_member(a_member(bot.clinic, email="eva@clinic.example"))


def wrote(bot: Bot, ana: Patient, text: str = "Should I stop?") -> Conversation:
    """The patient's conversation after she wrote this."""
    comes_in(bot, a_text(ana.telegram_id or 0, text))
    return Conversation.objects.get(patient=ana)


def in_view(caller: Caller, which: inbox.View) -> list[Patient | None]:
    return [conversation.patient for conversation in inbox.view(caller.clinic, which, caller)]


def test_a_question_goes_to_staff_and_is_no_stop(bot: Bot, ana: Patient, nora: Caller) -> None:
    wrote(bot, ana)

    ana.refresh_from_db()
    assert ana.consent == Consent.GIVEN
    assert in_view(nora, "unread") == [ana]
    assert inbox.waiting(nora) == 1


def test_a_member_takes_a_conversation_and_a_second_member_is_told_who_was_faster(
    bot: Bot, ana: Patient, nora: Caller, eva: Caller
) -> None:
    conversation = wrote(bot, ana)

    inbox.assign_to_caller(nora, conversation, now=NOW)
    with pytest.raises(Conflict, match=r"nora@clinic\.example has this conversation already\."):
        inbox.assign_to_caller(eva, conversation, now=NOW)

    assert (in_view(nora, "unread"), in_view(nora, "mine"), in_view(eva, "mine")) == ([], [ana], [])
    assert in_view(eva, "taken") == [ana]
    assert inbox.waiting(nora) == 0


def test_a_new_message_stays_with_the_assigned_member_and_counts_for_them(
    bot: Bot, ana: Patient, nora: Caller, eva: Caller
) -> None:
    inbox.assign_to_caller(nora, wrote(bot, ana), now=NOW)

    wrote(bot, ana, "And tomorrow?")

    assert (inbox.waiting(nora), inbox.waiting(eva)) == (1, 0)
    inbox.mark_read(nora, Conversation.objects.get())
    assert inbox.waiting(nora) == 0


def test_it_can_be_given_back_and_given_to_somebody(bot: Bot, ana: Patient, nora: Caller, eva: Caller) -> None:
    conversation = inbox.assign_to_caller(nora, wrote(bot, ana), now=NOW)

    given = inbox.assign(nora, conversation, "Eva@clinic.example ", now=NOW)
    back = inbox.unassign(eva, given, now=NOW)

    assert given.holder_name == "eva@clinic.example"
    assert (back.standing, back.holder_name) == (Standing.UNREAD, "")
    with pytest.raises(Conflict):
        inbox.unassign(eva, back, now=NOW)
    with pytest.raises(Refused):
        inbox.assign(nora, back, "nobody@clinic.example", now=NOW)


def test_done_opens_again_with_the_next_reply(bot: Bot, ana: Patient, nora: Caller) -> None:
    conversation = inbox.done(nora, inbox.assign_to_caller(nora, wrote(bot, ana), now=NOW), now=NOW)
    done = in_view(nora, "done")

    wrote(bot, ana, "Thank you")

    assert (conversation.standing, done) == (Standing.DONE, [ana])
    assert in_view(nora, "unread") == [ana]


def test_a_message_that_came_while_a_member_read_is_not_done_with_the_others(
    bot: Bot, ana: Patient, nora: Caller
) -> None:
    seen = wrote(bot, ana).last_reply_id
    conversation = wrote(bot, ana, "It hurts more now")

    with pytest.raises(Conflict, match="A new message came in meanwhile"):
        inbox.done(nora, conversation, now=NOW, seen=seen)


def test_an_answer_is_a_message_that_goes_first_and_takes_the_conversation(
    bot: Bot, ana: Patient, nora: Caller
) -> None:
    conversation = wrote(bot, ana)

    sent = inbox.answer(nora, conversation, "No, go on as before.", now=NOW)

    conversation.refresh_from_db()
    assert (sent.patient, sent.lane, sent.created_by_name) == (ana, Lane.ANSWER, "nora@clinic.example")
    assert (conversation.standing, conversation.holder_name, conversation.unread) == (
        Standing.TAKEN,
        "nora@clinic.example",
        0,
    )


def test_an_answer_pressed_twice_is_sent_once(bot: Bot, ana: Patient, nora: Caller) -> None:
    conversation, id = wrote(bot, ana), uuid.uuid4()

    first = inbox.answer(nora, conversation, "No, go on as before.", now=NOW, id=id)
    again = inbox.answer(nora, conversation, "No, go on as before.", now=NOW, id=id)

    assert first == again
    assert Message.objects.filter(patient=ana).count() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"consent": Consent.WITHDRAWN}, "opted out"),
        ({"telegram_id": None}, "Telegram ID is no longer known"),
        ({"left_at": NOW}, "left the clinic"),
    ],
)
def test_nobody_is_answered_who_must_not_or_can_t_be_written_to(
    bot: Bot, ana: Patient, nora: Caller, change: dict[str, object], words: str
) -> None:
    conversation = wrote(bot, ana)
    Patient.objects.filter(pk=ana.pk).update(**change)

    with pytest.raises(Conflict, match=words):
        inbox.answer(nora, inbox.find(bot.clinic, conversation.pk), "Hello", now=NOW)

    assert not Message.objects.filter(patient=ana).exists()


def test_an_empty_answer_is_refused(bot: Bot, ana: Patient, nora: Caller) -> None:
    with pytest.raises(Refused):
        inbox.answer(nora, wrote(bot, ana), "  ", now=NOW)


def test_a_viewer_reads_and_does_nothing(bot: Bot, ana: Patient) -> None:
    conversation, viewer = wrote(bot, ana), a_caller(bot.clinic, Role.VIEWER)

    for deed in (inbox.assign_to_caller, inbox.unassign, inbox.done):
        with pytest.raises(NotAllowed):
            deed(viewer, conversation, now=NOW)
    with pytest.raises(NotAllowed):
        inbox.answer(viewer, conversation, "Hello", now=NOW)


def test_strangers_stand_apart_and_can_be_answered(bot: Bot, nora: Caller) -> None:
    for number in range(3):
        comes_in(bot, a_text(5_900_000_000, f"Hello {number}"))

    (conversation,) = inbox.view(bot.clinic, "strangers", nora)
    sent = inbox.answer(nora, conversation, "Please ask at the desk for an invitation.", now=NOW)

    assert (inbox.waiting(nora), conversation.unread) == (0, 3)
    assert (sent.patient, sent.telegram_id, sent.lane) == (None, 5_900_000_000, Lane.STRANGER)


# Urgent help


@pytest.mark.parametrize("text", ["HELP", "please help!", "I have chest  pain.", "Ich habe schmerzen"])
def test_a_word_for_urgent_help_raises_an_alert_and_says_whom_to_call(
    bot: Bot, ana: Patient, nora: Caller, text: str
) -> None:
    conversation = wrote(bot, ana, text)

    assert conversation.urgent_at == NOW
    assert [found.patient for found in inbox.urgent(bot.clinic)] == [ana]
    assert [message.text for message in answers(bot)] == [
        "Nobody watches this chat at all hours. {clinic} is told. If you need help now, please call: +49 30 112112"
    ]


@pytest.mark.parametrize("text", ["That was helpful", "No pain in the chest", "chest, pains", "helped"])
def test_other_words_raise_none(bot: Bot, ana: Patient, text: str) -> None:
    assert wrote(bot, ana, text).urgent_at is None
    assert answers(bot) == []


def test_the_alert_stays_until_somebody_takes_it(bot: Bot, ana: Patient, nora: Caller, eva: Caller) -> None:
    conversation = wrote(bot, ana, "help")

    with pytest.raises(Conflict, match="Assign the conversation to yourself first"):
        inbox.done(nora, conversation, now=NOW)
    inbox.assign_to_caller(nora, conversation, now=NOW)

    assert inbox.urgent(bot.clinic) == []


def test_a_new_cry_for_help_goes_to_everybody_again(bot: Bot, ana: Patient, nora: Caller, eva: Caller) -> None:
    inbox.assign_to_caller(nora, wrote(bot, ana, "help"), now=NOW)

    wrote(bot, ana, "help, it is worse")

    assert len(inbox.urgent(bot.clinic)) == 1
    assert in_view(eva, "unread") == [ana]


def test_a_flood_of_them_is_told_once_whom_to_call(bot: Bot, ana: Patient) -> None:
    for _ in range(5):
        wrote(bot, ana, "help")
        Message.objects.update(status="sent")

    assert said(bot) == ["Nobody watches this"]


def test_without_a_number_nothing_is_looked_for(bot: Bot, ana: Patient) -> None:
    bot.clinic.urgent_phone = ""
    bot.clinic.save()

    assert wrote(bot, ana, "help").urgent_at is None


def test_an_opted_out_patients_call_for_help_raises_the_alert_and_gets_no_answer(bot: Bot, ana: Patient) -> None:
    Patient.objects.filter(pk=ana.pk).update(consent=Consent.WITHDRAWN)

    conversation = wrote(bot, ana, "help")

    assert conversation.urgent_at == NOW
    assert answers(bot) == []


def test_one_clinic_s_inbox_knows_nothing_of_another_s(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana, "help")
    stranger = members.caller_of_member(a_member(a_clinic()))

    with pytest.raises(Conflict):
        inbox.assign_to_caller(stranger, conversation, now=NOW)
    assert inbox.view(stranger.clinic, "unread", stranger).count() == 0
    assert inbox.urgent(stranger.clinic) == []


def test_a_flood_of_words_is_one_conversation(bot: Bot, ana: Patient, nora: Caller) -> None:
    for number in range(30):
        comes_in(bot, a_text(ana.telegram_id or 0, f"word {number}"))

    (conversation,) = inbox.view(bot.clinic, "unread", nora)
    assert conversation.unread == 30


def test_a_conversation_of_a_former_member_waits_for_somebody(
    bot: Bot, ana: Patient, nora: Caller, eva: Caller
) -> None:
    conversation = inbox.assign_to_caller(nora, wrote(bot, ana), now=NOW)

    Member.objects.filter(user__email="nora@clinic.example").delete()

    conversation.refresh_from_db()
    assert (in_view(eva, "unread"), in_view(eva, "taken"), inbox.waiting(eva)) == ([ana], [], 1)
    assert inbox.assign_to_caller(eva, conversation, now=NOW).holder_name == "eva@clinic.example"


def test_a_conversation_of_a_former_member_is_assigned_to_the_member_who_answers(
    bot: Bot, ana: Patient, nora: Caller, eva: Caller
) -> None:
    conversation = inbox.assign_to_caller(nora, wrote(bot, ana), now=NOW)
    Member.objects.filter(user__email="nora@clinic.example").delete()

    inbox.answer(eva, inbox.find(bot.clinic, conversation.pk), "Please come in.", now=NOW)

    conversation.refresh_from_db()
    assert conversation.holder_name == "eva@clinic.example"


def test_a_member_can_take_a_conversation_twice(bot: Bot, ana: Patient, nora: Caller) -> None:
    conversation = wrote(bot, ana)

    for _ in range(2):
        inbox.assign_to_caller(nora, conversation, now=NOW)

    assert AuditEntry.objects.filter(action="conversation taken").count() == 1


def test_an_answer_with_another_message_s_id_is_none_of_that_message(bot: Bot, ana: Patient, nora: Caller) -> None:
    other = a_message(a_patient(bot.clinic))

    with pytest.raises(Conflict):
        inbox.answer(nora, wrote(bot, ana), "Please come in.", now=NOW, id=other.pk)


@pytest.mark.django_db(transaction=True)
def test_two_presses_at_one_moment_send_one_answer(bot: Bot, ana: Patient, nora: Caller) -> None:
    conversation, id = wrote(bot, ana), uuid.uuid4()

    first, second = at_once([lambda: inbox.answer(nora, conversation, "Please come in.", now=NOW, id=id)] * 2)

    assert first == second == Message.objects.get(patient=ana)
