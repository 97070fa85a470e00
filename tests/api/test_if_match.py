"""`If-Match`: a program never overwrites a change that it hasn't read."""

import datetime as dt
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest

from companion.clinics.clinics import change_clinic
from companion.clinics.models import AuditEntry, Clinic, Role
from companion.delivery import lifecycle
from companion.listener import inbox
from companion.listener.models import Reply
from companion.patients import consent, directory
from companion.patients.importing import import_csv
from companion.patients.models import Patient
from companion.patients.sources.models import PatientSource
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from tests.api.calls import PROBLEM, Answer, Program, a_program
from tests.api.moments import at_one_moment
from tests.api.versions import a_series_with_a_message, tag_at
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort, a_conversation, a_message, a_patient, a_schedule

ADMIN = Role.ADMIN


def test_with_the_newest_tag_a_change_is_made(api: Program, schedule: str) -> None:
    answer = api.patch(schedule, {"text": "Mine"}, if_match=tag_at(api, schedule))

    assert (answer.status, answer.json["text"]) == (200, "Mine")


def test_with_an_older_tag_nothing_is_changed_and_it_says_who_and_when(clinic: Clinic, schedule: str) -> None:
    mine, theirs = a_program(clinic), a_program(clinic)
    tag = tag_at(mine, schedule)
    theirs.patch(schedule, {"text": "Theirs"})

    answer = mine.patch(schedule, {"text": "Mine"}, if_match=tag)

    newest = AuditEntry.objects.filter(clinic=clinic).latest("at")
    assert (answer.status, answer.media_type) == (412, PROBLEM)
    assert answer.json["changed_by"] == {"kind": "key", "name": newest.actor_name}
    assert dt.datetime.fromisoformat(answer.json["changed_at"]) == newest.at
    assert answer.json["change"] == "schedule changed"
    assert newest.actor_name in answer.json["detail"]
    assert mine.get(schedule).json["text"] == "Theirs"


@pytest.mark.parametrize("act", ["pause", "cancel", "skip"])
def test_an_act_with_an_older_tag_does_nothing(api: Program, schedule: str, act: str) -> None:
    tag = tag_at(api, schedule)
    api.patch(schedule, {"text": "Theirs"})
    body = {"occurrence": "2035-12-03T09:00"} if act == "skip" else None

    assert api.post(f"{schedule}/{act}", body, if_match=tag).status == 412

    assert api.get(schedule).json["state"] == "active"
    assert api.post(f"{schedule}/{act}", body, if_match=tag_at(api, schedule)).status == 200


@pytest.mark.parametrize("act", ["cancel", "send-now", "retry"])
def test_an_act_on_a_message_with_an_older_tag_does_nothing(clinic: Clinic, api: Program, act: str) -> None:
    status = Status.FAILED if act == "retry" else Status.PENDING
    message = a_message(a_patient(clinic))
    if status == Status.FAILED:
        lifecycle.stop(Message.objects.filter(pk=message.pk), Reason.GAVE_UP, now=NOW)
    path = f"/messages/{message.id}"
    tag = tag_at(api, path)
    Message.objects.filter(pk=message.pk).update(text="Another text")

    assert api.post(f"{path}/{act}", if_match=tag).status == 412

    message.refresh_from_db()
    assert message.status == status
    assert api.post(f"{path}/{act}", if_match=tag_at(api, path)).status == 200


def test_of_a_message_that_ended_meanwhile_it_says_when(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic))
    tag = tag_at(api, f"/messages/{message.id}")
    lifecycle.stop(Message.objects.filter(pk=message.pk), Reason.TOO_LATE, now=NOW)

    answer = api.patch(f"/messages/{message.id}", {"text": "Mine"}, if_match=tag)

    assert (answer.status, answer.json["change"]) == (412, "message failed")
    assert answer.json["changed_at"] == "2026-12-01T08:00:00Z"


def test_a_message_whose_series_was_changed_says_who_changed_it(clinic: Clinic, api: Program) -> None:
    series, message = a_series_with_a_message(clinic, api)
    tag = tag_at(api, message)
    api.patch(series, {"text": "Another text."})

    answer = api.patch(message, {"text": "Mine"}, if_match=tag)

    assert (answer.status, answer.json["change"]) == (412, "schedule changed")


