"""`GET /messages?include=planned`: one list of the Messages that exist and of those that are planned for later."""

import datetime as dt
from typing import Final
from urllib.parse import urlencode

import pytest
from pytest_django import DjangoAssertNumQueries

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.planning import drafts, edit, planner
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.reasons import Reason
from tests.api.calls import Json, Program
from tests.builders import a_caller, a_clinic, a_cohort, a_message, a_patient

DAY: Final = dt.timedelta(days=1)
Told = tuple[str, str]


def planned(clinic: Clinic, *patients: Patient, now: dt.datetime, **values: Json) -> Schedule:
    """A daily series at 09:00 from tomorrow on, in each patient's own zone. `values` may change it."""
    asked = {
        "text": "Take your tablet, {first_name}.",
        "starts_at": f"{(now + DAY).date()}T09:00",
        "timezone": "patient",
        "recurrence": {"frequency": "daily"},
    }
    asked |= {"patients": [str(patient.id) for patient in patients]} if patients else {}
    draft = drafts.read(clinic, asked | values, now=now)
    return edit.create(a_caller(clinic), draft, now=now).schedule


def address(until: dt.datetime, **asked: object) -> str:
    values = {"include": "planned", "due_to": until.isoformat()} | asked
    return f"/messages?{urlencode({name: value for name, value in values.items() if value})}"


def told(items: list[Json]) -> list[Told]:
    """The instant and the patient of each item."""
    return [(item["due_at"], item["patient"]["name"]) for item in items]


