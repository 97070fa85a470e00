"""A Message's life: its changes of status, and what happens when another process is faster."""

import datetime as dt
import threading

import pytest
from django.db import connection, transaction

from companion.clinics.models import Closed
from companion.clinics.refusals import Conflict
from companion.delivery import lifecycle
from companion.delivery.store import Position
from companion.patients.models import Consent
from companion.planning import acts
from companion.schedules.models import Attempt, AttemptOutcome, IfUnknown, Lane, Message, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_message, a_patient
from tests.delivery import steps

pytestmark = pytest.mark.django_db
LATER = NOW + dt.timedelta(seconds=61)
SECOND = dt.timedelta(seconds=1)


def a_due_message(**fields: object) -> Message:
    return a_message(a_patient(a_clinic()), None, **fields)


def begun(message: Message, now: dt.datetime = NOW) -> steps.Step:
    [found] = steps.begin(message.clinic, now=now)
    return found


def test_ready_messages_are_in_line_soonest_first() -> None:
    clinic = a_clinic()
    second = a_message(a_patient(clinic), due_at=NOW - SECOND)
    first = a_message(a_patient(clinic), due_at=NOW - 2 * SECOND)
    a_message(a_patient(clinic), due_at=NOW + SECOND)

    assert steps.in_line(clinic, now=NOW) == [first.id, second.id]


def test_no_other_clinics_messages_are_in_line() -> None:
    a_due_message()

    assert steps.in_line(a_clinic(), now=NOW) == []


def test_a_reminder_is_in_line_before_older_broadcasts() -> None:
    clinic = a_clinic()
    broadcasts = [a_message(a_patient(clinic), due_at=NOW - SECOND, lane=Lane.BROADCAST) for _ in range(3)]
    reminder = a_message(a_patient(clinic), due_at=NOW, lane=Lane.REMINDER)

    found = steps.in_line(clinic, now=NOW, most=2)

    assert found[0] == reminder.id
    assert found[1] in {broadcast.id for broadcast in broadcasts}


def test_a_look_from_a_place_on_finds_that_message_and_all_after_it() -> None:
    clinic = a_clinic()
    messages = [a_message(a_patient(clinic), due_at=NOW - SECOND) for _ in range(4)]
    whole = steps.in_line(clinic, now=NOW)

    rest = steps.in_line(clinic, now=NOW, positions={Lane.REMINDER: Position(NOW - SECOND, whole[2])})

    assert set(whole) == {message.id for message in messages}
    assert rest == whole[2:]


def test_no_dispatcher_gets_a_message_that_another_has_begun() -> None:
    message = a_due_message()
    begun(message)

    assert steps.in_line(message.clinic, now=NOW) == []


def test_an_answered_message_is_sent_and_keeps_its_evidence() -> None:
    message = a_due_message()

    steps.sent(begun(message), now=NOW + SECOND)

    after = steps.fresh(message)
    assert (after.status, after.sent_at, after.telegram_message_id) == (Status.SENT, NOW + SECOND, 77)
    assert Attempt.objects.get(message=message).outcome == AttemptOutcome.SENT


def test_a_begun_message_whose_dispatcher_died_is_unknown_and_not_sent_again() -> None:
    message = a_due_message()
    begun(message)

    steps.rescue(now=LATER)

    after = steps.fresh(message)
    assert (after.status, after.reason) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    assert steps.in_line(message.clinic, now=LATER) == []


def test_a_schedule_that_wants_it_resends_an_unknown_one_once() -> None:
    message = a_due_message(if_unknown=IfUnknown.RESEND)
    begun(message)
    steps.rescue(now=LATER)
    again = steps.fresh(message).ready_at

    begun(message, now=again)
    steps.rescue(now=again + dt.timedelta(seconds=61))

    after = steps.fresh(message)
    assert (after.status, after.reason, after.tries) == (Status.FAILED, Reason.OUTCOME_UNKNOWN, 2)


