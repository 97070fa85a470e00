"""`companion unknown`: messages of unknown outcome, listed and decided from a terminal, each audited by itself."""

import datetime as dt
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from companion.cli.unknown import unknown as command
from companion.clinics.models import AuditEntry, Clinic
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from tests.builders import a_clinic, a_message, a_patient
from tests.cli.running import a_command

pytestmark = pytest.mark.django_db


def unknown(clinic: Clinic, *, due_at: dt.datetime, **fields: object) -> Message:
    return a_message(
        a_patient(clinic),
        None,
        due_at=due_at,
        status=Status.FAILED,
        reason=Reason.OUTCOME_UNKNOWN,
        ended_at=due_at,
        **fields,
    )


def decided(clinic: Clinic) -> set[object]:
    entries = AuditEntry.objects.filter(clinic=clinic, action__startswith="unknown message")
    return set(entries.values_list("subject_id", flat=True))


def terminal(*words: str) -> Result:
    return CliRunner().invoke(command, words)


@pytest.fixture
def at() -> dt.datetime:
    return database_now().replace(microsecond=0) - dt.timedelta(hours=2)


@pytest.mark.django_db(transaction=True)
def test_all_that_a_restore_held_is_listed_and_decided_by_a_real_command(
    product_environment: dict[str, str], tmp_path: Path, at: dt.datetime
) -> None:
    def terminal(*words: str) -> "subprocess.CompletedProcess[str]":
        return a_command("unknown", *words, environment=product_environment, folder=tmp_path)

    clinic = a_clinic()
    held = [unknown(clinic, due_at=at, held_by_restore=True) for _ in range(2)]
    cut = unknown(clinic, due_at=at)

    listed = terminal("list", "--cause", "restore").stdout.splitlines()
    done = terminal("decide", "arrived", "--cause", "restore")
    left = terminal("list").stdout.splitlines()

    assert {line.split()[0] for line in listed} == {str(message.pk) for message in held}
    assert done.stdout == "Decided about 2 messages: arrived.\n"
    assert decided(clinic) == {message.pk for message in held}
    assert [line.split()[0] for line in left] == [str(cut.pk)]


def test_messages_without_a_trace_are_decided_apart(at: dt.datetime) -> None:
    clinic = a_clinic()
    traceless = unknown(clinic, due_at=at, no_trace_at=at)
    unknown(clinic, due_at=at)

    done = terminal("decide", "leave", "--cause", "no-trace")

    assert done.stdout == "Decided about 1 message: leave.\n"
    assert decided(clinic) == {traceless.pk}


def test_a_span_of_time_is_decided_with_its_ends(at: dt.datetime) -> None:
    clinic = a_clinic()
    inside = [unknown(clinic, due_at=at), unknown(clinic, due_at=at + dt.timedelta(minutes=30))]
    unknown(clinic, due_at=at + dt.timedelta(minutes=31))

    terminal("decide", "leave", "--from", at.isoformat(), "--to", (at + dt.timedelta(minutes=30)).isoformat())

    assert decided(clinic) == {message.pk for message in inside}


def test_a_message_that_is_to_go_again_waits_to_be_sent(at: dt.datetime) -> None:
    message, other = (unknown(clinic, due_at=at) for clinic in [a_clinic(slug="one")] * 2)

    done = terminal("decide", "resend", "--id", str(message.pk), "--clinic", "one")

    message.refresh_from_db()
    other.refresh_from_db()
    assert done.stdout == "Decided about 1 message: resend.\n"
    assert (message.status, other.status) == (Status.PENDING, Status.FAILED)


@pytest.mark.parametrize(
    "words",
    [
        ("leave",),
        ("perhaps", "--cause", "restore"),
        ("leave", "--from", "yesterday"),
        ("leave", "--from", "2026-12-01T08:00:00"),
        ("leave", "--schedule", "7"),
        ("leave", "--cause", "restore", "--clinic", "nowhere"),
    ],
)
def test_a_call_that_names_no_messages_or_no_decision_changes_nothing(words: tuple[str, ...], at: dt.datetime) -> None:
    clinic = a_clinic()
    unknown(clinic, due_at=at, held_by_restore=True)

    done = terminal("decide", *words)

    assert isinstance(done.exception, SystemExit)
    assert done.exit_code != 0
    assert done.stderr
    assert decided(clinic) == set()


def test_another_clinics_messages_are_neither_listed_nor_decided(at: dt.datetime) -> None:
    a_clinic(slug="ours")
    theirs = a_clinic(slug="theirs")
    message = unknown(theirs, due_at=at)

    listed = terminal("list", "--clinic", "ours")
    terminal("decide", "leave", "--id", str(message.pk), "--clinic", "ours")

    assert listed.stdout == ""
    assert decided(theirs) == set()
