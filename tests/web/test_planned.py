"""Planned Occurrences without a Message on the pages: in their day's list, in the search, on the patient's page."""

import datetime as dt

import pytest

from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient
from companion.planning import drafts, edit, planner
from companion.schedules.models import Message, Schedule, Status
from tests.builders import a_caller, a_clinic, a_patient
from tests.web.signed_in import signed_in, words
from tests.web.test_series_forms import saved

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


def series(clinic: Clinic, *patients: Patient, **changes: object) -> Schedule:
    """Plan a daily series at nine from tomorrow on."""
    now = dt.datetime.now(dt.UTC)
    asked: dict[str, object] = {
        "text": "Take your tablet, {first_name}.",
        "patients": [str(patient.id) for patient in patients],
        "starts_at": f"{(now + DAY).date()}T09:00",
        "timezone": "Europe/Berlin",
        "recurrence": {"frequency": "daily"},
    }
    return edit.create(a_caller(clinic), drafts.read(clinic, asked | changes, now=now), now=now).schedule


def in_days(number: int) -> dt.date:
    return (dt.datetime.now(dt.UTC) + number * DAY).date()


def page_of(schedule: Schedule, patient: Patient, number: int = 14) -> str:
    return f"/scheduled-messages/series/{schedule.id}/{in_days(number)}T09:00/{patient.id}"


def test_the_list_of_a_day_to_come_holds_what_is_planned_and_leads_to_it() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    schedule = series(clinic, patient)

    answer = signed_in(clinic).get("/scheduled-messages", {"day": in_days(14).isoformat()})

    assert "09:00 Ana Silva P-" in words(answer)
    assert "Take your tablet, Ana. Every day at 09:00" in words(answer)
    assert "Planned" in words(answer)
    assert f'href="{page_of(schedule, patient)}"' in answer.content.decode()


def test_many_patients_of_one_instant_are_one_line() -> None:
    clinic = a_clinic()
    schedule = series(clinic, *(a_patient(clinic, f"Patient {number}") for number in range(11)))

    answer = signed_in(clinic).get("/scheduled-messages", {"day": in_days(14).isoformat()})

    assert "09:00 11 patients Take your tablet, {first_name}." in words(answer)
    assert f'href="/scheduled-messages/series/{schedule.id}"' in answer.content.decode()


@pytest.mark.both_databases
def test_the_search_and_the_patients_page_show_what_is_planned_next() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    schedule = series(clinic, patient)
    client = signed_in(clinic)

    for answer in (
        client.get("/scheduled-messages", {"q": "silva"}),
        client.get("/scheduled-messages", {"q": "silva", "status": "pending"}),
        client.get(f"/patients/{patient.id}"),
    ):
        assert f'href="{page_of(schedule, patient, 4)}"' in answer.content.decode()


def test_a_page_shows_the_text_the_rule_and_who_planned_it() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    schedule = series(clinic, patient)

    shown = words(signed_in(clinic, Role.VIEWER).get(page_of(schedule, patient)))

    assert "Ana Silva" in shown
    assert "Take your tablet, Ana." in shown
    assert "Schedule Every day at 09:00" in shown
    assert "By Nora Provider" in shown
    assert "Change only this message" not in shown


def test_this_one_only_becomes_a_message_when_it_is_saved() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    schedule = series(clinic, patient)
    client, address = signed_in(clinic), page_of(schedule, patient)
    form = client.get(f"{address}/edit").context["typed"]
    assert not Message.objects.filter(schedule=schedule, occurrence=f"{in_days(14)}T09:00").exists()

    answer = client.post(f"{address}/edit", form | {"text": "Two tablets today."})

    message = Message.objects.get(schedule=schedule, occurrence=f"{in_days(14)}T09:00")
    assert answer["Location"] == f"/scheduled-messages/{message.id}"
    assert (message.text, message.by_hand, message.time_by_hand) == ("Two tablets today.", True, False)
    assert client.get(address)["Location"] == f"/scheduled-messages/{message.id}"


def test_a_wrong_text_is_said_and_makes_nothing() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    schedule = series(clinic, patient)
    client, address = signed_in(clinic), page_of(schedule, patient)
    form = client.get(f"{address}/edit").context["typed"]

    answer = client.post(f"{address}/edit", form | {"text": "Hello {nobody}"})

    assert answer.status_code == 422
    assert "is no placeholder" in words(answer)
    assert not Message.objects.filter(schedule=schedule, occurrence=f"{in_days(14)}T09:00").exists()


def test_one_patients_message_is_not_sent_and_never_planned_again() -> None:
    clinic = a_clinic()
    ana, ben = a_patient(clinic), a_patient(clinic, "Ben")
    schedule = series(clinic, ana, ben)

    signed_in(clinic).post(f"{page_of(schedule, ana)}/cancel")
    for number in range(1, 16):
        planner.plan_ahead(schedule.id, now=dt.datetime.now(dt.UTC) + number * DAY)

    made = Message.objects.filter(schedule=schedule, occurrence=f"{in_days(14)}T09:00")
    assert {message.patient: message.status for message in made} == {ana: Status.CANCELLED, ben: Status.PENDING}


def test_this_one_only_moves_along_when_the_form_changes_the_series_time() -> None:
    clinic = a_clinic(timezone="UTC")
    patient = a_patient(clinic)
    schedule = series(clinic, patient, timezone="UTC")
    client, address = signed_in(clinic), page_of(schedule, patient)
    form = client.get(f"{address}/edit").context["typed"]
    client.post(f"{address}/edit", form | {"text": "Two tablets today."})

    saved(client, schedule, time="16:00")

    message = Message.objects.get(schedule=schedule, occurrence=f"{in_days(14)}T16:00")
    assert (message.text, f"{message.due_at:%H:%M}") == ("Two tablets today.", "16:00")


def test_a_single_later_message_stays_in_the_list_when_the_message_to_one_patient_is_changed() -> None:
    clinic = a_clinic()
    ana, ben = a_patient(clinic), a_patient(clinic, "Ben")
    schedule = series(clinic, ana, ben, starts_at=f"{in_days(14)}T09:00", recurrence=None)
    client, address = signed_in(clinic), page_of(schedule, ana)
    form = client.get(f"{address}/edit").context["typed"]

    client.post(f"{address}/edit", form | {"text": "Come fasting."})

    listed = client.get("/scheduled-messages/series", {"state": "once"})
    assert f"/scheduled-messages/series/{schedule.id}" in listed.content.decode()
