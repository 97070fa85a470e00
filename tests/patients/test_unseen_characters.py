"""Numbers that a spreadsheet has changed, and invisible characters in ids and names, through every door."""

import io
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from companion.clinics.models import Clinic, Role
from companion.patients.importing import Report, import_csv
from companion.patients.models import Patient
from companion.patients.queries import patients
from companion.patients.sources import configuration, sync
from companion.schedules.text import Reader, fill
from tests.api.calls import a_program
from tests.builders import NOW, a_caller, a_clinic, a_patient
from tests.patients.hospital import numbers
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db

UNSEEN = ["\u200b", "\u00ad", "\ufeff", "\u200e", "\u202e", "\u2060", "\ufe0f", "\u200d", "\U000e0041", "\u3164"]


def imported(clinic: Clinic, text: str) -> Report:
    return import_csv(a_caller(clinic), io.BytesIO(text.encode()), now=NOW)


def form(**fields: str) -> dict[str, str]:
    return {"name": "Bo", "external_id": "P-9", "timezone": "Europe/Berlin", "language": "en"} | fields


@pytest.mark.parametrize(
    "number", ["9.87654E+11", "9,87654E+11", "1.23457e+09", " 9.8E+11 ", "9.8 E+11", "1E+05", "+1.5E11"]
)
@pytest.mark.parametrize("field", ["external_id", "phone", "telegram_id"])
def test_a_number_that_a_spreadsheet_has_rounded_is_refused_by_its_line(field: str, number: str) -> None:
    clinic = a_clinic()
    values = {"external_id": "P-1", "phone": "", "telegram_id": ""} | {field: f'"{number}"'}
    row = ",".join(values.values())

    report = imported(clinic, f"external_id,phone,telegram_id,name\nP-0,1,,Ana\n{row},Bo\n")

    assert [(row.line, row.reason.partition(":")[0]) for row in report.refused] == [(3, field)]
    assert "Format the column as text" in report.refused[0].reason
    assert report.added == 1


@pytest.mark.parametrize("field", ["external_id", "phone", "telegram_id"])
def test_a_rounded_number_is_refused_by_the_api_and_the_form(field: str) -> None:
    clinic = a_clinic()
    body = {"external_id": "P-1", "name": "Ana"}

    answer = a_program(clinic, Role.PROVIDER).post("/patients", body | {field: "9.87654E+11"})
    shown = signed_in(clinic).post("/patients/new", form(**{field: "9,87654E+11"}))

    assert (answer.status, shown.status_code) == (422, 422)
    assert "A spreadsheet has shortened this number" in words(shown)
    assert not Patient.objects.exists()


def test_an_id_that_only_resembles_a_rounded_number_is_an_id() -> None:
    report = imported(a_clinic(), "external_id,name\n12E4,Ana\n1E5-7,Bo\n")

    assert (report.added, report.refused) == (2, [])


@pytest.mark.parametrize("unseen", UNSEEN)
def test_an_id_that_differs_from_a_known_id_by_unseen_characters_only_is_refused_by_every_door(
    unseen: str, tmp_path: Path
) -> None:
    clinic = a_clinic()
    a_patient(clinic, "Ana", external_id="P-1")
    twin = f"P{unseen}-1"
    file = tmp_path / "patients.csv"
    file.write_text(f"external_id,name\n{twin},Bo\n")
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=NOW)

    report = imported(clinic, f"external_id,name\nP-0,Cy\n{twin},Bo\n")
    answer = a_program(clinic, Role.PROVIDER).post("/patients", {"external_id": twin, "name": "Bo"})
    shown = signed_in(clinic).post("/patients/new", form(external_id=twin))
    run = sync.sync(clinic, clock=lambda: NOW)

    assert [row.line for row in report.refused] == [3]
    assert "differs from the known id P-1 only by characters that nobody sees" in report.refused[0].reason
    assert (answer.status, answer.wrong_fields, shown.status_code) == (422, ["external_id"], 422)
    assert (numbers(run), sync.reasons(run)[0][0]) == ((0, 0, 0, 0, 1), "line 2")
    assert sorted(Patient.objects.values_list("external_id", "name")) == [("P-0", "Cy"), ("P-1", "Ana")]


