"""The ETag of an object: it changes with every change that people or Telegram make."""

import datetime as dt
from itertools import pairwise

import pytest

from companion.clinics import opt_outs
from companion.clinics.clinics import change_clinic
from companion.clinics.models import Clinic, Role
from companion.delivery import lifecycle
from companion.patients import consent
from companion.patients.models import Consent, Patient, Verified
from companion.patients.reach import Why
from companion.schedules.models import Message, Schedule
from companion.schedules.reasons import Reason
from tests.api.calls import Answer, Json, Program, a_daily_schedule, a_program
from tests.api.versions import a_series_with_a_message, tag_at
from tests.builders import NOW, a_bot, a_caller, a_cohort, a_conversation, a_message, a_patient

ADMIN = Role.ADMIN


# Objects that have a tag.


def test_each_object_has_a_strong_tag_of_its_own(clinic: Clinic, schedule: str) -> None:
    admin, patient = a_program(clinic, ADMIN), a_patient(clinic)
    other = a_patient(clinic)
    source = admin.post("/patient-sources", {"kind": "fhir", "url": "https://fhir.example"}).json["id"]
    paths = [
        schedule,
        f"/messages/{a_message(patient).id}",
        f"/messages/{a_message(patient).id}",
        f"/patients/{patient.id}",
        f"/patients/{other.id}",
        f"/cohorts/{a_cohort(clinic).id}",
        f"/inbox/{a_conversation(patient).id}",
        f"/patient-sources/{source}",
        "/urgent-help",
    ]

    tags = [tag_at(admin, path) for path in paths]

    assert len(set(tags)) == len(paths)
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)
    assert tags == [tag_at(admin, path) for path in paths]


def test_calls_that_create_change_or_act_answer_with_the_objects_new_tag(clinic: Clinic) -> None:
    admin, patient = a_program(clinic, ADMIN), a_patient(clinic)
    a_bot(clinic)
    conversation = a_conversation(patient)
    tagged: list[tuple[str, Answer]] = []

    def told(path: str, answer: Answer) -> None:
        assert answer.status in (200, 201)
        tagged.append((answer.headers["ETag"], admin.get(path.format(**answer.json))))

    told("/schedules/{id}", admin.post("/schedules", a_daily_schedule(patient)))
    series = f"/schedules/{Schedule.objects.get().id}"
    told(series, admin.patch(series, {"text": "Two tablets."}))
    for act in ("pause", "resume"):
        told(series, admin.post(f"{series}/{act}"))
    told(series, admin.post(f"{series}/skip", {"occurrence": "2035-12-03T09:00"}))
    told("/messages/{id}", admin.post("/messages", {"patient": str(patient.id), "text": "Hello"}))
    message = f"/messages/{Message.objects.get().id}"
    told(message, admin.patch(message, {"text": "Hello again"}))
    told(message, admin.post(f"{message}/cancel"))
    told("/patients/{id}", admin.post("/patients", {"external_id": "P-1", "name": "Ben"}))
    told(f"/patients/{patient.id}", admin.patch(f"/patients/{patient.id}", {"cohorts": ["Diabetes"]}))
    told("/cohorts/{id}", admin.post("/cohorts", {"name": "Asthma"}))
    cohort = f"/cohorts/{clinic.cohorts.get(name='Asthma').id}"
    told(cohort, admin.post(f"{cohort}/patients", {"add": [str(patient.id)]}))
    told(f"/inbox/{conversation.id}", admin.post(f"/inbox/{conversation.id}/done"))
    told("/urgent-help", admin.patch("/urgent-help", {"words": ["help"], "phone": "112"}))

    assert all(tag == shown.headers["ETag"] for tag, shown in tagged)


def test_a_repeated_call_with_an_idempotency_key_gets_the_tag_of_the_first_answer(api: Program) -> None:
    first = api.post("/cohorts", {"name": "Diabetes"}, key="k")
    cohort = f"/cohorts/{first.json['id']}"
    patient = api.post("/patients", {"external_id": "P-1", "name": "Ana", "cohorts": ["Diabetes"]})

    again = api.post("/cohorts", {"name": "Diabetes"}, key="k")

    assert patient.status == 201
    assert again.headers["ETag"] == first.headers["ETag"] != tag_at(api, cohort)


# Changes that change a tag.


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Two tablets."},
        {"starts_at": "2035-12-01T10:00"},
        {"timezone": "patient"},
        {"recurrence": {"frequency": "weekly"}},
        {"recurrence": None},
        {"late_after": "PT2H"},
        {"quiet_hours": "wait"},
        {"if_unknown": "resend"},
        {"lane": "broadcast"},
        {"avoid": {"weekends": True}},
        {"when_avoided": "next"},
        {"buttons": [{"text": "Taken"}]},
        {"answer_within": "PT2H"},
        {"review_on": "2036-01-31"},
        {"recurrence": {"frequency": "daily", "except": ["2035-12-05"]}},
    ],
    ids=str,
)
def test_each_field_of_a_schedule_changes_its_tag(api: Program, schedule: str, change: dict[str, Json]) -> None:
    before = tag_at(api, schedule)

    assert api.patch(schedule, change).status == 200

    assert tag_at(api, schedule) != before


