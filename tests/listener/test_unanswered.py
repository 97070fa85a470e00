"""Tests of a missing answer: one reminder is sent, and staff sees the patient, each only while it helps."""

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction

from companion.clinics.models import Bot
from companion.listener import unanswered
from companion.listener.models import Conversation, Standing
from companion.patients.models import Consent, Patient
from companion.schedules.models import Follow, Message, Schedule, State, Status
from tests.builders import NOW, a_message, a_patient
from tests.listener.stories import a_question, a_text, comes_in, following, tap_on

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def waiting_for(ana: Patient) -> Message:
    """A message whose answer was waited for until an hour after NOW."""
    return a_question(ana, answer_within=HOUR, answer_by=NOW + HOUR)


def test_it_reminds_once_and_shows_the_patient_to_staff(bot: Bot, ana: Patient) -> None:
    question = waiting_for(ana)

    early = unanswered.work_off(now=NOW + HOUR - dt.timedelta(seconds=1))
    first = unanswered.work_off(now=NOW + HOUR)
    again = unanswered.work_off(now=NOW + 2 * HOUR)

    (reminder,) = following(question, Follow.REMINDER)
    shown = Conversation.objects.get()
    assert (early, first, again) == (0, 1, 0)
    assert reminder.text == "We have no answer from you yet:\n\nTake your tablet."
    assert (reminder.due_at, reminder.status) == (NOW + HOUR, Status.PENDING)
    assert (shown.patient, shown.unanswered, shown.standing, shown.unread) == (ana, question, Standing.UNREAD, 0)


@pytest.mark.both_databases
def test_no_second_reminder_can_be_written_down(ana: Patient) -> None:
    question = waiting_for(ana)
    unanswered.work_off(now=NOW + HOUR)

    with pytest.raises(IntegrityError), transaction.atomic():
        a_message(ana, follows=question, follow_kind=Follow.REMINDER)


def test_an_answer_in_time_leaves_nothing_to_do(bot: Bot, ana: Patient) -> None:
    question = waiting_for(ana)

    comes_in(bot, tap_on(question, 0))

    assert unanswered.work_off(now=NOW + HOUR) == 0


def test_an_answer_takes_back_the_reminder_that_waits_and_what_staff_was_shown(bot: Bot, ana: Patient) -> None:
    question = waiting_for(ana)
    unanswered.work_off(now=NOW + HOUR)

    comes_in(bot, tap_on(question, 0))

    (reminder,) = following(question, Follow.REMINDER)
    shown = Conversation.objects.get()
    assert reminder.status == Status.CANCELLED
    assert (shown.standing, shown.unanswered) == (Standing.DONE, None)


def test_an_answer_to_the_reminder_answers_both_and_stands_under_both(bot: Bot, ana: Patient) -> None:
    question = waiting_for(ana)
    unanswered.work_off(now=NOW + HOUR)
    (reminder,) = following(question, Follow.REMINDER)
    Message.objects.filter(pk=reminder.pk).update(status=Status.SENT, sent_at=NOW + HOUR, telegram_message_id=79)

    comes_in(bot, tap_on(reminder, 0))
    comes_in(bot, tap_on(question, 0))

    question.refresh_from_db()
    assert question.answered_at
    assert [len(following(message, Follow.SHOWN)) for message in (question, reminder)] == [1, 1]


def test_words_that_answer_it_leave_it_to_staff_who_reads_them(bot: Bot, ana: Patient) -> None:
    waiting_for(ana)
    unanswered.work_off(now=NOW + HOUR)

    comes_in(bot, a_text(ana.telegram_id or 0, "I was sick and did not take it"))

    shown = Conversation.objects.get()
    assert (shown.standing, shown.unread) == (Standing.UNREAD, 1)


@pytest.mark.parametrize(
    ("change", "reminded", "shown"),
    [
        ({"consent": Consent.WITHDRAWN}, False, False),
        ({"left_at": NOW}, False, False),
        ({"paused_until": dt.date(2027, 1, 1)}, False, True),
    ],
)
def test_it_respects_stop_leaving_and_pauses(
    ana: Patient, change: dict[str, object], reminded: bool, shown: bool
) -> None:
    question = waiting_for(ana)
    Patient.objects.filter(pk=ana.pk).update(**change)

    unanswered.work_off(now=NOW + HOUR)

    assert (bool(following(question, Follow.REMINDER)), Conversation.objects.exists()) == (reminded, shown)


@pytest.mark.parametrize(
    ("state", "reminded", "shown"),
    [(State.CANCELLED, False, False), (State.PAUSED, False, True), (State.ENDED, True, True)],
)
def test_it_respects_the_schedule_s_state(ana: Patient, state: State, reminded: bool, shown: bool) -> None:
    question = waiting_for(ana)
    Schedule.objects.update(state=state)

    unanswered.work_off(now=NOW + HOUR)

    assert (bool(following(question, Follow.REMINDER)), Conversation.objects.exists()) == (reminded, shown)


def test_after_an_outage_nobody_is_reminded_late_but_staff_hears(ana: Patient) -> None:
    question = waiting_for(ana)

    unanswered.work_off(now=NOW + HOUR + HOUR)

    assert following(question, Follow.REMINDER) == []
    assert Conversation.objects.get().unanswered == question


def test_nobody_is_reminded_of_an_old_one_once_a_newer_has_come(ana: Patient) -> None:
    question = waiting_for(ana)
    newer = {"occurrence": "2026-12-03T09:00", "due_at": NOW + HOUR / 2, "status": Status.SENT}
    a_message(ana, question.schedule, **newer)

    unanswered.work_off(now=NOW + HOUR)

    assert following(question, Follow.REMINDER) == []


@pytest.mark.both_databases
def test_one_that_cannot_be_read_is_shown_to_staff_without_its_reminder_and_keeps_no_other(
    bot: Bot, ana: Patient
) -> None:
    broken, other = waiting_for(ana), waiting_for(a_patient(bot.clinic))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE schedules_version SET text = %s WHERE schedule_id = (SELECT schedule_id FROM "
            "schedules_version WHERE id = (SELECT version_id FROM schedules_message WHERE id = %s))",
            [b"\x01" * 40, Message._meta.pk.get_db_prep_value(broken.pk, connection)],
        )

    unanswered.work_off(now=NOW + HOUR)

    assert (following(broken, Follow.REMINDER), len(following(other, Follow.REMINDER))) == ([], 1)
    assert Conversation.objects.get(patient=ana).standing == Standing.UNREAD
    assert unanswered.work_off(now=NOW + HOUR) == 0
