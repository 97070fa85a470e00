"""Another clinic's ids in a body or a query reach nothing and change nothing, at every call that takes ids."""

import datetime as dt
from collections.abc import Callable
from typing import Final

import pytest

from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from tests.api.calls import Json, Program, a_daily_schedule, a_program
from tests.builders import (
    a_bot,
    a_cohort,
    a_conversation,
    a_member,
    a_message,
    a_patient,
    a_schedule,
    another_clinic,
)

WEEK: Final = dt.timedelta(days=7)


@pytest.fixture
def theirs(clinic: Clinic, now: dt.datetime) -> dict[str, str]:
    """The ids of another clinic's rows."""
    other = another_clinic()
    patient = a_patient(other, "Theirs")
    schedule = a_schedule(other, patient, recurrence={"frequency": "daily"})
    unknown = a_message(
        patient, schedule, status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN, due_at=now, ended_at=now
    )
    return {
        "patient": str(patient.id),
        "cohort": str(a_cohort(other, "Theirs", patient).id),
        "schedule": str(schedule.id),
        "unknown": str(unknown.id),
        "member": a_member(other, email="theirs@clinic.example").user.email,
    }


Body = Callable[[dict[str, str], Patient], Json]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/schedules", lambda theirs, _: {"patients": [theirs["patient"]]}),
        ("/schedules", lambda theirs, ours: {"patients": [str(ours.id), theirs["patient"]]}),
        ("/schedules", lambda theirs, _: {"patients": None, "cohort": theirs["cohort"]}),
        ("/schedules/preview", lambda theirs, _: {"patients": [theirs["patient"]]}),
        ("/schedules/preview", lambda theirs, _: {"patients": None, "cohort": theirs["cohort"]}),
    ],
)
def test_no_schedule_goes_to_another_clinics_patients(
    clinic: Clinic, api: Program, theirs: dict[str, str], path: str, body: Body
) -> None:
    ours = a_patient(clinic)

    answer = api.post(path, a_daily_schedule(ours) | body(theirs, ours))

    assert answer.status == 422
    assert not clinic.schedules.exists()


@pytest.mark.parametrize("act", ["PATCH", "preview"])
@pytest.mark.parametrize("field", ["patients", "cohort"])
def test_no_schedule_is_handed_to_another_clinics_patients(
    api: Program, schedule: str, theirs: dict[str, str], act: str, field: str
) -> None:
    before = api.get(schedule).json
    change = {"patients": [theirs["patient"]]} if field == "patients" else {"cohort": theirs["cohort"]}

    answer = api.patch(schedule, change) if act == "PATCH" else api.post(f"{schedule}/preview", change)

    assert answer.status == 422
    assert api.get(schedule).json == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/enrolments", lambda theirs: {"patients": [theirs["patient"]]}),
        ("/enrolments", lambda theirs: {"cohort": theirs["cohort"]}),
        ("/patient-pauses", lambda theirs: {"patients": [theirs["patient"]]}),
    ],
)
def test_nothing_is_done_to_another_clinics_patients_at_once(
    clinic: Clinic, api: Program, now: dt.datetime, theirs: dict[str, str], path: str, body: Callable[..., Json]
) -> None:
    a_bot(clinic)
    pause = {"paused_until": (now + WEEK).date().isoformat(), "paused_reason": "In hospital"}

    answer = api.post(path, body(theirs) | (pause if path == "/patient-pauses" else {}))

    assert answer.status == 404
    assert Patient.objects.get(pk=theirs["patient"]).paused_until is None


@pytest.mark.parametrize("act", ["add", "remove"])
def test_another_clinics_patients_are_put_into_no_cohort_and_taken_out_of_none(
    clinic: Clinic, api: Program, theirs: dict[str, str], act: str
) -> None:
    cohort = a_cohort(clinic, "Ours", a_patient(clinic))

    answer = api.post(f"/cohorts/{cohort.id}/patients", {act: [theirs["patient"]]})

    assert answer.status == 404
    assert cohort.patients.count() == 1


def test_an_occurrence_is_not_detached_for_another_clinics_patient(
    api: Program, schedule: str, theirs: dict[str, str]
) -> None:
    answer = api.post(f"{schedule}/occurrences/2035-12-02T09:00/detach", {"patient": theirs["patient"]})

    assert (answer.status, answer.wrong_fields) == (422, ["patient"])
    assert not Message.objects.filter(patient__pk=theirs["patient"], status=Status.PENDING).exists()


def test_a_conversation_is_not_assigned_to_another_clinics_member(
    clinic: Clinic, api: Program, theirs: dict[str, str]
) -> None:
    conversation = a_conversation(a_patient(clinic))

    answer = api.post(f"/inbox/{conversation.id}/assign", {"member": theirs["member"]})

    assert (answer.status, answer.wrong_fields) == (422, ["member"])
    assert api.get(f"/inbox/{conversation.id}").json["holder"] is None


@pytest.mark.parametrize("field", ["ids", "schedule"])
def test_nothing_is_decided_about_another_clinics_messages(clinic: Clinic, theirs: dict[str, str], field: str) -> None:
    which = {"ids": [theirs["unknown"]]} if field == "ids" else {"schedule": theirs["schedule"]}

    answer = a_program(clinic, Role.ADMIN).post("/api/mcp/unknown", which | {"decision": "resend"})

    assert answer.json == {"done": 0, "left": 0}
    assert Message.objects.get(pk=theirs["unknown"]).status == Status.FAILED


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/messages", "patient"),
        ("/messages", "schedule"),
        ("/messages", "cohort"),
        ("/messages?include=planned&due_to=2036-01-01T00:00:00Z", "patient"),
        ("/messages?include=planned&due_to=2036-01-01T00:00:00Z", "schedule"),
        ("/messages?include=planned&due_to=2036-01-01T00:00:00Z", "cohort"),
        ("/schedules", "patient"),
        ("/patients", "cohort"),
        ("/enrolment-notes", "patient"),
    ],
)
def test_no_list_shows_anything_by_another_clinics_id(
    clinic: Clinic, api: Program, schedule: str, theirs: dict[str, str], path: str, field: str
) -> None:
    answer = api.get(f"{path}{'&' if '?' in path else '?'}{field}={theirs[field]}")

    assert answer.status == 404 or answer.json["items"] == []
