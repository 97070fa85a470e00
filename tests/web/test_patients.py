"""The pages of the patients: bring them, find them, mend what stands in the way."""

import datetime as dt
from io import BytesIO

import pytest

from companion.clinics.models import Role
from companion.patients.models import Cohort, Consent, Patient
from companion.planning import drafts, edit
from tests.builders import a_bot, a_caller, a_clinic, a_cohort, a_patient
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


def _file(text: str) -> BytesIO:
    file = BytesIO(text.encode())
    file.name = "patients.csv"
    return file


def test_a_file_is_imported_and_each_refused_row_is_named() -> None:
    client = signed_in(a_clinic())
    rows = "external_id,name,telegram_id\nP-1,Ana Silva,5000000001\nP-2,Jonas Weber,@jonas\n"

    shown = words(client.post("/patients/import", {"file": _file(rows)}))

    assert "1 added 0 changed 0 unchanged 1 refused" in shown
    assert Patient.objects.get().name == "Ana Silva"
    assert "Line Why 3" in shown


def test_importing_without_a_file_says_so() -> None:
    answer = signed_in(a_clinic()).post("/patients/import")

    assert answer.status_code == 422
    assert "Choose a file first." in words(answer)


def test_a_patient_is_added_by_hand() -> None:
    clinic = a_clinic()
    a_cohort(clinic, "Diabetes")
    values = {
        "name": "Ana Silva",
        "external_id": "P-1",
        "timezone": "Europe/Lisbon",
        "language": "pt",
        "cohorts": ["Diabetes"],
    }

    shown = words(signed_in(clinic).post("/patients/new", values, follow=True))

    assert "Ana Silva was added." in shown
    assert "Diabetes" in shown
    assert "Portuguese" in shown


def test_a_wrong_telegram_id_is_told_beside_its_field_and_nothing_typed_is_lost() -> None:
    values = {"name": "Ana Silva", "external_id": "P-1", "telegram_id": "@ana", "timezone": "UTC", "language": "en"}

    answer = signed_in(a_clinic()).post("/patients/new", values)

    assert answer.status_code == 422
    assert answer.context["typed"]["telegram_id"] == "@ana"
    assert list(answer.context["errors"]) == ["telegram_id"]


def test_emptying_a_field_empties_it() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, phone="+49 1")
    values = {
        "name": "Ana Silva",
        "external_id": patient.external_id,
        "telegram_id": "",
        "timezone": "UTC",
        "language": "en",
    }

    signed_in(clinic).post(f"/patients/{patient.id}/edit", values)

    patient.refresh_from_db()
    assert (patient.phone, patient.telegram_id) == ("", None)


def test_why_a_patient_can_not_be_reached_is_said_with_what_mends_it() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, telegram_id=None)

    shown = words(signed_in(clinic).get(f"/patients/{patient.id}"))

    assert "Can't be reached. No Telegram ID is known." in shown
    assert "Invite" in shown


def test_an_invitation_is_a_link_and_a_code_to_scan() -> None:
    clinic = a_clinic()
    bot = a_bot(clinic)
    patient = a_patient(clinic, telegram_id=None)

    answer = signed_in(clinic).post(f"/patients/{patient.id}/invite")

    page = answer.content.decode()
    assert f"https://t.me/{bot.username}?start=" in page
    assert "<svg" in page


def test_the_invitations_page_turns_green_when_the_patient_can_be_reached() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, telegram_id=None)
    client = signed_in(clinic)
    address = f"/patients/{patient.id}/reach"

    assert "Can't be reached" in words(client.get(address))
    Patient.objects.update(telegram_id=5_000_000_001, consent=Consent.GIVEN)
    assert "Can be reached" in words(client.get(address))


def test_those_who_can_not_be_reached_are_found() -> None:
    clinic = a_clinic()
    a_patient(clinic)
    a_patient(clinic, "Chidi Okafor", telegram_id=None)

    shown = words(signed_in(clinic).get("/patients?reachable=no"))

    assert "Chidi Okafor" in shown
    assert "Ana Silva" not in shown


def test_a_cohort_is_made() -> None:
    clinic = a_clinic()

    signed_in(clinic).post("/patients/cohorts", {"name": "Diabetes"})

    assert Cohort.objects.get().name == "Diabetes"


def test_a_viewer_makes_no_cohort() -> None:
    answer = signed_in(a_clinic(), Role.VIEWER).post("/patients/cohorts", {"name": "Diabetes"})

    assert answer.status_code == 403


def test_a_patient_is_put_on_pause_and_back() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    client = signed_in(clinic)
    in_a_week = (dt.datetime.now(dt.UTC) + dt.timedelta(days=7)).date()
    values = {"paused_until": in_a_week.isoformat(), "paused_reason": "in hospital", "do": "pause"}

    shown = words(client.post(f"/patients/{patient.id}/pause", values, follow=True))
    assert f"Ana is on pause until {in_a_week.day} {in_a_week:%B %Y} (in hospital)." in shown

    shown = words(client.post(f"/patients/{patient.id}/pause", {"do": "resume"}, follow=True))
    assert "The pause is over" in shown


def test_a_pause_without_a_date_is_refused_in_words() -> None:
    clinic = a_clinic()

    answer = signed_in(clinic).post(f"/patients/{a_patient(clinic).id}/pause", {"do": "pause"}, follow=True)

    assert "Write the date" in words(answer)


def test_a_new_time_zone_says_how_many_messages_moved() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, external_id="P-7")
    now = dt.datetime.now(dt.UTC)
    values = {
        "patients": [str(patient.id)],
        "text": "Take your tablet.",
        "starts_at": f"{now + dt.timedelta(days=1):%Y-%m-%d}T20:00",
        "timezone": "patient",
    }
    edit.create(a_caller(clinic), drafts.read(clinic, values, now=now), now=now)
    fields = {"external_id": "P-7", "name": "Ana Silva", "timezone": "Europe/Lisbon", "language": "en"}

    answer = signed_in(clinic).post(f"/patients/{patient.id}/edit", fields, follow=True)

    assert "Ana Silva was saved. 1 message moved." in words(answer)
