"""A warning, before and after planning, if a patient gets a text twice a day, or two texts within ten minutes."""

import datetime as dt
from typing import Any

import pytest

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.schedules.models import Message, Schedule
from tests.api.calls import Program, a_program
from tests.builders import a_clinic, a_cohort, a_patient
from tests.web.signed_in import signed_in, typed, words

pytestmark = pytest.mark.django_db
DAY = (dt.datetime.now(dt.UTC) + dt.timedelta(days=40)).date()
"""Far beyond what has Messages: plans are computed."""


@pytest.fixture
def api(clinic: Clinic) -> Program:
    return a_program(clinic)


def body(*patients: Patient, **fields: Any) -> dict[str, Any]:
    """The body of a POST; `at` and `day` are its start."""
    start = f"{fields.pop('day', DAY)}T{fields.pop('at', '09:00')}"
    values = {"patients": [str(patient.id) for patient in patients], "text": "Take A.", "starts_at": start}
    return values | {"timezone": "patient"} | fields


def similar(answer: dict[str, Any]) -> list[str]:
    return [warning["message"] for warning in answer["warnings"] if warning["code"] == "similar_same_day"]


@pytest.mark.parametrize(
    ("second", "ends"),
    [
        ({"at": "20:00"}, f"another message with the same text on {DAY.day} {DAY:%B}, at 09:00."),
        ({"at": "09:08", "text": "Take B."}, f"another message within ten minutes on {DAY.day} {DAY:%B}, at 09:00."),
        ({"at": "08:50", "text": "Take B."}, f"another message within ten minutes on {DAY.day} {DAY:%B}, at 09:00."),
    ],
)
def test_a_similar_plan_of_the_same_day_warns_in_the_preview_and_in_the_answer(
    ana: Patient, api: Program, second: dict[str, str], ends: str
) -> None:
    api.post("/schedules", body(ana))

    seen = similar(api.post("/schedules/preview", body(ana, **second)).json)
    made = similar(api.post("/schedules", body(ana, **second)).json)

    assert seen == made == [f"Ana Silva gets {ends}"]


@pytest.mark.parametrize(
    ("zone", "first", "second", "told"),
    [
        ("Europe/Lisbon", "22:26", "22:28", "26 November, at 23:26 (22:26 Lisbon)."),
        ("Asia/Kolkata", "02:00", "02:09", "25 November, at 21:30 (next day 02:00 Kolkata)."),
        ("America/New_York", "20:00", "20:10", "27 November, at 02:00 (day before 20:00 New York)."),
        # Another zone whose clocks show the same time.
        ("Europe/Paris", "22:26", "22:28", "26 November, at 22:26."),
    ],
)
def test_the_time_is_told_on_the_clinic_s_clock_and_on_the_patient_s_where_it_differs(
    clinic: Clinic, api: Program, zone: str, first: str, second: str, told: str
) -> None:
    eva = a_patient(clinic, "Eva Ek", timezone=zone)
    api.post("/schedules", body(eva, day="2095-11-26", at=first))

    warned = similar(api.post("/schedules/preview", body(eva, day="2095-11-26", at=second, text="Take B.")).json)

    assert warned == [f"Eva Ek gets another message within ten minutes on {told}"]


@pytest.mark.parametrize(
    "second",
    [
        {"at": "20:00", "text": "Take B."},
        {"at": "09:11", "text": "Take B."},
        {"day": DAY + dt.timedelta(days=1)},
    ],
)
def test_a_message_that_is_not_similar_causes_no_warning(ana: Patient, api: Program, second: dict[str, Any]) -> None:
    api.post("/schedules", body(ana))

    assert similar(api.post("/schedules", body(ana, **second)).json) == []


def test_another_patient_s_and_another_clinic_s_plans_do_not_count(clinic: Clinic, ana: Patient, api: Program) -> None:
    other = a_clinic()
    api.post("/schedules", body(a_patient(clinic, "Bo")))
    a_program(other).post("/schedules", body(a_patient(other)))

    assert similar(api.post("/schedules", body(ana)).json) == []


