"""A restored database gets back the facts in its Journals; a span without a good Journal stays held."""

import datetime as dt
import os
import shutil
import uuid
from pathlib import Path
from typing import Literal

import pytest

from companion.clinics.models import Clinic
from companion.journal import writing
from companion.journal.entries import Begun, Ended, Entry, Heard, Peers
from companion.patients import consent
from companion.patients.models import Consent, Patient
from companion.restoring import holding
from companion.schedules.models import AttemptOutcome, Message, Schedule, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_caller, a_clinic, a_message, a_patient, a_schedule
from tests.restoring import writers

pytestmark = pytest.mark.django_db

TAKEN = NOW - dt.timedelta(hours=3)
SENT = NOW - dt.timedelta(hours=1)
HELD = (Status.FAILED, Reason.OUTCOME_UNKNOWN)
SENT_ONCE = (Status.SENT, "")
WAITS = (Status.PENDING, "")


def a_journal(path: Path, *entries: Entry) -> str:
    """A whole Journal with these entries, written by NOW; its id."""
    with writing.process_journal(path, "dispatcher", 35) as journal:
        for entry in entries:
            writing.note(entry)
        writing.sync()
    for file in path.glob("*.journal"):
        os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    return journal.id


def a_writer(journal: str, *, at: dt.datetime = TAKEN) -> None:
    writers.a_writer(journal, at=at)


def attempted(
    patient: Patient, *, message: Message | None = None, schedule: Schedule | None = None, occurrence: str = ""
) -> tuple[Begun, Ended]:
    """The entries of an Attempt that Telegram took."""
    attempt, chat = uuid.uuid4(), patient.telegram_id or 0
    of = message.pk if message else uuid.uuid4()
    plan = schedule.pk if schedule else None
    begun = Begun(SENT, attempt, of, patient.clinic_id, chat, plan, patient.pk, occurrence)
    return begun, Ended(SENT, attempt, AttemptOutcome.SENT, 17)


def outcome(message: Message) -> tuple[str, str]:
    message.refresh_from_db()
    return message.status, message.reason


def two_due(clinic: Clinic) -> tuple[Message, Message]:
    return a_message(a_patient(clinic), due_at=SENT), a_message(a_patient(clinic), due_at=SENT)


def test_with_the_whole_journal_only_its_messages_are_settled_and_the_others_may_go(tmp_path: Path) -> None:
    sent, other = two_due(a_clinic())
    assert sent.patient
    a_writer(a_journal(tmp_path, *attempted(sent.patient, message=sent)))

    held = holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path]).held

    assert held == 0
    assert (outcome(sent), outcome(other)) == (SENT_ONCE, WAITS)


def test_a_foreign_journal_is_believed_but_everything_else_is_held(tmp_path: Path) -> None:
    sent, other = two_due(a_clinic())
    assert sent.patient
    a_journal(tmp_path, *attempted(sent.patient, message=sent))
    a_writer("the id of another folder")

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert (outcome(sent), outcome(other)) == (SENT_ONCE, HELD)


def test_a_journal_of_another_installation_changes_nothing_here(tmp_path: Path) -> None:
    sent, other = two_due(a_clinic())
    stranger = Begun(
        SENT, uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), 4711, uuid.uuid4(), uuid.uuid4(), "2026-12-01T09:00"
    )
    a_journal(tmp_path, stranger, Heard(SENT, stranger.clinic, 4711, "stop"))
    a_writer("the id of another folder")

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert (outcome(sent), outcome(other)) == (HELD, HELD)


def test_a_journal_that_began_after_the_copy_leaves_messages_without_an_entry_held(tmp_path: Path) -> None:
    sent, other = two_due(a_clinic())
    assert sent.patient
    a_writer("")
    a_journal(tmp_path, *attempted(sent.patient, message=sent))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert (outcome(sent), outcome(other)) == (SENT_ONCE, HELD)


def test_a_torn_journal_is_believed_up_to_the_tear_and_everything_else_is_held(tmp_path: Path) -> None:
    sent, other = two_due(a_clinic())
    assert sent.patient
    a_writer(a_journal(tmp_path, *attempted(sent.patient, message=sent), Peers(SENT, [])))
    (file,) = tmp_path.glob("*.journal")
    file.write_bytes(file.read_bytes()[:-3])
    os.utime(file, (NOW.timestamp(), NOW.timestamp()))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert (outcome(sent), outcome(other)) == (SENT_ONCE, HELD)


@pytest.mark.parametrize("missing", ["file", "folder"])
def test_without_the_journal_everything_is_held(missing: str, tmp_path: Path) -> None:
    sent, other = two_due(a_clinic())
    assert sent.patient
    a_writer(a_journal(tmp_path, *attempted(sent.patient, message=sent)))
    for file in tmp_path.glob("*.journal" if missing == "file" else "*"):
        file.unlink()

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert (outcome(sent), outcome(other)) == (HELD, HELD)


def test_one_of_two_hosts_journals_is_not_enough(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    sent, other = two_due(a_clinic())
    assert sent.patient
    a_writer(a_journal(first, *attempted(sent.patient, message=sent)))
    a_writer(a_journal(second, Peers(SENT, [])))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[first])

    assert (outcome(sent), outcome(other)) == (SENT_ONCE, HELD)


