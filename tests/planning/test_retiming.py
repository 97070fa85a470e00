"""A person's skips, texts and moves survive when the times of a series change: the ways to lose them."""

import datetime as dt
from typing import Any

import pytest

from companion.clinics import marks as clinic_marks
from companion.clinics.models import Clinic, MarkKind
from companion.patients.models import Patient
from companion.planning import acts, edit, marks, planner
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient
from tests.planning.days import plan, run
from tests.planning.plans import DAILY, changed, occurrences, planned

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


def a_series(clinic: Clinic, *patients: Patient, **fields: Any) -> Schedule:
    """Daily at nine, UTC, from tomorrow on, planned for three days."""
    made = planned(clinic, *(patients or (a_patient(clinic),)), **{"timezone": "UTC"} | fields).schedule
    planner.plan_ahead(made.id, now=NOW + DAY)
    return made


def at(day: int, hour: int) -> dt.datetime:
    return dt.datetime(2026, 12, day, hour, tzinfo=dt.UTC)


def message(schedule: Schedule, name: str) -> Message:
    return Message.objects.get(schedule=schedule, occurrence=name)


def of(schedule: Schedule) -> list[tuple[str, str]]:
    found = Message.objects.filter(schedule=schedule).order_by("due_at", "occurrence")
    return [(f"{message.due_at:%d %H:%M}", message.status) for message in found]


def test_a_one_time_message_in_a_persons_words_moves_to_another_day(clinic: Clinic) -> None:
    once = a_series(clinic, recurrence=None)
    acts.edit(a_caller(clinic), message(once, "2026-12-02T09:00"), new_text="Come fasting.", now=NOW)

    changed(once, starts_at="2026-12-03T06:00")

    [only] = Message.objects.filter(schedule=once)
    assert (only.text, only.due_at) == ("Come fasting.", at(3, 6))


def test_a_one_time_message_that_a_person_cancelled_does_not_come_on_another_day(clinic: Clinic) -> None:
    once = a_series(clinic, recurrence=None)
    acts.cancel(a_caller(clinic), message(once, "2026-12-02T09:00"), now=NOW)

    changed(once, starts_at="2026-12-03T06:00")

    assert [status for _, status in of(once)] == [Status.CANCELLED]


def test_a_one_time_message_that_was_sent_is_not_sent_again_on_another_day(clinic: Clinic) -> None:
    once = a_series(clinic, recurrence=None, starts_at="2026-12-01T09:00")
    run(a_bot(clinic), since=NOW, until=NOW + 2 * HOUR)

    changed(once, now=NOW + 2 * HOUR, starts_at="2026-12-02T09:00")

    assert of(once) == [("01 09:00", Status.SENT)]


def test_a_new_time_in_a_new_zone_moves_a_persons_words_to_that_zones_time(clinic: Clinic) -> None:
    series = a_series(clinic)
    acts.edit(a_caller(clinic), message(series, "2026-12-03T09:00"), new_text="Come fasting.", now=NOW)

    changed(series, starts_at="2026-12-02T10:00", timezone="America/New_York")

    assert message(series, "2026-12-03T10:00").due_at == at(3, 15)


def test_a_persons_words_move_along_also_after_the_patients_zone_changed(clinic: Clinic) -> None:
    ana = a_patient(clinic, timezone="Europe/Berlin")
    series = a_series(clinic, ana, timezone="patient")
    acts.edit(a_caller(clinic), message(series, "2026-12-03T09:00"), new_text="Come fasting.", now=NOW)
    Patient.objects.filter(pk=ana.pk).update(timezone="America/New_York")
    marks.work_off([clinic_marks.leave(clinic, MarkKind.PATIENT, ana.id, now=NOW)], now=NOW)

    changed(series, starts_at="2026-12-02T10:00")

    assert message(series, "2026-12-03T10:00").due_at == at(3, 15)


def test_a_time_that_a_person_chose_stays_also_where_it_is_the_rules_own(clinic: Clinic) -> None:
    series = a_series(clinic)
    acts.edit(a_caller(clinic), message(series, "2026-12-03T09:00"), send_at=at(3, 9), now=NOW)

    changed(series, starts_at="2026-12-02T10:00")

    assert message(series, "2026-12-03T10:00").due_at == at(3, 9)


def test_a_persons_words_that_wait_for_another_try_are_left_alone(clinic: Clinic) -> None:
    series = a_series(clinic)
    acts.edit(a_caller(clinic), message(series, "2026-12-02T09:00"), new_text="Come fasting.", now=NOW)
    Message.objects.filter(schedule=series, by_hand=True).update(tries=1, ready_at=at(2, 10))

    changed(series, now=at(2, 9), starts_at="2026-12-02T18:00")

    waiting = message(series, "2026-12-02T18:00")
    assert (waiting.due_at, waiting.ready_at) == (at(2, 9), at(2, 10))


