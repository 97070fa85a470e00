"""Tests of planning: Messages that are made, that move, and that stay."""

import datetime as dt

import pytest

from companion.clinics import marks as clinic_marks
from companion.clinics.models import MarkKind
from companion.clinics.refusals import Conflict, Refused
from companion.patients.models import CohortMember, Patient
from companion.planning import acts, edit, marks, planner
from companion.schedules.models import Message, State, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_caller, a_clinic, a_cohort, a_patient
from tests.planning.days import expire
from tests.planning.plans import DAILY, changed, occurrences, planned

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def test_a_new_series_has_its_first_two_days_planned_at_once() -> None:
    clinic = a_clinic()

    made = planned(clinic, a_patient(clinic))

    assert occurrences(made.schedule) == ["2026-12-02T09:00", "2026-12-03T09:00"]


def test_each_patient_gets_it_in_their_own_zone() -> None:
    clinic = a_clinic()
    berlin = a_patient(clinic, timezone="Europe/Berlin")
    tokyo = a_patient(clinic, timezone="Asia/Tokyo")

    made = planned(clinic, berlin, tokyo, recurrence=None)

    due = dict(Message.objects.filter(schedule=made.schedule).values_list("patient_id", "due_at"))
    assert due == {
        berlin.id: dt.datetime(2026, 12, 2, 8, tzinfo=dt.UTC),
        tokyo.id: dt.datetime(2026, 12, 2, 0, tzinfo=dt.UTC),
    }


def test_planning_again_makes_nothing_twice() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))

    again = planner.plan_ahead(made.schedule.id, now=NOW)

    assert (again, Message.objects.count()) == (0, 2)


def test_the_horizon_moves_on_with_time() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))

    planner.plan_ahead(made.schedule.id, now=NOW + 2 * DAY)

    assert occurrences(made.schedule)[-1] == "2026-12-05T09:00"


def test_a_schedule_with_nothing_soon_costs_the_planner_nothing() -> None:
    clinic = a_clinic()
    planned(clinic, a_patient(clinic), starts_at="2027-06-01T09:00")

    assert planner.due_for_planning(now=NOW + DAY, limit=10) == []


def test_a_series_ends_when_its_last_occurrence_has_passed_and_nothing_of_it_waits() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic), recurrence=DAILY | {"count": 1})

    planner.plan_ahead(made.schedule.id, now=NOW + 3 * DAY)
    made.schedule.refresh_from_db()
    assert made.schedule.state == State.ACTIVE

    expire(now=NOW + 3 * DAY)
    planner.plan_ahead(made.schedule.id, now=NOW + 3 * DAY)

    made.schedule.refresh_from_db()
    assert (made.schedule.state, made.schedule.next_plan_at) == (State.ENDED, None)


def test_a_one_time_start_in_the_past_is_taken_while_it_is_still_good() -> None:
    clinic = a_clinic()

    made = planned(clinic, a_patient(clinic), recurrence=None, starts_at="2026-12-01T08:30")

    assert occurrences(made.schedule) == ["2026-12-01T08:30"]


def test_a_one_time_start_that_is_too_long_ago_is_refused() -> None:
    clinic = a_clinic()

    with pytest.raises(Refused, match="starts_at"):
        planned(clinic, a_patient(clinic), recurrence=None, timezone="UTC", starts_at="2026-12-01T06:30")


def test_a_broadcast_due_at_night_is_planned_for_the_morning() -> None:
    clinic = a_clinic()

    made = planned(clinic, a_patient(clinic), recurrence=None, lane="broadcast", starts_at="2026-12-02T23:00")

    message = Message.objects.get(schedule=made.schedule)
    assert message.due_at == dt.datetime(2026, 12, 3, 7, tzinfo=dt.UTC)
    assert message.late_at == message.due_at + dt.timedelta(hours=12)


def test_a_changed_time_moves_the_planned_messages() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic), starts_at="2026-12-01T19:00")

    changed(made.schedule, starts_at="2026-12-01T20:30")

    assert occurrences(made.schedule) == ["2026-12-01T20:30", "2026-12-02T20:30"]


def test_a_changed_text_reaches_the_planned_messages_and_no_sent_message() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))
    sent = Message.objects.filter(schedule=made.schedule).order_by("due_at").first()
    assert sent is not None
    Message.objects.filter(pk=sent.pk).update(status=Status.SENT)

    changed(made.schedule, text="Drink water.")

    texts = {m.status: m.version.text for m in Message.objects.select_related("version") if m.version}
    assert texts == {"sent": "Take your tablet, {first_name}.", "pending": "Drink water."}


def test_a_message_edited_by_hand_survives_a_change_of_its_series() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))
    by_hand = Message.objects.filter(schedule=made.schedule).order_by("due_at")[0]
    acts.edit(a_caller(clinic), by_hand, now=NOW, new_text="Come fasting.")

    changed(made.schedule, text="Drink water.")

    by_hand.refresh_from_db()
    assert by_hand.text == "Come fasting."


def test_a_cancelled_occurrence_is_not_planned_again() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))
    acts.cancel(a_caller(clinic), Message.objects.filter(schedule=made.schedule).order_by("due_at")[0], now=NOW)

    changed(made.schedule, text="Drink water.")

    assert occurrences(made.schedule) == ["2026-12-03T09:00"]


