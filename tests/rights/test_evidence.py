"""The evidence packet of a message: what it holds, and that `companion audit verify FILE` finds any change of it."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from companion.cli.audit import audit
from companion.clinics import chain
from companion.clinics.models import AuditEntry, Clinic, Role
from companion.delivery import following
from companion.patients import consent
from companion.patients.models import Consent
from companion.planning import acts
from companion.restoring import removing
from companion.rights.evidence_page import page_of
from companion.schedules.models import AttemptOutcome, Follow, Message, Schedule, Status
from tests.api.calls import a_daily_schedule, a_program
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient, a_schedule, an_attempt
from tests.clinics.rings import forget_older, use_newer
from tests.clinics.trails import rule_lifted, sql
from tests.delivery.rounds import begun
from tests.listener.stories import CHAT, a_question, a_tap, comes_in, enrolled, tap_on
from tests.rights.patients import a_whole_story
from tests.web.signed_in import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def message(clinic: Clinic) -> Message:
    patient = a_patient(clinic, "Ana </script> & Silva")
    schedule = a_schedule(clinic, patient, text="Take <one> tablet.", recurrence={"frequency": "daily"})
    message = a_message(patient, schedule, due_at=NOW, status=Status.PENDING)
    acts.cancel(a_caller(clinic), message, now=NOW)
    an_attempt(message)
    return message


@pytest.fixture
def file(message: Message, tmp_path: Path) -> Path:
    """The packet, downloaded from the message's page."""
    answer = signed_in(message.clinic).get(f"/scheduled-messages/{message.id}/evidence")
    path = tmp_path / "evidence.html"
    path.write_bytes(answer.content)
    return path


def verify(file: Path) -> Result:
    return CliRunner().invoke(audit, ["verify", str(file)])


def values_in(page: str) -> dict[str, object]:
    [inside] = re.findall(r'<script type="application/json" id="packet">(.*?)</script>', page, re.DOTALL)
    content: dict[str, object] = json.loads(inside)["content"]
    return content


def entries_in(page: str) -> list[dict[str, object]]:
    entries = values_in(page)["audit"]
    assert isinstance(entries, list)
    return entries


def test_a_packet_holds_the_plan_the_attempts_and_the_audit_trail(message: Message, file: Path) -> None:
    held = values_in(file.read_text())

    assert held["plan"]["rule"] == {"frequency": "daily"}  # type: ignore[index]  # JSON
    assert [attempt["outcome"] for attempt in held["message"]["attempts"]] == [AttemptOutcome.SENT]  # type: ignore[index]  # JSON
    assert held["approvals"] == []
    assert [entry["action"] for entry in held["audit"]] == ["message cancelled", "evidence exported"]  # type: ignore[attr-defined]


def test_a_packet_holds_the_question_that_the_patient_agreed_to_as_it_left(clinic: Clinic) -> None:
    bot = a_bot(clinic)
    patient = enrolled(bot, language="en")
    before = begun(bot).begun
    question = Message.objects.get(pk=before[0].message)
    an_attempt(question, number=2, outcome="permanent", text="Never arrived.", began_at=NOW)
    comes_in(bot, a_tap(CHAT, before[0].buttons[0][0]["callback_data"]))  # type: ignore[index]  # the two buttons
    a_program(clinic).patch(f"/patients/{patient.id}", {"language": "pt"})
    Clinic.objects.update(name="Another Name")

    held = values_in(evidence_of(a_message(patient)))

    [agreed] = [change for change in held["consents"] if change["wording"]]  # type: ignore[attr-defined]  # JSON
    assert agreed["question"] == before[0].text
    assert clinic.name in agreed["question"]


