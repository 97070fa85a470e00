"""Two patients who are one person are merged: both plans are shown, nothing is lost, and nothing goes twice."""

import datetime as dt

import pytest
from click.testing import CliRunner
from django.utils.timezone import now as present

from companion.cli.patients import patients
from companion.clinics.ids import new_id
from companion.clinics.models import AuditEntry, Clinic, Role
from companion.listener.models import Conversation, Reply, Standing
from companion.patients import consent
from companion.patients.models import Consent, ConsentChange, Enrolment, FormerChat, Patient, Withdrawal
from companion.schedules.models import Lane, Message, Status
from companion.schedules.reasons import Reason
from companion.web.models import Draft
from tests.api.calls import Answer, Program, a_daily_schedule, a_program
from tests.builders import (
    a_caller,
    a_clinic,
    a_cohort,
    a_conversation,
    a_message,
    a_patient,
    a_schedule,
    a_sent_message,
    an_attempt,
)
from tests.patients.test_importing import imported
from tests.rights.patients import a_whole_story
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


@pytest.fixture
def api(clinic: Clinic) -> Program:
    return a_program(clinic)


def merged(api: Program, gone: Patient, stays: Patient) -> Answer:
    answer = api.post(f"/patients/{gone.id}/merge", {"into": str(stays.id)})
    assert answer.status == 200, answer.text
    stays.refresh_from_db()
    return answer


def test_everything_of_the_one_belongs_to_the_other(clinic: Clinic, api: Program) -> None:
    story, stays = a_whole_story(clinic), a_patient(clinic, "Canary Silva")

    merged(api, story.patient, stays)

    told = api.get(f"/patients/{stays.id}/export").text
    assert str(story.patient.id) in told
    for kept in ("CANARYSENT", "CANARYPENDING", "CANARYREPLY", "CANARYEDIT", "CANARYFILE.png", "CANARYWORDING"):
        assert kept in told
    assert api.get(f"/patients/{stays.id}").json["cohorts"] == ["Diabetes"]
    assert not Patient.objects.filter(pk=story.patient.pk).exists()
    assert Enrolment.objects.get().patient == stays
    assert ConsentChange.objects.filter(patient=stays).exists()
    assert {one.telegram_id for one in FormerChat.objects.filter(patient=stays)} >= {story.patient.telegram_id}


def test_the_preview_shows_both_plans_and_changes_nothing(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic, external_id="A-1"), a_patient(clinic, "Ana M. Silva", external_id="A-2")
    api.post("/schedules", a_daily_schedule(gone, starts_at=f"{(present() + 9 * DAY).date()}T09:00"))
    api.post("/messages", {"patient": str(stays.id), "text": "Hello"})
    before = list(Message.objects.order_by("id").values_list("id", "patient"))

    told = api.get(f"/patients/{gone.id}/merge?into={stays.id}").json

    assert (told["patient"]["id"], told["into"]["id"]) == (str(gone.id), str(stays.id))
    assert told["coming_of_patient"][0]["planned"] is True
    assert [one["text"] for one in told["coming_of_into"]] == ["Hello"]
    assert any("A-1 is given up" in note for note in told["notes"])
    assert told["obstacle"] is None
    assert list(Message.objects.order_by("id").values_list("id", "patient")) == before


