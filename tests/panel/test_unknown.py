"""Messages of unknown outcome in one list, decided one by one or all at once, by page and API."""

import datetime as dt

import pytest

from companion.clinics.models import AuditEntry, Clinic, Role
from companion.panel import actions
from companion.panel.actions import Decision, Unknowns
from companion.schedules.models import Message, Quiet, Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from tests.api.calls import a_program
from tests.builders import NOW, a_caller, a_clinic, a_message, a_patient, a_schedule
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


def unknown(clinic: Clinic, *, at: dt.datetime | None = None, **fields: object) -> Message:
    at = at or database_now() - dt.timedelta(minutes=5)
    failed = {"status": Status.FAILED, "reason": Reason.OUTCOME_UNKNOWN, "ended_at": at}
    return a_message(a_patient(clinic), None, due_at=at, **failed, **fields)


def decided(clinic: Clinic) -> set[object]:
    entries = AuditEntry.objects.filter(clinic=clinic, action__startswith="unknown message")
    return set(entries.values_list("subject_id", flat=True))


def test_all_that_a_restore_held_is_decided_with_one_call_each_written_down_by_itself() -> None:
    clinic = a_clinic()
    held = [unknown(clinic, held_by_restore=True) for _ in range(3)]
    cut = unknown(clinic)

    answer = a_program(clinic, Role.ADMIN).post("/api/mcp/unknown", {"held_by_restore": True, "decision": "arrived"})

    assert answer.json == {"done": 3, "left": 0}
    assert decided(clinic) == {message.pk for message in held}
    assert cut.pk not in decided(clinic)


def test_a_span_of_time_is_decided_with_its_ends() -> None:
    clinic = a_clinic()
    first = database_now().replace(microsecond=0) - dt.timedelta(hours=3)
    inside = [unknown(clinic, at=first), unknown(clinic, at=first + dt.timedelta(hours=1))]
    unknown(clinic, at=first + dt.timedelta(hours=1, seconds=1))

    span = {"from": first.isoformat(), "to": (first + dt.timedelta(hours=1)).isoformat()}
    answer = a_program(clinic, Role.ADMIN).post("/api/mcp/unknown", {**span, "decision": "leave"})

    assert answer.json["done"] == 2
    assert decided(clinic) == {message.pk for message in inside}


def test_one_schedules_are_decided_and_no_others() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    schedule = a_schedule(clinic, patient)
    at = database_now()
    own = a_message(patient, schedule, status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN, due_at=at, ended_at=at)
    unknown(clinic)

    a_program(clinic, Role.ADMIN).post("/api/mcp/unknown", {"schedule": str(schedule.pk), "decision": "arrived"})

    assert decided(clinic) == {own.pk}


def test_only_the_named_ids_of_the_callers_own_clinic_are_decided() -> None:
    clinic, other = a_clinic(), a_clinic()
    ours, theirs = unknown(clinic), unknown(other)

    body = {"ids": [str(ours.pk), str(theirs.pk)], "decision": "arrived"}
    answer = a_program(clinic, Role.ADMIN).post("/api/mcp/unknown", body)

    assert answer.json == {"done": 1, "left": 0}
    assert decided(other) == set()


def test_an_empty_list_of_ids_decides_nothing() -> None:
    clinic = a_clinic()
    unknown(clinic)

    answer = a_program(clinic, Role.ADMIN).post("/api/mcp/unknown", {"ids": [], "decision": "leave"})

    assert (answer.status, answer.json) == (200, {"done": 0, "left": 0})
    assert decided(clinic) == set()


def test_a_decided_message_is_not_decided_again() -> None:
    clinic = a_clinic()
    message = unknown(clinic, held_by_restore=True)
    program, held = a_program(clinic, Role.ADMIN), {"held_by_restore": True}

    program.post("/api/mcp/unknown", {**held, "decision": "arrived"})
    answer = program.post("/api/mcp/unknown", {**held, "decision": "resend"})
    page = signed_in(clinic, Role.ADMIN).post("/mcp/unknown/all/resend?cause=restore")

    message.refresh_from_db()
    assert answer.json == {"done": 0, "left": 0}
    assert page.status_code == 302
    assert message.status == Status.FAILED
    assert AuditEntry.objects.filter(clinic=clinic, subject_id=message.pk).count() == 1


