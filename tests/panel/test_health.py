"""Health by its three layers, on a real database and with services that really answer over HTTP."""

import datetime as dt
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg
import pytest
from django.db import OperationalError, ProgrammingError, connection

from companion.panel import facts, health
from companion.panel.finding import Cause
from companion.schedules.models import Lane
from companion.service import health_port
from companion.service.models import Kind
from tests.builders import NOW, a_bot, a_clinic, a_message, a_patient
from tests.panel.stories import a_heartbeat, ago
from tests.support import session

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_seen_before() -> None:
    health.forget()


@contextmanager
def a_dispatcher(says: Callable[[], dict[str, object]] = lambda: {"status": "ok"}) -> Iterator[None]:
    """Something that answers as a dispatcher at its own address, with a heartbeat that tells where."""
    port = health_port.serve(says, host="127.0.0.1", port=0)
    a_heartbeat(Kind.DISPATCHER, health_url=port.url)
    try:
        yield
    finally:
        port.close()


def others_alive() -> None:
    a_heartbeat(Kind.WEB)
    a_heartbeat(Kind.LISTENER)


def test_the_dispatchers_own_answer_comes_first() -> None:
    others_alive()
    with a_dispatcher():
        report = health.check(now=NOW)

    assert (report.status, report.source) == ("ok", "direct")


def test_all_three_layers_say_how_they_see_it() -> None:
    others_alive()
    with a_dispatcher():
        report = health.check(now=NOW)

    assert [(layer.layer, layer.status) for layer in report.layers] == [
        ("direct", "ok"),
        ("mcp", "ok"),
        ("database", "ok"),
    ]


def test_the_control_panel_stands_in_for_a_dispatcher_that_does_not_answer() -> None:
    others_alive()
    a_heartbeat(Kind.DISPATCHER)

    report = health.check(now=NOW)

    assert (report.status, report.source) == ("degraded", "mcp")


def test_the_database_stands_in_where_neither_answers_a_command() -> None:
    others_alive()
    a_heartbeat(Kind.DISPATCHER)

    report = health.check_from_outside(now=NOW)

    assert (report.status, report.source) == ("degraded", "database")


def test_a_dispatcher_that_answers_and_sends_nothing_is_down_all_the_same() -> None:
    others_alive()
    clinic = a_clinic()
    a_bot(clinic)
    a_message(a_patient(clinic), due_at=ago(minutes=6))
    with a_dispatcher():
        report = health.check(now=NOW)

    assert (report.status, report.source) == ("down", "direct")


def test_a_dispatchers_own_answer_counts() -> None:
    others_alive()
    with a_dispatcher(lambda: {"status": "degraded", "detail": "the ledger waits for the database"}):
        report = health.check(now=NOW)

    assert report.status == "degraded"
    assert health.sentence(report) == "the ledger waits for the database"


def test_a_clinics_people_hear_of_their_own_clinic_only() -> None:
    others_alive()
    well, paused = a_clinic(), a_clinic(sending_paused_at=NOW)
    a_bot(well)
    a_bot(paused)
    with a_dispatcher():
        seen = health.check(now=NOW, clinic=well), health.check(now=NOW, clinic=paused)

    assert [report.status for report in seen] == ["ok", "degraded"]


def test_a_message_that_is_on_the_wire_for_too_long_is_overdue_too() -> None:
    clinic = a_clinic()
    a_message(a_patient(clinic), due_at=ago(minutes=1), lease_until=NOW + dt.timedelta(minutes=1))

    (sending,) = facts.read(now=NOW).clinics

    assert sending.reminder_since == ago(minutes=1)


def test_the_oldest_of_each_lane_counts() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    a_message(patient, due_at=ago(minutes=3), lane=Lane.BROADCAST)
    a_message(patient, due_at=ago(minutes=2), lane=Lane.ANSWER)
    a_message(patient, due_at=ago(minutes=1), lane=Lane.REMINDER)

    (sending,) = facts.read(now=NOW).clinics

    assert (sending.other_since, sending.reminder_since) == (ago(minutes=3), ago(minutes=1))


def test_within_two_seconds_the_same_answer_serves_again() -> None:
    first = health.check(now=NOW)

    assert health.check(now=NOW + dt.timedelta(seconds=1)).checked_at == first.checked_at


