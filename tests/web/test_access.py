"""Roles and pages: each page's required role, and its words when it refuses."""

import re

import pytest
from django.test import Client
from django.urls import get_resolver

from companion.clinics.api_keys import make_key
from companion.clinics.models import ApiKey, Clinic, Member, Role
from companion.listener.models import Conversation
from companion.patients.models import EnrolmentNote, NoteKind, Patient
from companion.patients.sources.models import SourceKind, SyncRun
from companion.schedules.models import Message, Schedule, Status
from tests.builders import NOW, a_clinic, a_conversation, a_member, a_message, a_patient, a_schedule, another_clinic
from tests.web.routes import routes
from tests.web.signed_in import a_clinic_by_day, nobody, signed_in, soon, words

pytestmark = pytest.mark.django_db

PAGES = [
    "/scheduled-messages",
    "/scheduled-messages/calendar",
    "/scheduled-messages/series",
    "/patients",
    "/patients/cohorts",
    "/mcp",
    "/settings",
]


@pytest.mark.parametrize("address", PAGES)
def test_a_page_asks_strangers_to_sign_in(address: str) -> None:
    answer = Client().get(address)

    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={address}"


def test_a_part_of_a_page_takes_the_whole_page_to_the_sign_in() -> None:
    answer = Client().get("/banner", headers={"HX-Request": "true"})

    assert answer["HX-Redirect"].startswith("/accounts/login/")


@pytest.mark.parametrize("address", PAGES)
def test_a_viewer_reads_every_page(address: str) -> None:
    answer = signed_in(a_clinic(), Role.VIEWER).get(address)

    assert answer.status_code == 200


def test_a_viewer_is_offered_no_action() -> None:
    clinic = a_clinic_by_day()
    a_message(a_patient(clinic), due_at=soon())

    shown = words(signed_in(clinic, Role.VIEWER).get("/scheduled-messages?status=pending"))

    assert "Ana Silva" in shown
    assert "Don't send" not in shown
    assert "New message" not in shown


def test_a_viewer_can_not_cancel_a_message() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon())

    answer = signed_in(clinic, Role.VIEWER).post(f"/scheduled-messages/{message.id}/cancel")

    assert answer.status_code == 403
    assert Message.objects.get().status == Status.PENDING


@pytest.mark.parametrize("action", ["cancel", "send-now", "retry", "edit"])
def test_another_clinics_message_is_not_there(action: str) -> None:
    theirs = a_message(a_patient(a_clinic()), due_at=soon())

    answer = signed_in(a_clinic()).post(f"/scheduled-messages/{theirs.id}/{action}")

    assert answer.status_code == 404


def test_no_address_with_an_id_opens_anything_of_another_clinic() -> None:
    ours, theirs = a_clinic(), another_clinic()
    patient = a_patient(theirs)
    ids = {
        "message_id": a_message(patient, due_at=soon()).id,
        "schedule_id": a_schedule(theirs, patient, recurrence={"frequency": "daily"}).id,
        "patient_id": patient.id,
        "conversation_id": a_conversation(patient).id,
        "note_id": EnrolmentNote.objects.create(clinic=theirs, patient=patient, kind=NoteKind.EXPIRED, at=NOW).id,
        "run_id": SyncRun.objects.create(clinic=theirs, kind=SourceKind.CSV, whole=True, began_at=NOW, reasons="[]").id,
        "member_id": a_member(theirs).id,
        "key_id": make_key(theirs, "theirs", Role.ADMIN, now=NOW)[0].id,
        "key": a_member(theirs).id,
    }
    client, before = signed_in(ours, Role.ADMIN), _rows_of(theirs)

    answers = {}
    for route in routes(get_resolver().url_patterns):
        if route.startswith("/api/"):
            continue
        if found := re.search(r"<uuid:(\w+)>", route):
            address = re.sub(r"<str:\w+>", "arrived", route.replace(found.group(), str(ids.get(found[1], nobody()))))
            answers[f"GET {route}"] = client.get(address).status_code
            answers[f"POST {route}"] = client.post(address, {"text": "Hello", "role": "admin"}).status_code

    assert len(answers) > 50
    # Another member's draft looks like a draft that is gone.
    opened = {asked for asked, status in answers.items() if status not in (404, 405, 410)}
    assert opened == {"POST /scheduled-messages/drafts/<uuid:key>/discard"}
    assert _rows_of(theirs) == before


def _rows_of(clinic: Clinic) -> list[object]:
    kinds = (Message, Schedule, Patient, Conversation, EnrolmentNote, SyncRun, Member, ApiKey)
    return [row for kind in kinds for row in kind.objects.filter(clinic=clinic).order_by("pk").values_list()]


def test_another_clinics_patient_is_not_there() -> None:
    theirs = a_patient(a_clinic())

    assert signed_in(a_clinic()).get(f"/patients/{theirs.id}").status_code == 404


def test_what_is_nowhere_is_said_kindly() -> None:
    answer = signed_in(a_clinic()).get(f"/scheduled-messages/{nobody()}")

    assert answer.status_code == 404
    assert "There is nothing here" in words(answer)


def test_who_has_no_clinic_hears_whom_to_ask() -> None:
    member = a_member(a_clinic())
    client = Client()
    client.force_login(member.user)
    member.delete()

    answer = client.get("/scheduled-messages")

    assert answer.status_code == 403
    assert "Ask an admin" in words(answer)


def test_a_member_of_two_clinics_chooses_one() -> None:
    first, second = a_clinic(name="First"), a_clinic(name="Second")
    member = a_member(first)
    Member.objects.create(clinic=second, user=member.user, role=Role.VIEWER, created_at=NOW, joined_at=NOW)
    client = Client()
    client.force_login(member.user)

    client.post("/clinic", {"clinic": str(second.id)})

    assert client.get("/scheduled-messages").context["clinic"] == second


def test_nobody_chooses_a_clinic_that_isnt_theirs() -> None:
    client = signed_in(a_clinic())

    assert client.post("/clinic", {"clinic": str(a_clinic().id)}).status_code == 404


def test_after_an_action_nobody_is_sent_to_another_site() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=soon())

    answer = signed_in(clinic).post(f"/scheduled-messages/{message.id}/cancel", {"next": "https://evil.example/"})

    assert answer["Location"] == f"/scheduled-messages/{message.id}"


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere() -> None:
    answer = signed_in(a_clinic()).get("/scheduled-messages")

    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert " style=" not in answer.content.decode()
    assert " onclick=" not in answer.content.decode()