def test_future_occurrences_stand_behind_the_messages_until_due_to(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    ana = a_patient(clinic, timezone="Europe/Lisbon")
    schedule = planned(clinic, ana, now=now)

    items = api.get(address(now + 6 * DAY)).json["items"]

    made = Message.objects.filter(schedule=schedule).count()
    assert [item["planned"] for item in items] == [False] * made + [True] * (len(items) - made)
    assert [item["due_at"][:10] for item in items] == [str((now + n * DAY).date()) for n in range(1, 1 + len(items))]
    last = items[-1]
    assert (last["id"], last["status"], last["schedule"]) == (None, "pending", str(schedule.id))
    assert last["occurrence"] == f"{last['due_at'][:10]}T09:00"
    assert last["patient"] == {"id": str(ana.id), "name": "Ana Silva"}
    assert (last["text"], last["template"]) == ("Take your tablet, Ana.", "Take your tablet, {first_name}.")
    assert last["summary"].startswith("Every day at 09:00")
    assert api.get(address(now + 6 * DAY)).json["complete"] is True


def test_without_the_wish_nothing_is_computed_and_the_messages_alone_are_listed(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    planned(clinic, a_patient(clinic), now=now)

    answer = api.get(f"/messages?{urlencode({'due_to': (now + 9 * DAY).isoformat()})}").json

    assert {item["planned"] for item in answer["items"]} <= {False}
    assert all(item["id"] for item in answer["items"])


@pytest.mark.parametrize(
    ("query", "field"), [("include=planned", "due_to"), ("include=all&due_to=2035-12-01T09:00:00Z", "include")]
)
def test_up_to_when_is_needed_and_named(api: Program, query: str, field: str) -> None:
    answer = api.get(f"/messages?{query}")

    assert (answer.status, answer.wrong_fields) == (422, [field])


@pytest.mark.both_databases
@pytest.mark.parametrize("order", ["due_at", "-due_at"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_hold_each_message_and_each_plan_once_and_in_order(
    clinic: Clinic, api: Program, now: dt.datetime, order: str, limit: int
) -> None:
    ana, ben, eve = (a_patient(clinic, name) for name in ("Ana", "Ben", "Eve"))
    planned(clinic, ana, ben, now=now, recurrence={"frequency": "daily", "times": ["09:00", "21:00"]})
    planned(clinic, cohort=str(a_cohort(clinic, "All", ana, ben, eve).id), now=now)
    a_message(eve, due_at=now + 4 * DAY)

    whole = api.get(address(now + 5 * DAY, limit=500)).json["items"]
    pages = api.pages(address(now + 5 * DAY, limit=limit, order=order))

    items = [item for page in pages for item in page]
    assert sorted(told(items)) == sorted(told(whole))
    assert [item["due_at"] for item in items] == sorted((i["due_at"] for i in items), reverse=order.startswith("-"))
    assert all(len(page) == limit for page in pages[:-1])


@pytest.mark.both_databases
@pytest.mark.parametrize("order", ["due_at", "-due_at"])
def test_no_item_is_lost_or_repeated_while_the_planner_makes_messages_between_two_pages(
    clinic: Clinic, api: Program, now: dt.datetime, order: str
) -> None:
    patients = [a_patient(clinic, f"Patient {number}") for number in range(4)]
    first, second = planned(clinic, *patients, now=now), planned(clinic, *patients, now=now)
    whole = api.get(address(now + 6 * DAY, limit=500)).json["items"]
    items, cursor, later = [], "", now

    while True:
        page = api.get(address(now + 6 * DAY, limit=3, order=order, cursor=cursor)).json
        items += page["items"]
        if not (cursor := page["next"]):
            break
        # A planner whose clock runs ahead: it makes what the next pages hold, of one series only, then of both.
        later += DAY / 4
        planner.plan_ahead(first.id if len(items) % 2 else second.id, now=later)

    assert len(items) == len(whole) == len({(i["schedule"], i["patient"]["id"], i["occurrence"]) for i in items})
    assert [item["due_at"] for item in items] == sorted((i["due_at"] for i in items), reverse=order.startswith("-"))


@pytest.mark.both_databases
def test_the_filters_mean_the_same_for_what_is_planned(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    ana, ben = a_patient(clinic, "Ana Silva", external_id="A-77"), a_patient(clinic, "Ben")
    cohort = a_cohort(clinic, "Diabetes", ana)
    hers = planned(clinic, cohort=str(cohort.id), now=now)
    planned(clinic, ben, now=now)
    since = now + 4 * DAY

    def names(**asked: object) -> set[str]:
        items = api.get(address(now + 6 * DAY, due_from=since.isoformat(), **asked)).json["items"]
        assert all(item["planned"] and item["due_at"] >= since.isoformat() for item in items)
        return {item["patient"]["name"] for item in items}

    assert names() == names(status="pending") == {"Ana Silva", "Ben"}
    for asked in ({"patient": ana.id}, {"schedule": hers.id}, {"cohort": cohort.id}, {"q": "a-77"}, {"q": "sil"}):
        assert names(**asked) == {"Ana Silva"}, asked
    assert names(q="ana", patient=ben.id) == set()
    assert names(status="sent") == names(status="cancelled") == set()


def test_due_to_is_the_first_instant_left_out(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    planned(clinic, a_patient(clinic), now=now, timezone="UTC")
    at_nine = dt.datetime.combine((now + 5 * DAY).date(), dt.time(9), dt.UTC)

    def last(until: dt.datetime) -> str:
        return str(api.get(address(until)).json["items"][-1]["due_at"])

    assert last(at_nine) < last(at_nine + dt.timedelta(seconds=1)) == f"{at_nine.date()}T09:00:00Z"


def test_a_patient_who_is_on_pause_has_left_or_is_in_another_clinic_has_nothing_planned(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    away = a_patient(clinic, "Away", paused_until=(now + 5 * DAY).date(), paused_reason="in hospital")
    gone = a_patient(clinic, "Gone")
    planned(clinic, away, gone, now=now, timezone="UTC")
    Patient.objects.filter(pk=gone.pk).update(left_at=now)
    Message.objects.filter(patient=gone).delete()
    other = a_clinic()
    planned(other, a_patient(other), now=now)

    items = api.get(address(now + 7 * DAY)).json["items"]

    assert {item["patient"]["name"] for item in items} == {"Away"}
    assert min(item["due_at"] for item in items)[:10] == str((now + 5 * DAY).date())


def test_a_paused_an_ended_and_a_cancelled_series_plan_nothing(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    ana = a_patient(clinic)
    caller = a_caller(clinic)
    edit.pause(caller, planned(clinic, ana, now=now), now=now)
    edit.cancel(caller, planned(clinic, ana, now=now), now=now)
    planned(clinic, ana, now=now, recurrence={"frequency": "daily", "until": str((now + DAY).date())})

    assert [item for item in api.get(address(now + 9 * DAY)).json["items"] if item["planned"]] == []


def test_a_single_message_in_ten_days_is_there_at_once(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    planned(clinic, a_patient(clinic), now=now, starts_at=f"{(now + 10 * DAY).date()}T15:30", recurrence=None)

    items = api.get(address(now + 12 * DAY)).json["items"]

    assert [(item["planned"], item["due_at"][:10]) for item in items] == [(True, str((now + 10 * DAY).date()))]


def test_patients_of_a_large_cohort_in_many_zones_come_one_by_one(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    zones = ["Europe/Berlin", "Europe/Paris", "Asia/Tokyo"]
    patients = [a_patient(clinic, f"P{n:03}", timezone=zones[n % 3], search=f"p{n:03}") for n in range(230)]
    planned(clinic, cohort=str(a_cohort(clinic, "Large", *patients).id), now=now)
    day = (now + 5 * DAY).date()
    between = {"due_from": f"{day}T00:00:00Z", "limit": 100}

    for order in ("due_at", "-due_at"):
        pages = api.pages(address(dt.datetime.combine(day + DAY, dt.time(), dt.UTC), order=order, **between))
        items = [item for page in pages for item in page]
        assert len(items) == len({item["patient"]["id"] for item in items}) == 230
        assert [item["due_at"] for item in items] == sorted([i["due_at"] for i in items], reverse=order[0] == "-")


def test_a_failed_or_cancelled_message_of_an_occurrence_stands_for_it(
    clinic: Clinic, api: Program, now: dt.datetime
) -> None:
    ana = a_patient(clinic)
    schedule = planned(clinic, ana, now=now, timezone="UTC")
    due = dt.datetime.combine((now + 4 * DAY).date(), dt.time(9), dt.UTC)
    a_message(
        ana, schedule, due_at=due, occurrence=f"{due.date()}T09:00", status=Status.CANCELLED, reason=Reason.BY_PERSON
    )

    items = api.get(address(now + 6 * DAY)).json["items"]

    assert [item["status"] for item in items if item["due_at"][:10] == str(due.date())] == ["cancelled"]


@pytest.mark.parametrize("cursor", ["x", "W10", "bm9uZQ", "eyJhIjoxfQ"])
def test_a_cursor_that_is_none_of_this_lists_is_refused(api: Program, now: dt.datetime, cursor: str) -> None:
    assert api.get(address(now + DAY, cursor=cursor)).wrong_fields == ["cursor"]


@pytest.mark.both_databases
def test_the_end_of_time_is_reached_page_by_page(clinic: Clinic, api: Program, now: dt.datetime) -> None:
    ana = a_patient(clinic)
    planned(clinic, ana, now=now, recurrence={"frequency": "monthly", "interval": 1000})

    first = api.get(f"/messages?include=planned&due_to=2100-12-31T23:59:59Z&patient={ana.id}").json
    back = api.get(f"/messages?include=planned&due_to=2100-12-31T23:59:59Z&patient={ana.id}&order=-due_at").json

    assert first["next"] is back["next"] is None
    assert told(first["items"]) == told(back["items"])[::-1]


@pytest.mark.both_databases
def test_more_plans_ask_the_database_no_more(
    clinic: Clinic, api: Program, now: dt.datetime, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        planned(clinic, a_patient(clinic, f"Somebody {number}"), now=now)

    with django_assert_max_num_queries(25):
        assert len(api.get(address(now + 20 * DAY, limit=200)).json["items"]) == 200
