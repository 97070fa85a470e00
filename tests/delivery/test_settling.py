"""The settling of unknown outcomes, step by step: what is asked, when nothing is asked, and what an answer changes."""

import datetime as dt

import pytest
from django.db import transaction

from companion.clinics import numbers
from companion.clinics.models import Bot, Clinic, Closed, OptOut, OtherReader
from companion.delivery import lifecycle, settling
from companion.delivery.begin import Limits
from companion.delivery.settling import Question, Search, Step
from companion.patients.models import Consent, Patient
from companion.planning import acts
from companion.restoring import holding
from companion.schedules.models import Attempt, AttemptOutcome, Follow, IfUnknown, Message, Schedule, Status
from companion.schedules.reasons import Reason, sentence
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient, a_schedule, an_attempt

pytestmark = pytest.mark.django_db
LEASE = dt.timedelta(seconds=60)
MINUTE = dt.timedelta(minutes=1)
LATER = NOW + 10 * MINUTE
"""Well after the lease."""


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic())


def step(bot: Bot, *skipped: Step, now: dt.datetime = LATER) -> Step | None:
    limits = Limits(gap=dt.timedelta(seconds=1 / 29), chat_gap=dt.timedelta(seconds=1))
    with transaction.atomic():
        search = Search(bot.id, [one.attempt for one in skipped], LEASE, limits)
        return settling.next_step(search, now=now)


def asked(bot: Bot, now: dt.datetime = LATER) -> Question:
    found = step(bot, now=now)
    assert found
    assert found.question
    return found.question


def found_here(question: Question, bot: Bot, now: dt.datetime = LATER) -> bool:
    limits = Limits(gap=dt.timedelta(), chat_gap=dt.timedelta())
    with transaction.atomic():
        return settling.found_here(question, Search(bot.id, [], LEASE, limits), now=now)


def sent(clinic: Clinic, number: int, minutes: float, **fields: object) -> Message:
    """A message that Telegram took under this number, so many minutes after NOW."""
    at = NOW + minutes * MINUTE
    patient = a_patient(clinic)
    columns = {"status": Status.SENT, "sent_at": at, "ended_at": at, "telegram_message_id": number}
    message = a_message(patient, None, due_at=at, tries=1, **columns | fields)
    an_attempt(message, began_at=at, ended_at=at, telegram_message_id=number, telegram_id=patient.telegram_id)
    return message


def unknown(
    clinic: Clinic, chat: int | None = None, at: dt.datetime = NOW, schedule: Schedule | None = None, **fields: object
) -> Message:
    """A message whose answer was cut off."""
    patient = a_patient(clinic, "Ana Silva", **({"telegram_id": chat, "caregiver": "Eva"} if chat else {}))
    ended = {"status": Status.FAILED, "reason": Reason.OUTCOME_UNKNOWN, "ended_at": at}
    message = a_message(patient, schedule, due_at=at, tries=1, **ended | fields)
    outcome = {"outcome": AttemptOutcome.UNKNOWN, "began_at": at, "ended_at": at, "text": "Your results are here."}
    an_attempt(message, telegram_id=patient.telegram_id, **outcome)
    return message


def waits_to_be_resent(clinic: Clinic, until: dt.datetime) -> Message:
    """A message whose answer was cut off, and which its schedule wants to be sent again."""
    message = unknown(clinic, if_unknown=IfUnknown.RESEND)
    waiting = {"status": Status.PENDING, "reason": "", "ended_at": None, "resends": 1, "ready_at": until}
    Message.objects.filter(pk=message.pk).update(**waiting)
    return message


def a_gap(clinic: Clinic, size: int = 1) -> None:
    """The numbers 101 up to `size` of them are unaccounted for."""
    sent(clinic, 100, -5)
    sent(clinic, 101 + size, 5)


def fresh(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def test_the_number_in_the_gap_is_asked_for_with_the_buttons_that_were_sent(bot: Bot) -> None:
    a_gap(bot.clinic)
    buttons = [[{"text": "Taken", "callback_data": "x"}]]
    message = unknown(bot.clinic, buttons=buttons)

    question = asked(bot)

    assert message.patient
    assert (question.chat, question.number, question.buttons) == (message.patient.telegram_id, 101, buttons)


def test_what_the_chat_holds_is_sent_with_that_number(bot: Bot) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)

    assert found_here(asked(bot), bot)

    after, attempt = fresh(message), Attempt.objects.get(message=message)
    assert (after.status, after.reason, after.telegram_message_id) == (Status.SENT, "", 101)
    assert (attempt.outcome, attempt.telegram_message_id) == (AttemptOutcome.SENT, 101)
    assert step(bot) is None