def test_other_recipients_change_a_schedules_tag(clinic: Clinic, api: Program, schedule: str) -> None:
    before = tag_at(api, schedule)

    api.patch(schedule, {"patients": [str(a_patient(clinic).id)]})

    assert tag_at(api, schedule) != before


def test_a_pause_and_its_end_leave_another_tag_than_before(api: Program, schedule: str) -> None:
    tags = [tag_at(api, schedule)]
    for act in ("pause", "resume"):
        api.post(f"{schedule}/{act}")
        tags.append(tag_at(api, schedule))

    assert len(set(tags)) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Ana Souza"},
        {"phone": "+49 30 1"},
        {"birth_date": "1980-01-02"},
        {"telegram_id": 77},
        {"timezone": "Asia/Tokyo"},
        {"language": "de"},
        {"cohorts": ["Diabetes"]},
        {"paused_until": "2036-01-01", "paused_reason": "in hospital"},
    ],
    ids=str,
)
def test_each_field_of_a_patient_changes_the_tag(clinic: Clinic, api: Program, changes: dict[str, Json]) -> None:
    path = f"/patients/{a_patient(clinic).id}"
    before = tag_at(api, path)
    if "paused_until" in changes:
        day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
        changes |= {"paused_until": day.isoformat()}

    assert api.patch(path, changes).status == 200

    assert tag_at(api, path) != before


def test_words_of_a_patient_or_of_telegram_change_the_patients_tag(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    assert patient.telegram_id
    tags = [tag_at(api, f"/patients/{patient.id}")]

    consent.mark_trouble(clinic, patient.telegram_id, Why.BLOCKED, now=NOW)
    tags.append(tag_at(api, f"/patients/{patient.id}"))
    consent.note(a_caller(clinic), patient, Consent.WITHDRAWN, now=NOW)
    tags.append(tag_at(api, f"/patients/{patient.id}"))

    assert len(set(tags)) == 3


def test_each_change_of_whether_a_patient_can_be_reached_changes_the_tag(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic, consent=Consent.UNKNOWN)
    path, chat = f"/patients/{patient.id}", patient.telegram_id
    assert chat
    shown = [api.get(path)]

    Patient.objects.filter(pk=patient.pk).update(verified=Verified.FOUND, verified_id=chat)
    shown.append(api.get(path))
    change_clinic(a_caller(clinic, ADMIN), {"consent_required": True}, now=NOW)
    shown.append(api.get(path))
    consent.withdraw(clinic, chat, source="patient: STOP", now=NOW)
    shown.append(api.get(path))
    consent.restore(clinic, chat, source="patient: /start", now=NOW)
    shown.append(api.get(path))
    opt_outs.stop(clinic, chat, source=opt_outs.CAME_ALONG, now=NOW)
    consent.follow_opt_outs(clinic, now=NOW)
    shown.append(api.get(path))

    told = [answer.json for answer in shown]
    assert [patient["telegram_id_check"] for patient in told[:2]] == ["not_asked", "found"]
    assert [patient["unreachable_code"] for patient in told[1:]] == [
        None,
        "no_consent",
        "opted_out",
        "no_consent",
        "opted_out",
    ]
    assert all(answer.headers["ETag"] != next_.headers["ETag"] for answer, next_ in pairwise(shown))


def test_a_patient_who_comes_into_a_cohort_by_any_door_changes_its_tag(clinic: Clinic, api: Program) -> None:
    ana, ben = a_patient(clinic), a_patient(clinic, "Ben")
    cohort = a_cohort(clinic, "Diabetes")
    path = f"/cohorts/{cohort.id}"
    tags = [tag_at(api, path)]

    api.post(f"{path}/patients", {"add": [str(ana.id)]})
    tags.append(tag_at(api, path))
    # The cohort has as many patients as before, but one patient is new.
    api.post(f"{path}/patients", {"add": [str(ben.id)], "remove": [str(ana.id)]})
    tags.append(tag_at(api, path))
    api.patch(f"/patients/{ben.id}", {"cohorts": []})
    tags.append(tag_at(api, path))

    # The cohort is empty again, as at first.
    assert tags[3] == tags[0]
    assert len(set(tags)) == 3


def test_the_result_of_sending_changes_a_messages_tag(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    failed, cancelled = a_message(patient), a_message(patient)
    before = {message.id: tag_at(api, f"/messages/{message.id}") for message in (failed, cancelled)}

    lifecycle.stop(Message.objects.filter(pk=failed.pk), Reason.TOO_LATE, now=NOW)
    lifecycle.stop(Message.objects.filter(pk=cancelled.pk), Reason.SCHEDULE_ENDED, now=NOW)

    assert all(tag_at(api, f"/messages/{id}") != tag for id, tag in before.items())


def test_the_dispatchers_own_columns_leave_a_messages_tag_as_it_is(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic))
    before = tag_at(api, f"/messages/{message.id}")

    Message.objects.filter(pk=message.pk).update(tries=1, ready_at=NOW + dt.timedelta(seconds=5))

    assert tag_at(api, f"/messages/{message.id}") == before


def test_another_time_of_the_series_changes_the_tags_of_its_messages(clinic: Clinic, api: Program) -> None:
    series, message = a_series_with_a_message(clinic, api)
    before = tag_at(api, message)

    api.patch(series, {"text": "Another text."})

    assert tag_at(api, message) != before
