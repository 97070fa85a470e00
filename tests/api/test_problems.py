"""Errors under /api: each is a problem (RFC 9457), and no request causes a 500."""

import json
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from companion.clinics.models import Clinic
from tests.api.calls import NOBODY, PROBLEM, Answer, Program
from tests.builders import a_patient

pytestmark = pytest.mark.both_databases


def assert_problem(answer: Answer, status: int) -> None:
    assert (answer.status, answer.media_type) == (status, PROBLEM)
    body = answer.json
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert isinstance(body["errors"], list)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/scheduler/nothing", "/api/scheduler/"])
def test_an_unknown_address_is_a_problem(path: str) -> None:
    assert_problem(NOBODY.get(path), 404)


def test_a_wrong_id_belongs_to_nothing(api: Program) -> None:
    assert_problem(api.get("/messages/42"), 404)


def test_a_method_that_is_not_taken_names_those_that_are(api: Program) -> None:
    answer = api.call("DELETE", "/messages")

    assert_problem(answer, 405)
    assert {method.strip() for method in answer.headers["Allow"].split(",")} == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"NaN", b'{"text": Infinity}', b"[" * 100_000, b"9" * 5000])
def test_malformed_json_is_a_problem(api: Program, raw: bytes) -> None:
    answer = api.call("POST", "/messages", raw=raw)

    assert_problem(answer, 400)
    assert answer.json["detail"] == "The body is not JSON."


@pytest.mark.parametrize("raw", [b'{"patient": "a", "patient": "b"}', b'{"text": "a", "x": {"text": 1, "text": 1}}'])
def test_a_field_that_occurs_twice_is_a_problem(api: Program, raw: bytes) -> None:
    answer = api.call("POST", "/messages", raw=raw)

    assert_problem(answer, 400)
    assert "twice" in answer.json["detail"]


@pytest.mark.parametrize("raw", [b"null", b"[]", b"1", b'"text"', b"", b'{"patient": 1e999}'])
def test_json_of_another_shape_is_refused(api: Program, raw: bytes) -> None:
    assert_problem(api.call("POST", "/messages", raw=raw), 422)


def test_a_body_of_another_media_type_is_refused(api: Program) -> None:
    assert_problem(api.call("POST", "/cohorts", raw=b"name=Diabetes", media_type="text/plain"), 415)


def test_a_body_that_is_too_large_never_gets_in(api: Program) -> None:
    assert_problem(api.call("POST", "/cohorts", raw=b" " * (2 * 1024 * 1024 + 1)), 413)


def test_a_stranger_with_a_body_that_is_too_large_is_asked_to_sign_in() -> None:
    answer = Client().post("/api/scheduler/cohorts", b" " * (2 * 1024 * 1024 + 1), "application/json")

    assert answer.status_code == 401


def test_an_unknown_field_is_refused_and_named(api: Program) -> None:
    answer = api.post("/cohorts", {"name": "Diabetes", "colour": "red"})

    assert_problem(answer, 422)
    assert answer.wrong_fields == ["colour"]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"cohorts": [' + b",".join([b"1"] * 100_000) + b"]}", "cohorts"),
        (b"{" + b",".join(b'"f%d": 1' % number for number in range(100_000)) + b"}", "body"),
    ],
    ids=["values", "fields"],
)
def test_very_many_wrong_values_are_not_answered_one_by_one(api: Program, raw: bytes, field: str) -> None:
    answer = api.call("PATCH", f"/patients/{uuid4()}", raw=raw)

    assert (answer.status, answer.wrong_fields) == (422, [field])


def test_a_wrong_value_deep_inside_is_named_by_its_path(clinic: Clinic, api: Program) -> None:
    body = {
        "patients": [str(a_patient(clinic).id)],
        "text": "Hello",
        "starts_at": "2035-12-01T09:00",
        "timezone": "Europe/Berlin",
        "recurrence": {"frequency": "daily", "interval": 0},
    }

    answer = api.post("/schedules", body)

    assert (answer.status, answer.wrong_fields) == (422, ["recurrence.interval"])


