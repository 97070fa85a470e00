"""The hot statements go by their indexes, so that they cost the same at a million Messages. Asked of the database's own
planner on ten thousand rows. The statements are caught as the product executes them, so that the test follows the code.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic, OptOut
from companion.clinics.sealed import seal
from companion.delivery import lifecycle, store
from companion.delivery.store import Begin, Later, Record
from companion.listener import unanswered
from companion.panel import hour_counts, message_counts
from companion.panel.message_counts import Measure
from companion.patients.models import Patient
from companion.planning import ahead
from companion.planning.next_instants import next_instants
from companion.schedules import days, queries
from companion.schedules.models import Attempt, AttemptOutcome, Lane, Message, Recipient, Schedule, Status, Version
from companion.schedules.queries import MessageFilter, Order
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_clinic, a_patient, a_schedule, an_attempt

pytestmark = pytest.mark.django_db
_MESSAGES, _PATIENTS = 10_000, 500
_FIRST = 40
_MINUTE = dt.timedelta(minutes=1)
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Plans:
    """What the planner says of each statement that touches Messages, one text each."""

    texts: tuple[str, ...]

    def all_by(self, index: str) -> bool:
        """Whether each goes by this index."""
        return bool(self.texts) and all(index in text for text in self.texts)

    def read_all_messages(self) -> bool:
        """Whether one reads the whole table, or a whole index of it."""
        return any(line for text in self.texts for line in text.splitlines() if _reads_all(line))

    def sort(self) -> bool:
        """Whether one sorts more than the equals at the end of an index."""
        return any(
            "TEMP B-TREE FOR ORDER BY" in text or "->  Sort" in text or "Sort Key" in text for text in self.texts
        )


def _reads_all(line: str) -> bool:
    if connection.vendor == "postgresql":
        return "Seq Scan on schedules_message" in line
    return line.startswith(("SCAN schedules_message", "SCAN m ", "SCAN n ")) or line in ("SCAN m", "SCAN n")


@dataclass(slots=True)
class _Caught:
    """Statements with their parameters."""

    table: str
    statements: list[tuple[str, object]] = field(default_factory=list)

    def __call__(
        self, execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, object]
    ) -> object:
        if self.table in sql:
            self.statements.append((sql, params))
        return execute(sql, params, many, context)


def plans_of(act: Callable[[], object], table: str = "schedules_message") -> Plans:
    """Carries it out, then asks how each of its statements on Messages (or another table) was carried out."""
    caught = _Caught(table)
    with transaction.atomic(), connection.execute_wrapper(caught):
        act()
        transaction.set_rollback(True)
    with transaction.atomic():
        return Plans(tuple(_explained(sql, params) for sql, params in caught.statements))


def _explained(sql: str, params: object) -> str:
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # It may rightly read a table of ten thousand rows whole; what it does with a million is asked here.
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{explain} {sql}", params)  # type: ignore[arg-type]  # as they were caught
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@pytest.fixture(scope="module", params=["as it is", "analysed"])
def clinic(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Clinic]:
    """Ten thousand Messages. Nobody analyses SQLite, so that its plans must be good without and with statistics;
    PostgreSQL's autovacuum always has."""
    with django_db_blocker.unblock():
        if request.param == "as it is" and connection.vendor == "postgresql":
            pytest.skip("PostgreSQL analyses by itself")
        clinic = _filled()
        with connection.cursor() as cursor:
            if request.param == "analysed":
                cursor.execute("ANALYZE")
            yield clinic
            _emptied(clinic)
            if connection.vendor != "postgresql" and request.param == "analysed":
                cursor.execute("DELETE FROM sqlite_stat1")
                cursor.execute("ANALYZE sqlite_schema")


def _filled() -> Clinic:
    clinic = a_clinic()
    schedules = [a_schedule(clinic) for _ in range(20)]
    versions = [schedule.versions.get() for schedule in schedules]
    patients = [a_patient(clinic, f"Ana No{number}") for number in range(20)]
    patients += Patient.objects.bulk_create(
        Patient(
            clinic=clinic, external_id=f"Q-{number}", name=f"Ben No{number}", search=f"ben no{number} q-{number}",
            telegram_id=6_000_000_000 + number, timezone="Europe/Berlin", created_at=NOW,
        )
        for number in range(_PATIENTS - len(patients))
    )  # fmt: skip
    Message.objects.bulk_create(
        _message(number, patients[number % _PATIENTS], schedules[number % 20], versions[number % 20])
        for number in range(_MESSAGES)
    )
    Attempt.objects.bulk_create(_attempt(message) for message in Message.objects.exclude(status=Status.PENDING))
    return clinic


