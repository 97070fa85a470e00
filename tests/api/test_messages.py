"""Messages as programs plan, find, change and read them."""

import datetime as dt
from typing import Final

import pytest

from companion.clinics.models import Clinic
from companion.patients.models import Consent
from companion.schedules.models import AttemptOutcome, Message, Status
from companion.schedules.reasons import Reason
from tests.api.calls import Json, Program
from tests.builders import NOW, a_cohort, a_message, a_patient, a_schedule, an_attempt

HOUR: Final = dt.timedelta(hours=1)


def test_a_message_without_an_instant_is_due_at_once(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    patient = a_patient(clinic)

    answer = api.post("/messages", {"patient": str(patient.id), "text": "Hello {first_name}"})

    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/scheduler/messages/{answer.json['id']}"
    assert answer.json["status"] == "pending"
    assert answer.json["patient"] == {"id": str(patient.id), "name": "Ana Silva"}
    assert (answer.json["text"], answer.json["template"]) == ("Hello Ana", "Hello {first_name}")
    assert abs(dt.datetime.fromisoformat(answer.json["due_at"]) - now) < dt.timedelta(minutes=1)


def test_the_answer_to_planning_is_what_reading_gives(clinic: Clinic, api: Program) -> None:
    planned = api.post("/messages", {"patient": str(a_patient(clinic).id), "text": "Hello"}).json

    assert api.get(f"/messages/{planned['id']}").json == planned


def test_an_instant_with_any_offset_is_kept_to_the_microsecond(clinic: Clinic, api: Program) -> None:
    body = {"patient": str(a_patient(clinic).id), "text": "Hello", "send_at": "2035-12-01T09:00:00.123456+01:00"}

    assert api.post("/messages", body).json["due_at"] == "2035-12-01T08:00:00.123456Z"


@pytest.mark.parametrize("text", ["<b>Hi</b> & *you*", "{{braces} stay", "عيد 👋", "two\nlines\tand a tab"])
def test_the_patient_reads_the_text_as_it_was_typed(clinic: Clinic, api: Program, text: str) -> None:
    message = api.post("/messages", {"patient": str(a_patient(clinic).id), "text": text}).json

    assert message["text"] == text.replace("{{", "{")


@pytest.mark.parametrize(
    "send_at",
    [
        "2035-12-01T09:00:00",  # no offset
        "2035-12-01",
        "2035-13-01T09:00:00Z",
        "2035-12-01T09:00:00+25:00",
        "2101-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z",  # over
        "tomorrow",
        1764576000,
    ],
)
def test_an_instant_that_can_not_be_taken_is_refused(clinic: Clinic, api: Program, send_at: Json) -> None:
    body = {"patient": str(a_patient(clinic).id), "text": "Hello", "send_at": send_at}

    answer = api.post("/messages", body)

    assert (answer.status, answer.wrong_fields) == (422, ["send_at"])


def test_missing_values_are_named_field_by_field(api: Program) -> None:
    assert sorted(api.post("/messages", {}).wrong_fields) == ["patient", "text"]


def test_a_text_over_telegrams_limit_is_refused(clinic: Clinic, api: Program) -> None:
    body = {"patient": str(a_patient(clinic).id), "text": "x" * 4097}

    assert api.post("/messages", body).wrong_fields == ["text"]


def due(hours: int) -> dt.datetime:
    return NOW + hours * HOUR


def found(api: Program, query: str) -> list[str]:
    return [item["id"] for item in api.get(f"/messages?{query}").json["items"]]


@pytest.mark.both_databases
def test_messages_are_listed_in_the_order_they_are_due(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    late, soon = a_message(patient, due_at=due(2)), a_message(patient, due_at=due(1))

    assert found(api, "") == [str(soon.id), str(late.id)]
    assert found(api, "order=-due_at") == [str(late.id), str(soon.id)]


def test_messages_are_found_by_status(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    failed = a_message(patient, status=Status.FAILED, reason=Reason.BLOCKED)
    a_message(patient)

    assert found(api, "status=failed") == [str(failed.id)]


def test_messages_are_found_by_patient_schedule_cohort_and_name(clinic: Clinic, api: Program) -> None:
    ana, ben = a_patient(clinic, "Ana"), a_patient(clinic, "Ben")
    schedule, cohort = a_schedule(clinic, ana), a_cohort(clinic, "Diabetes", ana)
    wanted = a_message(ana, schedule)
    a_message(ben)

    queries = [f"patient={ana.id}", f"schedule={schedule.id}", f"cohort={cohort.id}", "q=ana"]

    assert [found(api, query) for query in queries] == [[str(wanted.id)]] * 4


def test_messages_are_found_by_when_they_are_due(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    early, middle, late = (a_message(patient, due_at=due(hours)) for hours in (0, 1, 2))

    # The plus sign of an offset arrives as a space if a client doesn't escape it.
    assert found(api, "due_from=2026-12-01T10:00:00+01:00") == [str(middle.id), str(late.id)]
    assert found(api, "due_from=2026-12-01T08:00:00Z&due_to=2026-12-01T09:00:00Z") == [str(early.id)]


@pytest.mark.parametrize("query", ["status=lost", "patient=42", "due_from=yesterday", "limit=501", "limit=x"])
def test_a_filter_that_makes_no_sense_is_refused_and_named(api: Program, query: str) -> None:
    assert api.get(f"/messages?{query}").wrong_fields == [query.partition("=")[0]]


@pytest.mark.both_databases
def test_pages_of_messages_hold_each_once_in_order(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)
    # Three are due at the same instant: a page may end between them.
    wanted = [str(a_message(patient, due_at=due(hours)).id) for hours in (0, 1, 1, 1, 2)]

    pages = api.pages("/messages?limit=2")

    assert [[item["id"] for item in page] for page in pages] == [wanted[:2], wanted[2:4], wanted[4:]]


def test_a_failed_message_says_what_happened_and_what_to_do(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic), status=Status.FAILED, reason=Reason.BLOCKED)

    reason = api.get(f"/messages/{message.id}").json["reason"]

    assert reason == {"code": "blocked", "message": Reason("blocked").sentence}


def test_a_pending_message_that_can_not_arrive_says_so_before_its_time(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic, consent=Consent.WITHDRAWN))

    assert api.get(f"/messages/{message.id}").json["wont_arrive"] == "Won't arrive: opted out"


def test_a_message_that_is_tried_again_says_when_and_why(clinic: Clinic, api: Program) -> None:
    again = NOW + dt.timedelta(minutes=2)
    message = a_message(a_patient(clinic), ready_at=again, tries=1)
    an_attempt(message, outcome=AttemptOutcome.TRANSIENT)

    waiting = api.get(f"/messages/{message.id}").json["waiting"]

    assert waiting == {"until": "2026-12-01T08:02:00Z", "why": "Telegram doesn't answer", "again": True}


def test_a_sent_message_shows_its_attempts_and_what_left(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic), status=Status.SENT, sent_at=NOW, telegram_message_id=77)
    an_attempt(message, text="As it left")

    answer = api.get(f"/messages/{message.id}").json

    assert answer["text"] == "As it left"
    assert answer["telegram_message_id"] == 77
    assert answer["attempts"] == [
        {
            "number": 1,
            "began_at": "2026-12-01T08:00:00Z",
            "ended_at": "2026-12-01T08:00:00Z",
            "outcome": "sent",
            "error_code": None,
            "note": "",
            "no_trace_at": None,
        }
    ]


def test_a_pending_message_takes_another_text_and_instant(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic))

    answer = api.patch(f"/messages/{message.id}", {"text": "New", "send_at": "2035-12-01T08:00:00Z"})

    assert answer.status == 200
    assert (answer.json["text"], answer.json["due_at"]) == ("New", "2035-12-01T08:00:00Z")


