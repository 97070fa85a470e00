"""Texts as people and programs write them: their newlines, and braces that are doubled by mistake."""

import pytest

from companion.clinics.models import Role
from companion.listener import inbox
from companion.listener.models import Conversation
from companion.planning import drafts
from companion.schedules.models import Message, Version
from tests.api.calls import Program, a_program
from tests.builders import a_clinic, a_conversation, a_message, a_patient, a_schedule
from tests.planning.plans import values
from tests.web.signed_in import nobody, signed_in, soon, typed, words

pytestmark = pytest.mark.django_db

TYPED, KEPT = "One\r\nTwo\rThree\n", "One\nTwo\nThree\n"
DOUBLED = "Dear {{first_name}}, see you at {{ time }}."


def test_a_newline_is_a_newline_however_a_program_writes_it() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    program: Program = a_program(clinic, Role.PROVIDER)
    body = values(patient, text=TYPED, starts_at="2035-12-02T09:00")

    schedule = program.post("/schedules", body).json
    preview = program.post("/schedules/preview", body).json
    message = program.post("/messages", {"patient": str(patient.id), "text": TYPED}).json
    edited = program.patch(f"/messages/{message['id']}", {"text": f"{TYPED}!"}).json
    answer = program.post(f"/inbox/{a_conversation(patient).id}/answer", {"text": TYPED}).json

    assert schedule["text"] == KEPT
    assert preview["texts"][0]["text"] == KEPT
    assert (message["template"], edited["template"], answer["template"]) == (KEPT, f"{KEPT}!", KEPT)


def test_a_newline_is_a_newline_in_every_form() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    conversation: Conversation = a_conversation(patient)
    message = a_message(patient, due_at=soon(300))
    client = signed_in(clinic)

    client.post("/scheduled-messages/new", typed(patient, text=TYPED))
    client.post(f"/scheduled-messages/{message.id}/edit", {"text": TYPED, "date": "2035-01-01", "time": "09:00"})
    client.post(f"/inbox/{conversation.id}/answer", {"id": str(nobody()), "text": TYPED})

    assert Version.objects.get().text == KEPT
    assert {message.text for message in Message.objects.filter(schedule=None)} == {KEPT}
    assert inbox.find(clinic, conversation.id)


def test_doubled_braces_warn_in_the_preview_and_in_each_answer() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    program = a_program(clinic, Role.PROVIDER)
    body = values(patient, text=DOUBLED, starts_at="2035-12-02T09:00")

    preview = program.post("/schedules/preview", body).json
    schedule = program.post("/schedules", body).json
    changed = program.patch(f"/schedules/{schedule['id']}", {"text": f"{DOUBLED}!"}).json
    message = program.post("/messages", {"patient": str(patient.id), "text": DOUBLED}).json
    edited = program.patch(f"/messages/{message['id']}", {"text": "Dear {first_name}"}).json

    for answer in (preview, schedule, changed, message):
        found = [warning["message"] for warning in answer["warnings"] if warning["code"] == "literal_braces"]
        assert [sentence.partition(" ")[0] for sentence in found] == ["{{first_name}}", "{{time}}"]
    assert edited["warnings"] == []


def test_doubled_braces_warn_in_the_forms() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    conversation = a_conversation(patient)
    message = a_message(patient, due_at=soon(300))
    client = signed_in(clinic)
    edit = {"text": DOUBLED, "date": "2035-01-01", "time": "09:00"}

    shown = [
        client.post("/scheduled-messages/new", typed(patient, text=DOUBLED, do="preview")),
        client.post("/scheduled-messages/new", typed(patient, text=DOUBLED), follow=True),
        client.post(f"/scheduled-messages/{message.id}/edit", edit, follow=True),
        client.post(f"/inbox/{conversation.id}/answer", {"id": str(nobody()), "text": DOUBLED}, follow=True),
    ]

    assert ["{{first_name}} has two braces: patients read it as it stands." in words(page) for page in shown] == [
        True
    ] * 4


@pytest.mark.parametrize("text", ["{{{first_name}}", "{{name", "{{ and {first_name} }", "a {{b} c"])
def test_braces_that_are_meant_warn_of_nothing(text: str) -> None:
    clinic = a_clinic()
    schedule = a_schedule(clinic, a_patient(clinic), text=text)

    answer = a_program(clinic, Role.PROVIDER).post("/schedules/preview", drafts.values_of(drafts.of(schedule)))

    assert [warning["code"] for warning in answer.json["warnings"] if warning["code"] == "literal_braces"] == []