def test_after_two_seconds_health_looks_anew() -> None:
    health.check(now=NOW)
    later = NOW + dt.timedelta(seconds=3)

    assert health.check(now=later).checked_at == later


def test_the_banner_says_since_when_it_is_known_that_all_is_well() -> None:
    others_alive()
    with a_dispatcher():
        report = health.check(now=NOW)

    later = NOW + dt.timedelta(seconds=12)
    assert health.sentence(report, now=later) == "Sending normally, checked 12 s ago"


def test_the_oldest_waiting_message_is_found_by_its_index() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    for number in range(300):
        a_message(patient, due_at=NOW + dt.timedelta(minutes=number))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    plan = facts.clinics_query().explain()

    assert plan.count("messages_in_line") == len(Lane)


def test_a_dispatcher_that_runs_and_cannot_write_is_not_said_to_be_missing() -> None:
    others_alive()
    words = "The dispatcher runs, but can't write: the database is read-only. It continues by itself as soon as it can."
    port = health_port.serve(
        lambda: {"status": "degraded", "detail": words, "cause": "database_read_only"}, host="127.0.0.1", port=0
    )
    a_heartbeat(Kind.DISPATCHER, seconds=60, health_url=port.url)
    try:
        report = health.check(now=NOW)
    finally:
        port.close()

    assert report.status == "degraded"
    assert health.sentence(report) == words
    assert [finding.cause for finding in report.findings] == [Cause.DATABASE_READ_ONLY]


def test_a_listener_that_takes_the_call_and_answers_nothing_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, a_dispatcher():
        a_heartbeat(Kind.WEB)
        a_heartbeat(Kind.LISTENER, seconds=60, health_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        report = health.check(now=NOW)

    assert [finding.cause for finding in report.findings] == [Cause.LISTENER_HANGS]
    assert "The listener hangs" in health.sentence(report)


def test_a_service_whose_address_nobody_answers_at_is_not_running() -> None:
    with a_dispatcher():
        a_heartbeat(Kind.WEB)
        a_heartbeat(Kind.LISTENER, seconds=60)
        report = health.check(now=NOW)

    assert [finding.cause for finding in report.findings] == [Cause.LISTENER_MISSING]


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (OperationalError("FATAL: sorry, too many clients already"), "database_connections", "no more connections"),
        (
            OperationalError('FATAL: password authentication failed for user "ana"'),
            "database_login",
            "refuses our login",
        ),
        (OperationalError("SSL error: certificate verify failed"), "database_certificate", "encrypted connection"),
        (OperationalError("connection refused"), "database_gone", "can't be reached"),
        (ProgrammingError("relation does not exist"), "not_migrated", "companion migrate"),
    ],
)
def test_the_troubles_of_a_database_are_told_apart(error: Exception, cause: str, words: str) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    with connection.execute_wrapper(fail):
        report = health.check(now=NOW)

    assert (report.status, [finding.cause for finding in report.findings][:1]) == ("down", [cause])
    assert words in health.sentence(report)
    assert "ana" not in health.sentence(report)


def test_a_dispatcher_that_waits_for_a_lock_names_the_trouble_behind_a_silent_database() -> None:
    words = "The dispatcher runs, but can't write: another session locks the database."

    def fail(*_: object) -> NoReturn:
        raise OperationalError("the connection is closed")

    with a_dispatcher(lambda: {"status": "degraded", "detail": words, "cause": "database_locked"}):
        health.check(now=NOW)
        health.forget()
        with connection.execute_wrapper(fail):
            report = health.check(now=NOW)

    assert (report.status, report.findings[0].cause) == ("down", Cause.DATABASE_LOCKED)
    assert "Another session locks the database" in health.sentence(report)


@pytest.mark.skipif(not session.on_postgresql(), reason="PostgreSQL's")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_cut_is_reported_and_then_made_anew() -> None:
    another = connection.get_connection_params()
    del another["cursor_factory"], another["context"]
    with psycopg.connect(**another) as other:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (own,) = cursor.fetchone()
        other.execute("SELECT pg_terminate_backend(%s)", [own])

    reports = []
    for _ in range(2):
        health.forget()
        reports.append(health.check_from_outside_now())

    assert reports[0].findings[0].cause == Cause.DATABASE_GONE
    assert Cause.DATABASE_GONE not in {finding.cause for finding in reports[1].findings}
