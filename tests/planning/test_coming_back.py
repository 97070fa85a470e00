"""A patient leaves the clinic's directory and comes back: what was planned and is still in the future goes out."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from companion.clinics.models import Bot, Clinic, Role
from companion.patients import directory
from companion.patients.models import Patient
from companion.patients.sources import configuration, sync
from companion.planning import acts, edit
from companion.schedules.models import Message, Schedule, State, Status, Version
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort
from tests.planning.days import plan, run
from tests.planning.plans import occurrences, planned

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
FIRST, SECOND = "2026-12-02T09:00", "2026-12-03T09:00"
Source = Callable[..., None]


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


@pytest.fixture
def bot(clinic: Clinic) -> Bot:
    return a_bot(clinic)


@pytest.fixture
def source_says(clinic: Clinic, tmp_path: Path) -> Source:
    """The clinic's source says at this time that Ana is here, or has left; it has been synced and planned."""
    file = tmp_path / "patients.csv"

    def say(*, left: bool = False, now: dt.datetime, zone: str = "Europe/Berlin") -> None:
        file.write_text(
            f"external_id,name,telegram_id,timezone,left\nP-1,Ana,5000000001,{zone},{'yes' if left else ''}\n"
        )
        configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=now)
        sync.sync(clinic, clock=lambda: now, whole=True)
        plan(now=now)

    say(now=NOW)
    return say


@pytest.fixture
def ana(clinic: Clinic, source_says: Source) -> Patient:
    return Patient.objects.get(clinic=clinic, external_id="P-1")


def pending(schedule: Schedule) -> dict[str, dt.datetime]:
    found = Message.objects.filter(schedule=schedule, status=Status.PENDING)
    return dict(found.values_list("occurrence", "due_at"))


def cancelled(schedule: Schedule) -> set[tuple[str, str]]:
    found = Message.objects.filter(schedule=schedule, status=Status.CANCELLED)
    return set(found.values_list("occurrence", "reason"))


def test_a_patient_who_is_back_gets_what_is_still_in_the_future(
    clinic: Clinic, ana: Patient, source_says: Source
) -> None:
    made = planned(clinic, ana).schedule
    source_says(left=True, now=NOW + HOUR)
    assert cancelled(made) == {(FIRST, Reason.PATIENT_LEFT), (SECOND, Reason.PATIENT_LEFT)}

    source_says(now=dt.datetime(2026, 12, 2, 10, tzinfo=dt.UTC))

    assert FIRST not in pending(made)
    assert pending(made)[SECOND] == dt.datetime(2026, 12, 3, 8, tzinfo=dt.UTC)
    assert cancelled(made) == {(FIRST, Reason.PATIENT_LEFT)}


def test_a_patient_who_is_back_gets_each_message_once(
    clinic: Clinic, ana: Patient, source_says: Source, bot: Bot
) -> None:
    made = planned(clinic, ana).schedule
    for hours in range(1, 5):
        source_says(left=True, now=NOW + hours * HOUR)
        source_says(now=NOW + hours * HOUR + HOUR / 2)

    run(bot, since=NOW + 6 * HOUR, until=NOW + 49 * HOUR)

    assert occurrences(made, Status.SENT) == [FIRST, SECOND]


def test_a_message_that_a_person_cancelled_stays_cancelled(clinic: Clinic, ana: Patient, source_says: Source) -> None:
    made = planned(clinic, ana).schedule
    acts.cancel(a_caller(clinic), Message.objects.get(schedule=made, occurrence=FIRST), now=NOW)

    source_says(left=True, now=NOW + HOUR)
    source_says(now=NOW + 2 * HOUR)

    assert set(pending(made)) == {SECOND}


def test_a_message_that_a_person_wrote_and_moved_comes_back_as_it_was(
    clinic: Clinic, ana: Patient, source_says: Source
) -> None:
    made = planned(clinic, ana).schedule
    later = dt.datetime(2026, 12, 2, 16, tzinfo=dt.UTC)
    message = Message.objects.get(schedule=made, occurrence=FIRST)
    acts.edit(a_caller(clinic), message, new_text="Take two.", send_at=later, now=NOW)

    source_says(left=True, now=NOW + HOUR)
    # Its own time is past the series' own.
    source_says(now=dt.datetime(2026, 12, 2, 9, tzinfo=dt.UTC))

    message.refresh_from_db()
    assert (message.status, message.due_at, message.text, message.by_hand) == ("pending", later, "Take two.", True)