@pytest.mark.parametrize("first", ["old", "new"])
def test_of_two_copies_of_one_journal_the_longer_one_counts(first: str, tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    sent, _ = two_due(a_clinic())
    assert sent.patient
    a_journal(new, Peers(TAKEN, []))
    shutil.copytree(new, old)
    a_writer(a_journal(new, *attempted(sent.patient, message=sent)))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[old, new] if first == "old" else [new, old])

    assert outcome(sent) == SENT_ONCE


def test_a_copy_that_names_no_writer_leaves_the_rest_held(tmp_path: Path) -> None:
    sent, other = two_due(a_clinic())
    assert sent.patient
    a_journal(tmp_path, *attempted(sent.patient, message=sent))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert (outcome(sent), outcome(other)) == (SENT_ONCE, HELD)


def test_a_journal_that_ends_before_the_copy_is_an_old_copy_itself_and_leaves_all_held(tmp_path: Path) -> None:
    message, other = two_due(a_clinic())
    a_writer(a_journal(tmp_path, Peers(TAKEN - dt.timedelta(seconds=1), [])))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert (outcome(message), outcome(other)) == (HELD, HELD)


def test_a_whole_journal_of_a_writer_that_had_ended_before_the_copy_holds_nothing(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    sent, other = two_due(a_clinic())
    assert sent.patient
    a_writer(a_journal(first, *attempted(sent.patient, message=sent)))
    a_writer(a_journal(second), at=TAKEN - dt.timedelta(hours=2))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[first, second])

    assert (outcome(sent), outcome(other)) == (SENT_ONCE, WAITS)


def test_a_host_that_joined_after_the_copy_and_whose_journal_is_missing_leaves_the_rest_held(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    sent, other = two_due(a_clinic())
    assert sent.patient
    joined = a_journal(second)
    a_writer(a_journal(first, *attempted(sent.patient, message=sent), Peers(SENT, [joined])))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[first])

    assert (outcome(sent), outcome(other)) == (SENT_ONCE, HELD)


def test_a_message_of_the_future_that_staff_sent_early_is_not_sent_again(tmp_path: Path) -> None:
    patient = a_patient(a_clinic())
    message = a_message(patient, due_at=NOW + dt.timedelta(hours=5))
    a_writer(a_journal(tmp_path, *attempted(patient, message=message)))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert outcome(message) == SENT_ONCE


def test_a_dose_whose_time_was_changed_after_the_copy_is_held_by_its_former_time(tmp_path: Path) -> None:
    clinic = a_clinic()
    patient, other = a_patient(clinic), a_patient(clinic)
    schedule = a_schedule(clinic, patient, other, starts_at="2026-12-01T20:00", recurrence={"frequency": "daily"})
    later = NOW + dt.timedelta(hours=2)
    dose, others = (
        a_message(person, schedule, due_at=later, occurrence="2026-12-01T20:00") for person in (patient, other)
    )
    tomorrow = a_message(patient, schedule, due_at=later + dt.timedelta(days=1), occurrence="2026-12-02T20:00")
    a_writer(a_journal(tmp_path, *attempted(patient, schedule=schedule, occurrence="2026-12-01T08:00")))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert outcome(dose) == HELD
    assert (outcome(others), outcome(tomorrow)) == (WAITS, WAITS)


def test_a_dose_that_left_from_a_series_split_off_after_the_copy_is_held_in_the_former_series(tmp_path: Path) -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    schedule = a_schedule(clinic, patient, starts_at="2026-12-01T20:00", recurrence={"frequency": "daily"})
    dose = a_message(patient, schedule, due_at=NOW + dt.timedelta(hours=2), occurrence="2026-12-01T20:00")
    split_off = Schedule(pk=uuid.uuid4())
    a_writer(a_journal(tmp_path, *attempted(patient, schedule=split_off, occurrence="2026-12-01T08:00")))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    assert outcome(dose) == HELD


def heard(patient: Patient, what: Literal["stop", "start"], *, at: dt.datetime) -> Heard:
    return Heard(at, patient.clinic_id, patient.telegram_id or 0, what)


def test_a_stop_just_before_the_copy_comes_back_and_a_start_after_it_lifts_it(tmp_path: Path) -> None:
    clinic = a_clinic()
    stopped, started = a_patient(clinic), a_patient(clinic)
    before = TAKEN - dt.timedelta(seconds=1)
    entries = [heard(stopped, "stop", at=before), heard(started, "stop", at=before), heard(started, "start", at=SENT)]
    a_writer(a_journal(tmp_path, *entries))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    stopped.refresh_from_db()
    started.refresh_from_db()
    assert (stopped.consent, started.consent) == (Consent.WITHDRAWN, Consent.GIVEN)


def test_a_start_from_before_the_copy_does_not_undo_a_withdrawal_that_a_member_noted(tmp_path: Path) -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    consent.note(a_caller(clinic), patient, Consent.WITHDRAWN, now=TAKEN - dt.timedelta(minutes=1))
    a_writer(a_journal(tmp_path, heard(patient, "start", at=TAKEN - dt.timedelta(minutes=5))))

    holding.hold(taken_at=TAKEN, now=NOW, journals=[tmp_path])

    patient.refresh_from_db()
    assert patient.consent == Consent.WITHDRAWN
