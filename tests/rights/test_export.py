"""All that is held about a patient, handed over: by the API, the page and the command, as JSON, page and zip."""

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.test import Client
from pytest_django import Settings

from companion.cli.patients import patients
from companion.clinics.models import AuditEntry, Clinic, Role
from companion.listener.models import MediaPart
from companion.patients import consent
from tests.api.calls import a_program
from tests.builders import NOW, a_bot, a_message, a_patient
from tests.clinics.rings import use_newer
from tests.listener.stories import a_question, comes_in, tap_on
from tests.rights.patients import CHAT, FORMER_CHAT, PNG, a_whole_story
from tests.web.signed_in import signed_in

pytestmark = pytest.mark.django_db
HELD = (
    "CANARYID-1",
    "Canaryname Silva",
    "+49 30 7770001",
    "Canarycarer",
    "CANARYPAUSE",
    "CANARYWORDING",
    "CANARYSENT",
    "CANARYDESCRIPTION",
    "CANARYPENDING",
    "CANARYBUTTON",
    "CANARYANSWER",
    "CANARYBEFORE",
    "CANARYREPLY",
    "CANARYEDIT",
    "CANARYFILE.png",
    "Diabetes",
    "would like to send messages",
    str(CHAT),
    str(FORMER_CHAT),
)
"""The content of the whole story, as a reader finds it."""


def test_the_json_holds_every_field_of_a_patient(clinic: Clinic) -> None:
    patient = a_whole_story(clinic).patient

    answer = a_program(clinic).get(f"/patients/{patient.id}/export")

    assert answer.status == 200
    assert [word for word in HELD if word not in json.dumps(answer.json, ensure_ascii=False)] == []
    assert answer.json["patient"]["birth_date"] == "1957-03-14"
    assert answer.json["syncs"][0]["change"] == "added"


def test_a_message_that_shows_an_answer_has_the_answer_as_its_button(clinic: Clinic) -> None:
    bot, patient = a_bot(clinic), a_patient(clinic)
    comes_in(bot, tap_on(a_question(patient), 0))

    messages = a_program(clinic).get(f"/patients/{patient.id}/export").json["messages"]

    assert [message["buttons"] for message in messages] == [["Taken", "Later"], ["✓ Taken"]]


def test_the_readable_page_holds_the_same(clinic: Clinic) -> None:
    patient = a_whole_story(clinic, name="Canaryname Silva <b>").patient

    answer = a_program(clinic).get(f"/patients/{patient.id}/export?format=html")

    assert answer.media_type == "text/html"
    assert [word for word in HELD if word not in answer.text] == []
    assert "14 March 1957" in answer.text
    assert "<b>" not in answer.text


def test_the_page_shows_each_value_in_its_own_direction(clinic: Clinic) -> None:
    patient = a_patient(clinic, "ليلى حسن", telegram_id=CHAT)
    a_message(patient, text="خذ قرصاً واحداً.")

    page = a_program(clinic).get(f"/patients/{patient.id}/export?format=html").text

    assert '<h1 dir="auto">ليلى حسن</h1>' in page
    assert '<dd dir="auto">خذ قرصاً واحداً.</dd>' in page
    assert not re.search(r"<(td|dd|h1)>", page)


def test_an_opt_out_is_in_it_under_any_key_that_hashed_its_chat(clinic: Clinic, settings: Settings) -> None:
    patient = a_patient(clinic, telegram_id=CHAT)
    consent.withdraw(clinic, CHAT, source="patient: STOP", now=NOW)
    use_newer(settings)

    answer = a_program(clinic).get(f"/patients/{patient.id}/export")

    assert answer.json["opt_out"]["source"] == "patient: STOP"


def test_the_zip_of_the_page_holds_the_patients_files(clinic: Clinic) -> None:
    story = a_whole_story(clinic)

    answer = signed_in(clinic).get(f"/patients/{story.patient.id}/export")

    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as whole:
        assert whole.namelist() == ["patient.json", "patient.html", f"files/{story.file.id}.png"]
        assert whole.read(f"files/{story.file.id}.png") == PNG
        told = json.loads(whole.read("patient.json"))
    assert told["files"][0]["path"] == f"files/{story.file.id}.png"
    assert answer["Content-Disposition"].startswith("attachment")


def test_the_command_writes_the_zip_for_its_owner_alone(clinic: Clinic, tmp_path: Path) -> None:
    a_whole_story(clinic)
    target = tmp_path / "export.zip"

    first = CliRunner().invoke(patients, ["export", "CANARYID-1", "--output", str(target)])
    second = CliRunner().invoke(patients, ["export", "CANARYID-1", "--output", str(target)])

    assert (first.exit_code, second.exit_code) == (0, 1)
    assert target.stat().st_mode & 0o777 == 0o600
    assert zipfile.ZipFile(target).testzip() is None


def test_a_command_that_fails_leaves_no_half_export(clinic: Clinic, tmp_path: Path) -> None:
    a_whole_story(clinic)
    MediaPart.objects.update(content=b"damaged")
    target = tmp_path / "ana.zip"

    failed = CliRunner().invoke(patients, ["export", "CANARYID-1", "--output", str(target)])

    assert failed.exit_code == 1
    assert not target.exists()


def test_an_export_stands_in_the_audit_trail_and_holds_it(clinic: Clinic) -> None:
    patient = a_patient(clinic)
    program = a_program(clinic)

    program.get(f"/patients/{patient.id}/export")

    assert AuditEntry.objects.get(subject_id=patient.pk).action == "patient exported"
    again = program.get(f"/patients/{patient.id}/export").json
    assert [entry["action"] for entry in again["audit"]] == ["patient exported", "patient exported"]


def test_a_viewer_exports_nothing(clinic: Clinic) -> None:
    patient = a_patient(clinic)

    page = signed_in(clinic, Role.VIEWER).get(f"/patients/{patient.id}/export")
    call = a_program(clinic, Role.VIEWER).get(f"/patients/{patient.id}/export")

    assert (page.status_code, call.status) == (403, 403)


def test_nothing_of_another_patient_is_in_it(clinic: Clinic) -> None:
    a_whole_story(clinic)
    other = a_patient(clinic, "Cy Third")

    told = a_program(clinic).get(f"/patients/{other.id}/export").text

    assert "CANARY" not in told
    assert str(CHAT) not in told


def test_the_patients_page_offers_the_export_to_those_who_may(clinic: Clinic) -> None:
    patient = a_patient(clinic)
    address = f"/patients/{patient.id}/export"

    assert address in _page(signed_in(clinic), patient.id)
    assert address not in _page(signed_in(clinic, Role.VIEWER), patient.id)


def _page(client: Client, patient: object) -> str:
    return client.get(f"/patients/{patient}").content.decode()
