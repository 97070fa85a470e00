"""Invitations, notes about failed invitations, consent, and acts on many patients, as programs see them."""

import datetime as dt

import pytest

from companion.clinics.models import Clinic
from companion.patients import enrolment_notes
from companion.patients.models import Consent, NoteKind, Patient
from tests.api.calls import Program, a_program
from tests.builders import NOW, a_bot, a_clinic, a_cohort, a_patient


def test_a_cohort_is_invited_page_by_page(clinic: Clinic, api: Program) -> None:
    a_bot(clinic, username="linden_bot")
    people = [a_patient(clinic, name, telegram_id=None) for name in ("Ana", "Bo", "Chidi")]
    a_cohort(clinic, "Heart", *people, a_patient(clinic, "Dora"))

    first = api.post("/enrolments", {"cohort": "Heart", "limit": 2}).json
    second = api.post("/enrolments", {"cohort": "Heart", "limit": 2, "cursor": first["next"]}).json

    cards = first["items"] + second["items"]
    assert [card["patient"]["name"] for card in cards] == ["Ana", "Bo", "Chidi"]
    assert all(card["link"].startswith("https://t.me/linden_bot?start=") for card in cards)
    assert "press Start" in cards[0]["sentence"]
    assert second["next"] is None
    everybody = api.post("/enrolments", {"cohort": "Heart", "everybody": True}).json["items"]
    assert len(everybody) == 4


def test_named_patients_are_invited_and_nobody_else_s(clinic: Clinic, api: Program) -> None:
    a_bot(clinic)
    patient = a_patient(clinic)

    assert len(api.post("/enrolments", {"patients": [str(patient.id)]}).json["items"]) == 1
    assert api.post("/enrolments", {"patients": [str(a_patient(a_clinic()).id)]}).status == 404
    assert api.post("/enrolments", {}).wrong_fields == ["patients"]


def test_enrolments_that_went_wrong_are_listed_until_seen(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    enrolment_notes.tell(patient, NoteKind.TAKEN, now=NOW)

    [note] = api.get(f"/enrolment-notes?patient={patient.id}").json["items"]
    seen = api.post(f"/enrolment-notes/{note['id']}/seen").json

    assert (note["kind"], note["patient"]["name"], note["seen_at"]) == ("taken", "Ana Silva", None)
    assert seen["seen_by"]
    assert api.get("/enrolment-notes").json["items"] == []
    assert a_program(a_clinic()).post(f"/enrolment-notes/{note['id']}/seen").status == 404


def test_consent_is_noted_and_its_history_read(clinic: Clinic, api: Program) -> None:
    path = f"/patients/{a_patient(clinic, consent=Consent.UNKNOWN).id}/consent"

    api.post(path, {"consent": "given"})
    api.post(path, {"consent": "withdrawn"})
    again = api.post(path, {"consent": "given"})

    assert again.status == 409
    history = api.get(path).json["items"]
    assert [line["consent"] for line in history] == ["withdrawn", "given"]
    assert history[0]["source"].startswith("key: ")


def test_patients_come_into_a_cohort_and_out_of_it(clinic: Clinic, api: Program) -> None:
    ana, bo = a_patient(clinic), a_patient(clinic, "Bo")
    cohort = a_cohort(clinic, "Heart", bo)

    moved = api.post(f"/cohorts/{cohort.id}/patients", {"add": [str(ana.id)], "remove": [str(bo.id)]}).json

    assert moved["size"] == 1
    assert list(cohort.patients.all()) == [ana]


def test_a_patient_is_not_put_into_a_cohort_and_taken_out_of_it_in_one_call(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    cohort = a_cohort(clinic, "Heart", patient)

    answer = api.post(f"/cohorts/{cohort.id}/patients", {"add": [str(patient.id)], "remove": [str(patient.id)]})

    assert (answer.status, answer.wrong_fields) == (422, ["remove"])
    assert list(cohort.patients.all()) == [patient]


def test_many_are_put_on_pause_and_who_is_not_is_named(clinic: Clinic, api: Program) -> None:
    ana = a_patient(clinic)
    body = {"patients": [str(ana.id)], "paused_reason": "In hospital"}
    in_a_week = (dt.datetime.now(dt.UTC) + dt.timedelta(days=7)).date().isoformat()

    done = api.post("/patient-pauses", body | {"paused_until": in_a_week}).json
    over = api.post("/patient-pauses", body | {"paused_until": "2020-01-01"}).json

    assert (done["paused"], over["paused"], over["refused"][0]["patient"]) == (1, 0, str(ana.id))
    assert Patient.objects.get().paused_reason == "In hospital"
    assert api.post("/patient-pauses", body | {"paused_until": "soon"}).wrong_fields == ["paused_until"]


@pytest.mark.parametrize("reason", ["", " ", "a\0b", "\ud800", "two\nlines", "x" * 201])
def test_a_reason_that_no_pause_can_have_is_refused_for_all_at_once(clinic: Clinic, api: Program, reason: str) -> None:
    patient = a_patient(clinic)
    in_a_week = (dt.datetime.now(dt.UTC) + dt.timedelta(days=7)).date().isoformat()

    answer = api.post(
        "/patient-pauses",
        {"patients": [str(patient.id)], "paused_until": in_a_week, "paused_reason": reason},
    )

    assert (answer.status, answer.wrong_fields) == (422, ["paused_reason"])
    assert Patient.objects.get().paused_until is None