def test_a_day_that_was_skipped_meanwhile_does_not_come_back(clinic: Clinic, ana: Patient, source_says: Source) -> None:
    made = planned(clinic, ana).schedule
    message = Message.objects.get(schedule=made, occurrence=FIRST)
    acts.edit(a_caller(clinic), message, new_text="Take two.", now=NOW)
    source_says(left=True, now=NOW + HOUR)

    edit.skip(a_caller(clinic), made, FIRST, now=NOW + HOUR)
    source_says(now=NOW + 2 * HOUR)

    assert set(pending(made)) == {SECOND}


def test_a_patient_who_is_back_gets_the_text_and_zone_of_today(
    clinic: Clinic, ana: Patient, source_says: Source
) -> None:
    made = planned(clinic, ana).schedule
    source_says(left=True, now=NOW + HOUR)
    Version.objects.create(clinic=clinic, schedule=made, number=2, text="Take one.", created_at=NOW)

    source_says(now=NOW + 2 * HOUR, zone="Europe/London")

    message = Message.objects.get(schedule=made, occurrence=FIRST)
    assert message.due_at == dt.datetime(2026, 12, 2, 9, tzinfo=dt.UTC)
    assert message.version is not None
    assert message.version.text == "Take one."


def test_a_patient_who_is_back_while_the_series_is_paused_gets_the_rest_when_it_goes_on(
    clinic: Clinic, ana: Patient, source_says: Source
) -> None:
    made = planned(clinic, ana).schedule
    source_says(left=True, now=NOW + HOUR)
    edit.pause(a_caller(clinic), made, now=NOW + HOUR)

    source_says(now=NOW + 2 * HOUR)
    assert pending(made) == {}

    edit.resume(a_caller(clinic), made, now=NOW + 3 * HOUR)
    assert set(pending(made)) == {FIRST, SECOND}


def test_a_patient_who_is_back_after_the_series_was_cancelled_gets_nothing(
    clinic: Clinic, ana: Patient, source_says: Source
) -> None:
    made = planned(clinic, ana).schedule
    source_says(left=True, now=NOW + HOUR)
    edit.cancel(a_caller(clinic), made, now=NOW + HOUR)

    source_says(now=NOW + 2 * HOUR)

    assert pending(made) == {}


def test_a_message_waits_for_the_only_patient_in_a_zone_west_of_the_clinic(
    clinic: Clinic, ana: Patient, source_says: Source
) -> None:
    source_says(now=NOW, zone="America/Los_Angeles")
    made = planned(clinic, ana, recurrence=None).schedule
    source_says(left=True, now=NOW + HOUR)
    # In Berlin 09:00 is long past, in Los Angeles it is still to come.
    plan(now=dt.datetime(2026, 12, 2, 12, tzinfo=dt.UTC))

    source_says(now=dt.datetime(2026, 12, 2, 13, tzinfo=dt.UTC), zone="America/Los_Angeles")

    assert pending(made) == {FIRST: dt.datetime(2026, 12, 2, 17, tzinfo=dt.UTC)}


def test_a_series_ends_after_the_last_message_of_a_patient_who_stays_away(
    clinic: Clinic, ana: Patient, source_says: Source
) -> None:
    made = planned(clinic, ana, recurrence=None).schedule
    source_says(left=True, now=NOW + HOUR)

    plan(now=dt.datetime(2026, 12, 2, 9, tzinfo=dt.UTC))

    made.refresh_from_db()
    assert made.state == State.ENDED


def test_a_patient_who_left_a_cohort_and_is_back_gets_what_is_still_in_the_future(
    clinic: Clinic, ana: Patient, source_says: Source
) -> None:
    cohort = a_cohort(clinic, "Diabetes", ana)
    made = planned(clinic, cohort=str(cohort.id)).schedule
    directory.change(a_caller(clinic), ana, {"cohorts": []}, now=NOW)
    plan(now=NOW + HOUR)
    assert pending(made) == {}

    directory.change(a_caller(clinic), ana, {"cohorts": ["Diabetes"]}, now=NOW + 2 * HOUR)
    plan(now=NOW + 2 * HOUR)

    assert set(pending(made)) == {FIRST, SECOND}
