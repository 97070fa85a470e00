"""An Occurrence of a Schedule through the API: read it, and make its Messages early to change them (`detach`)."""

import datetime as dt
import uuid
from typing import Final

import pytest

from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient
from companion.planning import drafts, edit, planner
from companion.schedules.models import Message, Schedule
from tests.api.calls import Answer, Json, Program, a_program
from tests.builders import a_caller, a_clinic, a_patient

DAY: Final = dt.timedelta(days=1)


def series(clinic: Clinic, *patients: Patient, now: dt.datetime, **values: Json) -> Schedule:
    """A daily series at 09:00 from tomorrow on, in each patient's own zone."""
    asked = {
        "text": "Take your tablet, {first_name}.",
        "patients": [str(patient.id) for patient in patients],
        "starts_at": f"{(now + DAY).date()}T09:00",
        "timezone": "patient",
        "recurrence": {"frequency": "daily"},
    }
    return edit.create(a_caller(clinic), drafts.read(clinic, asked | values, now=now), now=now).schedule


def at(now: dt.datetime, days: int = 6) -> str:
    """The name of the Occurrence in this number of days."""
    return f"{(now + days * DAY).date()}T09:00"


def detach(api: Program, schedule: Schedule, occurrence: str, patient: Patient | None = None) -> Answer:
    body = {"patient": str(patient.id)} if patient else {}
    return api.post(f"/schedules/{schedule.id}/occurrences/{occurrence}/detach", body)


