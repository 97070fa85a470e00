"""An erased patient: which values go, which stay, and that no import and no late message brings a value back."""

import datetime as dt
import json
import logging
import time

import pytest
from click.testing import CliRunner
from django.contrib.sessions.models import Session
from django.utils.timezone import now as present

from companion.cli.patients import patients
from companion.clinics import opt_outs
from companion.clinics.ids import new_id
from companion.clinics.models import AuditEntry, Clinic, FormerBot, OptOut, Role
from companion.clinics.opt_outs import chat_of
from companion.patients import consent
from companion.patients.models import Patient
from companion.schedules.models import Attempt, Deletion, Message, Schedule, State, Status
from companion.schedules.reasons import Reason
from companion.service import old_rows
from companion.web.account.proof import waiting_form
from companion.web.models import Draft
from tests.api.calls import Program, a_program
from tests.builders import a_clinic, a_member, a_message, a_patient, a_sent_message
from tests.rights.dumps import everything_stored
from tests.rights.patients import CHAT, FORMER_CHAT, a_whole_story
from tests.support import session
from tests.support.database_files import bytes_on_disk
from tests.web.accounts import a_person, aged, sign_in
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db
CANARIES = ("canary", "CANARY", "Canary", str(CHAT), str(FORMER_CHAT), "7770001", "1957-03-14")


@pytest.fixture
def admin(clinic: Clinic) -> Program:
    return a_program(clinic, Role.ADMIN)


def found_in(text: str) -> list[str]:
    return [line[:200] for line in text.splitlines() if any(canary in line for canary in CANARIES)]


@pytest.mark.both_databases
def test_nothing_of_an_erased_patient_is_left_in_the_database_or_the_log(
    clinic: Clinic, admin: Program, caplog: pytest.LogCaptureFixture
) -> None:
    story = a_whole_story(clinic)
    member = a_member(clinic)
    typed = json.dumps({"patients": [str(story.patient.id)], "text": "CANARYDRAFT"})
    Draft.objects.create(clinic=clinic, member=member, values=typed, saved_at=present())
    body = {"patient": str(story.patient.id), "text": "CANARYANSWER"}
    assert admin.post("/messages", body, key="visit-1").status == 201
    # The page that would say "Canaryname Silva was saved." is never opened.
    saved = {"name": story.patient.name, "external_id": "CANARYID-1", "timezone": "UTC", "language": "en"}
    assert signed_in(clinic).post(f"/patients/{story.patient.id}/edit", saved).status_code == 302
    stored = found_in(everything_stored())
    assert len(stored) > 20
    assert any(line.startswith("session") for line in stored)

    with caplog.at_level(logging.DEBUG):
        answer = admin.post(f"/patients/{story.patient.id}/erase", {"name": "canaryname  silva"})

    assert answer.status == 200, answer.text
    Deletion.objects.all().delete()
    assert found_in(everything_stored()) == []
    assert found_in(caplog.text) == []


def test_a_form_that_waits_for_a_proof_forgets_the_erased_patient(clinic: Clinic, admin: Program) -> None:
    ana, ben = a_patient(clinic, "Ana Silva"), a_patient(clinic, "Ben Silva")
    browsers = [sign_in(a_person(clinic, Role.ADMIN)) for _ in range(2)]
    for browser, patient in zip(browsers, (ana, ben), strict=True):
        aged(browser, began=time.time() - 3600)
        browser.post(f"/patients/{patient.id}/erase", {"name": patient.name})
    waiting = [waiting_form(browser.session) for browser in browsers]

    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    assert "Ana+Silva" in waiting[0]
    assert [waiting_form(browser.session) for browser in browsers] == ["", waiting[1]]


def test_a_session_that_is_over_keeps_no_sentence_about_a_patient(clinic: Clinic) -> None:
    patient = a_patient(clinic, "Canaryname Silva")
    over, open_still = signed_in(clinic), signed_in(clinic)
    for browser in (over, open_still):
        browser.post(f"/patients/{patient.id}/consent", {"consent": "given"})
    Session.objects.filter(pk=over.session.session_key).update(expire_date=present() - dt.timedelta(seconds=1))

    old_rows.drop(now=present())

    assert [session.pk for session in Session.objects.all()] == [open_still.session.session_key]