def test_a_series_is_held_against_messages_that_exist_already(ana: Patient, api: Program) -> None:
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).date()
    daily = {"recurrence": {"frequency": "daily"}, "day": tomorrow}
    api.post("/schedules", body(ana, **daily))
    assert Message.objects.filter(patient=ana).exists()

    assert len(similar(api.post("/schedules", body(ana, at="20:00", **daily)).json)) == 1


def test_several_times_a_day_of_one_series_are_meant_but_not_within_ten_minutes(ana: Patient, api: Program) -> None:
    daily = {"frequency": "daily", "times": ["08:00", "20:00"]}
    close = {"frequency": "daily", "times": ["08:00", "08:05"]}

    assert similar(api.post("/schedules/preview", body(ana, recurrence=daily)).json) == []
    [sentence] = similar(api.post("/schedules/preview", body(ana, recurrence=close)).json)
    assert "gets two of these within ten minutes" in sentence


def test_two_times_of_one_series_are_told_on_both_clocks(clinic: Clinic, api: Program) -> None:
    close = {"frequency": "daily", "times": ["08:00", "08:05"]}
    eva = a_patient(clinic, "Eva Ek", timezone="Europe/Lisbon")

    [sentence] = similar(api.post("/schedules/preview", body(eva, recurrence=close)).json)

    assert sentence.endswith(", at 09:05 (08:05 Lisbon).")


def test_a_series_is_not_similar_to_itself_when_it_changes_or_splits(ana: Patient, api: Program) -> None:
    made = api.post("/schedules", body(ana, recurrence={"frequency": "daily"})).json
    since = f"{DAY + dt.timedelta(days=2)}T09:00"

    changed = api.patch(f"/schedules/{made['id']}", {"starts_at": f"{DAY}T10:00"}).json
    split = api.patch(f"/schedules/{made['id']}", {"from": since.replace("09", "10"), "starts_at": f"{DAY}T11:00"}).json

    assert (similar(changed), similar(split)) == ([], [])
    assert Schedule.objects.count() == 2


def test_a_change_to_a_similar_time_warns(ana: Patient, api: Program) -> None:
    api.post("/schedules", body(ana))
    made = api.post("/schedules", body(ana, at="15:00", text="Take B.")).json

    preview = api.post(f"/schedules/{made['id']}/preview", {"starts_at": f"{DAY}T09:05"}).json
    changed = api.patch(f"/schedules/{made['id']}", {"starts_at": f"{DAY}T09:05"}).json

    assert len(similar(preview)) == len(similar(changed)) == 1


def test_a_single_message_warns_in_its_answer(ana: Patient, api: Program) -> None:
    api.post("/schedules", body(ana))

    made = api.post("/messages", {"patient": str(ana.id), "text": "Take A.", "send_at": f"{DAY}T18:00:00Z"})

    assert made.status == 201
    assert len(similar(made.json)) == 1


def test_of_a_large_cohort_the_first_are_named_and_the_rest_counted(clinic: Clinic, api: Program) -> None:
    people = [a_patient(clinic, f"Patient {number:02}") for number in range(25)]
    cohort = {"patients": None, "cohort": str(a_cohort(clinic, "Diabetes", *people).id)}
    api.post("/schedules", body(**cohort))

    found = similar(api.post("/schedules/preview", body(at="21:00", **cohort)).json)

    assert len(found) == 21
    assert found[0].startswith("Patient 00 gets another message")
    assert found[-1] == "5 more patients get a similar message the same day."


def test_the_form_s_preview_says_it(clinic: Clinic, ana: Patient, api: Program) -> None:
    api.post("/schedules", body(ana))

    shown = signed_in(clinic).post(
        "/scheduled-messages/new", typed(ana, date=str(DAY), time="21:00", text="Take A.", do="preview")
    )

    assert "Ana Silva gets another message with the same text" in words(shown)
