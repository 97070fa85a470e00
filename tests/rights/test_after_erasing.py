"""After an erasure: the answers of addresses, imports, syncs and repeated calls about the patient."""

import datetime as dt
import random
from pathlib import Path

import pytest
from django.utils.timezone import now as present

from companion.api.models import IdempotentCall
from companion.clinics.models import Clinic, Role
from companion.delivery import evidence, lifecycle
from companion.delivery.begin import Begun
from companion.delivery.results import Result, result_of, write_down
from companion.patients.models import Patient
from companion.patients.sources import configuration, sync
from companion.schedules.models import Deletion, Message, Status
from companion.schedules.reasons import Reason
from companion.telegram.outcomes import Kind, Outcome
from tests.api.calls import Program, a_program
from tests.builders import a_bot, a_caller, a_message, a_patient, an_attempt
from tests.delivery.rounds import begun
from tests.delivery.steps import LEASE
from tests.patients.test_importing import imported
from tests.rights.patients import CHAT
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(clinic: Clinic) -> Program:
    return a_program(clinic, Role.ADMIN)


def test_the_address_of_an_erased_patient_says_so(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic)
    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    call, page = admin.get(f"/patients/{ana.id}"), signed_in(clinic).get(f"/patients/{ana.id}")

    assert (call.status, page.status_code) == (404, 404)
    assert "was erased on" in call.json["detail"]
    assert "was erased on" in words(page)


def test_an_import_names_an_erased_patient_and_brings_nobody_back(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic, external_id="P-1")
    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    report = imported(a_caller(clinic), "external_id,name,telegram_id\nP-1,Ana Silva,5777001001\nP-2,Bo,\n")

    assert [refused.line for refused in report.refused] == [2]
    assert "was erased on" in report.refused[0].reason
    assert [patient.external_id for patient in Patient.objects.all()] == ["P-2"]


def test_a_person_may_take_an_erased_patient_in_again_by_hand(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic, external_id="P-1")
    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    added = admin.post("/patients", {"external_id": "P-1", "name": "Ana Silva"})

    assert added.status == 201
    assert added.json["id"] != str(ana.id)
    assert imported(a_caller(clinic), "external_id,name,phone\nP-1,Ana Silva,+49 30 1\n").refused == []


def test_a_sync_names_an_erased_patient_and_brings_nobody_back(clinic: Clinic, admin: Program, tmp_path: Path) -> None:
    file = tmp_path / "patients.csv"
    file.write_text("external_id,name,telegram_id\nP-1,Ana Silva,5777001001\n")
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=present())
    sync.sync(clinic, clock=present)
    admin.post(f"/patients/{Patient.objects.get().id}/erase", {"name": "Ana Silva"})

    run = sync.sync(clinic, clock=present, whole=True)

    assert (run.added, run.refused) == (0, 1)
    assert "was erased on" in sync.reasons(run)[0].reason
    assert not Patient.objects.exists()


def test_lines_about_others_stay_in_a_syncs_report(clinic: Clinic, admin: Program, tmp_path: Path) -> None:
    file = tmp_path / "patients.csv"
    file.write_text("external_id,name,birth_date\nP-1,Ana Silva,\nP-12,Ben Roe,\nP-13,Cem Kaya,never\n")
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=present())
    run = sync.sync(clinic, clock=present)

    admin.post(f"/patients/{Patient.objects.get(external_id='P-1').id}/erase", {"name": "Ana Silva"})

    run.refresh_from_db()
    assert [touched.external_id for touched in sync.touched(run)] == ["P-12"]
    assert len(sync.reasons(run)) == 1