def test_the_page_decides_about_a_span_and_a_schedule_of_its_own_clinic_alone() -> None:
    clinic, other = a_clinic(), a_clinic()
    unknown(clinic)
    unknown(other)
    theirs = a_schedule(other, a_patient(other))

    admin = signed_in(clinic, Role.ADMIN)
    admin.post(f"/mcp/unknown/all/leave?schedule={theirs.pk}")
    admin.post("/mcp/unknown/all/leave?due_from=2020-01-01T00:00&due_to=2020-01-02T00:00")

    assert decided(clinic) == decided(other) == set()


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "leave"},
        {"decision": "leave", "ids": None, "schedule": None},
        {"decision": "leave", "held_by_restore": 0},
        {"decision": "leave", "no_trace": None},
        {"ids": []},
        {"ids": [], "decision": "perhaps"},
    ],
)
def test_a_call_that_names_no_messages_or_no_decision_is_refused(body: dict[str, object]) -> None:
    assert a_program(a_clinic(), Role.ADMIN).post("/api/mcp/unknown", body).status == 422


def test_providers_decide_nothing_in_bulk() -> None:
    clinic = a_clinic()
    unknown(clinic)

    answer = a_program(clinic, Role.PROVIDER).post(
        "/api/mcp/unknown", {"from": "2026-01-01T00:00:00Z", "decision": "leave"}
    )

    assert answer.status == 403


def test_messages_sent_again_all_at_once_keep_their_quiet_hours() -> None:
    clinic = a_clinic()
    message = unknown(clinic, at=NOW, quiet_hours=Quiet.WAIT)

    actions.decide_many(a_caller(clinic, Role.ADMIN), Unknowns(), Decision.RESEND, now=NOW)

    message.refresh_from_db()
    assert (message.status, message.quiet_hours) == (Status.PENDING, Quiet.WAIT)


def test_a_message_held_by_a_restore_is_listed_however_old_its_time_is() -> None:
    clinic = a_clinic()
    message = unknown(clinic, at=NOW)
    Message.objects.filter(pk=message.pk).update(due_at=NOW - dt.timedelta(days=20))

    assert list(actions.undecided(clinic, now=NOW)) == [message]


def test_the_page_lists_a_cause_and_decides_about_all_that_it_shows() -> None:
    clinic = a_clinic()
    held, cut = unknown(clinic, held_by_restore=True), unknown(clinic)
    admin = signed_in(clinic, Role.ADMIN)

    listed = words(admin.get("/mcp/unknown?cause=restore"))
    asked = words(admin.get("/mcp/unknown/all/leave?cause=restore"))
    answer = admin.post("/mcp/unknown/all/leave?cause=restore")

    assert "It may have been sent before the restore" in listed
    assert "1 message matches." in asked
    assert answer["Location"] == "/mcp/unknown?cause=restore"
    assert decided(clinic) == {held.pk}
    assert cut.pk not in decided(clinic)


def test_messages_without_a_trace_are_listed_and_decided_apart_from_the_others() -> None:
    clinic = a_clinic()
    traceless, open_one = unknown(clinic, no_trace_at=NOW), unknown(clinic)
    admin = signed_in(clinic, Role.ADMIN)

    listed = admin.get("/mcp/unknown?cause=no-trace").content.decode()
    asked = words(admin.get("/mcp/unknown/all/resend?cause=no-trace"))
    admin.post("/mcp/unknown/all/leave?cause=no-trace")

    assert f"/mcp/unknown/{traceless.pk}/" in listed
    assert f"/mcp/unknown/{open_one.pk}/" not in listed
    assert "1 message matches." in asked
    assert decided(clinic) == {traceless.pk}


@pytest.mark.parametrize("no_trace", [True, False])
def test_a_call_decides_about_messages_with_or_without_a_trace(no_trace: bool) -> None:
    clinic = a_clinic()
    messages = {True: unknown(clinic, no_trace_at=NOW), False: unknown(clinic)}

    answer = a_program(clinic, Role.ADMIN).post("/api/mcp/unknown", {"no_trace": no_trace, "decision": "leave"})

    assert answer.json == {"done": 1, "left": 0}
    assert decided(clinic) == {messages[no_trace].pk}


@pytest.mark.parametrize("query", ["due_from=yesterday", "schedule=1", "cause=weather"])
def test_a_filter_that_cant_be_read_is_refused_with_a_page(query: str) -> None:
    admin = signed_in(a_clinic(), Role.ADMIN)

    for path in ("/mcp/unknown", "/mcp/unknown/all/leave"):
        assert admin.get(f"{path}?{query}").status_code < 500
