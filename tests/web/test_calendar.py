"""The calendar: each day's Messages and planned Occurrences, and the ways to another day."""

import datetime as dt
from collections import Counter

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from companion.clinics.models import Clinic
from companion.patients.models import Consent, Patient
from companion.planning import drafts, edit
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.reasons import Reason
from companion.web.messages.calendar_days import Day, Entry
from tests.builders import a_caller, a_clinic, a_cohort, a_message, a_patient, a_schedule
from tests.web.signed_in import nobody, signed_in, words

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

CALENDAR = "/scheduled-messages/calendar"
DAY = dt.timedelta(days=1)
LONG_AGO = dt.datetime(2026, 6, 3, 8, 0, tzinfo=dt.UTC)
"""A Wednesday; ten o'clock in Berlin."""


def planned(clinic: Clinic, *patients: Patient, **values: object) -> Schedule:
    """Plan a series as the form does: daily at nine from tomorrow on, unless the test names another rule."""
    now = dt.datetime.now(dt.UTC)
    asked = {
        "text": "Take your tablet, {first_name}.",
        "starts_at": f"{(now + DAY).date()}T09:00",
        "timezone": "patient",
        "recurrence": {"frequency": "daily"},
    }
    asked |= {"patients": [str(patient.id) for patient in patients]} if patients else {}
    return edit.create(a_caller(clinic), drafts.read(clinic, asked | values, now=now), now=now).schedule


def days(client: Client, **asked: str) -> dict[dt.date, Day]:
    """Read the days that the page shows."""
    answer = client.get(CALENDAR, asked)
    assert answer.status_code == 200
    return {day.date: day for day in answer.context["shown"].days}


def entries(client: Client, **asked: str) -> list[Entry]:
    return [entry for day in days(client, **asked).values() for entry in day.entries]


def in_days(number: int) -> dt.date:
    return (dt.datetime.now(dt.UTC) + number * DAY).date()


def test_a_week_shows_each_message_on_its_day_with_time_patient_words_and_status() -> None:
    clinic = a_clinic(timezone="Europe/Berlin")
    patient = a_patient(clinic, timezone="Europe/Lisbon", birth_date=dt.date(1940, 1, 10))
    a_message(patient, a_schedule(clinic, patient, text="Well, {first_name}?"), due_at=LONG_AGO, status=Status.SENT)

    client = signed_in(clinic)
    shown = words(client.get(CALENDAR, {"day": "2026-06-05"}))

    assert "1 – 7 Jun" in shown
    assert "Wed 3 Jun 1 message 10:00 Sent Ana Silva born 10 Jan 1940 Well, Ana? 09:00 Lisbon Thu 4 Jun" in shown


def test_each_day_of_a_series_stands_there_once_as_a_message_or_as_planned() -> None:
    clinic = a_clinic(timezone="Pacific/Auckland")
    planned(clinic, a_patient(clinic, timezone="America/Los_Angeles"))
    client = signed_in(clinic)

    found = Counter[dt.date]()
    kinds = set()
    for week in range(5):
        for entry in entries(client, day=in_days(7 * week).isoformat()):
            found[entry.at.date()] += 1
            kinds.add(entry.planned)

    until = in_days(27)
    first = min(found)
    assert [found[first + number * DAY] for number in range((until - first).days)] == [1] * (until - first).days
    assert kinds == {False, True}


def test_a_planned_message_has_the_lists_words_and_leads_to_its_page() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, consent=Consent.WITHDRAWN)
    series = planned(clinic, patient)

    answer = signed_in(clinic).get(CALENDAR, {"day": in_days(14).isoformat()})

    assert "09:00 Planned Ana Silva P-" in words(answer)
    assert "Take your tablet, Ana. Won't arrive: opted out" in words(answer)
    assert f'href="/scheduled-messages/series/{series.id}/{in_days(14)}T09:00/{patient.id}"' in answer.content.decode()


def test_a_single_message_in_ten_days_is_there_before_it_is_planned() -> None:
    clinic = a_clinic()
    planned(clinic, a_patient(clinic), starts_at=f"{in_days(10)}T15:30", recurrence=None)

    found = entries(signed_in(clinic), day=in_days(10).isoformat())

    assert [(entry.planned, entry.at.date()) for entry in found] == [(True, in_days(10))]


