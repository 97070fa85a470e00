"""Taking back what was done: a cancelled message, a skipped day, a series that was ended."""

import datetime as dt
from functools import partial

import pytest

from companion.clinics.access import Caller, NotAllowed
from companion.clinics.models import Bot, Clinic, Role
from companion.clinics.refusals import Conflict, Refused
from companion.delivery import lifecycle
from companion.planning import acts, edit, taking_back
from companion.schedules.models import Attempt, Message, State, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient
from tests.planning.days import deliver, plan
from tests.planning.plans import changed, occurrences, planned
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db
SECOND = dt.timedelta(seconds=1)
DAY = dt.timedelta(days=1)
FIRST, SECOND_DAY = "2026-12-02T09:00", "2026-12-03T09:00"


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


@pytest.fixture
def nurse(clinic: Clinic) -> Caller:
    return a_caller(clinic)


@pytest.fixture
def bot(clinic: Clinic) -> Bot:
    return a_bot(clinic)


def cancelled(nurse: Caller, **fields: dt.datetime) -> Message:
    message = a_message(a_patient(nurse.clinic), None, **fields)
    return acts.cancel(nurse, message, now=NOW)


def test_a_cancelled_message_that_is_taken_back_is_sent_once(nurse: Caller, bot: Bot) -> None:
    message = cancelled(nurse)

    taking_back.undo(nurse, message, now=NOW + 9 * SECOND)
    deliver(bot, now=NOW + 10 * SECOND)
    deliver(bot, now=NOW + 20 * SECOND)

    message.refresh_from_db()
    assert (message.status, Attempt.objects.count()) == (Status.SENT, 1)


def test_a_message_is_taken_back_once(nurse: Caller) -> None:
    message = cancelled(nurse)
    taking_back.undo(nurse, message, now=NOW + SECOND)

    with pytest.raises(Conflict, match="pending"):
        taking_back.undo(nurse, message, now=NOW + SECOND)


@pytest.mark.parametrize(("after", "comes_back"), [(14, True), (16, False)])
def test_ten_seconds_and_a_click_s_way_are_the_time_for_it(nurse: Caller, after: int, comes_back: bool) -> None:
    message = cancelled(nurse, due_at=NOW + DAY)

    if comes_back:
        assert taking_back.undo(nurse, message, now=NOW + after * SECOND).status == Status.PENDING
    else:
        with pytest.raises(Conflict, match="too late"):
            taking_back.undo(nurse, message, now=NOW + after * SECOND)


def test_a_message_whose_own_time_is_over_does_not_come_back(nurse: Caller) -> None:
    message = cancelled(nurse, late_at=NOW + 5 * SECOND)

    with pytest.raises(Conflict, match="too late"):
        taking_back.undo(nurse, message, now=NOW + 5 * SECOND)


@pytest.mark.parametrize("reason", [Reason.PATIENT_LEFT, Reason.SCHEDULE_ENDED])
def test_a_message_that_no_person_cancelled_can_not_be_restored_by_undo(nurse: Caller, reason: Reason) -> None:
    message = a_message(a_patient(nurse.clinic), due_at=NOW + DAY)
    lifecycle.stop(Message.objects.filter(pk=message.pk), reason, now=NOW)

    with pytest.raises(Conflict, match="No person cancelled"):
        taking_back.undo(nurse, message, now=NOW)


def test_a_failed_message_is_not_taken_back(nurse: Caller) -> None:
    message = a_message(a_patient(nurse.clinic), due_at=NOW + DAY)
    lifecycle.stop(Message.objects.filter(pk=message.pk), Reason.TOO_LATE, now=NOW)

    with pytest.raises(Conflict, match="failed"):
        taking_back.undo(nurse, message, now=NOW)


def test_another_clinic_s_member_takes_nothing_back(nurse: Caller) -> None:
    message = cancelled(nurse)

    with pytest.raises(Conflict):
        taking_back.undo(a_caller(a_clinic()), message, now=NOW)

    message.refresh_from_db()
    assert message.status == Status.CANCELLED


def test_a_viewer_takes_nothing_back(nurse: Caller, clinic: Clinic) -> None:
    message = cancelled(nurse)

    with pytest.raises(NotAllowed):
        taking_back.undo(a_caller(clinic, Role.VIEWER), message, now=NOW)


def test_a_message_whose_cancelling_was_undone_is_still_judged_before_it_leaves(nurse: Caller, bot: Bot) -> None:
    message = cancelled(nurse)
    assert message.patient
    message.patient.consent = "withdrawn"
    message.patient.save()

    taking_back.undo(nurse, message, now=NOW + SECOND)
    deliver(bot, now=NOW + 2 * SECOND)

    message.refresh_from_db()
    assert (message.status, message.reason, Attempt.objects.count()) == (Status.FAILED, Reason.OPTED_OUT, 0)


def test_after_an_undo_a_sent_message_can_not_be_undone_again(nurse: Caller, bot: Bot) -> None:
    message = cancelled(nurse)
    taking_back.undo(nurse, message, now=NOW + SECOND)
    deliver(bot, now=NOW + 2 * SECOND)

    with pytest.raises(Conflict, match="sent"):
        taking_back.undo(nurse, message, now=NOW + 3 * SECOND)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_it_back_at_once_one_does(nurse: Caller) -> None:
    message = cancelled(nurse)

    def back() -> bool:
        try:
            taking_back.undo(nurse, Message.objects.get(pk=message.pk), now=NOW + SECOND)
        except Conflict:
            return False
        return True

    assert sorted(at_once([back, back])) == [False, True]


