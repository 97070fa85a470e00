"""The page of the sources: the present source, each sync's report, and setting a FHIR server."""

from pathlib import Path

import pytest

from companion.clinics.models import Clinic, Role
from companion.patients.sources import configuration, sync
from companion.patients.sources.models import PatientSource, SyncRun
from companion.service.clock import database_now
from tests.builders import NOW, a_caller, a_clinic
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db
FHIR = {"url": "https://fhir.hospital.example/r4", "token": "s3cret", "every_minutes": "30"}


def a_file_source(clinic: Clinic, folder: Path, rows: str) -> None:
    file = folder / "patients.csv"
    file.write_text(f"external_id,name,telegram_id\n{rows}")
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=NOW)


def test_the_results_of_each_sync_are_listed_and_shown_in_full(tmp_path: Path) -> None:
    clinic = a_clinic()
    a_file_source(clinic, tmp_path, "P-1,Ana Silva,\nP-2,Bo Berg,@bo\n")
    run = sync.sync(clinic, clock=lambda: NOW)
    client = signed_in(clinic, Role.VIEWER)

    listed = words(client.get("/patients/sources"))
    told = words(client.get(f"/patients/sources/{run.id}"))

    assert "CSV file: patients.csv" in listed
    assert str(tmp_path) not in listed
    assert "1 added 0 changed 0 left 0 as before 1 refused" in told
    assert "Ana Silva id P-1 added" in told
    assert "line 3 telegram_id: A bot can't write to a @username." in told


def test_an_admin_sets_a_fhir_server_whose_token_is_shown_nowhere() -> None:
    clinic = a_clinic()

    shown = words(signed_in(clinic, Role.ADMIN).post("/patients/sources/fhir", FHIR, follow=True))

    assert "FHIR R4 server: https://fhir.hospital.example/r4" in shown
    assert "s3cret" not in shown
    assert PatientSource.objects.get().every.total_seconds() == 30 * 60


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "ftp://x"}, "url"),
        ({"token": "two words"}, "token"),
        ({"every_minutes": "x"}, "every_minutes"),
        ({"every_minutes": "1"}, "every_minutes"),
    ],
)
def test_a_wrong_field_is_told_beside_it_and_nothing_is_set(wrong: dict[str, str], field: str) -> None:
    answer = signed_in(a_clinic(), Role.ADMIN).post("/patients/sources/fhir", FHIR | {"token": ""} | wrong)

    assert answer.status_code == 422
    assert list(answer.context["errors"]) == [field]
    assert not PatientSource.objects.exists()


def test_only_an_admin_sets_or_removes_a_source(tmp_path: Path) -> None:
    clinic = a_clinic()
    a_file_source(clinic, tmp_path, "")
    client = signed_in(clinic)

    assert client.post("/patients/sources/fhir", FHIR).status_code == 403
    assert client.post("/patients/sources/remove").status_code == 403
    assert PatientSource.objects.get().kind == "csv"


def test_sync_now_makes_it_due_and_the_page_follows_it(tmp_path: Path) -> None:
    clinic = a_clinic()
    a_file_source(clinic, tmp_path, "")
    sync.sync(clinic, clock=database_now)
    client = signed_in(clinic)

    shown = words(client.post("/patients/sources/sync", follow=True))

    assert "Syncing…" in shown
    assert [row.clinic for row in sync.due(now=database_now())] == [clinic]
    sync.sync(clinic, clock=database_now)
    assert "Every 60 minutes, next" in words(client.get("/patients/sources?part=runs"))


def test_a_report_of_another_clinic_is_not_there(tmp_path: Path) -> None:
    clinic = a_clinic()
    a_file_source(clinic, tmp_path, "")
    sync.sync(clinic, clock=lambda: NOW)

    assert signed_in(a_clinic()).get(f"/patients/sources/{SyncRun.objects.get().id}").status_code == 404
