"""Messages that a person made ahead of the Planner, by "Change only this message": they follow their series."""

import datetime as dt
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from companion.clinics.models import Clinic
from companion.clinics.refusals import Conflict, Refused
from companion.patients import directory, pausing
from companion.patients.models import Patient
from companion.planning import acts, detaching, edit, marks
from companion.planning.next_instants import next_instants
from companion.schedules import queries
from companion.schedules.models import Message, Schedule, Status
from tests.builders import NOW, a_caller, a_clinic, a_patient
from tests.planning.days import plan
from tests.planning.plans import DAILY, changed, planned
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


def a_series(clinic: Clinic, *patients: Patient, **fields: Any) -> Schedule:
    """Daily at nine, UTC, from tomorrow on."""
    return planned(clinic, *(patients or (a_patient(clinic),)), **{"timezone": "UTC"} | fields).schedule


def at(day: int, hour: int, month: int = 12) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, tzinfo=dt.UTC)


def made(schedule: Schedule, name: str = "2026-12-10T09:00", **changes: Any) -> Message:
    """Make this patient's Message ahead, and change it."""
    nurse = a_caller(schedule.clinic)
    (message,) = detaching.detach(nurse, schedule, name, now=NOW)
    return acts.edit(nurse, message, now=NOW, **changes) if changes else message


def of(schedule: Schedule) -> list[str]:
    """Return when its Messages beyond the horizon are due."""
    found = Message.objects.filter(schedule=schedule, due_at__gt=NOW + 3 * DAY).order_by("due_at")
    return [f"{message.due_at:%d %H:%M}" for message in found]


def coming(schedule: Schedule, count: int = 10) -> list[str]:
    schedule.refresh_from_db()
    found = next_instants(schedule.clinic, [schedule], now=NOW, count=count)[schedule.id]
    return [f"{instant:%d %H:%M}" for instant in found]


@pytest.mark.parametrize("time", ["06:00", "23:00"])
@pytest.mark.parametrize("since", [None, "2026-12-08T09:00", "2026-12-10T09:00"])
def test_it_moves_with_a_new_time_of_day_and_nothing_else_is_planned_there(
    clinic: Clinic, time: str, since: str | None
) -> None:
    series = a_series(clinic)
    message = made(series, new_text="Half a tablet.")

    after = changed(series, from_occurrence=since, starts_at=f"2026-12-02T{time}").schedule

    message.refresh_from_db()
    assert (message.schedule, message.occurrence, message.text) == (after, f"2026-12-10T{time}", "Half a tablet.")
    assert of(after) == [f"10 {time}"]
    assert coming(after).count(f"10 {time}") == 1


def test_it_moves_also_where_only_a_person_looked_at_it(clinic: Clinic) -> None:
    series = a_series(clinic)
    made(series)

    changed(series, starts_at="2026-12-02T06:00")
    for day in range(12):
        plan(now=NOW + day * DAY)

    assert of(series) == [f"{day:02} 06:00" for day in range(5, 15)]


def test_a_time_that_a_person_chose_stays(clinic: Clinic) -> None:
    series = a_series(clinic)
    made(series, send_at=at(10, 17))

    changed(series, starts_at="2026-12-02T06:00")

    assert of(series) == ["10 17:00"]


def test_a_message_that_a_person_cancelled_ahead_is_not_planned_again(clinic: Clinic) -> None:
    series = a_series(clinic)
    acts.cancel(a_caller(clinic), made(series), now=NOW)

    changed(series, starts_at="2026-12-02T06:00")
    for day in range(12):
        plan(now=NOW + day * DAY)

    assert not Message.objects.filter(schedule=series, due_at__date=at(10, 0), status=Status.PENDING).exists()


def test_words_for_the_last_planned_day_move_to_a_time_that_is_not_planned_yet(clinic: Clinic) -> None:
    # Planned up to 08:00 on the 3rd; the new time lies behind that.
    series = a_series(clinic, starts_at="2026-12-02T07:00")
    message = Message.objects.get(schedule=series, occurrence="2026-12-03T07:00")
    acts.edit(a_caller(clinic), message, new_text="Half a tablet.", now=NOW)

    changed(series, starts_at="2026-12-02T20:00")

    message.refresh_from_db()
    assert (message.occurrence, message.due_at) == ("2026-12-03T20:00", at(3, 20))


def test_it_moves_with_its_patient_to_another_zone(clinic: Clinic) -> None:
    ana = a_patient(clinic, timezone="Europe/Berlin")
    series = a_series(clinic, ana, timezone="patient")
    made(series)

    directory.change(a_caller(clinic), ana, {"timezone": "America/New_York"}, now=NOW)
    marks.work_off_of(clinic, ana.id, now=NOW)

    assert of(series) == ["10 14:00"]