def test_a_patient_whose_zone_changes_gets_the_planned_messages_moved() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    made = planned(clinic, patient, starts_at="2026-12-01T19:00")
    Patient.objects.filter(pk=patient.pk).update(timezone="America/New_York")
    mark = clinic_marks.leave(clinic, MarkKind.PATIENT, patient.id, now=NOW)

    moves = marks.work_off([mark], now=NOW)

    assert moves.moved == 2
    first = Message.objects.filter(schedule=made.schedule).order_by("due_at")[0]
    assert first.due_at == dt.datetime(2026, 12, 2, 0, tzinfo=dt.UTC)


def test_a_patient_who_joins_a_cohort_is_planned_and_a_patient_who_leaves_it_unplanned() -> None:
    clinic = a_clinic()
    stays, joins = a_patient(clinic), a_patient(clinic)
    cohort = a_cohort(clinic, "Diabetes", stays)
    planned(clinic, cohort=str(cohort.id))
    CohortMember.objects.filter(patient=stays).delete()
    CohortMember.objects.create(clinic=clinic, cohort=cohort, patient=joins)

    marks.work_off([clinic_marks.leave(clinic, MarkKind.COHORT, cohort.id, now=NOW)], now=NOW)

    assert set(Message.objects.values_list("patient_id", flat=True)) == {joins.id}


def test_a_patient_who_left_has_pending_messages_cancelled() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    made = planned(clinic, patient)
    Patient.objects.filter(pk=patient.pk).update(left_at=NOW)

    marks.work_off([clinic_marks.leave(clinic, MarkKind.PATIENT, patient.id, now=NOW)], now=NOW)

    reasons = set(Message.objects.filter(schedule=made.schedule).values_list("status", "reason"))
    assert reasons == {(Status.CANCELLED, Reason.PATIENT_LEFT)}


def test_a_paused_series_has_nothing_pending_and_goes_on_with_the_next_in_the_future() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))

    paused = edit.pause(a_caller(clinic), made.schedule, now=NOW)
    assert occurrences(paused.schedule) == []

    resumed = edit.resume(a_caller(clinic), made.schedule, now=NOW + 2 * DAY)
    assert (
        occurrences(resumed.schedule)
        == ["2026-12-03T09:00", "2026-12-04T09:00", "2026-12-05T09:00"][:3][-len(occurrences(resumed.schedule)) :]
    )
    assert "2026-12-02T09:00" not in occurrences(resumed.schedule)


def test_a_cancelled_schedule_cancels_what_is_pending() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))

    edit.cancel(a_caller(clinic), made.schedule, now=NOW)

    reasons = set(Message.objects.filter(schedule=made.schedule).values_list("status", "reason"))
    assert reasons == {(Status.CANCELLED, Reason.SCHEDULE_ENDED)}


def test_a_cancelled_schedule_can_not_be_resumed() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))
    edit.cancel(a_caller(clinic), made.schedule, now=NOW)

    with pytest.raises(Conflict, match="cancelled"):
        edit.resume(a_caller(clinic), made.schedule, now=NOW)


def test_a_skipped_occurrence_is_left_out() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))

    edit.skip(a_caller(clinic), made.schedule, "2026-12-02T09:00", now=NOW)

    assert occurrences(made.schedule) == ["2026-12-03T09:00"]


def test_an_unknown_occurrence_can_not_be_skipped() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))

    with pytest.raises(Refused, match="occurrence"):
        edit.skip(a_caller(clinic), made.schedule, "2026-12-02T09:01", now=NOW)


def test_this_and_following_splits_the_series() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))

    split = changed(made.schedule, from_occurrence="2026-12-03T09:00", text="Drink water.")

    assert occurrences(made.schedule) == ["2026-12-02T09:00"]
    assert occurrences(split.schedule) == ["2026-12-03T09:00"]


def test_a_split_series_keeps_its_count_over_both_parts() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic), recurrence=DAILY | {"count": 5})

    split = changed(made.schedule, from_occurrence="2026-12-03T09:00", text="Drink water.")

    assert split.schedule.recurrence is not None
    assert split.schedule.recurrence["count"] == 4


def test_a_message_that_a_person_changed_is_not_planned_a_second_time_by_a_split() -> None:
    clinic = a_clinic()
    made = planned(clinic, a_patient(clinic))
    second = Message.objects.filter(schedule=made.schedule).order_by("due_at")[1]
    acts.cancel(a_caller(clinic), second, now=NOW)

    split = changed(made.schedule, from_occurrence="2026-12-03T09:00", text="Drink water.")

    assert occurrences(split.schedule) == []


def test_a_message_dropped_on_its_own_day_stays_on_record() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    made = planned(clinic, patient, starts_at="2026-12-01T12:00")

    after = changed(made.schedule, starts_at="2026-12-02T07:00")

    today = Message.objects.get(schedule=made.schedule, occurrence="2026-12-01T12:00")
    assert (today.status, today.reason) == (Status.FAILED, Reason.TOO_LATE)
    assert [(warning.code, warning.patient) for warning in after.warnings if warning.patient] == [
        ("none_today", patient.id)
    ]


def test_one_schedule_for_a_thousand_patients_is_planned_in_the_request() -> None:
    clinic = a_clinic()
    number = 6_000_000_000
    patients = Patient.objects.bulk_create(
        Patient(
            clinic=clinic,
            external_id=f"M-{i}",
            name=f"Patient {i}",
            search=f"patient {i}",
            telegram_id=number + i,
            timezone="Europe/Berlin",
            created_at=NOW,
        )
        for i in range(1000)
    )

    made = planned(clinic, *patients, recurrence=None)

    assert (made.complete, made.messages) == (True, 1000)
