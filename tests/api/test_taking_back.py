"""Undo through the API: cancels within ten seconds, skips while they are in the future."""

import datetime as dt

from companion.clinics.models import Clinic, Role
from companion.schedules.models import Message
from tests.api.calls import Program, a_daily_schedule, a_program
from tests.builders import a_clinic, a_message, a_patient


def a_pending(clinic: Clinic, now: dt.datetime) -> Message:
    return a_message(a_patient(clinic), due_at=now + dt.timedelta(hours=1))


def test_a_cancelled_message_is_taken_back_once(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    path = f"/messages/{a_pending(clinic, now).id}"
    api.post(f"{path}/cancel")

    first, second = api.post(f"{path}/undo"), api.post(f"{path}/undo")

    assert (first.status, first.json["status"], first.json["reason"]) == (200, "pending", None)
    assert (second.status, "nothing to undo" in second.json["detail"]) == (409, True)


def test_ten_seconds_later_it_is_too_late(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    message = a_pending(clinic, now)
    api.post(f"/messages/{message.id}/cancel")
    Message.objects.update(ended_at=now - dt.timedelta(seconds=20))

    answer = api.post(f"/messages/{message.id}/undo")

    assert (answer.status, "too late" in answer.json["detail"]) == (409, True)


def test_another_clinic_and_a_viewer_take_nothing_back(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    path = f"/messages/{a_pending(clinic, now).id}"
    api.post(f"{path}/cancel")

    assert a_program(a_clinic()).post(f"{path}/undo").status == 404
    assert a_program(clinic, Role.VIEWER).post(f"{path}/undo").status == 403


def test_a_cancelled_schedule_goes_on(clinic: Clinic, api: Program) -> None:
    made = api.post("/schedules", a_daily_schedule(a_patient(clinic))).json
    api.post(f"/schedules/{made['id']}/cancel")

    back = api.post(f"/schedules/{made['id']}/undo")

    assert (back.status, back.json["state"], back.json["next"]) == (200, "active", made["next"])
    assert api.post(f"/schedules/{made['id']}/undo").status == 409


def test_an_occurrence_is_skipped_and_sent_after_all(clinic: Clinic, api: Program) -> None:
    made = api.post("/schedules", a_daily_schedule(a_patient(clinic), starts_at="2035-12-01T09:00")).json
    address = f"/schedules/{made['id']}/occurrences/2035-12-02T09:00"

    skipped = api.post(f"{address}/skip").json
    assert skipped["recurrence"]["except"] == ["2035-12-02T09:00"]

    back = api.post(f"{address}/unskip").json
    assert (back["recurrence"]["except"], back["next"]) == ([], made["next"])
    assert api.post(f"{address}/unskip").status == 422
    assert a_program(clinic, Role.VIEWER).post(f"{address}/skip").status == 403
