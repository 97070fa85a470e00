"""Patient sources as programs see them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from companion.clinics.models import Clinic, Role
from companion.patients.sources import configuration, sync
from companion.service.clock import database_now
from tests.api.calls import Program, a_program
from tests.builders import NOW, a_caller, a_clinic

FHIR = {"kind": "fhir", "url": "https://fhir.hospital.example/r4", "token": "s3cret", "every_minutes": 30}


@pytest.fixture
def synced(clinic: Clinic, tmp_path: Path) -> Clinic:
    """A clinic after two syncs with a file that has one wrong row."""
    file = tmp_path / "patients.csv"
    file.write_text("external_id,name,telegram_id\nP-1,Ana,\nP-2,Bo,-7\n")
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=NOW)
    for _ in range(2):
        sync.sync(clinic, clock=database_now)
    return clinic


def test_an_admin_sets_a_fhir_server_and_takes_it_away(program: Callable[[Role], Program]) -> None:
    admin = program(Role.ADMIN)

    made = admin.post("/patient-sources", FHIR)
    listed = admin.get("/patient-sources").json["items"]
    removed = admin.post(f"/patient-sources/{made.json['id']}/remove")

    assert made.status == 201
    assert [(source["place"], source["every_minutes"], source["working"]) for source in listed] == [
        (FHIR["url"], 30, True)
    ]
    assert "s3cret" not in made.text
    assert removed.json["items"] == []


def test_no_provider_sets_a_source_and_no_program_a_file_or_database(program: Callable[[Role], Program]) -> None:
    assert program(Role.PROVIDER).post("/patient-sources", FHIR).status == 403
    assert program(Role.ADMIN).post("/patient-sources", {"kind": "sql", "url": "sqlite:///x"}).status == 422
    far = program(Role.ADMIN).post("/patient-sources", FHIR | {"every_minutes": 2**53})
    assert far.wrong_fields == ["every_minutes"]
    assert program(Role.ADMIN).post("/patient-sources", FHIR | {"url": "x"}).wrong_fields == ["url"]


@pytest.mark.both_databases
def test_the_reports_come_newest_first_and_page_by_page(synced: Clinic, api: Program) -> None:
    pages = api.pages("/sync-runs?limit=1")

    assert [[(run["added"], run["unchanged"], run["refused"]) for run in page] for page in pages] == [
        [(0, 1, 1)],
        [(1, 0, 1)],
    ]


def test_a_report_names_who_was_added_and_who_was_refused(synced: Clinic, api: Program) -> None:
    first = api.pages("/sync-runs")[0][-1]

    report = api.get(f"/sync-runs/{first['id']}").json

    assert report["touched"] == [{"external_id": "P-1", "what": "added"}]
    assert [refusal["place"] for refusal in report["refusals"]] == ["line 3"]
    assert a_program(a_clinic()).get(f"/sync-runs/{first['id']}").status == 404


def test_a_sync_can_be_asked_for(synced: Clinic, api: Program) -> None:
    [source] = api.get("/patient-sources").json["items"]

    asked = api.post(f"/patient-sources/{source['id']}/sync").json

    assert (source["working"], asked["working"]) == (False, True)
    assert len(sync.due(now=database_now())) == 1
