"""null in a field that narrows a call is refused: a program's missing value never means "all"."""

import datetime as dt

import pytest

from companion.clinics.models import Clinic, Role
from companion.schedules.models import Status
from companion.schedules.reasons import Reason
from tests.api.calls import Json, Program, a_program
from tests.builders import a_conversation, a_message, a_patient


@pytest.mark.parametrize("field", ["ids", "schedule", "from", "to", "held_by_restore"])
def test_unknown_outcomes_are_not_decided_where_one_of_the_selectors_is_null(
    clinic: Clinic, now: dt.datetime, field: str
) -> None:
    message = a_message(
        a_patient(clinic), status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN, due_at=now, ended_at=now
    )
    selectors = {"ids": [str(message.id)], "from": "2026-01-01T00:00:00Z", field: None}

    admin = a_program(clinic, Role.ADMIN)

    answer = admin.post("/api/mcp/unknown", {**selectors, "decision": "arrived"})

    assert (answer.status, answer.wrong_fields) == (422, [field])
    assert [message["id"] for message in admin.get("/api/mcp/unknown").json["items"]] == [str(message.id)]


@pytest.mark.parametrize("method", ["PATCH", "preview"])
def test_a_series_is_not_changed_as_a_whole_where_the_first_occurrence_is_null(
    api: Program, schedule: str, method: str
) -> None:
    change = {"text": "Take two tablets.", "from": None}

    answer = api.patch(schedule, change) if method == "PATCH" else api.post(f"{schedule}/preview", change)

    assert (answer.status, answer.wrong_fields) == (422, ["from"])
    assert api.get(schedule).json["text"] == "Good morning {first_name}."


def test_an_occurrence_is_not_detached_for_everybody_where_the_patient_is_null(api: Program, schedule: str) -> None:
    answer = api.post(f"{schedule}/occurrences/2035-12-02T09:00/detach", {"patient": None})

    assert (answer.status, answer.wrong_fields) == (422, ["patient"])
    assert api.get("/messages").json["items"] == []


def test_a_conversation_stays_open_where_the_newest_reply_that_was_read_is_null(clinic: Clinic, api: Program) -> None:
    conversation = a_conversation(a_patient(clinic))

    answer = api.post(f"/inbox/{conversation.id}/done", {"seen": None})

    assert (answer.status, answer.wrong_fields) == (422, ["seen"])
    assert api.get(f"/inbox/{conversation.id}").json["standing"] != "done"


def test_the_words_for_urgent_help_stay_where_null_is_sent_for_them(clinic: Clinic) -> None:
    admin = a_program(clinic, Role.ADMIN)
    held = admin.patch("/urgent-help", {"words": ["help"], "phone": "112"}).json

    answer = admin.patch("/urgent-help", {"words": None, "phone": None})

    assert (answer.status, answer.wrong_fields) == (422, ["words"])
    assert admin.get("/urgent-help").json == held


def test_a_patient_stays_in_every_cohort_where_null_is_sent_for_them(api: Program) -> None:
    patient = api.post("/patients", {"external_id": "P-1", "name": "Ana", "cohorts": ["Diabetes"]}).json

    answer = api.patch(f"/patients/{patient['id']}", {"cohorts": None})

    assert (answer.status, answer.wrong_fields) == (422, ["cohorts"])
    assert api.get(f"/patients/{patient['id']}").json["cohorts"] == ["Diabetes"]


def test_the_description_tells_that_these_fields_are_never_null(api: Program) -> None:
    bodies: Json = api.get("/openapi.json").json["components"]["schemas"]

    narrowing = {
        "DecisionsBody": ["ids", "schedule", "from", "to", "held_by_restore"],
        "ScheduleChanges": ["from"],
        "DetachWish": ["patient"],
        "DoneWish": ["seen"],
        "HelpChanges": ["words"],
    }
    told = [bodies[body]["properties"][field] for body, fields in narrowing.items() for field in fields]
    assert [schema for schema in told if "anyOf" in schema or schema["type"] == "null"] == []