def test_a_message_of_which_telegram_shows_no_trace_stays_failed_and_says_so(bot: Bot) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)

    settling.not_here(asked(bot), now=LATER)
    done = step(bot, now=LATER + MINUTE)

    after = fresh(message)
    assert done == Step(Attempt.objects.get(message=message).pk, resent=False)
    assert (after.status, after.reason) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    said = sentence(after.reason, no_trace=after.no_trace_at is not None)
    assert "Telegram shows no trace of it" in said
    assert "may still arrive twice" in said
    assert step(bot, now=LATER + 2 * MINUTE) is None


def test_a_retry_begins_without_the_note_of_an_earlier_try(bot: Bot) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)
    settling.not_here(asked(bot), now=LATER)
    step(bot, now=LATER + MINUTE)

    acts.retry(a_caller(bot.clinic), fresh(message), now=LATER + MINUTE, may_arrive_twice=True)

    assert fresh(message).no_trace_at is None


def test_what_its_schedule_wants_resent_waits_for_the_trace_and_goes_once_there_is_none(bot: Bot) -> None:
    a_gap(bot.clinic)
    now = NOW + 2 * LEASE
    message = waits_to_be_resent(bot.clinic, now + MINUTE)

    settling.not_here(asked(bot, now=now), now=now)
    done = step(bot, now=now + dt.timedelta(seconds=2))

    assert done
    assert done.resent
    assert fresh(message).ready_at == now + dt.timedelta(seconds=2)


def test_what_waits_to_be_resent_is_not_sent_again_if_the_chat_holds_it(bot: Bot) -> None:
    a_gap(bot.clinic)
    now = NOW + 2 * LEASE
    message = waits_to_be_resent(bot.clinic, now + MINUTE)

    assert found_here(asked(bot, now=now), bot, now=now)

    assert fresh(message).status == Status.SENT


@pytest.mark.parametrize(("size", "asks"), [(200, True), (201, False)])
def test_in_a_longer_gap_nothing_is_asked(bot: Bot, size: int, asks: bool) -> None:
    a_gap(bot.clinic, size)
    unknown(bot.clinic)

    found = step(bot)

    assert found
    assert bool(found.question) is asks


def test_of_two_unknown_ones_to_one_chat_in_one_gap_nothing_is_concluded(bot: Bot) -> None:
    a_gap(bot.clinic, 2)
    first = unknown(bot.clinic, chat=5_900_000_001)
    unknown(bot.clinic, chat=5_900_000_001, at=NOW + MINUTE)

    found = step(bot)

    assert found
    assert found.question is None
    assert fresh(first).no_trace_at is None


def test_an_answer_proves_nothing_once_a_second_one_to_the_chat_is_unknown(bot: Bot) -> None:
    a_gap(bot.clinic, 2)
    first = unknown(bot.clinic, chat=5_900_000_001)
    question = asked(bot)
    unknown(bot.clinic, chat=5_900_000_001, at=NOW + MINUTE)

    assert not found_here(question, bot)

    assert fresh(first).status == Status.FAILED


def test_of_two_unknown_ones_to_two_chats_each_is_asked_for_and_what_is_found_is_no_candidate_any_more(
    bot: Bot,
) -> None:
    a_gap(bot.clinic, 2)
    unknown(bot.clinic)
    second = unknown(bot.clinic, at=NOW + MINUTE)

    assert found_here(asked(bot), bot)
    question = asked(bot, now=LATER + MINUTE)

    assert second.patient
    assert (question.chat, question.number) == (second.patient.telegram_id, 102)


@pytest.mark.parametrize(
    "columns",
    [{"other_reader": OtherReader.PROGRAM}, {"other_reader": OtherReader.WEBHOOK}, {"numbers_since": NOW + MINUTE}],
)
def test_nothing_is_asked_where_another_program_uses_the_bot_or_used_it_then(
    bot: Bot, columns: dict[str, object]
) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)
    Bot.objects.filter(pk=bot.pk).update(**columns)

    found = step(bot)

    assert found
    assert found.question is None
    assert fresh(message).no_trace_at is None