def test_a_patient_changed_by_a_file_or_with_a_cohort_is_not_written_over(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic, external_id="P-9")
    cohort = a_cohort(clinic, "Diabetes")
    path = f"/patients/{patient.id}"
    tag = tag_at(api, path)

    api.post(f"/cohorts/{cohort.id}/patients", {"add": [str(patient.id)]})
    by_cohort = api.patch(path, {"cohorts": []}, if_match=tag)
    tag = tag_at(api, path)
    directory.change(a_caller(clinic, name="Rosa"), patient, {"phone": "1234567"}, now=dt.datetime.now(dt.UTC))
    by_rosa = api.patch(path, {"phone": "7654321"}, if_match=tag)

    assert (by_cohort.status, by_cohort.json["change"]) == (412, "cohorts changed")
    assert (by_rosa.status, by_rosa.json["changed_by"]["name"]) == (412, "Rosa")
    patient.refresh_from_db()
    assert (patient.phone, [cohort.name for cohort in patient.cohorts.all()]) == ("1234567", ["Diabetes"])


def test_of_a_patient_changed_by_a_file_it_says_so(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic, external_id="P-9")
    tag = tag_at(api, f"/patients/{patient.id}")
    now = dt.datetime.now(dt.UTC)
    import_csv(a_caller(clinic, name="Rosa"), BytesIO(b"external_id,name\nP-9,Anna Silva\n"), now=now)

    answer = api.patch(f"/patients/{patient.id}", {"name": "Ana"}, if_match=tag)

    assert (answer.status, answer.json["change"]) == (412, "patient changed by an import")