def test_a_message_that_is_too_late_to_be_sent_again_stays_unknown() -> None:
    message = a_due_message(if_unknown=IfUnknown.RESEND)
    begun(message)
    steps.rescue(now=LATER)

    steps.expire(now=message.late_at)

    assert steps.fresh(message).reason == Reason.OUTCOME_UNKNOWN


def test_late_proof_turns_an_unknown_message_into_a_sent_message() -> None:
    message = a_due_message()
    attempt = begun(message)
    steps.rescue(now=LATER)

    steps.sent(attempt, now=LATER)

    assert steps.fresh(message).status == Status.SENT


def test_late_proof_stops_a_retry_that_waits() -> None:
    message = a_due_message()
    attempt = begun(message)
    steps.rescue(now=LATER)
    acts.retry(a_caller(message.clinic), message, now=LATER, may_arrive_twice=True)

    steps.sent(attempt, now=LATER)

    assert steps.begin(message.clinic, now=LATER) == []
    assert steps.fresh(message).status == Status.SENT


def test_a_late_no_changes_nothing() -> None:
    message = a_due_message()
    attempt = begun(message)
    steps.rescue(now=LATER)

    steps.record(attempt, AttemptOutcome.PERMANENT, Status.FAILED, now=LATER, reason=Reason.BLOCKED)

    assert steps.fresh(message).reason == Reason.OUTCOME_UNKNOWN


def test_a_cancelled_message_is_not_begun() -> None:
    message = a_due_message()

    acts.cancel(a_caller(message.clinic), message, now=NOW)

    assert steps.begin(message.clinic, now=NOW) == []


def test_a_message_on_its_way_can_not_be_cancelled() -> None:
    message = a_due_message()
    begun(message)

    with pytest.raises(Conflict, match="on its way"):
        acts.cancel(a_caller(message.clinic), message, now=NOW)


def test_a_sent_message_can_not_be_cancelled() -> None:
    message = a_due_message()
    steps.sent(begun(message), now=NOW)

    with pytest.raises(Conflict, match="sent"):
        acts.cancel(a_caller(message.clinic), message, now=NOW)


def test_a_message_cancelled_twice_is_refused_the_second_time() -> None:
    message = a_due_message()
    acts.cancel(a_caller(message.clinic), message, now=NOW)

    with pytest.raises(Conflict, match="cancelled"):
        acts.cancel(a_caller(message.clinic), message, now=NOW)


def test_a_retry_of_an_unknown_one_needs_to_be_told_that_it_may_arrive_twice() -> None:
    message = a_due_message()
    begun(message)
    steps.rescue(now=LATER)

    with pytest.raises(Conflict, match="arrived already"):
        acts.retry(a_caller(message.clinic), message, now=LATER)


def test_a_retried_message_is_due_now_and_as_long_good_as_before() -> None:
    message = a_due_message(due_at=NOW - dt.timedelta(days=1))
    steps.expire(now=NOW)

    retried = acts.retry(a_caller(message.clinic), message, now=NOW)

    assert (retried.status, retried.due_at, retried.late_at) == (Status.PENDING, NOW, NOW + dt.timedelta(hours=1))


def test_an_edited_message_keeps_its_own_text() -> None:
    message = a_due_message(due_at=NOW + dt.timedelta(hours=1))

    edited = acts.edit(a_caller(message.clinic), message, now=NOW, new_text="Come at ten.")

    assert (edited.text, edited.by_hand) == ("Come at ten.", True)


def test_a_message_that_could_not_leave_in_time_is_too_late() -> None:
    message = a_due_message()

    steps.expire(now=message.late_at)

    assert steps.fresh(message).reason == Reason.TOO_LATE


def test_a_message_tried_until_it_was_too_late_gave_up() -> None:
    message = a_due_message()
    steps.record(begun(message), AttemptOutcome.TRANSIENT, Status.PENDING, now=NOW)

    steps.expire(now=message.late_at)

    assert steps.fresh(message).reason == Reason.GAVE_UP


