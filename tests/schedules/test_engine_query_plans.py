"""The engine's statements go by their indexes, so that they cost the same at a million Messages. Asked of the
database's own planner. The statements are caught as the product executes them, so that the test follows the code.
"""

import datetime as dt
from collections.abc import Sequence

import pytest
from django.db import connection

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic, OptOut
from companion.clinics.sealed import seal
from companion.delivery import evidence, lifecycle, store
from companion.delivery.store import Begin, Later, Record
from companion.schedules.models import AttemptOutcome, Message, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_bot, an_attempt
from tests.schedules.explained import plans_of

pytestmark = pytest.mark.django_db
_MESSAGES = 10_000
_FIRST = 40
_MINUTE = dt.timedelta(minutes=1)


def due(clinic: Clinic) -> Sequence[Message]:
    return list(Message.objects.filter(clinic=clinic).order_by("due_at")[:_FIRST])


def test_a_look_goes_along_the_line(clinic: Clinic) -> None:
    plans = plans_of(lambda: store.next_in_line(clinic.id, {}, 50, now=NOW))

    assert plans.all_by("messages_in_line")
    assert not plans.read_all_messages()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL writes a row's index entries anew")
@pytest.mark.parametrize(
    ("table", "changed"),
    [
        ("schedules_message", ("lease_until", "open_attempt_id", "tries")),
        ("schedules_attempt", ("ended_at", "outcome", "telegram_message_id", "error_code", "note", "description")),
    ],
)
def test_beginning_a_message_and_closing_an_attempt_change_no_index_and_find_room_in_the_page(
    table: str, changed: tuple[str, ...]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table])
        indexes = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = %s", [table])
        assert cursor.fetchone() == (["fillfactor=50"],)

    assert not [index for index in indexes if any(column in index for column in changed)]


def test_the_next_to_begin_is_found_along_the_line(clinic: Clinic) -> None:
    plans = plans_of(lambda: store.next_ready(clinic.id))

    assert plans.all_by("messages_in_line")
    assert not plans.read_all_messages()
    assert not plans.sort()


def test_a_begin_finds_its_messages_by_their_ids(clinic: Clinic) -> None:
    words = seal("Take your tablet.", "schedules.Attempt.text").hex()
    begins = [Begin(message.id, new_id(), NOW, words, 1) for message in due(clinic)]

    assert not plans_of(
        lambda: store.begin(begins, new_id(), next_slot=NOW, lease_until=NOW + _MINUTE)
    ).read_all_messages()


def test_a_begun_message_is_found_by_its_attempts_id(clinic: Clinic) -> None:
    words = seal("Take your tablet.", "schedules.Attempt.text").hex()
    begins = [Begin(message.id, new_id(), NOW, words, 1) for message in due(clinic)]
    store.begin(begins, new_id(), next_slot=NOW, lease_until=NOW + _MINUTE)

    def look() -> None:
        assert len(store.facts(store.begun_by([attempt.attempt for attempt in begins]), now=NOW)) == _FIRST

    assert not plans_of(look).read_all_messages()


@pytest.mark.skipif(connection.vendor == "postgresql", reason="asked in PostgreSQL's words below")
def test_a_chats_opt_out_is_found_by_its_unique_index(clinic: Clinic) -> None:
    plans = plans_of(lambda: store.facts([message.id for message in due(clinic)], now=NOW), "clinics_optout")

    assert plans.all_by("SEARCH o USING COVERING INDEX")
    assert plans.all_by("(clinic_id=? AND telegram_id=?)")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="asked in SQLite's words above")
def test_a_chats_opt_out_among_many_is_found_by_its_unique_index_on_postgresql(clinic: Clinic) -> None:
    OptOut.objects.bulk_create(
        OptOut(clinic=clinic, chat=f"{number:064x}", telegram_id=9_000_000_000 + number, at=NOW)
        for number in range(_MESSAGES)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE clinics_optout")

    plans = plans_of(lambda: store.facts([message.id for message in due(clinic)], now=NOW), "clinics_optout")

    assert plans.all_by("Index Only Scan using opt_out_once_of_a_telegram_id")
    assert plans.all_by("Index Cond: ((clinic_id = m.clinic_id) AND (telegram_id = ")


def test_outcomes_are_written_to_messages_found_by_their_ids(clinic: Clinic) -> None:
    records = [Record(message.id, new_id(), NOW, AttemptOutcome.SENT, Status.SENT) for message in due(clinic)]
    laters = [Later(message.id, NOW) for message in due(clinic)]
    ends = [(message.id, Reason.OPTED_OUT) for message in due(clinic)]

    def write() -> None:
        lifecycle.record(records)
        lifecycle.end(ends, now=NOW)
        store.put_off(laters)

    assert not plans_of(write).read_all_messages()


def test_an_attempt_begun_and_never_closed_is_found_in_the_line(clinic: Clinic) -> None:
    for message in due(clinic):
        attempt = an_attempt(message, ended_at=None, outcome="")
        Message.objects.filter(pk=message.pk).update(open_attempt_id=attempt.id, lease_until=NOW)

    def rescue() -> None:
        assert lifecycle.rescue(now=NOW + _MINUTE, lease=_MINUTE) == _FIRST

    plans = plans_of(rescue)

    assert "messages_in_line" in plans.texts[0]
    assert "messages_to_expire" in plans.texts[0]
    assert not plans.read_all_messages()


def test_a_message_that_is_too_late_is_found_by_the_index_of_ends(clinic: Clinic) -> None:
    plans = plans_of(lambda: lifecycle.expire(now=NOW + _MINUTE, limit=50))

    assert "messages_to_expire" in plans.texts[0]
    assert not plans.read_all_messages()


def test_an_unknown_outcome_is_found_by_the_index_of_failures_and_in_the_line(clinic: Clinic) -> None:
    bot = a_bot(clinic)

    plans = plans_of(lambda: evidence.next_unsettled(bot, [], _MINUTE, now=NOW))

    failed, to_be_resent, *_ = plans.texts
    assert "messages_failed_by_end" in failed
    assert "messages_in_line" in to_be_resent
    assert not plans.read_all_messages()


def test_the_numbers_around_an_attempt_are_found_by_when_attempts_began(clinic: Clinic) -> None:
    bot = a_bot(clinic)
    [message] = due(clinic)[:1]
    attempt = an_attempt(message, outcome=AttemptOutcome.UNKNOWN)

    plans = plans_of(lambda: evidence.case_of(attempt, bot, _MINUTE), "schedules_attempt")

    # Here one chat has all Attempts, so that the index of a chat's Attempts is as good as the index of begins.
    _, *around = plans.texts
    assert all("attempts_by_begin" in text or "attempts_of_a_chat" in text for text in around)
    assert not plans.read_all_messages()