def test_of_a_patient_who_said_stop_meanwhile_it_says_so(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    assert patient.telegram_id
    tag = tag_at(api, f"/patients/{patient.id}")
    consent.withdraw(clinic, patient.telegram_id, source="patient: /stop", now=dt.datetime.now(dt.UTC))

    answer = api.post(f"/patients/{patient.id}/enrolment", if_match=tag)

    assert (answer.status, answer.json["changed_by"]) == (412, {"kind": "patient", "name": "patient: /stop"})


def test_an_answer_to_a_conversation_can_demand_that_nothing_came_in_since(clinic: Clinic, api: Program) -> None:
    a_bot(clinic)
    patient = a_patient(clinic)
    path = f"/inbox/{a_conversation(patient).id}"
    tag = tag_at(api, path)
    values = {"kind": "text", "text": "Wait", "telegram_id": patient.telegram_id, "update_id": 1, "at": NOW}
    inbox.show_to_staff(Reply.objects.create(clinic=clinic, patient=patient, **values), urgent=False, now=NOW)

    answer = api.post(f"{path}/answer", {"text": "Come at nine."}, if_match=tag)

    assert (answer.status, answer.json["change"]) == (412, "reply")
    assert not clinic.messages.exists()


def test_the_words_for_urgent_help_are_not_written_over(clinic: Clinic) -> None:
    admin = a_program(clinic, ADMIN)
    tag = tag_at(admin, "/urgent-help")
    admin.patch("/urgent-help", {"words": ["help"], "phone": "112"})
    # Changes of other settings don't count.
    change_clinic(a_caller(clinic, ADMIN), {"name": "Elm Clinic"}, now=dt.datetime.now(dt.UTC))

    answer = admin.patch("/urgent-help", {"words": ["emergency"]}, if_match=tag)

    assert (answer.status, answer.json["change"]) == (412, "words for urgent help changed")
    assert admin.get("/urgent-help").json["words"] == ["help"]


def test_a_source_that_was_exchanged_is_not_removed(clinic: Clinic) -> None:
    admin = a_program(clinic, ADMIN)
    body = {"kind": "fhir", "url": "https://fhir.example"}
    path = f"/patient-sources/{admin.post('/patient-sources', body).json['id']}"
    tag = tag_at(admin, path)

    synced = admin.post(f"{path}/sync", if_match=tag)
    removed = admin.post(f"{path}/remove", if_match='"another"')

    assert (synced.status, synced.headers["ETag"], removed.status) == (200, tag, 412)
    assert PatientSource.objects.filter(clinic=clinic).exists()


# The header's own rules (RFC 9110, sections 8.8.3 and 13.1.1).


@pytest.mark.parametrize("written", ["{tag}", '"x", {tag}', '{tag},"x"', ', ,"a,b" , {tag} ,', "*", " * "])
def test_any_of_several_tags_or_a_star_will_do(api: Program, schedule: str, written: str) -> None:
    header = written.format(tag=tag_at(api, schedule))

    assert api.patch(schedule, {"text": "Mine"}, if_match=header).status == 200


@pytest.mark.parametrize("written", ["W/{tag}", '"x"', '""', '"a","b"', 'W/"x", W/{tag}'])
def test_other_tags_and_weak_tags_do_not_match(api: Program, schedule: str, written: str) -> None:
    header = written.format(tag=tag_at(api, schedule))

    assert api.patch(schedule, {"text": "Mine"}, if_match=header).status == 412


@pytest.mark.parametrize("written", ["", "abc", '"abc', 'abc"', '"a" "b"', '*, "a"', 'w/"a"', "W/abc", '"a"b', ","])
def test_a_header_that_is_no_list_of_tags_is_malformed(api: Program, schedule: str, written: str) -> None:
    answer = api.patch(schedule, {"text": "Mine"}, if_match=written)

    assert (answer.status, answer.media_type) == (400, PROBLEM)


@pytest.mark.parametrize("header", ["*", '"x"'])
def test_an_unknown_object_stays_a_404(clinic: Clinic, api: Program, header: str) -> None:
    elsewhere = a_message(a_patient(clinic)).id
    foreign = a_program(a_clinic(), Role.PROVIDER)

    assert foreign.patch(f"/messages/{elsewhere}", {"text": "Mine"}, if_match=header).status == 404


def test_a_viewer_learns_nothing_by_it(clinic: Clinic, schedule: str) -> None:
    viewer = a_program(clinic, Role.VIEWER)

    assert viewer.patch(schedule, {"text": "Mine"}, if_match='"x"').status == 403


def test_without_the_header_all_is_as_it_was(clinic: Clinic, api: Program, schedule: str) -> None:
    api.patch(schedule, {"text": "Theirs"})

    assert api.patch(schedule, {"text": "Mine"}).json["text"] == "Mine"


# Two calls at one moment.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["schedule", "message", "patient"])
def test_of_several_changes_at_one_moment_with_one_tag_one_change_is_made(
    request: pytest.FixtureRequest, kind: str
) -> None:
    clinic: Clinic = request.getfixturevalue("clinic")
    api, patient = a_program(clinic), a_patient(clinic)
    path, field = {
        "schedule": (f"/schedules/{a_schedule(clinic, patient, starts_at='2035-12-02T09:00').id}", "text"),
        "message": (f"/messages/{a_message(patient).id}", "text"),
        "patient": (f"/patients/{patient.id}", "phone"),
    }[kind]
    tag, mine = tag_at(api, path), iter(range(1000, 1006))

    statuses = at_one_moment(6, lambda: api.patch(path, {field: str(next(mine))}, if_match=tag).status)

    assert sorted(statuses) == [200, *[412] * 5]


@pytest.mark.django_db(transaction=True)
def test_a_patient_put_into_a_cohort_at_the_moment_of_a_change_with_a_tag_stays_in_it(
    request: pytest.FixtureRequest,
) -> None:
    clinic: Clinic = request.getfixturevalue("clinic")
    api, patient, cohort = a_program(clinic), a_patient(clinic), a_cohort(clinic, "Diabetes")
    tag = tag_at(api, f"/patients/{patient.id}")
    calls: Iterator[Callable[[], Answer]] = iter(
        [
            lambda: api.patch(f"/patients/{patient.id}", {"cohorts": []}, if_match=tag),
            lambda: api.post(f"/cohorts/{cohort.id}/patients", {"add": [str(patient.id)]}),
        ]
    )

    statuses = at_one_moment(2, lambda: next(calls)().status)

    assert set(statuses) <= {200, 412}
    assert [cohort.name for cohort in Patient.objects.get(pk=patient.pk).cohorts.all()] == ["Diabetes"]