@pytest.mark.django_db(transaction=True)
def test_a_dispatcher_that_looks_meanwhile_sends_it_once_or_not_yet(nurse: Caller, bot: Bot) -> None:
    message = cancelled(nurse)
    again = Message.objects.get(pk=message.pk)

    acts_at_once = [
        partial(taking_back.undo, nurse, again, now=NOW + SECOND),
        partial(deliver, bot, now=NOW + SECOND),
        partial(deliver, bot, now=NOW + SECOND),
    ]
    at_once(acts_at_once)  # type: ignore[arg-type]  # their answers are of two kinds, and nobody reads them
    deliver(bot, now=NOW + 5 * SECOND)

    message.refresh_from_db()
    assert (message.status, Attempt.objects.count()) == (Status.SENT, 1)


def test_a_message_of_a_day_that_was_skipped_meanwhile_stays_away(nurse: Caller) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic)).schedule
    message = Message.objects.get(occurrence=FIRST)
    acts.cancel(nurse, message, now=NOW)
    edit.skip(nurse, made, FIRST, now=NOW)

    with pytest.raises(Conflict, match="The plan was changed"):
        taking_back.undo(nurse, message, now=NOW + SECOND)

    assert FIRST not in occurrences(made)


@pytest.mark.parametrize("paused", [False, True])
def test_a_series_that_was_ended_goes_on_as_it_was(nurse: Caller, paused: bool) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic)).schedule
    if paused:
        edit.pause(nurse, made, now=NOW)
    before = occurrences(made)
    edit.cancel(nurse, made, now=NOW + SECOND)

    back = taking_back.undo_end(nurse, made, now=NOW + 5 * SECOND)

    assert back.schedule.state == (State.PAUSED if paused else State.ACTIVE)
    assert (occurrences(made), Message.objects.count()) == (before, len(before))
    assert back.messages == len(before)
    plan(now=NOW + 2 * DAY)
    assert len(occurrences(made)) == (0 if paused else 4)


def test_a_message_cancelled_before_its_series_was_ended_stays_cancelled(nurse: Caller) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic)).schedule
    acts.cancel(nurse, Message.objects.get(occurrence=FIRST), now=NOW)
    edit.cancel(nurse, made, now=NOW + SECOND)

    taking_back.undo_end(nurse, made, now=NOW + 2 * SECOND)

    assert occurrences(made) == [SECOND_DAY]


def test_a_series_that_ended_a_minute_ago_stays_ended(nurse: Caller) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic)).schedule
    edit.cancel(nurse, made, now=NOW)

    with pytest.raises(Conflict, match="too late"):
        taking_back.undo_end(nurse, made, now=NOW + 60 * SECOND)


def test_a_series_that_goes_on_has_no_end_to_take_back(nurse: Caller) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic)).schedule

    with pytest.raises(Conflict, match="active"):
        taking_back.undo_end(nurse, made, now=NOW)


@pytest.mark.parametrize("skipped", [FIRST, SECOND_DAY, "2026-12-20T09:00"])
def test_a_skip_is_taken_back_at_any_time_before(nurse: Caller, skipped: str) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic)).schedule
    before = occurrences(made)
    edit.skip(nurse, made, skipped, now=NOW)

    taking_back.unskip(nurse, made, skipped, now=NOW + 3600 * SECOND)

    made.refresh_from_db()
    assert (made.recurrence or {})["except"] == []
    assert occurrences(made)[: len(before)] == before


def test_today_s_message_comes_back_with_its_day(nurse: Caller, bot: Bot) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic), starts_at="2026-12-01T12:00").schedule
    edit.skip(nurse, made, "2026-12-01T12:00", now=NOW)
    assert Message.objects.get(occurrence="2026-12-01T12:00").status == Status.FAILED

    taking_back.unskip(nurse, made, "2026-12-01T12:00", now=NOW + SECOND)
    noon = dt.datetime(2026, 12, 1, 11, tzinfo=dt.UTC)
    deliver(bot, now=noon)

    assert Message.objects.get(occurrence="2026-12-01T12:00").sent_at == noon


def test_of_a_day_that_is_out_one_time_comes_back(nurse: Caller) -> None:
    rule = {"frequency": "daily", "times": ["09:00", "20:00"], "except": ["2026-12-02"]}
    made = planned(nurse.clinic, a_patient(nurse.clinic), recurrence=rule).schedule

    taking_back.unskip(nurse, made, "2026-12-02T20:00", now=NOW)

    made.refresh_from_db()
    assert (made.recurrence or {})["except"] == ["2026-12-02T09:00"]
    assert "2026-12-02T20:00" in occurrences(made)


def test_a_skip_of_the_past_is_not_taken_back(nurse: Caller) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic)).schedule
    edit.skip(nurse, made, FIRST, now=NOW)

    with pytest.raises(Conflict, match="over"):
        taking_back.unskip(nurse, made, FIRST, now=NOW + 3 * DAY)


@pytest.mark.parametrize("name", [SECOND_DAY, "2026-12-02T10:00", "yesterday"])
def test_an_occurrence_that_is_not_skipped_can_not_be_unskipped(nurse: Caller, name: str) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic)).schedule

    with pytest.raises(Refused, match="occurrence"):
        taking_back.unskip(nurse, made, name, now=NOW)


def test_a_skip_is_taken_back_after_the_time_of_day_has_changed(nurse: Caller) -> None:
    made = planned(nurse.clinic, a_patient(nurse.clinic)).schedule
    edit.skip(nurse, made, SECOND_DAY, now=NOW)
    made.refresh_from_db()
    changed(made, starts_at="2026-12-02T10:00")

    taking_back.unskip(nurse, made, "2026-12-03T10:00", now=NOW)

    made.refresh_from_db()
    assert (made.recurrence or {})["except"] == []