def test_an_occurrence_to_come_is_read_patient_by_patient(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    ana, ben = a_patient(clinic, "Ana"), a_patient(clinic, "Ben", timezone="Asia/Tokyo")
    schedule = series(clinic, ana, ben, now=now)

    answer = api.get(f"/schedules/{schedule.id}/occurrences/{at(now)}?limit=1").json
    rest = api.get(f"/schedules/{schedule.id}/occurrences/{at(now)}?limit=1&cursor={answer['next']}").json

    items = [*answer["items"], *rest["items"]]
    assert [(i["id"], i["planned"], i["status"], i["text"]) for i in items] == [
        (None, True, "pending", "Take your tablet, Ana."),
        (None, True, "pending", "Take your tablet, Ben."),
    ]
    assert items[1]["due_at"] == f"{at(now)[:10]}T00:00:00Z"
    assert (answer["skipped"], rest["next"]) == (False, None)


def test_detaching_makes_one_patients_message_which_can_be_changed_and_is_never_planned_again(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    ana, ben = a_patient(clinic, "Ana"), a_patient(clinic, "Ben")
    schedule = series(clinic, ana, ben, now=now)

    (item,) = detach(api, schedule, at(now), ana).json["items"]
    changed = api.patch(f"/messages/{item['id']}", {"text": "Two tablets today."})

    assert (item["planned"], item["occurrence"], item["status"]) == (False, at(now), "pending")
    assert (changed.status, changed.json["text"]) == (200, "Two tablets today.")
    for days in range(1, 9):
        planner.plan_ahead(schedule.id, now=now + days * DAY)
    texts = {message.patient: message.text for message in Message.objects.filter(schedule=schedule, occurrence=at(now))}
    assert texts == {ana: "Two tablets today.", ben: None}


def test_detaching_without_a_patient_makes_everybodys_message(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    patients = [a_patient(clinic, f"Patient {number}") for number in range(3)]
    schedule = series(clinic, *patients, now=now)
    detach(api, schedule, at(now), patients[0])

    answer = detach(api, schedule, at(now))

    assert len(answer.json["items"]) == 2
    shown = api.get(f"/schedules/{schedule.id}/occurrences/{at(now)}").json["items"]
    assert [item["planned"] for item in shown] == [False] * 3


def test_a_plan_that_was_detached_stands_in_the_list_once(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    ana, ben = a_patient(clinic, "Ana"), a_patient(clinic, "Ben")
    schedule = series(clinic, ana, ben, now=now)
    (made,) = detach(api, schedule, at(now), ana).json["items"]
    # Also where its time was moved to another day.
    api.patch(f"/messages/{made['id']}", {"send_at": f"{(now + 3 * DAY).isoformat()}"})

    items = api.get(f"/messages?include=planned&due_to={(now + 9 * DAY).isoformat().replace('+', '%2B')}").json["items"]

    of_it = [(item["patient"]["name"], item["planned"]) for item in items if item["occurrence"] == at(now)]
    assert of_it == [("Ana", False), ("Ben", True)]


def test_of_two_people_who_detach_the_same_the_second_hears_that_it_is_there(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    ana = a_patient(clinic)
    schedule = series(clinic, ana, now=now)

    answers = [detach(api, schedule, at(now), ana), detach(api, schedule, at(now), ana)]

    assert [answer.status for answer in answers] == [200, 409]
    assert answers[1].json["detail"] == "The message exists already: change that message."
    assert Message.objects.filter(schedule=schedule, occurrence=at(now)).count() == 1


def test_an_occurrence_that_is_skipped_paused_ended_past_or_in_a_pause_can_not_be_detached(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    ana = a_patient(clinic)
    away = a_patient(clinic, "Away", paused_until=(now + 9 * DAY).date(), paused_reason="in hospital")
    skipping, cancelled, paused = (series(clinic, ana, now=now) for _ in range(3))
    api.post(f"/schedules/{skipping.id}/skip", {"occurrence": at(now)})
    api.post(f"/schedules/{cancelled.id}/cancel")
    api.post(f"/schedules/{paused.id}/pause")
    long_ago = series(clinic, ana, now=now - 9 * DAY)

    answers = [
        *(detach(api, schedule, at(now), ana) for schedule in (skipping, cancelled, paused)),
        detach(api, series(clinic, away, now=now), at(now), away),
        detach(api, long_ago, at(now, -5), ana),
    ]

    assert [answer.status for answer in answers] == [409] * 5
    assert "skipped" in answers[0].json["detail"]
    assert "on pause until" in answers[3].json["detail"]
    shown = api.get(f"/schedules/{skipping.id}/occurrences/{at(now)}").json
    assert (shown["skipped"], shown["items"]) == (True, [])


def test_an_unknown_occurrence_is_refused_and_a_patient_it_does_not_reach_is_named(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    ana, stranger = a_patient(clinic), a_patient(clinic, "Somebody else")
    schedule = series(clinic, ana, now=now)

    assert detach(api, schedule, f"{at(now)[:10]}T10:00", ana).status == 404
    assert detach(api, schedule, "tomorrow", ana).wrong_fields == ["occurrence"]
    assert detach(api, schedule, at(now), stranger).wrong_fields == ["patient"]
    assert api.get(f"/schedules/{uuid.uuid4()}/occurrences/{at(now)}").status == 404


def test_another_clinics_schedule_is_unknown_and_a_viewer_may_only_look(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    ana = a_patient(clinic)
    schedule = series(clinic, ana, now=now)
    viewer, elsewhere = a_program(clinic, Role.VIEWER), a_program(a_clinic())

    assert viewer.get(f"/schedules/{schedule.id}/occurrences/{at(now)}").status == 200
    assert detach(viewer, schedule, at(now), ana).status == 403
    assert detach(elsewhere, schedule, at(now), ana).status == 404


@pytest.mark.parametrize("change", [{"starts_at": "T11:00"}, {"text": "Another text."}])
def test_a_detached_message_stays_the_only_one_when_the_series_changes(
    clinic: Clinic, api: Program, now: dt.datetime, change: dict[str, str]
) -> None:
    ana = a_patient(clinic)
    schedule = series(clinic, ana, now=now)
    (made,) = detach(api, schedule, at(now), ana).json["items"]
    api.patch(f"/messages/{made['id']}", {"text": "By hand."})
    body = {name: f"{(now + DAY).date()}{value}" if name == "starts_at" else value for name, value in change.items()}

    assert api.patch(f"/schedules/{schedule.id}", body).status == 200
    for days in range(1, 9):
        planner.plan_ahead(schedule.id, now=now + days * DAY)

    of_day = Message.objects.filter(schedule=schedule, occurrence__startswith=at(now)[:10])
    assert [message.text for message in of_day] == ["By hand."]


def test_a_detached_message_gets_the_series_new_time_unless_its_own_was_changed(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    ana, ben = a_patient(clinic, "Ana"), a_patient(clinic, "Ben")
    schedule = series(clinic, ana, ben, now=now, timezone="UTC")
    of_ana, of_ben = detach(api, schedule, at(now)).json["items"]
    noon = f"{at(now)[:10]}T12:00:00Z"
    api.patch(f"/messages/{of_ana['id']}", {"text": "Half a tablet."})
    api.patch(f"/messages/{of_ben['id']}", {"send_at": noon})

    api.patch(f"/schedules/{schedule.id}", {"starts_at": f"{(now + DAY).date()}T16:00"})

    found = [api.get(f"/messages/{message['id']}").json for message in (of_ana, of_ben)]
    assert [message["due_at"] for message in found] == [f"{at(now)[:10]}T16:00:00Z", noon]
    assert {message["occurrence"] for message in found} == {f"{at(now)[:10]}T16:00"}


def test_next_does_not_name_the_old_instant_of_a_detached_message_that_was_moved(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    schedule = series(clinic, a_patient(clinic), now=now, timezone="UTC")
    (made,) = detach(api, schedule, at(now, 4)).json["items"]
    sooner = (now + dt.timedelta(hours=3)).replace(microsecond=0).isoformat().replace("+00:00", "Z")

    api.patch(f"/messages/{made['id']}", {"send_at": sooner})

    coming = api.get(f"/schedules/{schedule.id}").json["next"]
    assert sooner in coming
    assert f"{at(now, 4)}:00Z" not in coming
