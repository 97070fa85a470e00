"""A patient on pause: nothing is sent, nothing is sent later, and sending continues by itself."""

import datetime as dt
from typing import Any

import pytest

from companion.clinics.models import AuditEntry, Clinic
from companion.clinics.refusals import Conflict, Refused
from companion.patients import pausing
from companion.patients.models import Patient
from companion.planning import acts, drafts, edit, marks, planner, short_form
from companion.planning.replan import Moves
from companion.schedules.models import Message, Schedule
from companion.schedules.wording import wont_arrive
from tests.builders import NOW, a_caller, a_clinic, a_message, a_patient

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
IN_A_WEEK = dt.date(2026, 12, 8)


def a_series(patient: Patient, **changes: Any) -> Schedule:
    body: dict[str, object] = {
        "patients": [str(patient.id)],
        "text": "Take your tablet.",
        "starts_at": "2026-12-01T12:00",
        "timezone": "patient",
        "recurrence": {"frequency": "daily"},
    }
    clinic = patient.clinic
    return edit.create(a_caller(clinic), drafts.read(clinic, body | changes, now=NOW), now=NOW).schedule


def put_on_pause(patient: Patient, until: dt.date = IN_A_WEEK) -> Moves | None:
    pausing.pause(a_caller(patient.clinic), patient, until, "in hospital", now=NOW)
    patient.refresh_from_db()
    return marks.work_off_of(patient.clinic, patient.id, now=NOW)


def occurrences() -> list[str]:
    return list(Message.objects.order_by("due_at").values_list("occurrence", flat=True))


@pytest.fixture
def patient() -> Patient:
    clinic: Clinic = a_clinic()
    return a_patient(clinic)


def test_a_pause_takes_out_what_was_planned_and_says_how_many(patient: Patient) -> None:
    a_series(patient)

    moves = put_on_pause(patient)

    assert moves is not None
    assert (moves.messages, occurrences()) == (2, [])


def test_it_goes_on_by_itself_on_the_day_named(patient: Patient) -> None:
    series = a_series(patient)
    put_on_pause(patient)

    for day in range(1, 9):
        planner.plan_ahead(series.id, now=NOW + day * DAY)

    assert occurrences() == ["2026-12-08T12:00", "2026-12-09T12:00", "2026-12-10T12:00", "2026-12-11T12:00"][:3]


def test_the_day_begins_on_the_patients_own_clock(patient: Patient) -> None:
    Patient.objects.filter(pk=patient.pk).update(timezone="Asia/Tokyo")
    patient.refresh_from_db()

    put_on_pause(patient)

    end = dt.datetime(2026, 12, 7, 15, tzinfo=dt.UTC)
    assert pausing.is_paused(patient, end - dt.timedelta(seconds=1))
    assert not pausing.is_paused(patient, end)


def test_ending_a_pause_plans_what_is_still_in_the_future(patient: Patient) -> None:
    a_series(patient)
    put_on_pause(patient)

    pausing.resume(a_caller(patient.clinic), patient, now=NOW + DAY)
    marks.work_off_of(patient.clinic, patient.id, now=NOW + DAY)

    assert occurrences() == ["2026-12-02T12:00"]


def test_a_pause_touches_nobody_else(patient: Patient) -> None:
    other = a_patient(patient.clinic)
    a_series(patient, patients=[str(patient.id), str(other.id)])

    put_on_pause(patient)

    assert set(Message.objects.values_list("patient_id", flat=True)) == {other.id}


def test_a_single_message_during_a_pause_is_refused(patient: Patient) -> None:
    put_on_pause(patient)

    with pytest.raises(Refused, match="patient"):
        short_form.send_one(a_caller(patient.clinic), patient, "Hello.", None, now=NOW)


def test_a_message_planned_by_hand_says_that_it_wont_arrive(patient: Patient) -> None:
    message = a_message(patient)

    put_on_pause(patient)

    message.refresh_from_db()
    assert wont_arrive(message, patient.clinic) == "Won't arrive: on pause until 8 December 2026 (in hospital)"


def test_send_now_to_a_patient_on_pause_is_refused(patient: Patient) -> None:
    message = a_message(patient, due_at=NOW + DAY)
    put_on_pause(patient)
    message.refresh_from_db()

    with pytest.raises(Conflict, match="on pause until 8 December 2026"):
        acts.send_now(a_caller(patient.clinic), message, now=NOW)


@pytest.mark.parametrize(("until", "field"), [(dt.date(2026, 12, 1), "paused_until"), (dt.date(2030, 1, 1), "until")])
def test_a_pause_ends_in_the_future_and_not_too_far_in_it(patient: Patient, until: dt.date, field: str) -> None:
    with pytest.raises(Refused, match=field):
        put_on_pause(patient, until)


def test_a_pause_has_a_reason_and_is_on_the_record(patient: Patient) -> None:
    with pytest.raises(Refused, match="paused_reason"):
        pausing.pause(a_caller(patient.clinic), patient, IN_A_WEEK, " ", now=NOW)

    put_on_pause(patient)

    assert AuditEntry.objects.filter(action="patient paused", subject_id=patient.id).count() == 1
