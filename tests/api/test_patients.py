"""Patients, cohorts, import, enrolment and conversation as programs see them."""

import datetime as dt
from typing import Final

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from companion.clinics.models import Clinic
from companion.listener.models import Reply, ReplyKind
from companion.patients.models import Consent, Patient
from companion.schedules.models import Status
from tests.api.calls import PROBLEM, Json, Program
from tests.builders import NOW, a_bot, a_cohort, a_message, a_patient
from tests.listener.stories import a_text, comes_in, edited_to

ANA: Final = {
    "external_id": "P-1001",
    "name": "Ana Silva",
    "telegram_id": 7000000001,
    "birth_date": "1957-03-14",
    "phone": "+351 900 000 001",
    "caregiver": "Rui Silva",
    "timezone": "Europe/Lisbon",
    "language": "pt",
    "cohorts": ["Asthma", "Diabetes"],
}


def test_an_added_patient_reads_back_as_it_was_written(api: Program) -> None:
    added = api.post("/patients", ANA)

    read = api.get(f"/patients/{added.json['id']}")

    assert added.status == 201
    assert added.headers["Location"] == f"/api/scheduler/patients/{added.json['id']}"
    assert read.json == {
        **ANA,
        "id": added.json["id"],
        "consent": "unknown",
        "reachable": True,
        "unreachable_reason": None,
        "unreachable_code": None,
        "telegram_id_check": "not_asked",
        "paused_until": None,
        "paused_reason": None,
    }


def test_fields_left_out_of_a_new_patient_are_null_or_the_clinics(clinic: Clinic, api: Program) -> None:
    patient = api.post("/patients", {"external_id": "P-1", "name": "Ana"}).json

    assert patient["timezone"] == clinic.timezone
    assert [patient[name] for name in ("telegram_id", "birth_date", "phone", "caregiver")] == [None] * 4


def test_a_patient_without_a_telegram_id_says_what_to_do(api: Program) -> None:
    patient = api.post("/patients", {"external_id": "P-1", "name": "Ana"}).json

    assert patient["reachable"] is False
    assert "enrolment link" in patient["unreachable_reason"]


def test_those_without_a_telegram_id_are_listed_alone(clinic: Clinic, api: Program) -> None:
    a_patient(clinic)
    a_patient(clinic, "Bo", telegram_id=None)

    listed = api.get("/patients?unreachable_code=no_telegram_id").json["items"]

    assert [(patient["name"], patient["unreachable_code"]) for patient in listed] == [("Bo", "no_telegram_id")]
    assert api.get("/patients?unreachable_code=tired").status == 422


def test_an_external_id_that_is_taken_is_refused(api: Program) -> None:
    api.post("/patients", {"external_id": "P-1", "name": "Ana"})

    answer = api.post("/patients", {"external_id": "P-1", "name": "Ben"})

    assert (answer.status, answer.wrong_fields) == (422, ["external_id"])


def test_a_change_touches_only_what_it_names(clinic: Clinic, api: Program) -> None:
    before = api.post("/patients", ANA).json

    after = api.patch(f"/patients/{before['id']}", {"timezone": "America/Sao_Paulo"}).json

    assert after == {**before, "timezone": "America/Sao_Paulo", "messages": 0, "complete": True, "warnings": []}


def test_null_takes_a_value_away(api: Program) -> None:
    patient = api.post("/patients", ANA).json

    after = api.patch(f"/patients/{patient['id']}", {"birth_date": None, "caregiver": None}).json

    assert (after["birth_date"], after["caregiver"]) == (None, None)


def test_a_new_telegram_id_sets_given_consent_back_to_unknown(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic, consent=Consent.GIVEN)

    after = api.patch(f"/patients/{patient.id}", {"telegram_id": 7000000099}).json

    assert after["consent"] == "unknown"


def names(answer: Json) -> list[str]:
    return [item["name"] for item in answer["items"]]


def test_patients_are_listed_by_name(clinic: Clinic, api: Program) -> None:
    for name in ("Carla", "Ana", "Ben"):
        a_patient(clinic, name)

    assert names(api.get("/patients").json) == ["Ana", "Ben", "Carla"]


def test_patients_are_found_by_a_part_of_the_name_without_its_accents(clinic: Clinic, api: Program) -> None:
    a_patient(clinic, "João Félix")
    a_patient(clinic, "Ben")

    assert names(api.get("/patients?q=felix").json) == ["João Félix"]


