"""The pages of the patients: add them, find them, and repair what keeps a message from them."""

import datetime as dt
from io import BytesIO

import pytest

from companion.clinics.models import Mark, Role
from companion.patients import enrolment_notes
from companion.patients.models import Cohort, Consent, EnrolmentNote, NoteKind, Patient
from companion.planning import drafts, edit
from companion.schedules.models import State
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort, a_patient, a_schedule
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

    assert "Can't be reached. The patient has no Telegram ID." in shown
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


def test_the_list_can_show_one_hindrance_alone() -> None:
    clinic = a_clinic()
    a_patient(clinic, "Ana Silva", telegram_id=None)
    a_patient(clinic, "Bo Berg", trouble="blocked")
    a_patient(clinic, "Chidi Okafor", consent=Consent.WITHDRAWN)
    client = signed_in(clinic)

    def found(filter: str) -> list[str]:
        rows = client.get(f"/patients?reachable={filter}").context["rows"]
        return [row.patient.name for row in rows]

    assert [found(code) for code in ("no_telegram_id", "blocked", "opted_out")] == [
        ["Ana Silva"],
        ["Bo Berg"],
        ["Chidi Okafor"],
    ]


def test_ticked_patients_come_into_a_cohort_and_out_of_it_and_on_pause() -> None:
    clinic = a_clinic()
    ana, bo = a_patient(clinic), a_patient(clinic, "Bo Berg")
    cohort = a_cohort(clinic, "Heart", bo)
    client = signed_in(clinic)
    ticked = {"id": [str(ana.id), str(bo.id)], "cohort": str(cohort.id), "next": "/patients?q=a"}

    added = client.post("/patients/many", ticked | {"do": "add"})
    in_it = set(cohort.patients.all())
    out = words(client.post("/patients/many", ticked | {"do": "remove"}, follow=True))
    in_a_week = (dt.datetime.now(dt.UTC) + dt.timedelta(days=7)).date().isoformat()
    pause = {"do": "pause", "paused_until": in_a_week, "paused_reason": "Summer break"}
    paused = words(client.post("/patients/many", ticked | pause, follow=True))

    assert added["Location"] == "/patients?q=a"
    assert in_it == {ana, bo}
    assert "2 patients removed from Heart." in out
    assert not cohort.patients.exists()
    assert "2 patients paused." in paused
    assert set(Patient.objects.values_list("paused_reason", flat=True)) == {"Summer break"}
    assert Mark.objects.filter(clinic=clinic).values("subject_id").distinct().count() == 2


def test_a_pause_of_many_without_a_day_or_a_reason_is_refused_in_words() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    client = signed_in(clinic)
    post = {"do": "pause", "id": str(patient.id)}

    assert "Choose the day on which messages start again" in words(client.post("/patients/many", post, follow=True))
    in_a_week = (dt.datetime.now(dt.UTC) + dt.timedelta(days=7)).date().isoformat()
    assert "Say why" in words(client.post("/patients/many", post | {"paused_until": in_a_week}, follow=True))


def test_another_clinic_s_patients_can_not_be_ticked() -> None:
    clinic = a_clinic()
    cohort = a_cohort(clinic, "Heart")
    ticked = {"do": "add", "id": str(a_patient(a_clinic()).id), "cohort": str(cohort.id)}

    assert signed_in(clinic).post("/patients/many", ticked).status_code == 404
    assert not cohort.patients.exists()


def test_cards_are_printed_for_the_ticked_and_for_a_cohort() -> None:
    clinic = a_clinic()
    a_bot(clinic)
    ana = a_patient(clinic, telegram_id=None, birth_date=dt.date(1958, 3, 14))
    cohort = a_cohort(clinic, "Heart", ana, a_patient(clinic, "Bo Berg"))
    client = signed_in(clinic)

    ticked = words(client.post("/patients/cards", {"id": str(ana.id)}))
    of_cohort = client.post("/patients/cards", {"cohort": str(cohort.id)})

    assert "1 card to hand out" in ticked
    assert "Ana Silva Born March 14, 1958 Scan this" in ticked
    assert [card.patient for card in of_cohort.context["cards"]] == [ana]
    assert of_cohort["Cache-Control"] == "no-store"


def test_without_a_bot_there_are_no_cards_and_the_way_on_is_said_where_one_is() -> None:
    clinic = a_clinic()
    cohort = a_cohort(clinic, "Heart", a_patient(clinic, telegram_id=None))

    asked = {"cohort": str(cohort.id), "next": "/patients/cohorts"}
    answer = signed_in(clinic).post("/patients/cards", asked, follow=True)

    assert answer.redirect_chain[-1][0] == "/patients/cohorts"
    assert "No bot is connected" in words(answer)


def test_an_enrolment_that_went_wrong_is_told_on_the_list_and_on_the_patient_s_page_until_seen_to() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, telegram_id=None)
    enrolment_notes.tell(patient, NoteKind.NOT_ME, now=NOW)
    client = signed_in(clinic)
    sentence = "The person who opened Ana Silva's invitation said “That's not me”"

    assert sentence in words(client.get("/patients"))
    assert sentence in words(client.get(f"/patients/{patient.id}/reach"))
    seen = client.post(f"/patients/notes/{EnrolmentNote.objects.get().id}/seen", {"next": "/patients"}, follow=True)
    assert sentence not in words(seen)


def test_telegrams_answer_about_the_id_and_the_history_of_consent_stand_on_the_page() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, telegram_id=7, verified="found", verified_id=7, consent=Consent.UNKNOWN)
    client = signed_in(clinic)

    said = words(client.post(f"/patients/{patient.id}/consent", {"consent": "given"}, follow=True))

    assert "7 Known to the bot" in said
    assert "Given member: " in said
    assert "Agrees" not in said


def test_the_schedules_that_write_to_a_patient_stand_on_the_page() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    daily = {"frequency": "daily"}
    a_schedule(clinic, patient, starts_at="2035-12-02T09:00", recurrence=daily)
    a_schedule(clinic, cohort=a_cohort(clinic, "Heart", patient), starts_at="2035-12-02T10:00", recurrence=daily)
    a_schedule(clinic, patient, starts_at="2035-12-02T11:00", recurrence=daily, state=State.CANCELLED)
    a_schedule(clinic, a_patient(clinic, "Bo"), starts_at="2035-12-02T12:00", recurrence=daily)

    shown = words(signed_in(clinic).get(f"/patients/{patient.id}"))

    assert "Every day at 09:00" in shown
    assert "by cohort Heart" in shown.partition("Every day at 10:00")[2]
    assert "11:00" not in shown
    assert "12:00" not in shown


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