@pytest.mark.both_databases
def test_nothing_of_a_patient_who_was_merged_is_left_once_the_survivor_is_erased(
    clinic: Clinic, admin: Program
) -> None:
    new = {"external_id": "CANARYID-0", "name": "Canaryname Silva", "phone": "+49 30 7770001"}
    first = admin.post("/patients", new, key="visit-1").json["id"]
    story, stays = a_whole_story(clinic), a_patient(clinic, "Ana Silva", telegram_id=None)
    for gone in (first, story.patient.id):
        assert admin.post(f"/patients/{gone}/merge", {"into": str(stays.id)}).status == 200
    told = admin.get(f"/patients/{stays.id}/export").json
    assert [sync["change"] for sync in told["syncs"]] == ["added"]

    assert admin.post(f"/patients/{stays.id}/erase", {"name": "Ana Silva"}).status == 200

    Deletion.objects.all().delete()
    assert found_in(everything_stored()) == []


@pytest.mark.skipif(session.on_postgresql(), reason="PostgreSQL keeps dead rows until its VACUUM, as the docs say")
@pytest.mark.django_db(transaction=True)
def test_nothing_of_an_erased_patient_is_left_in_sqlites_files(clinic: Clinic, admin: Program) -> None:
    story = a_whole_story(clinic)
    for number in range(50):
        a_patient(clinic, f"Bo {number}")
    assert found_in(bytes_on_disk().decode("latin-1"))

    admin.post(f"/patients/{story.patient.id}/erase", {"name": story.patient.name})
    Deletion.objects.all().delete()

    assert found_in(bytes_on_disk().decode("latin-1")) == []


def test_the_fact_that_messages_were_sent_stays_with_the_time_and_the_sender(clinic: Clinic, admin: Program) -> None:
    story = a_whole_story(clinic)

    answer = admin.post(f"/patients/{story.patient.id}/erase", {"name": story.patient.name})

    told = admin.get(f"/messages/{story.sent.id}").json
    assert (told["status"], told["patient"], told["text"]) == ("sent", None, "(erased)")
    assert told["sent_at"] is not None
    assert told["created_by"]["name"] == "Nora Provider"
    assert [attempt["outcome"] for attempt in told["attempts"]] == ["sent"]
    assert answer.json["kept"] == 4
    [entry] = AuditEntry.objects.filter(action="patient erased")
    assert entry.subject_id == story.patient.id


def test_pending_messages_are_cancelled_and_schedules_of_nobody_else_end(clinic: Clinic, admin: Program) -> None:
    story = a_whole_story(clinic)

    answer = admin.post(f"/patients/{story.patient.id}/erase", {"name": story.patient.name})

    story.pending.refresh_from_db()
    assert (story.pending.status, story.pending.reason) == (Status.CANCELLED, Reason.PATIENT_LEFT)
    assert answer.json["cancelled"] == 1
    story.own.refresh_from_db()
    story.shared.refresh_from_db()
    assert (story.own.state, story.shared.state) == (State.CANCELLED, State.ACTIVE)
    assert story.shared.versions.get().text == "For all, {first_name}."
    assert story.own.versions.get().text == "(erased)"


def test_the_other_patients_of_a_schedule_keep_their_messages(clinic: Clinic, admin: Program) -> None:
    story = a_whole_story(clinic)
    other = Patient.objects.get(name="Bo Other")

    admin.post(f"/patients/{story.patient.id}/erase", {"name": story.patient.name})

    assert Message.objects.get(patient=other).status == Status.SENT
    assert list(story.shared.recipients.all()) == [other]


def test_an_opt_out_stays_as_a_hash_and_holds_when_the_chat_is_known_again(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic, telegram_id=CHAT)
    consent.withdraw(clinic, CHAT, source="patient: STOP", now=present())

    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    row = OptOut.objects.get()
    assert (row.chat, row.telegram_id) == (chat_of(CHAT), None)
    again = admin.post("/patients", {"external_id": "NEW", "name": "Ana Silva", "telegram_id": CHAT})
    assert again.json["consent"] == "withdrawn"
    assert opt_outs.has_stopped(clinic, CHAT)