def test_a_persons_words_go_today_where_the_new_time_is_over(clinic: Clinic) -> None:
    series = a_series(clinic)
    acts.edit(a_caller(clinic), message(series, "2026-12-02T09:00"), new_text="Come fasting.", now=NOW)

    changed(series, now=at(2, 8), starts_at="2026-12-02T07:00")

    assert message(series, "2026-12-02T07:00").due_at == at(2, 9)


def test_a_message_sent_long_before_its_day_is_not_sent_again_at_a_new_time(clinic: Clinic) -> None:
    series = a_series(clinic)
    ahead = Schedule.objects.get(pk=series.pk)
    sent = {"status": Status.SENT, "due_at": NOW, "by_hand": True}
    a_message(series.recipients.get(), ahead, occurrence="2026-12-09T09:00", **sent)

    changed(series, now=at(8, 12), starts_at="2026-12-02T10:00")
    plan(now=at(8, 12))

    assert "2026-12-09T10:00" not in occurrences(series)


@pytest.mark.parametrize(
    "columns",
    [
        {"status": Status.FAILED, "reason": Reason.OUTCOME_UNKNOWN},
        {"open_attempt_id": "01890000-0000-7000-8000-000000000001", "tries": 1},
    ],
)
def test_a_message_that_may_have_arrived_this_morning_counts_as_todays(clinic: Clinic, columns: dict[str, Any]) -> None:
    # A message of 22:00 waits until 08:00 of the next day, where the next message, now at noon, would come, too.
    series = a_series(clinic, lane="broadcast", starts_at="2026-12-01T22:00")
    Message.objects.filter(schedule=series, occurrence="2026-12-01T22:00").update(**columns)

    changed(series, now=at(2, 9), starts_at="2026-12-01T12:00")
    plan(now=at(2, 9))

    assert [
        row for row in of(series) if row[0].startswith("02") and row[1] == Status.PENDING and row[0] > "02 08:00"
    ] == []


def test_the_two_of_a_day_trade_places_and_nothing_is_sent_twice(clinic: Clinic) -> None:
    series = a_series(clinic, recurrence=DAILY | {"times": ["08:00", "20:00"]}, starts_at="2026-12-02T08:00")
    bot = a_bot(clinic)
    plan(now=at(2, 7))
    run(bot, since=at(2, 7), until=at(2, 12))

    changed(series, now=at(2, 12), recurrence=DAILY | {"times": ["20:00", "22:00"]})
    run(bot, since=at(2, 12), until=at(3, 7))
    run(bot, since=at(3, 7), until=at(4, 7))

    assert [time for time, status in of(series) if status == Status.SENT] == [
        "02 08:00",
        "02 20:00",
        "03 20:00",
        "03 22:00",
    ]


def test_words_for_a_day_that_the_series_no_longer_has_stay_and_the_day_is_named(clinic: Clinic) -> None:
    series = a_series(clinic, recurrence={"frequency": "weekly", "weekdays": ["we", "th"]})
    acts.edit(a_caller(clinic), message(series, "2026-12-03T09:00"), new_text="Come fasting.", now=NOW)

    after = changed(series, recurrence={"frequency": "weekly", "weekdays": ["we"]})

    assert [(warning.code, "3 December 2026" in warning.message) for warning in after.warnings] == [
        ("hand_edited", True)
    ]
    assert message(series, "2026-12-03T09:00").status == Status.PENDING


def test_a_skip_on_a_day_that_the_series_no_longer_has_is_named(clinic: Clinic) -> None:
    series = a_series(clinic, recurrence={"frequency": "weekly", "weekdays": ["we", "th"]})
    edit.skip(a_caller(clinic), series, "2026-12-10T09:00", now=NOW)
    series.refresh_from_db()
    kept = (series.recurrence or {})["except"]

    after = changed(series, recurrence={"frequency": "weekly", "weekdays": ["we", "fr"], "except": kept})

    assert [(warning.code, "10 December 2026" in warning.message) for warning in after.warnings] == [
        ("skipped_before", True)
    ]


def test_a_skip_on_a_day_that_gets_one_time_more_stays_and_the_day_is_named(clinic: Clinic) -> None:
    series = a_series(clinic, recurrence=DAILY | {"times": ["09:00", "20:00"]})
    edit.skip(a_caller(clinic), series, "2026-12-04T20:00", now=NOW)
    series.refresh_from_db()
    kept = (series.recurrence or {})["except"]

    after = changed(series, recurrence=DAILY | {"times": ["09:00", "14:00", "20:00"], "except": kept})

    assert [(warning.code, "4 December 2026" in warning.message) for warning in after.warnings] == [
        ("skipped_before", True)
    ]
    assert (after.schedule.recurrence or {})["except"] == ["2026-12-04T20:00"]


