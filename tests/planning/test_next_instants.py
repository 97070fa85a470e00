"""`next` of a Schedule: the instants at which its recipients will really get something."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from companion.clinics.models import Clinic
from companion.patients import directory, pausing
from companion.patients.models import Patient
from companion.planning import acts, edit
from companion.planning.next_instants import next_instants
from companion.schedules.models import Message, Schedule
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort, a_patient
from tests.planning.days import plan, run
from tests.planning.plans import DAILY, planned

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


def at_eight(*days: int) -> list[dt.datetime]:
    """Nine o'clock in Berlin on these days of December."""
    return [dt.datetime(2026, 12, day, 8, tzinfo=dt.UTC) for day in days]


def coming(schedule: Schedule, now: dt.datetime = NOW, count: int = 5) -> list[dt.datetime]:
    schedule.refresh_from_db()
    return next_instants(schedule.clinic, [schedule], now=now, count=count)[schedule.id]


def the_message(schedule: Schedule, day: int) -> Message:
    return Message.objects.get(schedule=schedule, occurrence=f"2026-12-{day:02}T09:00")


def test_messages_and_future_occurrences_come_in_one_list(clinic: Clinic) -> None:
    made = planned(clinic, a_patient(clinic)).schedule

    assert coming(made) == at_eight(2, 3, 4, 5, 6)


def test_an_instant_that_is_cancelled_for_everybody_is_not_among_them(clinic: Clinic) -> None:
    made = planned(clinic, a_patient(clinic)).schedule

    acts.cancel(a_caller(clinic), the_message(made, 2), now=NOW)

    assert coming(made) == at_eight(3, 4, 5, 6, 7)


def test_an_instant_that_is_cancelled_for_one_of_two_is_among_them(clinic: Clinic) -> None:
    ana, bo = a_patient(clinic), a_patient(clinic, "Bo")
    made = planned(clinic, ana, bo).schedule

    acts.cancel(a_caller(clinic), Message.objects.filter(schedule=made, patient=ana)[0], now=NOW)

    assert coming(made, count=1) == at_eight(2)


def test_a_skipped_instant_is_not_among_them(clinic: Clinic) -> None:
    made = planned(clinic, a_patient(clinic)).schedule

    edit.skip(a_caller(clinic), made, "2026-12-03T09:00", now=NOW)
    edit.skip(a_caller(clinic), made, "2026-12-05T09:00", now=NOW)

    assert coming(made) == at_eight(2, 4, 6, 7, 8)


def test_a_message_that_a_person_moved_stands_at_its_own_time(clinic: Clinic) -> None:
    made = planned(clinic, a_patient(clinic)).schedule
    later = dt.datetime(2026, 12, 2, 16, tzinfo=dt.UTC)

    acts.edit(a_caller(clinic), the_message(made, 2), send_at=later, now=NOW)

    assert coming(made, count=2) == [later, *at_eight(3)]


def test_a_patients_pause_is_left_out(clinic: Clinic) -> None:
    ana = a_patient(clinic)
    made = planned(clinic, ana).schedule

    pausing.change(a_caller(clinic), ana, {"paused_until": "2026-12-06", "paused_reason": "in hospital"}, now=NOW)
    plan(now=NOW)

    assert coming(made, count=2) == at_eight(6, 7)


def test_a_schedule_whose_patients_have_all_left_sends_nothing(clinic: Clinic) -> None:
    ana = a_patient(clinic, left_at=NOW)
    made = planned(clinic, a_patient(clinic)).schedule
    made.recipient_rows.update(patient=ana)
    Message.objects.all().delete()

    assert coming(made) == []


def test_a_cohort_without_patients_gets_nothing(clinic: Clinic) -> None:
    made = planned(clinic, cohort=str(a_cohort(clinic, "Diabetes").id)).schedule

    assert coming(made) == []


def test_a_message_made_ahead_by_hand_and_cancelled_is_not_among_them(clinic: Clinic) -> None:
    made = planned(clinic, a_patient(clinic)).schedule
    message = the_message(made, 3)
    ahead = at_eight(5)[0]
    Message.objects.filter(pk=message.pk).update(
        occurrence="2026-12-05T09:00", due_at=ahead, ready_at=ahead, late_at=ahead, by_hand=True
    )
    assert coming(made, count=3) == at_eight(2, 4, 5)

    acts.cancel(a_caller(clinic), message, now=NOW)

    assert coming(made, count=3) == at_eight(2, 4, 6)


@pytest.mark.parametrize(
    ("there", "then", "first"),
    [
        # 09:00 on the 2nd in Auckland is 10:00 on the 1st in Honolulu: the 2nd is spent when its 09:00 comes there.
        ("Pacific/Auckland", "Pacific/Honolulu", dt.datetime(2026, 12, 3, 19, tzinfo=dt.UTC)),
        ("Pacific/Honolulu", "Pacific/Auckland", dt.datetime(2026, 12, 2, 20, tzinfo=dt.UTC)),
        ("Asia/Tokyo", "America/Los_Angeles", dt.datetime(2026, 12, 3, 17, tzinfo=dt.UTC)),
    ],
)
def test_an_occurrence_that_was_sent_before_the_patient_crossed_the_date_line_is_not_among_them(
    clinic: Clinic, there: str, then: str, first: dt.datetime
) -> None:
    ana = a_patient(clinic, timezone=there)
    made = planned(clinic, ana).schedule
    sent = Message.objects.get(schedule=made, occurrence="2026-12-02T09:00").due_at
    run(a_bot(clinic), since=sent, until=sent + dt.timedelta(minutes=1))

    directory.change(a_caller(clinic), ana, {"timezone": then}, now=sent + dt.timedelta(minutes=30))
    plan(now=sent + dt.timedelta(minutes=30))

    assert coming(made, now=sent + dt.timedelta(minutes=30))[0] == first


def test_many_schedules_are_asked_about_together(clinic: Clinic) -> None:
    schedules = [planned(clinic, a_patient(clinic), recurrence=DAILY).schedule for _ in range(3)]

    with CaptureQueriesContext(connection) as for_one:
        next_instants(clinic, schedules[:1], now=NOW)
    with CaptureQueriesContext(connection) as three:
        found = next_instants(clinic, schedules, now=NOW)

    assert len(three) == len(for_one)
    assert {tuple(instants) for instants in found.values()} == {tuple(at_eight(2, 3, 4, 5, 6))}


def test_all_patients_zones_are_in_it(clinic: Clinic) -> None:
    ana, kei = a_patient(clinic), a_patient(clinic, "Kei", timezone="Asia/Tokyo")

    made = planned(clinic, ana, kei, starts_at="2026-12-10T09:00").schedule

    tokyo = dt.datetime(2026, 12, 10, 0, tzinfo=dt.UTC)
    assert coming(made, count=3) == [tokyo, *at_eight(10), tokyo + dt.timedelta(days=1)]


def test_a_fixed_zone_is_one_instant_for_all(clinic: Clinic) -> None:
    patients: list[Patient] = [a_patient(clinic), a_patient(clinic, "Kei", timezone="Asia/Tokyo")]

    made = planned(clinic, *patients, timezone="Europe/Berlin").schedule

    assert coming(made, count=2) == at_eight(2, 3)