def test_a_single_message_moves_to_its_new_day(clinic: Clinic) -> None:
    once = a_series(clinic, recurrence=None, starts_at="2026-12-10T09:00")
    made(once)

    changed(once, starts_at="2026-12-14T07:00")

    assert of(once) == ["14 07:00"]


def test_in_a_paused_series_it_gets_its_new_time_when_that_goes_on(clinic: Clinic) -> None:
    series = a_series(clinic)
    made(series)
    edit.pause(a_caller(clinic), series, now=NOW)

    changed(series, starts_at="2026-12-02T06:00")
    edit.resume(a_caller(clinic), series, now=NOW)

    assert of(series) == ["10 06:00"]


def test_in_a_patients_pause_it_keeps_its_time(clinic: Clinic) -> None:
    ana = a_patient(clinic)
    series = a_series(clinic, ana)
    made(series)
    pausing.change(a_caller(clinic), ana, {"paused_until": "2026-12-12", "paused_reason": "in hospital"}, now=NOW)

    changed(series, starts_at="2026-12-02T06:00")

    assert "10 06:00" not in of(series)


@pytest.mark.parametrize("to", [at(1, 20), at(6, 20)])
def test_one_that_was_moved_to_another_day_leaves_nothing_at_its_old_instant(clinic: Clinic, to: dt.datetime) -> None:
    series = a_series(clinic)

    made(series, send_at=to)

    assert "10 09:00" not in coming(series)
    assert f"{to:%d %H:%M}" in coming(series)


def test_a_patient_without_a_message_yet_still_gets_it_at_its_old_instant(clinic: Clinic) -> None:
    ana, ben = a_patient(clinic), a_patient(clinic, "Ben")
    series, nurse = a_series(clinic, ana, ben), a_caller(clinic)
    (message,) = detaching.detach(nurse, series, "2026-12-10T09:00", patient=ana.id, now=NOW)

    acts.edit(nurse, message, send_at=at(6, 20), now=NOW)

    assert [time for time in coming(series) if time in ("06 20:00", "10 09:00")] == ["06 20:00", "10 09:00"]


def test_a_single_message_stays_in_the_list_of_later_messages_until_it_is_planned_for_all(clinic: Clinic) -> None:
    ana, ben = a_patient(clinic), a_patient(clinic, "Ben")
    once = a_series(clinic, ana, ben, recurrence=None, starts_at="2026-12-10T09:00")

    detaching.detach(a_caller(clinic), once, "2026-12-10T09:00", patient=ana.id, now=NOW)

    assert list(queries.once_to_come(clinic)) == [once]
    plan(now=at(9, 9))
    assert list(queries.once_to_come(clinic)) == []


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_make_it_at_the_same_time_one_person_does(clinic: Clinic) -> None:
    series = a_series(clinic)

    def make() -> bool:
        try:
            detaching.detach(a_caller(clinic), Schedule.objects.get(pk=series.pk), "2026-12-10T09:00", now=NOW)
        except Conflict:
            return False
        return True

    assert sorted(at_once([make] * 4)) == [False, False, False, True]
    assert Message.objects.filter(schedule=series, occurrence="2026-12-10T09:00").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_message_made_by_hand_and_planned_at_the_same_time_exists_once(clinic: Clinic) -> None:
    series = a_series(clinic)

    at_once([partial(_made_or_not, series), partial(plan, now=at(9, 9))])

    assert Message.objects.filter(schedule=series, occurrence="2026-12-10T09:00").count() == 1


def _made_or_not(schedule: Schedule) -> None:
    with suppress(Conflict):
        detaching.detach(a_caller(schedule.clinic), schedule, "2026-12-10T09:00", now=NOW)


@pytest.mark.django_db(transaction=True)
def test_made_and_skipped_at_the_same_time_it_is_not_sent(clinic: Clinic) -> None:
    series = a_series(clinic)
    nurse = a_caller(clinic)

    def make() -> None:
        _made_or_not(series)

    def skip() -> None:
        edit.skip(nurse, Schedule.objects.get(pk=series.pk), "2026-12-10T09:00", now=NOW)

    at_once([make, skip])
    plan(now=at(9, 9))

    left = Message.objects.filter(schedule=series, occurrence="2026-12-10T09:00")
    assert not left.exclude(status=Status.CANCELLED).exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_skip_it_at_the_same_time_one_does(clinic: Clinic) -> None:
    series = a_series(clinic, recurrence=DAILY | {"count": 12})

    def skip() -> bool:
        try:
            edit.skip(a_caller(clinic), Schedule.objects.get(pk=series.pk), "2026-12-10T09:00", now=NOW)
        except Refused:
            return False
        return True

    assert sorted(at_once([skip, skip])) == [False, True]
    series.refresh_from_db()
    assert (series.recurrence or {})["except"] == ["2026-12-10T09:00"]