def test_an_opt_out_keeps_its_number_while_a_sibling_is_reached_there(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic, telegram_id=CHAT, caregiver="Rosa")
    a_patient(clinic, "Bo Silva", telegram_id=CHAT, caregiver="Rosa")
    consent.withdraw(clinic, CHAT, source="patient: STOP", now=present())

    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    assert OptOut.objects.get().telegram_id == CHAT


def test_another_name_erases_nobody(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic)

    answer = admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silvia"})

    assert (answer.status, answer.wrong_fields) == (422, ["name"])
    assert Patient.objects.filter(pk=ana.pk).exists()


def test_a_message_on_the_wire_holds_the_erasure_back(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic)
    a_message(ana, open_attempt_id=new_id(), lease_until=present() + dt.timedelta(minutes=1), tries=1)

    answer = admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    assert answer.status == 409
    assert "on its way" in answer.json["detail"]
    assert Patient.objects.filter(pk=ana.pk).exists()


def test_only_admins_erase(clinic: Clinic) -> None:
    ana = a_patient(clinic)

    call = a_program(clinic, Role.PROVIDER).post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})
    page = signed_in(clinic).post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    assert (call.status, page.status_code) == (403, 403)


def test_a_changed_patient_is_not_erased_with_an_old_tag(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic)
    tag = admin.get(f"/patients/{ana.id}").headers["ETag"]
    admin.patch(f"/patients/{ana.id}", {"phone": "+49 30 1"})

    answer = admin.call("POST", f"/patients/{ana.id}/erase", {"name": "Ana Silva"}, if_match=tag)

    assert answer.status == 412


def test_messages_of_the_last_two_days_from_both_sides_are_to_be_deleted(clinic: Clinic, admin: Program) -> None:
    story = a_whole_story(clinic)
    _sent(story.patient, 39, present() - dt.timedelta(hours=49))

    answer = admin.post(f"/patients/{story.patient.id}/erase", {"name": story.patient.name})

    asked = {(int(deletion.chat), deletion.telegram_message_id) for deletion in Deletion.objects.all()}
    assert asked == {(CHAT, 41), (CHAT, 42), (CHAT, 43)}
    assert answer.json["to_delete"] == 3


def test_messages_of_another_bot_are_not_deleted_by_their_numbers(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic, telegram_id=CHAT)
    _sent(ana, 7, present() - dt.timedelta(hours=2))
    FormerBot.objects.create(clinic=clinic, telegram_id=1, left_at=present() - dt.timedelta(hours=1))
    _sent(ana, 8, present())

    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    assert [deletion.telegram_message_id for deletion in Deletion.objects.all()] == [8]


def test_the_page_asks_for_the_name(clinic: Clinic) -> None:
    ana, client = a_patient(clinic), signed_in(clinic, Role.ADMIN)
    address = f"/patients/{ana.id}/erase"

    asked = words(client.get(address))
    wrong = client.post(address, {"name": "Bo"})
    done = client.post(address, {"name": "Ana Silva"}, follow=True)

    assert "Type the name Ana Silva" in asked
    assert (wrong.status_code, done.status_code) == (422, 200)
    assert "The patient was erased." in words(done)
    assert not Patient.objects.exists()


def test_the_command_erases_by_the_clinics_own_id(clinic: Clinic) -> None:
    a_patient(clinic, external_id="P-1")

    wrong = CliRunner().invoke(patients, ["erase", "P-1"], input="Bo\n")
    done = CliRunner().invoke(patients, ["erase", "P-1", "--name", "Ana Silva"])

    assert (wrong.exit_code, done.exit_code) == (1, 0)
    assert "Erased." in done.output


def test_another_clinics_patient_is_not_erased(admin: Program) -> None:
    theirs = a_patient(a_clinic())

    assert admin.post(f"/patients/{theirs.id}/erase", {"name": theirs.name}).status == 404
    assert Patient.objects.count() == 1
    assert Schedule.objects.count() == 0


def _sent(patient: Patient, number: int, at: dt.datetime) -> None:
    message = a_sent_message(patient, at=at)
    Attempt.objects.filter(message=message).update(telegram_id=CHAT, telegram_message_id=number)


def test_a_patient_who_has_left_can_be_erased_too(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic, left_at=present())

    assert admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"}).status == 200