@pytest.mark.parametrize("by", ["id", "name"])
def test_patients_are_found_by_their_cohorts_id_or_name(clinic: Clinic, api: Program, by: str) -> None:
    cohort = a_cohort(clinic, "Diabetes", a_patient(clinic, "Ana"))
    a_patient(clinic, "Ben")

    assert names(api.get(f"/patients?cohort={getattr(cohort, by)}").json) == ["Ana"]


@pytest.mark.parametrize(("reachable", "found"), [("true", ["Ana"]), ("false", ["Ben"]), ("", ["Ana", "Ben"])])
def test_patients_are_found_by_whether_they_can_be_reached(
    clinic: Clinic, api: Program, reachable: str, found: list[str]
) -> None:
    a_patient(clinic, "Ana")
    a_patient(clinic, "Ben", telegram_id=None)

    assert names(api.get(f"/patients?reachable={reachable}").json) == found


@pytest.mark.both_databases
def test_pages_of_patients_hold_each_once(clinic: Clinic, api: Program) -> None:
    wanted = [str(a_patient(clinic, name).id) for name in ("Ana", "Ana", "Ben", "Carla", "Dora")]

    assert ids(api.pages("/patients?limit=2")) == wanted


@pytest.mark.both_databases
def test_pages_of_cohorts_hold_each_once(clinic: Clinic, api: Program) -> None:
    wanted = [str(a_cohort(clinic, name).id) for name in ("A", "B", "C", "D", "E")]

    assert ids(api.pages("/cohorts?limit=2")) == wanted


def ids(pages: list[list[Json]]) -> list[str]:
    return [item["id"] for page in pages for item in page]


@pytest.mark.parametrize("path", ["/patients", "/cohorts", "/messages", "/schedules"])
@pytest.mark.parametrize("cursor", ["nonsense", "AAAA", "%00", "é", "A" * 2500])
def test_a_cursor_that_was_never_given_out_is_refused(api: Program, path: str, cursor: str) -> None:
    answer = api.get(f"{path}?cursor={cursor}")

    assert (answer.status, answer.wrong_fields) == (422, ["cursor"])


def test_a_cursor_of_another_list_is_refused(clinic: Clinic, api: Program) -> None:
    for name in ("A", "B"):
        a_cohort(clinic, name)
    cursor = api.get("/cohorts?limit=1").json["next"]

    assert api.get(f"/schedules?cursor={cursor}").status == 422


def test_a_cohort_tells_how_many_are_in_it(clinic: Clinic, api: Program) -> None:
    cohort = a_cohort(clinic, "Diabetes", a_patient(clinic), a_patient(clinic))

    assert api.get("/cohorts").json["items"] == [{"id": str(cohort.id), "name": "Diabetes", "size": 2}]


def test_a_new_cohort_is_empty(api: Program) -> None:
    answer = api.post("/cohorts", {"name": "Diabetes"})

    assert (answer.status, answer.json["name"], answer.json["size"]) == (201, "Diabetes", 0)


def upload(api: Program, content: bytes, field: str = "file") -> tuple[int, str, Json]:
    client = Client(headers={"Authorization": f"Bearer {api.key}"})
    file = SimpleUploadedFile("patients.csv", content, content_type="text/csv")
    answer = client.post("/api/scheduler/patients/import", {field: file})
    return answer.status_code, answer["Content-Type"], answer.json()


def test_an_import_reports_row_by_row(clinic: Clinic, api: Program) -> None:
    csv = b"external_id,name,telegram_id\nP-1,Ana,7000000001\nP-2,Ben,@ben\n"

    status, _, report = upload(api, csv)

    assert status == 200
    assert (report["added"], report["changed"], report["unchanged"]) == (1, 0, 0)
    assert [row["line"] for row in report["refused"]] == [3]
    assert Patient.objects.get(clinic=clinic).name == "Ana"


def test_an_import_of_a_file_that_is_no_csv_of_patients_is_refused(api: Program) -> None:
    status, media_type, answer = upload(api, b"colour\nred\n")

    assert (status, media_type) == (422, PROBLEM)
    assert [error["field"] for error in answer["errors"]] == ["file"]


def test_an_import_without_its_file_is_refused(api: Program) -> None:
    status, _, answer = upload(api, b"x", field="other")

    assert (status, [error["field"] for error in answer["errors"]]) == (422, ["file"])


def test_an_import_that_is_no_multipart_is_refused(api: Program) -> None:
    assert api.call("POST", "/patients/import", raw=b"external_id,name\n", media_type="text/csv").status == 415


