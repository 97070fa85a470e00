"""The merge as an act: who may be merged, by which doors, and where the old id leads."""

import datetime as dt

import pytest
from click.testing import CliRunner
from django.utils.timezone import now as present

from companion.cli.patients import patients
from companion.clinics.ids import new_id
from companion.clinics.models import AuditEntry, Clinic, Role
from companion.patients.models import Patient
from companion.web.models import Draft
from tests.api.calls import Program, a_program
from tests.builders import (
    a_caller,
    a_clinic,
    a_message,
    a_patient,
    a_sent_message,
)
from tests.patients.test_importing import imported
from tests.rights.merges import merged
from tests.web.signed_in import signed_in, words

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize("whose", ["gone", "stays"])
def test_a_message_on_the_wire_holds_the_merge_back(clinic: Clinic, api: Program, whose: str) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    held = gone if whose == "gone" else stays
    a_message(held, open_attempt_id=new_id(), lease_until=present() + DAY, tries=1)

    answer = api.post(f"/patients/{gone.id}/merge", {"into": str(stays.id)})

    assert answer.status == 409
    assert Patient.objects.count() == 2


def test_the_old_id_leads_to_the_patient_who_goes_on(clinic: Clinic, api: Program) -> None:
    gone, middle, stays = (a_patient(clinic, name) for name in ("Ana", "Ana S.", "Ana Silva"))
    merged(api, gone, middle)
    merged(api, middle, stays)

    call = api.get(f"/patients/{gone.id}")
    page = signed_in(clinic).get(f"/patients/{gone.id}")

    assert (call.status, call.json["merged_into"]) == (404, str(stays.id))
    assert page["Location"] == f"/patients/{stays.id}"


def test_an_import_of_the_merged_id_makes_no_second_patient(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic, external_id="A-1"), a_patient(clinic, external_id="A-2")
    merged(api, gone, stays)

    report = imported(a_caller(clinic), "external_id,name\nA-1,Ana Silva\nA-2,Ana Silva\n")
    by_hand = api.post("/patients", {"external_id": "A-1", "name": "Ana Silva"})

    assert [row.line for row in report.refused] == [2]
    assert "A-2" in report.refused[0].reason
    assert by_hand.wrong_fields == ["external_id"]
    assert Patient.objects.count() == 1


def test_nobody_but_the_survivor_takes_the_merged_id_over(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic, "Ana Silva", external_id="A-1"), a_patient(clinic, "Ana Silva", external_id="A-2")
    other = a_patient(clinic, "Bo Other", external_id="B-1")
    merged(api, gone, stays)

    taken = api.patch(f"/patients/{other.id}", {"external_id": "A-1"})
    own = api.patch(f"/patients/{stays.id}", {"external_id": "A-1"})
    again = api.patch(f"/patients/{stays.id}", {"phone": "+49 30 1"})

    assert (taken.status, taken.wrong_fields) == (422, ["external_id"])
    assert (own.status, again.status) == (200, 200)


def test_a_patient_is_not_merged_with_nobody_themselves_or_another_clinics(clinic: Clinic, api: Program) -> None:
    ana, theirs = a_patient(clinic), a_patient(a_clinic())

    for other in (ana.id, theirs.id, new_id()):
        answer = api.post(f"/patients/{ana.id}/merge", {"into": str(other)})
        assert (answer.status, answer.wrong_fields) == (422, ["into"])
        assert api.get(f"/patients/{ana.id}/merge?into={other}").status == 422
    assert Patient.objects.count() == 2


@pytest.mark.parametrize("who", [0, 1])
def test_a_patient_who_has_left_is_not_merged(clinic: Clinic, api: Program, who: int) -> None:
    both = [a_patient(clinic), a_patient(clinic, "Ana M. Silva")]
    Patient.objects.filter(pk=both[who].pk).update(left_at=present())

    answer = api.post(f"/patients/{both[0].id}/merge", {"into": str(both[1].id)})

    assert answer.status == 409
    assert "has left" in answer.json["detail"]
    assert api.get(f"/patients/{both[0].id}/merge?into={both[1].id}").json["obstacle"]