def test_of_one_occurrence_the_sent_message_stays(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    series = a_schedule(clinic, gone, stays, starts_at="2035-12-02T09:00")
    sent = a_message(gone, series, status=Status.SENT, sent_at=present(), ended_at=present())
    waits = a_message(stays, series, due_at=present() + DAY)

    told = api.get(f"/patients/{gone.id}/merge?into={stays.id}").json
    merged(api, gone, stays)

    assert [(one["stays"], one["gives_way"]) for one in told["twice"]] == [(str(sent.id), str(waits.id))]
    assert [one.id for one in Message.objects.filter(patient=stays, lane=Lane.REMINDER)] == [sent.id]
    assert list(series.recipients.all()) == [stays]


@pytest.mark.parametrize(
    ("of_gone", "of_stays", "left"),
    [
        ({"status": "sent"}, {"status": "sent"}, ["sent", "sent"]),
        ({"status": "failed", "reason": "outcome_unknown"}, {"status": "pending"}, ["failed"]),
        ({"status": "pending"}, {"status": "failed", "reason": "no_telegram_id"}, ["cancelled", "pending"]),
        ({"status": "pending", "by_hand": True}, {"status": "pending"}, ["pending"]),
        ({"status": "pending"}, {"status": "cancelled", "reason": "by_person"}, ["cancelled", "pending"]),
        ({"status": "failed", "reason": "too_late"}, {"status": "sent"}, ["cancelled", "sent"]),
    ],
)
def test_one_message_of_an_occurrence_stays_and_none_goes_twice(
    clinic: Clinic, api: Program, of_gone: dict[str, object], of_stays: dict[str, object], left: list[str]
) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    series = a_schedule(clinic, gone, stays, starts_at="2035-12-02T09:00")
    for patient, fields in ((gone, of_gone), (stays, of_stays)):
        ended = {} if fields["status"] == "pending" else {"ended_at": present()}
        a_message(patient, series, due_at=present() + DAY, **fields | ended)

    merged(api, gone, stays)

    found = Message.objects.filter(patient=stays, version__isnull=False)
    assert sorted(one.status for one in found) == left
    assert Message.objects.filter(schedule=series).count() == 1
    waiting = found.filter(status=Status.PENDING).values_list("by_hand", flat=True)
    assert list(waiting) == ([True] if of_gone.get("by_hand") else [False] * len(waiting))


def test_a_message_that_gave_way_can_not_be_retried(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    series = a_schedule(clinic, gone, stays, starts_at="2035-12-02T09:00")
    failed = a_message(gone, series, status=Status.FAILED, reason=Reason.GAVE_UP, ended_at=present())
    a_message(stays, series, status=Status.SENT, sent_at=present(), ended_at=present())
    merged(api, gone, stays)

    assert api.post(f"/messages/{failed.id}/retry").status == 409


@pytest.mark.parametrize("whose", ["gone", "stays"])
def test_a_message_on_the_wire_holds_the_merge_back(clinic: Clinic, api: Program, whose: str) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    held = gone if whose == "gone" else stays
    a_message(held, open_attempt_id=new_id(), lease_until=present() + DAY, tries=1)

    answer = api.post(f"/patients/{gone.id}/merge", {"into": str(stays.id)})

    assert answer.status == 409
    assert Patient.objects.count() == 2


@pytest.mark.parametrize(
    ("of_gone", "of_stays", "expected"),
    [
        ("withdrawn", "given", "withdrawn"),
        ("given", "withdrawn", "withdrawn"),
        ("withdrawn", "unknown", "withdrawn"),
        ("given", "unknown", "unknown"),
        ("unknown", "given", "given"),
    ],
)
def test_withdrawn_wins_and_a_consent_stays_with_its_chat(
    clinic: Clinic, api: Program, of_gone: str, of_stays: str, expected: str
) -> None:
    gone, stays = a_patient(clinic, consent=of_gone), a_patient(clinic, "Ana M. Silva", consent=of_stays)

    merged(api, gone, stays)

    assert stays.consent == expected
    if expected == "withdrawn":
        assert stays.withdrawal == Withdrawal.OWN


def test_the_chat_of_the_one_without_another_comes_along_with_its_consent(clinic: Clinic, api: Program) -> None:
    gone = a_patient(clinic, caregiver="Rosa", consent=Consent.GIVEN)
    stays = a_patient(clinic, "Ana M. Silva", telegram_id=None, consent=Consent.UNKNOWN)

    merged(api, gone, stays)

    assert (stays.telegram_id, stays.caregiver, stays.consent) == (gone.telegram_id, "Rosa", Consent.GIVEN)
    assert not FormerChat.objects.exists()


def test_the_chat_that_is_left_is_told(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")

    merged(api, gone, stays)

    told = Message.objects.get(lane=Lane.ANSWER)
    assert told.telegram_id == gone.telegram_id
    assert "no longer come here" in (told.text or "")


def test_a_start_in_the_chat_undoes_a_withdrawal_that_came_along(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic, consent=Consent.WITHDRAWN), a_patient(clinic, "Ana M. Silva")
    merged(api, gone, stays)

    assert stays.telegram_id
    consent.restore(clinic, stays.telegram_id, source="patient: /start", now=present())

    stays.refresh_from_db()
    assert stays.consent == Consent.GIVEN


def test_empty_values_are_filled_and_the_longer_pause_holds(clinic: Clinic, api: Program) -> None:
    until = (present() + 9 * DAY).date()
    gone = a_patient(clinic, phone="+49 30 1", birth_date=dt.date(1957, 3, 14), paused_until=until, paused_reason="ill")
    stays = a_patient(clinic, "Ana M. Silva", phone="+49 30 2")

    merged(api, gone, stays)

    assert (stays.phone, stays.birth_date) == ("+49 30 2", dt.date(1957, 3, 14))
    assert (stays.paused_until, stays.paused_reason) == (until, "ill")


def test_the_two_conversations_are_one(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic, telegram_id=5_001), a_patient(clinic, "Ana M. Silva")
    reply = Reply.objects.create(
        clinic=clinic, patient=gone, kind="text", text="Hi", telegram_id=5_001, update_id=9, at=present()
    )
    a_conversation(gone, unread=2, last_reply=reply, urgent_at=present())
    a_conversation(stays, unread=1, standing=Standing.DONE)

    merged(api, gone, stays)

    one = Conversation.objects.get()
    assert (one.patient, one.unread, one.last_reply, one.standing) == (stays, 3, reply, Standing.UNREAD)
    assert one.urgent_at is not None
    assert one.telegram_id == gone.telegram_id


def test_plans_of_both_go_on_for_the_one(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    tomorrow = f"{(present() + DAY).date()}T09:00"
    a_cohort(clinic, "Diabetes", gone)
    api.post("/schedules", a_daily_schedule(gone, starts_at=tomorrow))
    body = a_daily_schedule(stays, starts_at=tomorrow) | {"cohort": "Diabetes"}
    del body["patients"]
    cohort = api.get("/cohorts").json["items"][0]["id"]
    assert api.post("/schedules", body | {"cohort": cohort}).status == 201
    before = {(one.schedule_id, one.occurrence) for one in Message.objects.all()}

    merged(api, gone, stays)

    pending = Message.objects.filter(patient=stays, status=Status.PENDING, schedule__isnull=False)
    assert {(one.schedule_id, one.occurrence) for one in pending} == before
    assert len(before) >= 2


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


def test_after_the_survivors_erasure_the_merged_one_is_erased_too(clinic: Clinic, api: Program) -> None:
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
    assert "The id A-1 is given up" in preview
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


def test_the_command_shows_both_plans_and_asks(clinic: Clinic) -> None:
    a_patient(clinic, external_id="A-1")
    a_patient(clinic, "Ana M. Silva", external_id="A-2")

    no = CliRunner().invoke(patients, ["merge", "A-1", "A-2"], input="n\n")
    yes = CliRunner().invoke(patients, ["merge", "A-1", "A-2", "--yes"])

    assert (no.exit_code, yes.exit_code) == (1, 0)
    assert "A-2 Ana M. Silva: nothing is planned" in no.output
    assert [patient.external_id for patient in Patient.objects.all()] == ["A-2"]


def test_follow_ups_of_a_message_that_gives_way_are_not_sent(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    series = a_schedule(clinic, gone, stays, starts_at="2035-12-02T09:00")
    first, second = (
        a_message(one, series, status=Status.SENT, sent_at=present(), ended_at=present()) for one in (gone, stays)
    )
    an_attempt(first)
    repeats = [
        a_message(one, None, follows=of, follow_kind="later", due_at=present() + DAY, version=series.versions.get())
        for one, of in ((gone, first), (stays, second))
    ]

    merged(api, gone, stays)

    found = {one.id: one.status for one in Message.objects.filter(pk__in=[one.id for one in repeats])}
    assert found == {repeats[0].id: Status.CANCELLED, repeats[1].id: Status.PENDING}