def _attempt(message: Message) -> Attempt:
    return Attempt(
        clinic_id=message.clinic_id, message=message, number=1, began_at=message.due_at, ended_at=message.due_at,
        outcome=AttemptOutcome.SENT, text="Take your tablet.", telegram_id=1,
    )  # fmt: skip


def _message(number: int, patient: Patient, schedule: Schedule, version: Version) -> Message:
    """Most are pending and far ahead; the first few are due."""
    due = NOW + dt.timedelta(seconds=number - 100) if number < 200 else NOW + dt.timedelta(minutes=number)
    status = Status.PENDING if number % 10 < 7 or number < 200 else Status.SENT
    status = Status.FAILED if number > 200 and number % 10 == 9 else status
    return Message(
        clinic_id=patient.clinic_id, patient=patient, schedule=schedule, version=version, lane=Lane.REMINDER,
        occurrence=str(number), status=status, reason=Reason.TOO_LATE if status == Status.FAILED else "",
        due_at=due, ready_at=due, late_at=due + _MINUTE, created_at=NOW,
    )  # fmt: skip


def _emptied(clinic: Clinic) -> None:
    for model in (Attempt, Message, Recipient, Version, Schedule, Patient):
        model._default_manager.filter(clinic=clinic).delete()
    clinic.delete()


def due(clinic: Clinic) -> Sequence[Message]:
    return list(Message.objects.filter(clinic=clinic).order_by("due_at")[:_FIRST])


def a_page_of(clinic: Clinic, wanted: MessageFilter, order: Order = "due_at") -> Plans:
    """The plans of a list's first page and of the one after it."""
    found = queries.messages(clinic, wanted)
    first = queries.page(found, order=order, after=None, limit=10)

    return plans_of(lambda: [queries.page(found, order=order, after=cursor, limit=10) for cursor in (None, first.next)])


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


def test_what_an_attempt_has_begun_is_found_by_its_id(clinic: Clinic) -> None:
    words = seal("Take your tablet.", "schedules.Attempt.text").hex()
    begins = [Begin(message.id, new_id(), NOW, words, 1) for message in due(clinic)]
    store.begin(begins, new_id(), next_slot=NOW, lease_until=NOW + _MINUTE)

    def look() -> None:
        assert len(store.facts(store.begun_by([one.attempt for one in begins]), now=NOW)) == _FIRST

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
    records = [Record(one.id, new_id(), NOW, AttemptOutcome.SENT, Status.SENT) for one in due(clinic)]
    laters = [Later(one.id, NOW) for one in due(clinic)]
    ends = [(one.id, Reason.OPTED_OUT) for one in due(clinic)]

    def write() -> None:
        lifecycle.record(records)
        lifecycle.end(ends, now=NOW)
        store.put_off(laters)

    assert not plans_of(write).read_all_messages()


def test_what_was_begun_and_never_closed_is_found_in_the_line(clinic: Clinic) -> None:
    for message in due(clinic):
        attempt = an_attempt(message, ended_at=None, outcome="")
        Message.objects.filter(pk=message.pk).update(open_attempt_id=attempt.id, lease_until=NOW)

    def rescue() -> None:
        assert lifecycle.rescue(now=NOW + _MINUTE) == _FIRST

    plans = plans_of(rescue)

    assert "messages_in_line" in plans.texts[0]
    assert "messages_to_expire" in plans.texts[0]
    assert not plans.read_all_messages()


def test_what_is_too_late_is_found_by_the_index_of_ends(clinic: Clinic) -> None:
    plans = plans_of(lambda: lifecycle.expire(now=NOW + _MINUTE, limit=50))

    assert "messages_to_expire" in plans.texts[0]
    assert not plans.read_all_messages()


@pytest.mark.parametrize("order", ["due_at", "-due_at"])
def test_the_list_of_all_messages_follows_its_index(clinic: Clinic, order: Order) -> None:
    plans = a_page_of(clinic, MessageFilter(), order)

    assert plans.all_by("messages_by_due")
    assert not plans.read_all_messages()
    assert not plans.sort()


@pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED])
def test_the_list_of_a_status_follows_its_index(clinic: Clinic, status: Status) -> None:
    plans = a_page_of(clinic, MessageFilter(status=status))

    assert plans.all_by("messages_by_status")
    assert not plans.read_all_messages()
    assert not plans.sort()


CALENDAR = [
    (MessageFilter(), "messages_by_due"),
    (MessageFilter(status=Status.FAILED), "messages_by_status"),
    (MessageFilter(q="ben q-7"), "messages_of_a_patient"),
]