def test_an_erased_patient_is_not_merged(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    a_program(clinic, Role.ADMIN).post(f"/patients/{stays.id}/erase", {"name": "Ana M. Silva"})

    answer = api.post(f"/patients/{gone.id}/merge", {"into": str(stays.id)})

    assert (answer.status, answer.wrong_fields) == (422, ["into"])
    assert "was erased" in answer.text


def test_after_the_survivors_erasure_the_merged_patient_is_erased_too(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    merged(api, gone, stays)

    a_program(clinic, Role.ADMIN).post(f"/patients/{stays.id}/erase", {"name": "Ana M. Silva"})

    assert "was erased" in api.get(f"/patients/{gone.id}").json["detail"]


def test_a_changed_patient_is_not_merged_with_an_old_tag(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    tag = api.get(f"/patients/{gone.id}").headers["ETag"]
    api.patch(f"/patients/{gone.id}", {"phone": "+49 30 1"})

    assert api.post(f"/patients/{gone.id}/merge", {"into": str(stays.id)}, if_match=tag).status == 412
    fresh = api.get(f"/patients/{gone.id}").headers["ETag"]
    assert api.post(f"/patients/{gone.id}/merge", {"into": str(stays.id)}, if_match=fresh).status == 200


def test_a_merge_stands_in_the_audit_trail_of_both_and_a_viewer_makes_none(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")

    refused = a_program(clinic, Role.VIEWER).post(f"/patients/{gone.id}/merge", {"into": str(stays.id)})
    merged(api, gone, stays)

    assert refused.status == 403
    assert AuditEntry.objects.get(subject_id=gone.pk).action == "patient merged into another"
    assert AuditEntry.objects.get(subject_id=stays.pk).action == "another patient merged in"


def test_drafts_name_the_patient_who_goes_on(clinic: Clinic) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    client, key = signed_in(clinic), new_id()
    typed = {"draft": str(key), "patients": [str(gone.id), str(stays.id)], "text": "Hello", "to": "patients"}
    client.post("/scheduled-messages/drafts", typed)
    assert Draft.objects.count() == 1

    client.post(f"/patients/{gone.id}/merge", {"into": str(stays.id)})

    held = Draft.objects.get().values
    assert str(gone.id) not in held
    assert held.count(str(stays.id)) == 1


def test_the_page_finds_the_other_shows_both_plans_and_merges(clinic: Clinic) -> None:
    gone, stays = a_patient(clinic, external_id="A-1"), a_patient(clinic, external_id="A-2")
    a_message(gone, None, text="Bring your card.", due_at=present() + DAY)
    a_sent_message(stays)
    client, address = signed_in(clinic), f"/patients/{gone.id}/merge"

    search = words(client.get(address))
    preview = words(client.get(f"{address}?into={stays.id}"))
    done = client.post(address, {"into": str(stays.id)}, follow=True)

    assert "id A-2" in search
    assert "Bring your card." in preview
    assert "The id A-1 is no longer used" in preview
    assert done.redirect_chain[0][0] == f"/patients/{stays.id}"
    assert "Bring your card." in words(done)


def test_the_page_says_why_two_can_not_be_merged(clinic: Clinic) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    a_message(stays, open_attempt_id=new_id(), lease_until=present() + DAY, tries=1)
    client, address = signed_in(clinic), f"/patients/{gone.id}/merge"

    on_the_way = client.post(address, {"into": str(stays.id)})
    itself = client.post(address, {"into": str(gone.id)})

    assert (on_the_way.status_code, itself.status_code) == (409, 422)
    assert "on its way" in words(on_the_way)
    assert "the same patient" in words(itself)


def test_the_command_names_the_obstacle_and_asks_nothing(clinic: Clinic) -> None:
    gone = a_patient(clinic, external_id="A-1")
    stays = a_patient(clinic, "Ana M. Silva", external_id="A-2")
    on_the_way = a_message(stays, open_attempt_id=new_id(), lease_until=present() + DAY, tries=1)

    first = CliRunner().invoke(patients, ["merge", "A-1", "A-2"])
    on_the_way.delete()
    Patient.objects.filter(pk=gone.pk).update(left_at=present())
    second = CliRunner().invoke(patients, ["merge", "A-1", "A-2"])

    assert "on its way" in first.output
    assert "has left the directory" in second.output
    assert "Merge A-1 into A-2?" not in first.output + second.output


def test_the_command_shows_both_plans_and_asks(clinic: Clinic) -> None:
    a_patient(clinic, external_id="A-1")
    a_patient(clinic, "Ana M. Silva", external_id="A-2")

    no = CliRunner().invoke(patients, ["merge", "A-1", "A-2"], input="n\n")
    yes = CliRunner().invoke(patients, ["merge", "A-1", "A-2", "--yes"])

    assert (no.exit_code, yes.exit_code) == (1, 0)
    assert "Merge A-1 into A-2?" in no.output
    assert "A-2 Ana M. Silva: nothing is planned" in no.output
    assert [patient.external_id for patient in Patient.objects.all()] == ["A-2"]