def test_skipped_and_paused_occurrences_are_not_in_the_calendar() -> None:
    clinic = a_clinic()
    away = a_patient(clinic, "Jonas Weber", paused_until=in_days(16), paused_reason="in hospital")
    paused = planned(clinic, a_patient(clinic, "Edith Kaya"))
    skipping = planned(clinic, a_patient(clinic), away)
    caller, now = a_caller(clinic), dt.datetime.now(dt.UTC)
    edit.pause(caller, paused, now=now)
    edit.skip(caller, skipping, f"{in_days(15)}T09:00", now=now)

    client = signed_in(clinic)
    asked = [entries(client, span="month", day=in_days(ahead).isoformat()) for ahead in (14, 15, 16)]
    whom = {entry.at.date(): entry.patients for found in asked for entry in found if entry.planned}

    assert [whom.get(in_days(ahead)) for ahead in (14, 15, 16)] == [1, None, 2]


def test_a_cohorts_occurrence_is_one_line_and_one_instant_of_two_zones_too() -> None:
    clinic = a_clinic(timezone="Europe/Berlin")
    zones = ["Europe/Berlin", "Europe/Paris", "Europe/Lisbon"]
    patients = [a_patient(clinic, f"Patient {zone}", timezone=zone) for zone in zones]
    planned(clinic, cohort=str(a_cohort(clinic, "Diabetes", *patients).id))

    client = signed_in(clinic)
    found = days(client, day=in_days(14).isoformat())[in_days(14)]

    assert [(entry.at.hour, entry.patients) for entry in found.entries] == [(8, 2), (9, 1)]
    only = days(client, day=in_days(14).isoformat(), q="lisbon")[in_days(14)]
    assert [entry.row and entry.row.text for entry in only.entries] == ["Take your tablet, Patient."]


def _a_full_day(clinic: Clinic) -> Schedule:
    patients = [a_patient(clinic, f"Patient {number}") for number in range(12)]
    schedule = a_schedule(clinic, *patients, text="Blood pressure, please.")
    for number, patient in enumerate(patients):
        failed = {"status": Status.FAILED, "reason": Reason.TOO_LATE} if number < 2 else {"status": Status.SENT}
        a_message(patient, schedule, due_at=LONG_AGO + dt.timedelta(minutes=number), **failed)
    a_message(patients[0], due_at=LONG_AGO)
    return schedule


def test_a_full_day_is_folded_to_counts_that_lead_to_exactly_these_in_the_list() -> None:
    clinic = a_clinic()
    schedule = _a_full_day(clinic)
    a_message(a_patient(clinic), schedule, due_at=LONG_AGO + DAY, status=Status.SENT)
    client = signed_in(clinic)

    shown = words(client.get(CALENDAR, {"day": "2026-06-03"}))
    day = days(client, day="2026-06-03")[LONG_AGO.date()]

    assert (
        "Wed 3 Jun 13 messages 1 pending 10 sent 2 failed 10:00 –10:11 12 messages Blood pressure, please. 2 failed"
        in shown
    )
    assert "10:00 1 message Single messages and answers Open the day" in shown
    assert day.entries == []
    for address, count in [(day.groups[0].address, 12), (day.shares[2].address, 2), (day.address, 13)]:
        sections = client.get(address).context["listed"].sections
        assert sum(len(section.rows) for section in sections) == count


def test_of_a_day_beyond_all_counting_is_said_how_far_it_was_counted() -> None:
    clinic = a_clinic(timezone="Europe/Berlin")
    message = a_message(a_patient(clinic), due_at=LONG_AGO, status=Status.SENT)
    Message.objects.bulk_create(
        Message(
            clinic=clinic,
            patient_id=message.patient_id,
            lane=message.lane,
            status=Status.SENT,
            due_at=(due := LONG_AGO + number * dt.timedelta(seconds=15)),
            ready_at=due,
            late_at=due,
            created_at=due,
        )
        for number in range(1, 1200)
    )

    shown = words(signed_in(clinic).get(CALENDAR, {"day": "2026-06-03"}))

    assert "Wed 3 Jun 1,000+ messages 1,000+ sent 10:00 –14:09 1,000+ messages" in shown
    assert "Counted up to 14:09" in shown


def test_a_day_of_the_list_leads_to_the_next_day_and_keeps_its_filters() -> None:
    clinic = a_clinic()
    schedule = _a_full_day(clinic)

    answer = signed_in(clinic).get(f"/scheduled-messages?day=2026-06-03&schedule={schedule.id}")

    assert answer.context["after"] == f"/scheduled-messages?schedule={schedule.id}&day=2026-06-04"
    assert answer.context["to_calendar"] == f"{CALENDAR}?schedule={schedule.id}&day=2026-06-03"


