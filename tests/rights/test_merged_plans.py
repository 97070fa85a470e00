"""The plans of two patients who are merged: both go on for the remaining patient, and nothing goes twice."""

import datetime as dt

import pytest
from django.utils.timezone import now as present

from companion.clinics.models import Clinic
from companion.schedules.models import Lane, Message, Status
from companion.schedules.reasons import Reason
from tests.api.calls import Program, a_daily_schedule
from tests.builders import (
    a_cohort,
    a_message,
    a_patient,
    a_schedule,
    an_attempt,
)
from tests.rights.merges import merged

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
DAY = dt.timedelta(days=1)


def test_the_preview_shows_both_plans_and_changes_nothing(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic, external_id="A-1"), a_patient(clinic, "Ana M. Silva", external_id="A-2")
    api.post("/schedules", a_daily_schedule(gone, starts_at=f"{(present() + 9 * DAY).date()}T09:00"))
    api.post("/messages", {"patient": str(stays.id), "text": "Hello"})
    before = list(Message.objects.order_by("id").values_list("id", "patient"))

    told = api.get(f"/patients/{gone.id}/merge?into={stays.id}").json

    assert (told["patient"]["id"], told["into"]["id"]) == (str(gone.id), str(stays.id))
    assert told["coming_of_patient"][0]["planned"] is True
    assert [item["text"] for item in told["coming_of_into"]] == ["Hello"]
    assert any("A-1 is no longer used" in note for note in told["notes"])
    assert told["obstacle"] is None
    assert list(Message.objects.order_by("id").values_list("id", "patient")) == before


def test_of_one_occurrence_the_sent_message_stays(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    series = a_schedule(clinic, gone, stays, starts_at="2035-12-02T09:00")
    sent = a_message(gone, series, status=Status.SENT, sent_at=present(), ended_at=present())
    waits = a_message(stays, series, due_at=present() + DAY)

    told = api.get(f"/patients/{gone.id}/merge?into={stays.id}").json
    merged(api, gone, stays)

    assert [(pair["stays"], pair["gives_way"]) for pair in told["twice"]] == [(str(sent.id), str(waits.id))]
    assert [message.id for message in Message.objects.filter(patient=stays, lane=Lane.REMINDER)] == [sent.id]
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
    assert sorted(message.status for message in found) == left
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


def test_follow_ups_of_a_message_that_gives_way_are_not_sent(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    series = a_schedule(clinic, gone, stays, starts_at="2035-12-02T09:00")
    first, second = (
        a_message(patient, series, status=Status.SENT, sent_at=present(), ended_at=present())
        for patient in (gone, stays)
    )
    an_attempt(first)
    repeats = [
        a_message(patient, None, follows=of, follow_kind="later", due_at=present() + DAY, version=series.versions.get())
        for patient, of in ((gone, first), (stays, second))
    ]

    merged(api, gone, stays)

    found = {message.id: message.status for message in Message.objects.filter(pk__in=[repeat.id for repeat in repeats])}
    assert found == {repeats[0].id: Status.CANCELLED, repeats[1].id: Status.PENDING}


def test_plans_of_both_patients_go_on_for_the_remaining_patient(clinic: Clinic, api: Program) -> None:
    gone, stays = a_patient(clinic), a_patient(clinic, "Ana M. Silva")
    tomorrow = f"{(present() + DAY).date()}T09:00"
    a_cohort(clinic, "Diabetes", gone)
    api.post("/schedules", a_daily_schedule(gone, starts_at=tomorrow))
    body = a_daily_schedule(stays, starts_at=tomorrow) | {"cohort": "Diabetes"}
    del body["patients"]
    cohort = api.get("/cohorts").json["items"][0]["id"]
    assert api.post("/schedules", body | {"cohort": cohort}).status == 201
    before = {(message.schedule_id, message.occurrence) for message in Message.objects.all()}

    merged(api, gone, stays)

    pending = Message.objects.filter(patient=stays, status=Status.PENDING, schedule__isnull=False)
    assert {(message.schedule_id, message.occurrence) for message in pending} == before
    assert len(before) >= 2
