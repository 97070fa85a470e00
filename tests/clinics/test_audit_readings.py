"""Acts and readings with their origin, as the audit trail has it after a page or a call."""

import datetime as dt
import re

import pytest
from django.test import Client
from django.utils.timezone import now as present

from companion.clinics.models import AuditEntry, Clinic, Role
from companion.patients.models import Patient
from companion.times.walls import local
from tests.api.calls import a_program
from tests.builders import a_bot, a_clinic, a_conversation, a_kept_photo, a_member, a_message, a_patient
from tests.listener.stories import a_question, comes_in, tap_on
from tests.web.signed_in import read, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient() -> Patient:
    return a_patient(a_clinic())


def readings(clinic: Clinic) -> list[tuple[str, str, object]]:
    found = AuditEntry.objects.filter(clinic=clinic, reading=True).order_by("id")
    return list(found.values_list("action", "subject_kind", "subject_id"))


def a_reader(clinic: Clinic) -> Client:
    return signed_in(clinic, Role.VIEWER)


def test_opening_a_patients_page_is_a_reading_of_the_conversation(patient: Patient) -> None:
    a_reader(patient.clinic).get(f"/patients/{patient.id}")

    assert readings(patient.clinic) == [("conversation read", "patient", patient.id)]


def test_opening_a_conversation_in_the_inbox_is_a_reading(patient: Patient) -> None:
    conversation = a_conversation(patient)

    a_reader(patient.clinic).get(f"/inbox/{conversation.id}")

    assert readings(patient.clinic) == [("conversation read", "patient", patient.id)]


def test_a_page_that_finds_nothing_new_to_show_reads_nothing_more(patient: Patient) -> None:
    reader = a_reader(patient.clinic)
    page = reader.get(f"/patients/{patient.id}").content.decode()
    stamp = re.findall(r"/conversation\?seen=([0-9a-f]{8})", page)[0]

    answer = reader.get(f"/patients/{patient.id}/conversation?seen={stamp}")

    assert answer.status_code == 204
    assert len(readings(patient.clinic)) == 1


def test_a_program_that_reads_a_conversation_is_recorded(patient: Patient) -> None:
    a_program(patient.clinic).get(f"/patients/{patient.id}/conversation")

    assert readings(patient.clinic) == [("conversation read", "patient", patient.id)]
    assert AuditEntry.objects.get(reading=True).actor_kind == "key"


@pytest.mark.parametrize("way", ["page", "api"])
def test_opening_a_patients_file_is_a_reading(patient: Patient, way: str) -> None:
    media = a_kept_photo(patient)

    if way == "page":
        answer = a_reader(patient.clinic).get(f"/media/{media.id}")
    else:
        program = Client(headers={"Authorization": f"Bearer {a_program(patient.clinic).key}"})
        answer = program.get(f"/api/scheduler/media/{media.id}")
    read(answer)

    assert readings(patient.clinic) == [("file opened", "media", media.id)]


def test_a_reading_is_nobodys_change_of_the_patient(patient: Patient) -> None:
    a_reader(patient.clinic).get(f"/patients/{patient.id}")

    answer = a_program(patient.clinic).patch(f"/patients/{patient.id}", {"language": "de"}, if_match='"old"')

    assert answer.status == 412
    assert "changed it last" not in answer.json["detail"]


def test_an_entry_says_who_did_what_from_where_before_and_after(patient: Patient) -> None:
    clinic = patient.clinic
    person = a_member(clinic, email="rosa@clinic.example")
    admin = signed_in(clinic, Role.ADMIN)

    form = {"role": "viewer", "was": "provider"}
    admin.post(f"/settings/members/{person.id}", form, REMOTE_ADDR="192.0.2.7")

    entry = AuditEntry.objects.get(subject_id=person.id)
    assert (entry.actor_kind, entry.address) == ("member", "192.0.2.7")
    assert entry.actor_id is not None
    assert entry.changes == {"role": ["provider", "viewer"]}


def test_of_health_data_the_trail_says_only_that_it_changed(patient: Patient) -> None:
    a_program(patient.clinic).patch(f"/patients/{patient.id}", {"name": "Ana Costa", "language": "pt"})

    entry = AuditEntry.objects.get(subject_id=patient.id)
    assert entry.changes == {"name": "changed", "language": [patient.language, "pt"]}


def test_of_an_edited_message_the_trail_keeps_no_text(patient: Patient) -> None:
    program = a_program(patient.clinic)
    body = {"patient": str(patient.id), "text": "Come at nine.", "send_at": "2095-12-01T09:00:00Z"}
    message = program.post("/messages", body).json["id"]

    program.patch(f"/messages/{message}", {"text": "Come at ten."})

    assert AuditEntry.objects.get(action="message edited").changes == {"text": "changed"}


def test_opening_a_message_is_a_reading_once_in_ten_minutes(patient: Patient) -> None:
    message, reader = a_message(patient), a_reader(patient.clinic)

    for part in ("", "?part=panel", "?part=body", ""):
        reader.get(f"/scheduled-messages/{message.id}{part}")
    a_reader(patient.clinic).get(f"/scheduled-messages/{message.id}?part=body")

    assert readings(patient.clinic) == [("message read", "message", message.id)] * 2


def test_a_program_that_reads_a_message_or_a_patients_messages_is_recorded(patient: Patient) -> None:
    message, program = a_message(patient), a_program(patient.clinic)

    program.get(f"/messages/{message.id}")
    program.get(f"/messages?patient={patient.id}")

    assert readings(patient.clinic) == [
        ("message read", "message", message.id),
        ("messages read", "patient", patient.id),
    ]


@pytest.mark.parametrize("way", ["page", "api"])
def test_the_inbox_with_the_patients_newest_words_is_a_reading(patient: Patient, way: str) -> None:
    a_conversation(patient)

    if way == "page":
        a_reader(patient.clinic).get("/inbox")
    else:
        a_program(patient.clinic).get("/inbox")

    assert readings(patient.clinic) == [("inbox read", "clinic", patient.clinic_id)]


LISTS = (
    "/scheduled-messages?day={day}",
    "/scheduled-messages?day={day}&part=rows",
    "/scheduled-messages?q=Ana",
    "/scheduled-messages/calendar?day={day}",
    "/scheduled-messages/series/{series}",
    "/api/scheduler/messages",
    "/api/scheduler/messages?include=planned&due_to=2035-12-03T00:00:00Z",
    "/api/scheduler/schedules/{series}/occurrences/2026-12-02T09:00",
)


@pytest.mark.parametrize("address", LISTS)
def test_a_list_with_what_patients_answered_is_a_reading_once_in_ten_minutes(patient: Patient, address: str) -> None:
    lately = present() - dt.timedelta(seconds=1)
    bot, question = a_bot(patient.clinic), a_question(patient, due_at=lately)
    day = local(lately, patient.clinic.timezone).date()
    path, reader = address.format(series=question.schedule_id, day=day), a_reader(patient.clinic)
    reader.get(path)
    before = readings(patient.clinic)
    comes_in(bot, tap_on(question, 0))

    shown = [reader.get(path).content.decode() for _ in range(2)]

    assert all("Taken" in page for page in shown)
    assert (before, readings(patient.clinic)) == ([], [("answers read", "clinic", patient.clinic_id)])


def test_a_member_of_another_clinic_leaves_no_reading_where_nothing_is_shown(patient: Patient) -> None:
    message, stranger = a_message(patient), a_reader(a_clinic())

    answers = [stranger.get(f"/scheduled-messages/{message.id}"), stranger.get(f"/patients/{patient.id}")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert not AuditEntry.objects.filter(reading=True).exists()
