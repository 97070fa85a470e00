"""After a restore: sending is paused, and what may have been sent before is held for a person to decide."""

import datetime as dt

import pytest

from companion.clinics.models import AuditEntry, Clinic, Role
from companion.clinics.refusals import Refused
from companion.delivery import lifecycle
from companion.restoring import holding
from companion.schedules.models import Attempt, AttemptOutcome, IfUnknown, Message, Status
from companion.schedules.reasons import Reason
from tests.api.calls import a_program
from tests.builders import NOW, a_clinic, a_message, a_patient, a_schedule, an_attempt
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db

TAKEN = NOW - dt.timedelta(hours=3)


def restored(now: dt.datetime = NOW) -> int:
    return holding.hold(taken_at=TAKEN, now=now).held


def outcome(message: Message) -> tuple[str, str]:
    message.refresh_from_db()
    return message.status, message.reason


def test_a_message_due_between_the_backup_and_the_restore_is_held() -> None:
    patient = a_patient(a_clinic())
    between = a_message(patient, due_at=NOW - dt.timedelta(hours=1))
    overdue_already = a_message(patient, due_at=TAKEN - dt.timedelta(minutes=1))
    still_to_come = a_message(patient, due_at=NOW + dt.timedelta(minutes=1))

    held = restored()

    assert held == 2
    assert outcome(between) == outcome(overdue_already) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    assert outcome(still_to_come) == (Status.PENDING, "")


def test_a_message_on_the_wire_when_the_copy_was_taken_is_held_even_if_its_schedule_resends() -> None:
    patient = a_patient(a_clinic())
    message = a_message(patient, due_at=TAKEN, if_unknown=IfUnknown.RESEND, tries=1)
    attempt = an_attempt(message, outcome=AttemptOutcome.OPEN, ended_at=None)
    Message.objects.filter(pk=message.pk).update(open_attempt_id=attempt.pk, lease_until=TAKEN)

    restored()
    lifecycle.rescue(now=NOW + dt.timedelta(hours=1), lease=dt.timedelta(minutes=1))

    assert outcome(message) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    assert Attempt.objects.get().outcome == AttemptOutcome.UNKNOWN


def test_occurrences_that_the_copy_had_not_planned_yet_are_held_too() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    long_ago = NOW - dt.timedelta(days=4)
    a_schedule(
        clinic,
        patient,
        starts_at="2026-11-20T08:30",
        recurrence={"frequency": "daily"},
        created_at=long_ago,
        planned_until=NOW - dt.timedelta(days=2),
        next_plan_at=NOW - dt.timedelta(days=3),
    )

    holding.hold(taken_at=long_ago, now=NOW)

    pending = Message.objects.filter(status=Status.PENDING)
    held = Message.objects.filter(reason=Reason.OUTCOME_UNKNOWN, held_by_restore=True)
    assert all(message.due_at > NOW for message in pending)
    assert held.count() >= 2


def test_a_message_that_was_too_late_before_it_was_held_is_unknown_as_well() -> None:
    patient = a_patient(a_clinic())
    message = a_message(
        patient,
        due_at=NOW - dt.timedelta(hours=2),
        status=Status.FAILED,
        reason=Reason.TOO_LATE,
        ended_at=NOW - dt.timedelta(minutes=1),
    )
    before = a_message(
        patient, due_at=TAKEN - dt.timedelta(hours=2), status=Status.FAILED, reason=Reason.TOO_LATE, ended_at=TAKEN
    )

    restored()

    assert outcome(message) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    assert outcome(before) == (Status.FAILED, Reason.TOO_LATE)


def test_a_question_that_waited_for_its_answer_is_not_asked_again_by_itself() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    schedule = a_schedule(clinic, patient, answer_within=dt.timedelta(hours=1))
    sent = TAKEN - dt.timedelta(minutes=30)
    a_message(patient, schedule, due_at=sent, status=Status.SENT, sent_at=sent, ended_at=sent, answer_by=NOW)

    restored()

    assert not Message.objects.filter(status=Status.PENDING, due_at__lte=NOW).exists()
    assert not Message.objects.filter(answer_by__isnull=False).exists()


def test_sending_is_paused_in_every_clinic_until_an_admin_goes_on_by_the_api() -> None:
    clinic, other = a_clinic(), a_clinic()

    restored()
    assert Clinic.objects.filter(sending_paused_at=None).count() == 0
    answer = a_program(clinic, Role.ADMIN).post("/api/mcp/resume", {})

    assert answer.status == 200
    clinic.refresh_from_db()
    other.refresh_from_db()
    assert clinic.sending_paused_at is None
    assert other.sending_paused_at is not None


def test_the_reason_says_that_it_may_have_been_sent_before_the_restore() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic))
    sentence = "It may have been sent before the restore"
    restored()

    by_api = a_program(clinic, Role.ADMIN).get(f"/messages/{message.pk}").json["reason"]
    page = words(signed_in(clinic).get(f"/scheduled-messages/{message.pk}"))

    assert by_api["code"] == "outcome_unknown"
    assert by_api["message"].startswith(sentence)
    assert sentence in page


def test_a_held_message_that_is_sent_again_carries_no_trace_of_the_restore() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic))
    restored()

    answer = a_program(clinic, Role.ADMIN).post(f"/messages/{message.pk}/retry", {"may_arrive_twice": True})

    message.refresh_from_db()
    assert answer.status == 200
    assert (message.status, message.held_by_restore) == (Status.PENDING, False)


def test_holding_twice_holds_what_became_due_meanwhile() -> None:
    patient = a_patient(a_clinic())
    a_message(patient)
    later = NOW + dt.timedelta(minutes=10)
    next_one = a_message(patient, due_at=later)

    assert restored() == 1
    assert restored(later) == 1
    assert outcome(next_one) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)


def test_a_copy_of_the_future_is_refused_and_nothing_is_paused() -> None:
    clinic = a_clinic()

    with pytest.raises(Refused):
        holding.hold(taken_at=NOW + dt.timedelta(seconds=1), now=NOW)

    clinic.refresh_from_db()
    assert clinic.sending_paused_at is None


def test_the_banner_and_the_audit_trail_tell_of_the_restore() -> None:
    clinic = a_clinic()
    restored()

    assert AuditEntry.objects.filter(clinic=clinic, action="database restored").count() == 1
    assert "Resume sending" in words(signed_in(clinic, Role.ADMIN).get("/mcp"))