def test_a_message_that_waited_for_a_refused_bot_says_so() -> None:
    message = a_due_message()
    a_bot(message.clinic, closed_why=Closed.UNAUTHORIZED, closed_until=NOW)

    steps.expire(now=message.late_at)

    assert steps.fresh(message).reason == Reason.BOT_UNAUTHORIZED


def test_a_message_that_waited_for_consent_in_vain_says_so() -> None:
    message = a_message(a_patient(a_clinic(), consent=Consent.UNKNOWN, consent_asked_at=NOW))

    steps.expire(now=message.late_at)

    assert steps.fresh(message).reason == Reason.NO_CONSENT


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"left_at": NOW}, Status.CANCELLED, Reason.PATIENT_LEFT),
        ({"telegram_id": None}, Status.FAILED, Reason.NO_TELEGRAM_ID),
        ({"consent": Consent.WITHDRAWN}, Status.FAILED, Reason.OPTED_OUT),
    ],
)
def test_a_message_that_could_not_arrive_says_so_even_if_it_is_too_late_and_the_bot_refused(
    fields: dict[str, object], status: Status, reason: Reason
) -> None:
    clinic = a_clinic()
    a_bot(clinic, closed_why=Closed.UNAUTHORIZED)
    message = a_message(a_patient(clinic, "Ana", **fields))

    steps.expire(now=message.late_at)

    assert (steps.fresh(message).status, steps.fresh(message).reason) == (status, reason)


def test_an_expired_message_whose_clinic_demands_a_consent_that_was_never_given_says_so() -> None:
    message = a_message(a_patient(a_clinic(consent_required=True), consent=Consent.UNKNOWN))

    steps.expire(now=message.late_at)

    assert steps.fresh(message).reason == Reason.NO_CONSENT


def test_a_message_on_the_wire_does_not_expire() -> None:
    message = a_due_message(due_at=NOW)
    begun(message, message.late_at - SECOND)

    assert steps.expire(now=message.late_at) == 0


def test_a_begun_message_is_not_unknown_before_its_lease_is_over() -> None:
    message = a_due_message(due_at=NOW)
    begun(message)

    steps.rescue(now=NOW + steps.LEASE)

    assert steps.fresh(message).status == Status.PENDING


def test_a_message_begun_before_the_clock_was_put_back_is_unknown_when_it_is_too_late() -> None:
    message = a_due_message()
    begun(message)
    Message.objects.filter(pk=message.pk).update(ready_at=message.late_at + SECOND)

    steps.rescue(now=LATER)
    before = steps.fresh(message).status
    steps.rescue(now=message.late_at)

    assert before == Status.PENDING
    assert steps.fresh(message).reason == Reason.OUTCOME_UNKNOWN


def test_each_clinics_lapsed_messages_are_found_in_every_lane() -> None:
    for _ in range(2):
        clinic = a_clinic()
        for lane in Lane:
            a_message(a_patient(clinic), lane=lane)
        steps.begin(clinic, now=NOW)

    steps.rescue(now=LATER)

    assert Message.objects.filter(reason=Reason.OUTCOME_UNKNOWN).count() == 2 * len(Lane)
    assert Attempt.objects.filter(outcome=AttemptOutcome.UNKNOWN).count() == 2 * len(Lane)


def _unplan() -> None:
    with transaction.atomic():
        lifecycle.unplan(Message.objects.all())
    connection.close()


def _somebody_waits() -> bool:
    """Wait for the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE transactionid = pg_current_xact_id()::xid AND NOT granted")
        return cursor.fetchone() is not None


@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite one writes at a time")
@pytest.mark.django_db(transaction=True)
def test_a_message_begun_at_the_moment_in_which_its_plan_is_removed_stays() -> None:
    message = a_due_message()
    planner = threading.Thread(target=_unplan)

    with transaction.atomic():
        steps.begin(message.clinic, now=NOW)
        planner.start()
        while not _somebody_waits():
            assert planner.is_alive()
    planner.join()

    assert Message.objects.filter(pk=message.pk, open_attempt_id__isnull=False).exists()