def test_an_import_that_is_cut_off_is_refused(api: Program) -> None:
    answer = api.call("POST", "/patients/import", raw=b"--x", media_type="multipart/form-data")

    assert (answer.status, answer.media_type) == (400, PROBLEM)


def test_an_import_may_be_larger_than_other_bodies(api: Program) -> None:
    rows = b"".join(b"P-1,Ana,%s\n" % (b"x" * 1000) for _ in range(2500))

    status, _, report = upload(api, b"external_id,name,notes\n" + rows)

    assert status == 200
    assert report["added"] == 1


def test_an_invitation_has_a_link_a_code_and_an_end(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    bot, patient = a_bot(clinic), a_patient(clinic, telegram_id=None)

    answer = api.post(f"/patients/{patient.id}/enrolment")

    assert answer.status == 201
    assert answer.json["link"].startswith(f"https://t.me/{bot.username}?start=")
    assert answer.json["qr_svg"].startswith("<svg")
    assert dt.datetime.fromisoformat(answer.json["expires_at"]) > now


def test_an_invitation_without_a_bot_is_a_conflict(clinic: Clinic, api: Program) -> None:
    assert api.post(f"/patients/{a_patient(clinic).id}/enrolment").status == 409


def test_a_conversation_is_told_oldest_first(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    sent = a_message(patient, status=Status.SENT, sent_at=NOW, text="How are you?")
    a_reply(patient, "Fine", at=NOW + dt.timedelta(minutes=5), update_id=1)
    a_message(patient, text="Not yet sent")

    items = api.get(f"/patients/{patient.id}/conversation").json["items"]

    assert [{name: item[name] for name in ("at", "direction", "text", "message")} for item in items] == [
        {"at": "2026-12-01T08:00:00Z", "direction": "out", "text": "How are you?", "message": str(sent.id)},
        {"at": "2026-12-01T08:05:00Z", "direction": "in", "text": "Fine", "message": None},
    ]


def test_an_edited_message_is_told_with_its_earlier_wordings(clinic: Clinic, api: Program) -> None:
    bot, patient = a_bot(clinic), a_patient(clinic)
    first = a_text(patient.telegram_id or 0, "I took 2")
    comes_in(bot, first)

    comes_in(bot, edited_to(first, "I took 3"))

    items = api.get(f"/patients/{patient.id}/conversation").json["items"]
    at = "2026-12-01T08:00:00Z"
    assert [(item["text"], item["kind"], item["edited_at"]) for item in items] == [("I took 3", "text", at)]
    assert items[0]["earlier"] == [{"at": at, "text": "I took 2", "media": None, "map": None}]


@pytest.mark.both_databases
def test_pages_of_a_conversation_go_back_in_time(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    for number in range(5):
        a_reply(patient, str(number), at=NOW + dt.timedelta(minutes=number), update_id=number)

    pages = api.pages(f"/patients/{patient.id}/conversation?limit=2")

    assert [[item["text"] for item in page] for page in pages] == [["3", "4"], ["1", "2"], ["0"]]


def a_reply(patient: Patient, text: str, *, at: dt.datetime, update_id: int) -> Reply:
    assert patient.telegram_id
    return Reply.objects.create(
        clinic_id=patient.clinic_id,
        patient=patient,
        kind=ReplyKind.TEXT,
        text=text,
        telegram_id=patient.telegram_id,
        update_id=update_id,
        at=at,
    )


def test_a_patient_is_put_on_pause_with_a_date_and_a_reason(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    in_a_week = (dt.datetime.now(dt.UTC) + dt.timedelta(days=7)).date().isoformat()

    answer = api.call("PATCH", f"/patients/{patient.id}", {"paused_until": in_a_week, "paused_reason": "in hospital"})

    assert answer.status == 200
    assert (answer.json["paused_until"], answer.json["paused_reason"]) == (in_a_week, "in hospital")
    assert (answer.json["messages"], answer.json["complete"]) == (0, True)
    assert api.call("PATCH", f"/patients/{patient.id}", {"paused_until": None}).json["paused_until"] is None


def test_a_pause_without_a_reason_is_refused(clinic: Clinic, api: Program) -> None:
    answer = api.call("PATCH", f"/patients/{a_patient(clinic).id}", {"paused_until": "2027-03-03"})

    assert (answer.status, "paused_reason" in answer.wrong_fields) == (422, True)
