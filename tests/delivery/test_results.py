"""The result of each Outcome of the wire, for the Message, the patient and the bot."""

import datetime as dt
import random
import uuid

import msgspec
import pytest

from companion.clinics.models import Closed
from companion.delivery.begin import Begun
from companion.delivery.results import Result, result_of
from companion.patients.reach import Why
from companion.schedules.models import AttemptOutcome, Follow, IfUnknown, Status
from companion.schedules.reasons import Reason
from companion.telegram.outcomes import Kind, Outcome
from tests.builders import NOW
from tests.delivery.a_message import READY
from tests.delivery.steps import LEASE


def a_begun(*, tries: int = 0, **facts: object) -> Begun:
    found = msgspec.structs.replace(READY, tries=tries, **facts)
    return Begun(uuid.UUID(int=4), uuid.UUID(int=3), found, 5_000_000_001, "Take your tablet.", None, NOW)


def result(outcome: Outcome, failures: int = 0, tries: int = 0, **facts: object) -> Result:
    return result_of(
        a_begun(tries=tries, **facts), outcome, now=NOW, lease=LEASE, failures=failures, dice=random.Random(1)
    )


@pytest.mark.parametrize(
    ("outcome", "status", "reason", "trouble"),
    [
        (Outcome(Kind.SENT, message_id=7), Status.SENT, None, ""),
        (Outcome(Kind.PERMANENT, reason="blocked"), Status.FAILED, Reason.BLOCKED, Why.BLOCKED),
        (Outcome(Kind.PERMANENT, reason="deactivated"), Status.FAILED, Reason.DEACTIVATED, Why.DEACTIVATED),
        (
            Outcome(Kind.PERMANENT, reason="chat_not_found"),
            Status.FAILED,
            Reason.CHAT_NOT_FOUND,
            Why.CHAT_NOT_FOUND,
        ),
        (Outcome(Kind.PERMANENT, reason="rejected"), Status.FAILED, Reason.REJECTED, None),
        (Outcome(Kind.UNKNOWN), Status.FAILED, Reason.OUTCOME_UNKNOWN, None),
        (Outcome(Kind.TRANSIENT), Status.PENDING, None, None),
        (Outcome(Kind.TOO_MANY, retry_after=3), Status.PENDING, None, None),
        (Outcome(Kind.UNAUTHORIZED), Status.PENDING, None, None),
    ],
)
def test_an_outcome_decides_the_status_the_reason_and_the_patients_mark(
    outcome: Outcome, status: Status, reason: Reason | None, trouble: str | None
) -> None:
    found = result(outcome)

    assert (found.record.status, found.record.reason, found.trouble) == (status, reason, trouble)


def test_a_success_writes_nothing_about_a_patient_who_bore_no_mark() -> None:
    assert result(Outcome(Kind.SENT, message_id=7), in_trouble=False).trouble is None


def test_too_many_requests_close_the_bot_for_as_long_as_telegram_says() -> None:
    found = result(Outcome(Kind.TOO_MANY, retry_after=17))

    assert found.closing is not None
    assert (found.closing.until, found.closing.why) == (NOW + dt.timedelta(seconds=17), Closed.RETRY_AFTER)


def test_a_refused_token_closes_the_bot() -> None:
    found = result(Outcome(Kind.UNAUTHORIZED))

    assert found.closing is not None
    assert found.closing.why == Closed.UNAUTHORIZED


def test_a_passing_fault_is_tried_again_later_each_time() -> None:
    waits = [result(Outcome(Kind.TRANSIENT), tries=tries).record.ready_at for tries in range(0, 10, 3)]

    assert waits == sorted(waits, key=lambda at: at or NOW)
    assert waits[0] is not None
    assert waits[0] > NOW


def test_a_few_faults_in_a_row_open_the_circuit() -> None:
    assert result(Outcome(Kind.TRANSIENT), failures=3).closing is None
    found = result(Outcome(Kind.TRANSIENT), failures=4).closing
    assert found is not None
    assert found.why == Closed.CIRCUIT


def test_after_one_unknown_outcome_the_bot_is_probed_before_anything_new_begins() -> None:
    found = result(Outcome(Kind.UNKNOWN)).closing

    assert found is not None
    assert (found.why, found.until) == (Closed.HANGING, NOW)


def test_a_schedule_may_ask_for_one_resend_of_what_is_unknown() -> None:
    first = result(Outcome(Kind.UNKNOWN), if_unknown=IfUnknown.RESEND)
    second = result(Outcome(Kind.UNKNOWN), if_unknown=IfUnknown.RESEND, resends=1)

    assert (first.record.status, second.record.status) == (Status.PENDING, Status.FAILED)


def test_a_resend_waits_until_telegram_has_been_asked_for_a_trace_but_never_until_it_is_too_late() -> None:
    patient = result(Outcome(Kind.UNKNOWN), if_unknown=IfUnknown.RESEND).record.ready_at
    hurried = result(Outcome(Kind.UNKNOWN), if_unknown=IfUnknown.RESEND, late_at=NOW + 2 * LEASE).record.ready_at

    assert patient is not None
    assert NOW + 2 * LEASE < patient < NOW + 3 * LEASE
    assert hurried == NOW


def test_buttons_are_replaced_again_at_once_since_a_second_time_changes_nothing() -> None:
    found = result(Outcome(Kind.UNKNOWN), if_unknown=IfUnknown.RESEND, follow_kind=Follow.SHOWN)

    assert found.record.ready_at == NOW


def test_a_patients_text_and_name_show_in_no_repr() -> None:
    shown = repr(a_begun(patient_name="Ana Silva"))

    assert "Begun(" in shown
    assert "Ana Silva" not in shown
    assert "tablet" not in shown


def test_telegrams_words_are_kept_sealed() -> None:
    found = result(Outcome(Kind.PERMANENT, reason="rejected", description="can't parse: Take your tablet"))

    assert found.record.description is not None
    assert b"tablet" not in bytes.fromhex(found.record.description)
    assert found.record.outcome == AttemptOutcome.PERMANENT