def test_the_lists_filters_narrow_the_calendar() -> None:
    clinic = a_clinic()
    ana, jonas = a_patient(clinic), a_patient(clinic, "Jonas Weber")
    cohort = a_cohort(clinic, "Diabetes", ana)
    a_message(ana, due_at=LONG_AGO, status=Status.FAILED, reason=Reason.TOO_LATE)
    a_message(jonas, due_at=LONG_AGO, status=Status.SENT, created_by_name="Jonas’s nurse")
    client = signed_in(clinic)

    for asked in ({"status": "failed"}, {"q": "silva"}, {"cohort": str(cohort.id)}, {"patient": str(ana.id)}):
        found = entries(client, day="2026-06-03", **asked)
        assert [entry.row and entry.row.message.patient for entry in found] == [ana], asked
    for asked in (
        {"mine": "1"},
        {"q": "zebra"},
        {"attention": "1"},
        {"cohort": str(nobody())},
        {"schedule": str(nobody())},
    ):
        assert entries(client, day="2026-06-03", **asked) == [], asked


def test_only_pending_messages_come_with_planned_messages() -> None:
    clinic = a_clinic()
    planned(clinic, a_patient(clinic))
    client = signed_in(clinic)

    assert [len(entries(client, day=in_days(21).isoformat(), status=status)) for status in ("pending", "sent")] == [
        7,
        0,
    ]


def test_nothing_of_another_clinic_is_shown() -> None:
    clinic, other = a_clinic(), a_clinic()
    theirs = a_patient(other)
    a_message(theirs, due_at=LONG_AGO)
    planned(other, theirs)
    client = signed_in(clinic)

    assert entries(client, day="2026-06-03") == []
    assert entries(client, day=in_days(14).isoformat(), patient=str(theirs.id)) == []


def test_weeks_and_months_lead_on_and_keep_the_filters() -> None:
    client = signed_in(a_clinic())

    week = client.get(f"{CALENDAR}?day=2026-12-30&status=sent").context
    month = client.get(f"{CALENDAR}?day=2026-01-31&span=month&mine=1").context

    assert week["title"] == "28 Dec 2026 – 3 Jan 2027"
    assert week["before"] == f"{CALENDAR}?status=sent&span=week&day=2026-12-27"
    assert week["after"] == f"{CALENDAR}?status=sent&span=week&day=2027-01-04"
    assert week["to_today"] == f"{CALENDAR}?status=sent&span=week"
    assert week["to_list"] == "/scheduled-messages?status=sent"
    assert month["title"] == "January 2026"
    assert [month["before"], month["after"]] == [
        f"{CALENDAR}?mine=1&span=month&day=2025-12-31",
        f"{CALENDAR}?mine=1&span=month&day=2026-02-01",
    ]
    assert len(month["shown"].days) == 35


@pytest.mark.parametrize("here", ["", "/calendar", "/series"])
def test_list_calendar_and_series_lead_to_each_other(here: str) -> None:
    shown = signed_in(a_clinic()).get(f"/scheduled-messages{here}").content.decode()

    for other in ("", "/calendar", "/series"):
        assert f'href="/scheduled-messages{other}"' in shown
    assert f'href="/scheduled-messages{here}" aria-current="page"' in shown


def test_days_off_and_changes_of_the_clocks_are_marked() -> None:
    clinic = a_clinic(timezone="Europe/Berlin", country="DE", closed_days=["2026-10-26"])
    client = signed_in(clinic)

    week = [days(client, day="2026-10-25")[dt.date(2026, 10, day)] for day in (23, 24, 25)]
    after = days(client, day="2026-10-26")[dt.date(2026, 10, 26)]
    holiday = days(client, day="2026-10-03")[dt.date(2026, 10, 3)]

    assert [(day.off, day.clocks) for day in week] == [("", ""), ("Weekend", ""), ("Weekend", "Clocks go back")]
    assert after.off == "Closed"
    assert holiday.off == "German Unity Day"


@pytest.mark.parametrize("asked", ["span=year", "day=2026-02-30", "day=9999-12-31", "day=tomorrow"])
def test_values_that_the_calendar_can_not_show_are_explained_in_words(asked: str) -> None:
    answer = signed_in(a_clinic()).get(f"{CALENDAR}?{asked}")

    assert answer.status_code == 422
    assert "Please check what you entered" in words(answer)


def test_a_month_asks_the_database_no_more_than_a_day_would(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    clinic = a_clinic()
    _a_full_day(clinic)
    for number in range(40):
        a_message(a_patient(clinic, f"Somebody {number}"), due_at=LONG_AGO + number * DAY / 2)
    for number in range(3):
        planned(clinic, a_patient(clinic, f"Planned {number}"))
    client = signed_in(clinic)

    for day in (LONG_AGO.date(), in_days(10)):
        with django_assert_max_num_queries(32):
            client.get(CALENDAR, {"span": "month", "day": day.isoformat()})
