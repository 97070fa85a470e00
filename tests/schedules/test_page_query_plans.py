"""Lists, counts and charts go by their indexes, so that they cost the same at a million Messages. Asked of the
database's own planner. The statements are caught as the product executes them, so that the test follows the code.
"""

import datetime as dt

import pytest

from companion.clinics.models import Clinic
from companion.listener import unanswered
from companion.panel import hour_counts, message_counts
from companion.panel.message_counts import Measure
from companion.patients.models import Patient
from companion.planning.next_instants import next_instants
from companion.planning.planned_groups import planned_groups
from companion.schedules import days, queries
from companion.schedules.days import Bounds, FewOfDay
from companion.schedules.models import Schedule, Status
from companion.schedules.queries import MessageFilter, Order
from tests.builders import NOW
from tests.schedules.explained import Plans, plans_of

pytestmark = pytest.mark.django_db
_MINUTE = dt.timedelta(minutes=1)
_DAY = dt.timedelta(days=1)


def a_page_of(clinic: Clinic, wanted: MessageFilter, order: Order = "due_at") -> Plans:
    """The plans of a list's first page and of its second page."""
    found = queries.messages(clinic, wanted)
    first = queries.page(found, order=order, after=None, limit=10)

    return plans_of(lambda: [queries.page(found, order=order, after=cursor, limit=10) for cursor in (None, first.next)])


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
    week = [Bounds(NOW + day * _DAY, NOW + (day + 1) * _DAY) for day in range(7)]
    found = queries.messages(clinic, wanted)

    counted = plans_of(lambda: days.counts_of(found, week))
    shown = plans_of(lambda: days.earliest(found, [FewOfDay(day, 10) for day in week]))

    assert [text.count(index) for text in counted.texts] == [7]
    assert shown.texts[0].count(index) == 7
    assert not counted.read_all_messages()
    assert not shown.read_all_messages()


def test_a_schedules_days_in_the_calendar_go_by_the_schedule(clinic: Clinic) -> None:
    schedule = Schedule.objects.filter(clinic=clinic)[0].id
    found = queries.messages(clinic, MessageFilter(schedule=schedule))

    plans = plans_of(lambda: days.counts_of(found, [Bounds(NOW, NOW + _DAY)]))

    assert plans.all_by("messages_of_a_schedule")
    assert not plans.read_all_messages()


def test_planned_groups_are_read_by_the_index_of_schedules_to_come(clinic: Clinic) -> None:
    until = NOW + 30 * _DAY
    Schedule.objects.filter(clinic=clinic).update(next_plan_at=NOW + _DAY)

    plans = plans_of(
        lambda: planned_groups(clinic, MessageFilter(), since=NOW, until=until, now=NOW), '"next_plan_at" <'
    )

    assert plans.all_by("schedules_to_come")
    assert not plans.sort()


def test_messages_made_ahead_by_hand_are_found_by_their_index(clinic: Clinic) -> None:
    schedules = list(Schedule.objects.filter(clinic=clinic).select_related("clinic"))
    Schedule.objects.filter(clinic=clinic).update(next_plan_at=NOW + _DAY, planned_until=NOW + _DAY)
    for schedule in schedules:
        schedule.planned_until = NOW + _DAY

    planned = plans_of(
        lambda: planned_groups(clinic, MessageFilter(), since=NOW, until=NOW + 30 * _DAY, now=NOW), '"by_hand"'
    )
    coming = plans_of(lambda: next_instants(clinic, schedules, now=NOW), '"by_hand"')

    assert planned.all_by("messages_by_hand")
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


def test_messages_that_need_attention_follow_the_index_of_a_status(clinic: Clinic) -> None:
    found = queries.messages(clinic, MessageFilter(attention_since=NOW))

    plans = plans_of(lambda: queries.page(found, order="due_at", after=None, limit=10))

    assert plans.all_by("messages_by_status")
    assert not plans.read_all_messages()
    assert not plans.sort()


def test_an_unanswered_message_is_found_by_its_index(clinic: Clinic) -> None:
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


def test_the_control_panels_failures_use_the_index_of_failures(clinic: Clinic) -> None:
    def count() -> None:
        message_counts.failures(clinic, now=NOW)
        message_counts.count(clinic, Measure.FAILED_24H, now=NOW)
        hour_counts.count_past_hours(clinic, now=NOW)

    plans = plans_of(count)

    assert plans.all_by("messages_failed_by_end")
    assert not plans.read_all_messages()