def test_a_change_of_nothing_is_refused(clinic: Clinic, api: Program) -> None:
    assert api.patch(f"/messages/{a_message(a_patient(clinic)).id}", {}).status == 422


@pytest.mark.parametrize("act", ["cancel", "send-now", "retry"])
def test_a_sent_message_is_final(clinic: Clinic, api: Program, act: str) -> None:
    message = a_message(a_patient(clinic), status=Status.SENT, sent_at=NOW)

    assert api.post(f"/messages/{message.id}/{act}").status == 409


def test_a_message_on_its_way_is_left_alone(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic))
    Message.objects.filter(clinic=clinic, pk=message.pk).update(open_attempt_id=an_attempt(message, text="x").id)

    answers = [api.post(f"/messages/{message.id}/cancel"), api.patch(f"/messages/{message.id}", {"text": "New"})]

    assert [answer.status for answer in answers] == [409, 409]
    assert "on its way" in answers[0].json["detail"]


def test_a_cancelled_message_answers_as_it_then_is(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic))

    answer = api.post(f"/messages/{message.id}/cancel")

    assert (answer.status, answer.json["status"], answer.json["reason"]["code"]) == (200, "cancelled", "by_person")


def test_a_message_sent_now_is_due_now(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    message = a_message(a_patient(clinic), due_at=due(24 * 365))

    answer = api.post(f"/messages/{message.id}/send-now").json

    assert abs(dt.datetime.fromisoformat(answer["due_at"]) - now) < dt.timedelta(minutes=1)


def test_a_failed_message_is_pending_again_after_a_retry(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic), status=Status.FAILED, reason=Reason.GAVE_UP)

    assert api.post(f"/messages/{message.id}/retry").json["status"] == "pending"


@pytest.mark.parametrize("body", [None, {}, {"may_arrive_twice": False}])
def test_a_message_that_may_have_arrived_is_not_retried_by_accident(clinic: Clinic, api: Program, body: Json) -> None:
    message = a_message(a_patient(clinic), status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN)

    assert api.post(f"/messages/{message.id}/retry", body).status == 409


def test_a_message_that_may_have_arrived_is_retried_when_asked_for(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic), status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN)

    assert api.post(f"/messages/{message.id}/retry", {"may_arrive_twice": True}).json["status"] == "pending"


def test_an_act_takes_no_fields_that_it_would_overlook(clinic: Clinic, api: Program) -> None:
    message = a_message(a_patient(clinic))

    answer = api.post(f"/messages/{message.id}/send-now", {"at": "2035-12-01T08:00:00Z"})

    assert (answer.status, answer.wrong_fields) == (422, ["at"])