def test_a_packet_holds_the_buttons_that_left_and_an_answer_to_the_reminder(clinic: Clinic) -> None:
    bot, patient = a_bot(clinic), a_patient(clinic)
    question = a_question(patient)
    following.say_again(question, Follow.REMINDER, due_at=NOW, now=NOW)
    reminder = Message.objects.get(follows=question)
    comes_in(bot, tap_on(reminder, 0))

    held = values_in(evidence_of(question))

    assert held["message"]["buttons"] == ["Taken", "Later"]  # type: ignore[index]  # JSON
    told = [(reply["text"], reply["answers"]) for reply in held["answers"]]  # type: ignore[attr-defined]
    assert told == [("Taken", str(reminder.id))]


def test_the_packet_of_a_reminder_holds_the_plan_and_who_planned_it(clinic: Clinic) -> None:
    patient, api = a_patient(clinic), a_program(clinic)
    plan = a_daily_schedule(patient) | {"buttons": [{"text": "Taken"}]}
    made = Schedule.objects.get(pk=api.post("/schedules", plan).json["id"])
    question = a_message(patient, made, status=Status.SENT, sent_at=NOW, ended_at=NOW)
    following.say_again(question, Follow.REMINDER, due_at=NOW, now=NOW)

    held = values_in(evidence_of(Message.objects.get(follows=question)))

    assert held["message"]["follows"] == str(question.id)  # type: ignore[index]  # JSON
    assert held["plan"]["rule"] == made.recurrence  # type: ignore[index]  # JSON
    assert "schedule created" in [entry["action"] for entry in held["audit"]]  # type: ignore[attr-defined]


def evidence_of(message: Message) -> str:
    return signed_in(message.clinic).get(f"/scheduled-messages/{message.id}/evidence").content.decode()


def test_people_read_the_same(file: Path) -> None:
    page = file.read_text().partition("<script")[0]

    assert "Ana &lt;/script&gt; &amp; Silva" in page
    assert "message cancelled" in page


def test_the_api_gives_the_same_packet(message: Message) -> None:
    answer = a_program(message.clinic).call("GET", f"/messages/{message.id}/evidence")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_download_is_a_reading(message: Message, file: Path) -> None:
    [entry] = AuditEntry.objects.filter(action="evidence exported")

    assert (entry.reading, entry.subject_id) == (True, message.id)


def test_a_viewer_gets_no_packet(message: Message) -> None:
    answer = signed_in(message.clinic, Role.VIEWER).get(f"/scheduled-messages/{message.id}/evidence")

    assert answer.status_code == 403