@pytest.mark.parametrize(("wanted", "index"), CALENDAR, ids=[index for _, index in CALENDAR])
def test_a_week_of_the_calendar_goes_by_its_index_day_by_day(clinic: Clinic, wanted: MessageFilter, index: str) -> None:
    week = [(NOW + day * _DAY, NOW + (day + 1) * _DAY) for day in range(7)]
    found = queries.messages(clinic, wanted)

    counted = plans_of(lambda: days.counts_of(found, week))
    shown = plans_of(lambda: days.earliest(found, [(day, 10) for day in week]))

    assert [text.count(index) for text in counted.texts] == [7]
    assert shown.texts[0].count(index) == 7
    assert not counted.read_all_messages()
    assert not shown.read_all_messages()


def test_a_schedules_days_in_the_calendar_go_by_the_schedule(clinic: Clinic) -> None:
    schedule = Schedule.objects.filter(clinic=clinic)[0].id
    found = queries.messages(clinic, MessageFilter(schedule=schedule))

    plans = plans_of(lambda: days.counts_of(found, [(NOW, NOW + _DAY)]))

    assert plans.all_by("messages_of_a_schedule")
    assert not plans.read_all_messages()


def test_what_is_planned_beyond_goes_along_the_clinics_schedules_to_come(clinic: Clinic) -> None:
    until = NOW + 30 * _DAY
    Schedule.objects.filter(clinic=clinic).update(next_plan_at=NOW + _DAY)

    plans = plans_of(lambda: ahead.ahead(clinic, MessageFilter(), since=NOW, until=until, now=NOW), '"next_plan_at" <')

    assert plans.all_by("schedules_to_come")
    assert not plans.sort()


def test_what_a_person_made_ahead_is_found_by_its_own_index(clinic: Clinic) -> None:
    schedules = list(Schedule.objects.filter(clinic=clinic).select_related("clinic"))
    Schedule.objects.filter(clinic=clinic).update(next_plan_at=NOW + _DAY, planned_until=NOW + _DAY)
    for schedule in schedules:
        schedule.planned_until = NOW + _DAY

    beyond = plans_of(
        lambda: ahead.ahead(clinic, MessageFilter(), since=NOW, until=NOW + 30 * _DAY, now=NOW), '"by_hand"'
    )
    coming = plans_of(lambda: next_instants(clinic, schedules, now=NOW), '"by_hand"')

    assert beyond.all_by("messages_by_hand")
    assert coming.all_by("messages_by_hand")


def test_the_list_of_a_patient_goes_by_the_patient(clinic: Clinic) -> None:
    patient = Patient.objects.filter(clinic=clinic)[0].id

    plans = a_page_of(clinic, MessageFilter(patient=patient))

    assert plans.all_by("messages_of_a_patient")
    assert not plans.read_all_messages()


def test_the_list_of_a_schedule_goes_by_the_schedule(clinic: Clinic) -> None:
    schedule = Schedule.objects.filter(clinic=clinic)[0].id

    plans = a_page_of(clinic, MessageFilter(schedule=schedule))

    assert plans.all_by("messages_of_a_schedule")
    assert not plans.read_all_messages()


def test_a_search_that_finds_few_patients_goes_by_them(clinic: Clinic) -> None:
    plans = a_page_of(clinic, MessageFilter(q="ben q-7"))

    assert plans.all_by("messages_of_a_patient")
    assert not plans.read_all_messages()


def test_what_needs_attention_follows_the_index_of_a_status(clinic: Clinic) -> None:
    found = queries.messages(clinic, MessageFilter(attention_since=NOW))

    plans = plans_of(lambda: queries.page(found, order="due_at", after=None, limit=10))

    assert plans.all_by("messages_by_status")
    assert not plans.read_all_messages()
    assert not plans.sort()


def test_what_was_not_answered_is_found_by_its_index(clinic: Clinic) -> None:
    plans = plans_of(lambda: unanswered.work_off(now=NOW))

    assert plans.all_by("messages_unanswered")


def test_each_count_stops_in_an_index(clinic: Clinic) -> None:
    plans = plans_of(lambda: queries.counts(clinic, now=NOW + _MINUTE))

    assert plans.all_by("messages_")
    assert not plans.read_all_messages()


def test_the_charts_sent_messages_go_by_the_index_of_attempts_begins(clinic: Clinic) -> None:
    assert plans_of(lambda: hour_counts.count_past_hours(clinic, now=NOW), "schedules_attempt").all_by(
        "attempts_by_begin"
    )


def test_the_control_panels_failures_go_by_the_index_of_what_failed(clinic: Clinic) -> None:
    def count() -> None:
        message_counts.failures(clinic, now=NOW)
        message_counts.count(clinic, Measure.FAILED_24H, now=NOW)
        hour_counts.count_past_hours(clinic, now=NOW)

    plans = plans_of(count)

    assert plans.all_by("messages_failed_by_end")
    assert not plans.read_all_messages()