def test_a_parameter_that_is_misspelt_is_refused_and_not_overlooked(api: Program) -> None:
    answer = api.get("/messages?statsu=failed")

    assert (answer.status, answer.wrong_fields) == (422, ["statsu"])


@pytest.mark.parametrize("query", ["q=ana&q=ben", "reachable=true&reachable=", "limit=1&limit=2"])
def test_a_parameter_that_is_repeated_is_refused_and_not_overlooked(api: Program, query: str) -> None:
    answer = api.get(f"/patients?{query}")

    assert (answer.status, answer.wrong_fields) == (422, [query.partition("=")[0]])


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (f"q={'x' * 300}", "At most 200 characters."),
        (f"cursor={'x' * 3000}", "At most 2000 characters."),
        ("limit=501", "At most 500."),
    ],
)
def test_how_much_is_taken_is_said_in_words(api: Program, query: str, sentence: str) -> None:
    [wrong] = api.get(f"/patients?{query}").json["errors"]

    assert wrong["message"] == sentence


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "bell\x07", "\x85", "{unknown}", " ", ""])
def test_a_text_that_can_not_be_sent_is_refused(clinic: Clinic, api: Program, text: str) -> None:
    answer = api.post("/messages", {"patient": str(a_patient(clinic).id), "text": text})

    assert (answer.status, answer.wrong_fields[:1]) == (422, ["text"])


@pytest.mark.parametrize("value", ["\ud800", "a\0b", 10**30, 1.5, True, None, [], {}, "x" * 10_000])
@pytest.mark.parametrize("field", ["name", "external_id", "timezone", "language", "birth_date", "phone", "caregiver"])
def test_no_value_of_a_patient_is_our_fault(api: Program, field: str, value: object) -> None:
    answer = api.post("/patients", {"external_id": "P-1", "name": "Ana"} | {field: value})

    assert answer.status in (201, 422)


@pytest.mark.parametrize("value", ["\ud800", "a\0b", 10**30, -(10**30), 1.5, True, "@ana", "+49 170 123", [], {}])
def test_a_telegram_id_that_can_not_be_right_is_refused_with_a_sentence(api: Program, value: object) -> None:
    answer = api.post("/patients", {"external_id": "P-1", "name": "Ana", "telegram_id": value})

    assert answer.status == 422
    assert {field.partition(".")[0] for field in answer.wrong_fields} == {"telegram_id"}


def test_a_field_whose_name_is_half_a_character_is_refused(api: Program) -> None:
    assert_problem(api.call("POST", "/cohorts", raw=b'{"name": "Diabetes", "\\ud800": 1}'), 422)


@pytest.mark.parametrize("query", ["q=%00", "q=%ff%fe", "cohort=%00", "cursor=%00", "limit=1_0", "limit=%D9%A1"])
def test_no_parameter_is_our_fault(api: Program, query: str) -> None:
    assert api.get(f"/patients?{query}").status in (200, 422)


def test_a_host_that_is_not_ours_is_a_problem(db: None) -> None:
    answer = Client(headers={"Host": "evil.example"}).get("/api/scheduler")

    assert (answer.status_code, answer["Content-Type"]) == (400, PROBLEM)


def test_an_answer_is_kept_in_no_cache(api: Program) -> None:
    assert api.get("/patients").headers["Cache-Control"] == "no-store"


def test_head_is_get_without_the_content(api: Program) -> None:
    answer = api.call("HEAD", "/patients")

    assert (answer.status, answer.text) == (200, "")
    assert int(answer.headers["Content-Length"]) == len(json.dumps({"items": [], "next": None}, separators=(",", ":")))


def test_an_error_on_our_side_is_answered_and_logged_without_a_word_of_the_request(
    clinic: Clinic, api: Program, caplog: pytest.LogCaptureFixture
) -> None:
    patient = a_patient(clinic)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE schedules_message RENAME TO gone")

    answer = api.post("/messages", {"patient": str(patient.id), "text": "Your HIV test"})

    assert_problem(answer, 500)
    ours = [record.getMessage() for record in caplog.records if record.name == "companion.api.problems"]
    assert len(ours) == 1
    assert "Error at" in ours[0]
    assert "HIV" not in answer.text + caplog.text