def test_a_syncs_report_keeps_no_id_from_before_a_rename_or_a_merge(
    clinic: Clinic, admin: Program, tmp_path: Path
) -> None:
    file = tmp_path / "patients.csv"
    file.write_text(
        "external_id,name,telegram_id\nP-1,Ana Silva,5777001001\nP-2,Ana M. Silva,\nP-3,Ben Roe,5777001001\n"
    )
    configuration.set_csv(a_caller(clinic, Role.ADMIN), file, now=present())
    run = sync.sync(clinic, clock=present)
    first, second = (Patient.objects.get(external_id=id).id for id in ("P-1", "P-2"))
    assert "(P-1)" in run.reasons

    admin.post(f"/patients/{first}/merge", {"into": str(second)})
    admin.patch(f"/patients/{second}", {"external_id": "P-20"})
    exported = admin.get(f"/patients/{second}/export").json["syncs"]
    admin.post(f"/patients/{second}/erase", {"name": "Ana M. Silva"})

    run.refresh_from_db()
    assert [entry["change"] for entry in exported] == ["added", "added"]
    assert (run.reasons, run.touched) == ("[]", "[]")


def test_a_repeated_call_whose_answer_was_erased_sends_nothing_twice(clinic: Clinic, admin: Program) -> None:
    ana, body = a_patient(clinic), {"text": "Hello"}
    first = admin.post("/messages", body | {"patient": str(ana.id)}, key="visit-1")
    other = admin.post("/messages", body | {"patient": str(a_patient(clinic, "Bo").id)}, key="visit-2")
    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    again = admin.post("/messages", body | {"patient": str(ana.id)}, key="visit-1")

    assert (first.status, other.status, again.status) == (201, 201, 409)
    assert IdempotentCall.objects.filter(answer__isnull=True).count() == 1
    assert Message.objects.count() == 2


def test_the_message_of_an_erased_patient_can_not_be_retried(clinic: Clinic, admin: Program) -> None:
    ana = a_patient(clinic)
    failed = a_message(ana, status=Status.FAILED, reason=Reason.GAVE_UP, ended_at=present())
    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    answer = admin.post(f"/messages/{failed.id}/retry")

    assert answer.status == 409
    assert "Erased patient" in words(signed_in(clinic).get(f"/scheduled-messages/{failed.id}"))


@pytest.mark.both_databases
def test_a_message_whose_proof_comes_after_the_erasure_is_deleted_from_telegram(clinic: Clinic, admin: Program) -> None:
    bot, now = a_bot(clinic), present()
    ana, ben = a_patient(clinic, "Ana Silva", telegram_id=CHAT), a_patient(clinic, "Ben Silva", telegram_id=CHAT + 1)
    messages = [a_message(patient, due_at=now) for patient in (ana, ben)]
    on_the_wire = begun(bot, now).begun
    lifecycle.rescue(now=now + 2 * LEASE, lease=LEASE)
    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    write_down([_sent(attempt, number, now) for number, attempt in enumerate(on_the_wire, 70)])

    numbers = {attempt.message: number for number, attempt in enumerate(on_the_wire, 70)}
    assert {message.status for message in Message.objects.all()} == {Status.SENT}
    [deletion] = Deletion.objects.all()
    assert (deletion.chat, deletion.telegram_message_id) == (str(CHAT), numbers[messages[0].pk])


def _sent(attempt: Begun, number: int, now: dt.datetime) -> Result:
    outcome = Outcome(Kind.SENT, message_id=number)
    return result_of(attempt, outcome, now=now, lease=LEASE, failures=0, dice=random.Random(1))


def test_telegram_is_not_asked_for_traces_in_an_erased_chat(clinic: Clinic, admin: Program) -> None:
    bot, ana, now = a_bot(clinic), a_patient(clinic), present()
    unknown = a_message(ana, status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN, ended_at=now, tries=1)
    an_attempt(unknown, outcome="unknown", telegram_id=CHAT, began_at=now, ended_at=now)
    assert evidence.next_unsettled(bot, (), dt.timedelta(minutes=1), now=now)

    admin.post(f"/patients/{ana.id}/erase", {"name": "Ana Silva"})

    assert evidence.next_unsettled(bot, (), dt.timedelta(minutes=1), now=now) is None