@pytest.mark.parametrize(
    ("times", "skipped", "then", "goes"),
    [
        # The day gets one time more, beside its only time or instead of it; that time was skipped.
        (["09:00"], "09:00", ["09:00", "20:00"], ["20:00"]),
        (["09:00"], "09:00", ["08:00", "20:00"], ["20:00"]),
        # The day loses a time; a person had skipped the time that stays, or the time that goes.
        (["09:00", "20:00"], "09:00", ["09:00"], []),
        (["09:00", "20:00"], "20:00", ["09:00"], ["09:00"]),
        (["09:00", "20:00"], "20:00", ["10:00"], ["10:00"]),
    ],
)
@pytest.mark.parametrize("by", ["skip", "cancel"])
def test_another_number_of_times_names_each_day_that_a_person_took_something_out_of(
    clinic: Clinic, times: list[str], skipped: str, then: list[str], goes: list[str], by: str
) -> None:
    series = a_series(clinic, recurrence=DAILY | {"times": times})
    name = f"2026-12-03T{skipped}"
    if by == "skip":
        edit.skip(a_caller(clinic), series, name, now=NOW)
    else:
        acts.cancel(a_caller(clinic), message(series, name), now=NOW)
    series.refresh_from_db()

    after = changed(series, recurrence=DAILY | {"times": then, "except": (series.recurrence or {})["except"]})
    plan(now=NOW + DAY)

    code = "skipped_before" if by == "skip" else "hand_edited"
    assert [(warning.code, "3 December 2026" in warning.message) for warning in after.warnings] == [(code, True)]
    assert [name[11:] for name in occurrences(after.schedule) if name.startswith("2026-12-03")] == goes


@pytest.mark.parametrize("by", ["skip", "cancel"])
def test_an_exception_for_a_removed_time_takes_out_no_occurrence_that_moves_to_this_time(
    clinic: Clinic, by: str
) -> None:
    series = a_series(clinic, recurrence=DAILY | {"times": ["09:00", "20:00"]})
    if by == "skip":
        edit.skip(a_caller(clinic), series, "2026-12-03T09:00", now=NOW)
    else:
        acts.cancel(a_caller(clinic), message(series, "2026-12-03T09:00"), now=NOW)

    for times in (["20:00"], ["09:00"]):
        series.refresh_from_db()
        changed(series, recurrence=DAILY | {"times": times, "except": (series.recurrence or {})["except"]})
    plan(now=NOW + DAY)

    assert [name for name in occurrences(series) if name.startswith("2026-12-03")] == ["2026-12-03T09:00"]


def test_a_days_second_occurrence_that_was_skipped_stays_skipped_at_another_hour(clinic: Clinic) -> None:
    series = a_series(clinic, recurrence=DAILY | {"times": ["09:00", "20:00"]})
    edit.skip(a_caller(clinic), series, "2026-12-03T20:00", now=NOW)

    for times in (["10:00"], ["10:00", "21:00"]):
        series.refresh_from_db()
        after = changed(series, recurrence=DAILY | {"times": times, "except": (series.recurrence or {})["except"]})
    plan(now=NOW + DAY)

    assert [warning.code for warning in after.warnings] == ["skipped_before"]
    assert [name for name in occurrences(series) if name.startswith("2026-12-03")] == ["2026-12-03T10:00"]


def test_the_same_times_back_again_leave_out_the_same_occurrences(clinic: Clinic) -> None:
    twice = DAILY | {"times": ["09:00", "20:00"]}
    series = a_series(clinic, recurrence=twice)
    edit.skip(a_caller(clinic), series, "2026-12-03T20:00", now=NOW)

    for times in (["10:00"], ["10:00", "21:00"], ["09:00", "20:00"]):
        series.refresh_from_db()
        changed(series, recurrence=DAILY | {"times": times, "except": (series.recurrence or {})["except"]})
    plan(now=NOW + DAY)

    assert occurrences(series) == ["2026-12-02T09:00", "2026-12-02T20:00", "2026-12-03T09:00"]


def test_a_series_of_every_six_minutes_is_retimed_in_time(clinic: Clinic) -> None:
    minutes = [f"{number // 60:02}:{number % 60:02}" for number in range(0, 1440, 6)]
    series = a_series(clinic, recurrence=DAILY | {"times": minutes}, starts_at="2026-12-02T00:00")
    odd = [f"{number // 60:02}:{number % 60:02}" for number in range(1, 1440, 6)]

    changed(series, recurrence=DAILY | {"times": odd})

    assert occurrences(series)[:2] == ["2026-12-02T00:01", "2026-12-02T00:07"]
