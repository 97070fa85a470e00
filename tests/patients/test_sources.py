"""Patients out of a database of the clinic's own (PostgreSQL and SQLite, really) and out of a file, sync after sync."""

import datetime as dt
import sqlite3
from pathlib import Path

import pytest
from django.db import connection
from sqlalchemy.exc import DBAPIError

from companion.clinics.access import NotAllowed
from companion.clinics.models import Clinic, Mark, Role
from companion.clinics.refusals import Refused
from companion.patients import consent, enrolment
from companion.patients.models import Consent, Patient
from companion.patients.sources import configuration, sql_source, sync
from companion.patients.sources.models import RunState
from companion.planning import marks
from companion.schedules.models import Status
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort, a_message, a_patient, a_schedule
from tests.patients.hospital import MAPPING, Hospital, numbers, synced

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_row_becomes_a_patient(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana Silva", telegram=5_000_000_001)

    run = synced(clinic)

    patient = Patient.objects.get(clinic=clinic)
    assert (run.state, numbers(run)) == (RunState.DONE, (1, 0, 0, 0, 0))
    assert (patient.name, patient.telegram_id, patient.consent) == ("Ana Silva", 5_000_000_001, Consent.UNKNOWN)
    assert str(patient.birth_date) == "1980-12-24"
    assert sorted(patient.cohorts.values_list("name", flat=True)) == ["Heart", "Tuesday"]


def test_a_second_sync_reads_only_what_changed_and_takes_it(clinic: Clinic, hospital: Hospital) -> None:
    for number in range(1, 6):
        hospital.admits(f"P-{number}", f"Patient {number}", day=number)
    synced(clinic)
    hospital.changes("P-2", "full_name = 'Bo Berg'")

    run = synced(clinic)

    assert (run.whole, numbers(run)) == (False, (0, 1, 1, 0, 0))
    assert Patient.objects.get(clinic=clinic, external_id="P-2").name == "Bo Berg"


def test_a_discharged_patient_leaves_and_gets_nothing_more(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana", telegram=5_000_000_001)
    synced(clinic)
    patient = Patient.objects.get(clinic=clinic)
    schedule = a_schedule(clinic, patient, planned_until=NOW + dt.timedelta(days=2))
    message = a_message(patient, schedule, due_at=NOW + dt.timedelta(hours=2))
    hospital.changes("P-1", "discharged = '2026-11-20'")

    run = synced(clinic)
    marks.work_off(list(Mark.objects.filter(clinic=clinic, subject_id=patient.id)), now=NOW)

    message.refresh_from_db()
    assert (run.left, message.status, message.reason) == (1, Status.CANCELLED, "patient_left")


def test_a_change_in_the_calendars_first_minutes_stops_no_sync(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    hospital.do("UPDATE people SET updated = '0001-01-01 00:00:00'")

    runs = [synced(clinic), synced(clinic)]

    assert [run.state for run in runs] == [RunState.DONE, RunState.DONE]


def test_a_patient_who_comes_back_is_here_again(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    synced(clinic)
    hospital.changes("P-1", "discharged = '2026-11-20'")
    synced(clinic)
    hospital.changes("P-1", "discharged = NULL", day=21)

    run = synced(clinic)

    assert run.changed == 1
    assert Patient.objects.get(clinic=clinic).left_at is None


def test_a_patient_who_vanishes_from_the_source_stays(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    synced(clinic)
    hospital.do("DELETE FROM people")

    synced(clinic, whole=True)

    assert Patient.objects.get(clinic=clinic).left_at is None


def test_an_enrolled_telegram_id_stays_if_the_source_has_another(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    synced(clinic)
    patient = Patient.objects.get(clinic=clinic)
    a_bot(clinic)
    link = enrolment.invite(a_caller(clinic), patient, now=NOW).link
    enrolment.redeem(clinic, link.partition("?start=")[2], 6_000_000_001, now=NOW)
    consent.give(Patient.objects.get(clinic=clinic), source="patient: agreed", wording="1", now=NOW)

    synced(clinic, whole=True)
    hospital.changes("P-1", "telegram = 5000000009, full_name = 'Ana Neu'")
    synced(clinic)

    patient.refresh_from_db()
    assert (patient.name, patient.telegram_id, patient.consent) == ("Ana Neu", 6_000_000_001, Consent.GIVEN)


def test_a_telegram_id_that_came_by_the_source_changes_with_it(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana", telegram=5_000_000_001)
    synced(clinic)
    hospital.changes("P-1", "telegram = 5000000009")

    synced(clinic)

    assert Patient.objects.get(clinic=clinic).telegram_id == 5_000_000_009


def test_a_wrong_row_is_named_and_stops_no_other(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana", telegram=-100200300)
    hospital.admits("P-2", "Bo")

    run = synced(clinic)

    assert numbers(run) == (1, 0, 0, 0, 1)
    (place, reason) = sync.reasons(run)[0]
    assert (place, reason.partition(":")[0]) == ("row 1", "telegram_id")


@pytest.mark.parametrize("strange", ["9e999", "-9e999", "1.5", "x'00ff'"])
def test_a_strange_value_costs_its_own_row_alone(clinic: Clinic, strange: str, tmp_path: Path) -> None:
    file = tmp_path / "strange.sqlite3"
    with sqlite3.connect(file, isolation_level=None) as database:
        database.execute("CREATE TABLE people (mrn, full_name, telegram)")
        database.execute(f"INSERT INTO people VALUES ('P-1', 'Ana', {strange}), ('P-2', 'Bo', 5000000001)")
    mapping = 'table = "people"\n[columns]\nexternal_id = "mrn"\nname = "full_name"\ntelegram_id = "telegram"\n'
    configuration.set_sql(a_caller(clinic, Role.ADMIN), f"sqlite:///{file}", mapping, now=NOW)

    run = synced(clinic)

    assert (run.state, numbers(run)) == (RunState.DONE, (1, 0, 0, 0, 1))


def test_a_database_that_is_away_changes_nothing_and_its_password_is_said_nowhere(clinic: Clinic) -> None:
    patient = a_patient(clinic)
    url = "postgresql+psycopg://reader:s3cret@127.0.0.1:9/hospital"
    configuration.set_sql(a_caller(clinic, Role.ADMIN), url, MAPPING, now=NOW)

    run = synced(clinic)

    patient.refresh_from_db()
    assert (run.state, patient.left_at) == (RunState.SOURCE_DOWN, None)
    assert "OperationalError" in run.detail
    assert "s3cret" not in run.detail


def test_the_patient_database_refuses_every_write_of_ours(hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")

    for write in ("DELETE FROM people", "UPDATE people SET full_name = 'x'", "CREATE TABLE ours (id INT)"):
        with pytest.raises(DBAPIError), sql_source.open_read_only(hospital.url) as connected:
            connected.exec_driver_sql(write)

    with sql_source.open_read_only(hospital.url) as connected:
        assert connected.exec_driver_sql("SELECT full_name FROM people").all() == [("Ana",)]


def test_a_database_that_breaks_off_midway_changes_nothing_and_nobody_leaves(
    clinic: Clinic, hospital: Hospital
) -> None:
    for number in range(1, 4):
        hospital.admits(f"P-{number}", f"Patient {number}", day=number)
    synced(clinic)
    # The last row can't be read: its number has no absolute value.
    least = "CASE WHEN mrn = 'P-3' THEN -9223372036854775807 - 1 ELSE 1 END"
    query = f"SELECT mrn AS id, 'New name' AS n, abs({least}) AS t FROM people ORDER BY mrn"
    mapping = f'query = "{query}"\n[columns]\nexternal_id = "id"\nname = "n"\nphone = "t"\n'
    configuration.set_sql(a_caller(clinic, Role.ADMIN), hospital.url, mapping, now=NOW)

    run = synced(clinic)

    assert (run.state, numbers(run)) == (RunState.SOURCE_DOWN, (0, 0, 0, 0, 0))
    kept = Patient.objects.filter(clinic=clinic, left_at=None).order_by("external_id").values_list("name", flat=True)
    assert list(kept) == ["Patient 1", "Patient 2", "Patient 3"]


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    clinic = a_clinic()
    file = tmp_path / "mistyped.sqlite3"
    configuration.set_sql(a_caller(clinic, Role.ADMIN), f"sqlite:///{file}", MAPPING, now=NOW)

    assert synced(clinic).state == RunState.SOURCE_DOWN
    assert not file.exists()


def test_no_source_changes_consent_or_pauses(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana", telegram=5_000_000_001)
    synced(clinic)
    until = dt.date(2026, 12, 24)
    Patient.objects.update(consent=Consent.WITHDRAWN, paused_until=until, paused_reason="in hospital")
    hospital.changes("P-1", "full_name = 'Ana Neu'")

    run = synced(clinic)

    patient = Patient.objects.get(clinic=clinic)
    assert (patient.name, patient.consent, patient.paused_until) == ("Ana Neu", Consent.WITHDRAWN, until)
    assert sync.touched(run) == [("P-1", "name")]


def test_a_query_is_a_source_too(clinic: Clinic, hospital: Hospital) -> None:
    hospital.admits("P-1", "Ana")
    mapping = 'query = "SELECT mrn AS id, full_name AS n FROM people WHERE discharged IS NULL;"\n[columns]\n'
    configuration.set_sql(
        a_caller(clinic, Role.ADMIN), hospital.url, mapping + 'external_id = "id"\nname = "n"\n', now=NOW
    )

    assert [numbers(synced(clinic)), numbers(synced(clinic))] == [(1, 0, 0, 0, 0), (0, 0, 1, 0, 0)]


@pytest.mark.parametrize(
    "mapping",
    [
        "table = 'a'",
        "[columns]\nexternal_id = 'a'\nname = 'b'",
        "table = 'a'\nquery = 'b'\n[columns]\nexternal_id = 'a'\nname = 'b'",
        "table = 'a'\n[columns]\nexternal_id = 'a'\nname = 'b'\nshoe_size = 'c'",
        "table = 'a'\ntabel = 'b'\n[columns]\nexternal_id = 'a'\nname = 'b'",
        "table = ",
    ],
)
def test_a_mapping_that_can_t_be_right_is_refused(mapping: str) -> None:
    with pytest.raises(Refused):
        configuration.set_sql(a_caller(a_clinic(), Role.ADMIN), "sqlite://", mapping, now=NOW)


def test_only_an_admin_sets_a_source() -> None:
    with pytest.raises(NotAllowed):
        configuration.set_sql(a_caller(a_clinic()), "sqlite://", MAPPING, now=NOW)


def test_the_settings_lie_sealed(clinic: Clinic) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT settings FROM patients_patientsource")
        stored = bytes(cursor.fetchone()[0])

    assert b"people" not in stored
    assert b"hospital" not in stored


def test_nothing_crosses_clinics(clinic: Clinic, hospital: Hospital) -> None:
    other = a_clinic()
    theirs = a_patient(other, "Ana", external_id="P-1", telegram_id=5_000_000_001)
    hospital.admits("P-1", "Bo", telegram=5_000_000_001)

    synced(clinic)

    theirs.refresh_from_db()
    assert (theirs.name, Patient.objects.get(clinic=clinic).name) == ("Ana", "Bo")


def test_a_file_is_a_source_and_its_column_left_is_heeded(tmp_path: Path) -> None:
    clinic = a_clinic()
    file = tmp_path / "patients.csv"
    file.write_text("external_id,name,cohorts,left\nP-1,Ana,Heart,\nP-2,Bo,,\n")
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=NOW)
    first = synced(clinic)
    file.write_text("external_id,name,cohorts,left\nP-1,Ana,Heart,yes\nP-2,,,\n")

    second = synced(clinic)

    assert (numbers(first), numbers(second)) == ((2, 0, 0, 0, 0), (0, 0, 1, 1, 0))


def test_a_row_that_says_nothing_of_ours_is_named(tmp_path: Path) -> None:
    clinic = a_clinic()
    file = tmp_path / "patients.csv"
    file.write_text("external_id,name,ward\n,,Heart\nP-1,Ana,Heart\n")
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=NOW)

    run = synced(clinic)

    assert numbers(run) == (1, 0, 0, 0, 1)
    assert sync.reasons(run)[0][0] == "line 2"


def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    clinic = a_clinic()
    a_cohort(clinic, "Heart", a_patient(clinic))
    file = tmp_path / "patients.csv"
    file.write_text("external_id,name\n")
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=NOW)
    file.unlink()

    run = synced(clinic)

    assert (run.state, Patient.objects.filter(clinic=clinic, left_at=None).count()) == (RunState.SOURCE_DOWN, 1)