def test_a_packet_that_nobody_changed_is_confirmed(file: Path) -> None:
    assert verify(file).exit_code == 0


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_changed_byte_is_found(file: Path, tmp_path: Path, at: float, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[int(at * len(content))] ^= 1 << bit
    changed = tmp_path / "changed.html"
    changed.write_bytes(content)

    assert verify(changed).exit_code in (1, 2)


def test_a_changed_page_over_true_values_is_found(file: Path) -> None:
    file.write_text(file.read_text().replace("message cancelled", "message sent", 1))

    said = verify(file)

    assert said.exit_code == 1
    assert "it doesn't say what the sealed values say" in said.output


def test_an_entry_that_the_database_no_longer_has_is_named(file: Path) -> None:
    with rule_lifted():
        sql("DELETE FROM clinics_auditentry WHERE number = 1")

    said = verify(file)

    assert said.exit_code == 1
    assert "Entry 1: the audit trail in the database has another entry, or none." in said.output


def test_another_installation_says_that_it_knows_not_the_key(file: Path) -> None:
    with override_settings(SECRET_KEY="another"):
        said = verify(file)

    assert said.exit_code == 2
    assert "which this installation doesn't know" in said.output


def test_an_entry_whose_key_is_lost_is_not_called_changed(message: Message, tmp_path: Path, settings: Settings) -> None:
    chain.catch_up(message.clinic_id)
    use_newer(settings)
    file = tmp_path / "evidence.html"
    file.write_text(evidence_of(message))
    before = verify(file)
    forget_older(settings)

    after = verify(file)

    assert (before.exit_code, after.exit_code) == (0, 2)
    assert "which this installation doesn't know" in after.output
    assert "doesn't follow from its values" not in after.output


@pytest.mark.parametrize(
    "inside",
    [
        b"\xff<html>",
        b'<script type="application/json" id="packet">[]',
        # A terminal would clear its screen and show the rest alone.
        b'<script type="application/json" id="packet">{"content": {}, "key": "\\u001b[2JWell", "seal": ""}</script>',
    ],
)
def test_any_other_file_is_no_packet(tmp_path: Path, inside: bytes) -> None:
    other = tmp_path / "other.html"
    other.write_bytes(inside)

    said = verify(other)

    assert said.exit_code == 2
    assert "not an evidence packet" in said.output


def test_half_a_character_in_the_seal_is_no_packet(file: Path) -> None:
    before, name, _ = file.read_text().rpartition('"seal": "')
    file.write_text(f'{before}{name}\\ud800"}}</script>')

    said = verify(file)

    assert said.exit_code == 2
    assert "not an evidence packet" in said.output


def test_a_consent_noted_before_a_merge_is_among_the_entries(clinic: Clinic) -> None:
    admin, api = a_caller(clinic, Role.ADMIN), a_program(clinic, Role.ADMIN)
    gone, stays = a_patient(clinic, "Ana Silva"), a_patient(clinic, "Ana Silva")
    message = a_message(stays)
    consent.note(admin, gone, Consent.WITHDRAWN, now=NOW)
    assert api.post(f"/patients/{gone.id}/merge", {"into": str(stays.id)}).status == 200

    page = signed_in(clinic).get(f"/scheduled-messages/{message.id}/evidence").content.decode()

    assert "consent noted: withdrawn" in [entry["action"] for entry in entries_in(page)]


def test_the_packet_of_an_erased_patients_message_names_nobody_and_is_confirmed(clinic: Clinic, tmp_path: Path) -> None:
    story, file = a_whole_story(clinic), tmp_path / "evidence.html"
    a_program(clinic, Role.ADMIN).post(f"/patients/{story.patient.id}/erase", {"name": story.patient.name})

    file.write_text(evidence_of(story.sent))

    held = values_in(file.read_text())
    assert not re.search("canary", file.read_text(), re.IGNORECASE)
    assert (held["patient"], held["consents"], held["answers"]) == (None, [], [])
    assert [attempt["outcome"] for attempt in held["message"]["attempts"]] == [AttemptOutcome.SENT]  # type: ignore[index]  # JSON
    assert verify(file).exit_code == 0


def test_a_packet_is_confirmed_after_its_clinic_was_removed(message: Message, file: Path) -> None:
    Clinic.objects.filter(pk=message.clinic_id).update(archived_at=NOW)

    removing.remove(message.clinic, now=NOW)

    assert verify(file).exit_code == 0


@pytest.mark.parametrize("act", ["a former value", "another seal", "an entry left out", "another clinic"])
def test_values_that_somebody_made_up_are_found(file: Path, act: str) -> None:
    page = file.read_text()
    content = values_in(page)
    [inside] = re.findall(r'id="packet">(.*?)</script>', page, re.DOTALL)
    made_up = json.loads(inside)
    match act:
        case "a former value":
            made_up["content"]["message"]["text"] = "Take two tablets."
        case "another seal":
            made_up["seal"] = content["audit"][0]["seal"]  # type: ignore[index]  # JSON
        case "an entry left out":
            del made_up["content"]["audit"][0]
        case _:
            made_up["content"]["clinic"]["id"] = str(a_clinic().pk)
    # Somebody who has the program, but no secret key, draws the whole page anew.
    file.write_text(page_of(made_up["content"], made_up["key"], made_up["seal"]))

    said = verify(file)

    assert said.exit_code == 1
    assert "their seal is wrong" in said.output