@pytest.mark.parametrize(
    "columns",
    [
        {"closed_why": Closed.HANGING, "closed_until": NOW},
        {"closed_why": Closed.UNAUTHORIZED, "closed_until": NOW},
        {"closed_why": Closed.RETRY_AFTER, "closed_until": LATER + MINUTE},
        {"closed_why": Closed.CIRCUIT, "closed_until": LATER + MINUTE},
    ],
)
def test_a_closed_bot_is_asked_nothing(bot: Bot, columns: dict[str, object]) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic)
    Bot.objects.filter(pk=bot.pk).update(**columns)

    assert step(bot) is None


def test_while_sending_is_paused_nothing_is_asked(bot: Bot) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic)
    Clinic.objects.filter(pk=bot.clinic_id).update(sending_paused_at=NOW)

    assert step(bot) is None


def test_a_message_that_is_ready_goes_first(bot: Bot) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic)
    a_message(a_patient(bot.clinic), due_at=LATER)

    assert step(bot) is None


def test_a_question_takes_a_slot_of_the_bot_and_the_next_comes_a_second_later_over_all_dispatchers(bot: Bot) -> None:
    a_gap(bot.clinic, 3)
    unknown(bot.clinic)

    question = asked(bot)

    assert Bot.objects.get(pk=bot.pk).next_slot_at == question.slot + dt.timedelta(seconds=1 / 29)
    assert step(bot, now=LATER + dt.timedelta(seconds=0.9)) is None
    assert step(bot, now=LATER + dt.timedelta(seconds=1)) is not None


def test_a_chat_that_has_opted_out_is_asked_nothing(bot: Bot) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)
    assert message.patient
    chat = message.patient.telegram_id
    OptOut.objects.create(clinic=bot.clinic, chat="x", telegram_id=chat, at=NOW, source="patient: STOP")

    found = step(bot)

    assert found
    assert found.question is None


@pytest.mark.parametrize("columns", [{"consent": Consent.WITHDRAWN}, {"left_at": NOW}, {"telegram_id": 5_900_000_002}])
def test_a_patient_who_left_withdrew_or_has_another_chat_is_asked_nothing(bot: Bot, columns: dict[str, object]) -> None:
    a_gap(bot.clinic)
    message = unknown(bot.clinic)
    Patient.objects.filter(messages=message).update(**columns)

    found = step(bot)

    assert found
    assert found.question is None


def test_what_was_edited_keeps_its_number_and_bounds_no_gap(bot: Bot) -> None:
    sent(bot.clinic, 100, -5)
    edited = sent(bot.clinic, 90, -20)
    message = unknown(bot.clinic)
    sent(bot.clinic, 90, 3, follow_kind=Follow.SHOWN, follows=edited)
    sent(bot.clinic, 102, 5)

    assert asked(bot).number == 101
    assert fresh(message).status == Status.FAILED


def test_what_a_restore_holds_is_not_looked_for(bot: Bot) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic, held_by_restore=True)

    assert step(bot) is None


def test_after_a_restore_the_numbers_of_before_prove_nothing(bot: Bot) -> None:
    holding.hold(taken_at=NOW, now=LATER)

    assert Bot.objects.get(pk=bot.pk).numbers_since == LATER


def test_a_message_that_came_in_accounts_for_its_number(bot: Bot) -> None:
    a_gap(bot.clinic, 2)
    unknown(bot.clinic)
    numbers.heard(bot.id, 101, given_at=NOW, now=NOW)

    assert asked(bot).number == 102


def test_what_ended_more_than_a_day_ago_is_looked_for_no_more(bot: Bot) -> None:
    a_gap(bot.clinic)
    unknown(bot.clinic)

    assert step(bot, now=NOW + dt.timedelta(days=1, seconds=1)) is None


def test_a_tap_closes_the_attempt_as_well(bot: Bot) -> None:
    message = unknown(bot.clinic)

    lifecycle.prove(Message.objects.filter(pk=message.pk), 101, now=LATER)

    attempt = Attempt.objects.get(message=message)
    assert (attempt.outcome, attempt.telegram_message_id) == (AttemptOutcome.SENT, 101)


def test_a_question_that_arrived_waits_for_its_answer_from_the_sending_on(bot: Bot) -> None:
    patient = a_patient(bot.clinic)
    series = a_schedule(bot.clinic, patient, answer_within=dt.timedelta(hours=1))
    a_gap(bot.clinic)
    message = unknown(bot.clinic, schedule=series)

    assert found_here(asked(bot), bot)

    assert fresh(message).answer_by == NOW + dt.timedelta(hours=1)