def test_within_one_file_too() -> None:
    report = imported(a_clinic(), "external_id,name\nP-1,Ana\nP-1\u200b,Bo\n")

    assert [row.line for row in report.refused] == [3]
    assert "Line 2 has this id already. The two ids differ only by invisible characters." in report.refused[0].reason


def test_unseen_characters_leave_a_new_id_and_the_same_file_again_changes_nothing() -> None:
    clinic = a_clinic()
    file = "external_id,name\n\u200eP-\u00ad1\u200b,Ana\n"

    first, second = imported(clinic, file), imported(clinic, file)
    without = imported(clinic, "external_id,name\nP-1,Ana\n")
    third = imported(clinic, file)

    assert Patient.objects.get().external_id == "P-1"
    assert [(run.added, run.unchanged, run.refused) for run in (first, second, without, third)] == [
        (1, 0, []),
        *[(0, 1, [])] * 3,
    ]


def test_an_id_and_a_name_of_nothing_that_can_be_seen_are_none() -> None:
    report = imported(a_clinic(), "external_id,name\n\u200b,Ana\nP-1,\u2060\u200d\n")

    assert [row.reason for row in report.refused] == [
        "external_id: Give the id by which you know this patient.",
        "name: Give the patient's name.",
    ]


@pytest.mark.parametrize("space", ["\u00a0", "\u2009", "\u202f", "\u3000", "\u2003", "\u1680"])
def test_each_of_unicode_s_spaces_ends_a_first_name(space: str) -> None:
    clinic = a_clinic()

    imported(clinic, f"external_id,name\nP-1,Ana{space}Silva{space}\n")

    patient = Patient.objects.get()
    assert (patient.name, patient.first_name) == ("Ana Silva", "Ana")


def test_a_name_that_was_stored_with_a_no_break_space_is_addressed_and_found() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, "Ana\u00a0Silva")

    greeting = fill("Hello {first_name}!", Reader(patient.name, "", "en", "UTC"), NOW)

    assert greeting == "Hello Ana!"
    assert [list(patients(clinic, q=q)) for q in ("ana silva", "ana\u00a0silva")] == [[patient]] * 2


def test_joiners_stay_in_names_and_direction_marks_go() -> None:
    clinic = a_clinic()

    imported(clinic, "external_id,name\nP-1,\u202eعلی\u200cرضا\u202c کریمی\nP-2,क्\u200dष An\u00adna\ufeff\n")

    assert list(Patient.objects.order_by("external_id").values_list("name", flat=True)) == [
        "علی\u200cرضا کریمی",
        "क्\u200dष Anna",
    ]


@pytest.mark.parametrize("q", ["علیرضا", "علی\u200cرضا"])
def test_a_name_with_joiners_is_found_with_and_without_them(q: str) -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, "علی\u200cرضا")

    assert list(patients(clinic, q=q)) == [patient]


def test_a_patient_is_saved_by_the_form_with_the_id_unchanged() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, external_id="P-1", external_id_written="P-1\u200b")
    client: Client = signed_in(clinic)

    client.post(f"/patients/{patient.id}/edit", form(external_id="P-1", name="Ana Lima"))

    patient.refresh_from_db()
    assert (patient.name, patient.external_id, patient.external_id_written) == ("Ana Lima", "P-1", "P-1\u200b")


def test_an_update_cleans_the_ids_and_search_keys_that_are_there_but_makes_no_id_another_s() -> None:
    clinic = a_clinic()
    alone = a_patient(clinic, "Ana", external_id="P\u200b-1", search="an\u00ada p\u200b-1")
    known = a_patient(clinic, "Bo", external_id="P-2")
    twin = a_patient(clinic, "Cy", external_id="P-2\u200b")

    import_module("companion.patients.migrations.0008_unseen_characters").clean(apps, connection.schema_editor())

    for patient in (alone, known, twin):
        patient.refresh_from_db()
    assert (alone.external_id, alone.external_id_written, alone.search) == ("P-1", "P\u200b-1", "ana p-1")
    assert (known.external_id, twin.external_id) == ("P-2", "P-2\u200b")
    assert imported(clinic, "external_id,name\nP\u200b-1,Ana\n").unchanged == 1
