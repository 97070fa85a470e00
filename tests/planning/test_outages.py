"""After an outage, and after jumps of the clock: the newest message that is still in time is sent, without a pile."""

import datetime as dt
from typing import Any

import pytest

from companion.clinics.models import Bot, Clinic
from companion.planning import drafts, edit, planner
from companion.schedules.models import Attempt, Message, Schedule, State, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_patient
from tests.planning.days import deliver, expire, plan, run

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic())


def a_series(clinic: Clinic, **changes: Any) -> Schedule:
    body: dict[str, object] = {
        "patients": [str(a_patient(clinic).id)],
        "text": "Take your tablet.",
        "starts_at": "2026-12-02T09:00",
        "timezone": "patient",
        "recurrence": {"frequency": "daily"},
    }
    return edit.create(a_caller(clinic), drafts.read(clinic, body | changes, now=NOW), now=NOW).schedule


def ends() -> dict[str, str]:
    """Each Occurrence with what became of it."""
    rows = Message.objects.order_by("occurrence").values_list("occurrence", "status", "reason")
    return {occurrence[5:]: reason or status for occurrence, status, reason in rows}


def back(bot: Bot, now: dt.datetime) -> None:
    """The dispatcher is there again."""
    plan(now=now)
    expire(now=now)
    deliver(bot, now=now)


def test_a_message_that_is_not_too_late_after_an_outage_goes_out(bot: Bot) -> None:
    a_series(bot.clinic)

    back(bot, dt.datetime(2026, 12, 2, 8, 40, tzinfo=dt.UTC))

    assert ends()["12-02T09:00"] == Status.SENT


def test_a_message_that_is_too_late_fails_at_once(bot: Bot) -> None:
    a_series(bot.clinic)

    back(bot, dt.datetime(2026, 12, 2, 9, 0, tzinfo=dt.UTC))

    assert ends()["12-02T09:00"] == Reason.TOO_LATE


def test_of_several_in_time_only_the_newest_goes(bot: Bot) -> None:
    times = {"frequency": "daily", "times": ["09:00", "10:00", "11:00"]}
    a_series(bot.clinic, recurrence=times, late_after="PT12H")

    back(bot, dt.datetime(2026, 12, 2, 10, 30, tzinfo=dt.UTC))

    today = {name[6:]: end for name, end in ends().items() if name.startswith("12-02")}
    assert today == {"09:00": Reason.SUPERSEDED, "10:00": Reason.SUPERSEDED, "11:00": Status.SENT}


def test_an_outage_longer_than_the_horizon_is_on_record_and_sends_no_pile(bot: Bot) -> None:
    a_series(bot.clinic)

    back(bot, dt.datetime(2026, 12, 12, 8, 20, tzinfo=dt.UTC))

    swallowed = {f"12-{day:02}T09:00": Reason.TOO_LATE for day in range(2, 12)}
    assert ends() == swallowed | {"12-12T09:00": Status.SENT, "12-13T09:00": "pending", "12-14T09:00": "pending"}
    assert Attempt.objects.count() == 1


def test_within_late_after_an_outage_longer_than_the_horizon_sends_the_newest_only(bot: Bot) -> None:
    a_series(bot.clinic, late_after="PT72H")

    back(bot, dt.datetime(2026, 12, 12, 8, 20, tzinfo=dt.UTC))

    found = ends()
    assert [found[f"12-{day:02}T09:00"] for day in (9, 10, 11, 12)] == [
        Reason.TOO_LATE,
        Reason.SUPERSEDED,
        Reason.SUPERSEDED,
        Status.SENT,
    ]


def test_a_one_time_message_swallowed_by_a_long_outage_is_on_record(bot: Bot) -> None:
    a_series(bot.clinic, recurrence=None, starts_at="2026-12-06T09:00")

    back(bot, NOW + 10 * DAY)

    assert ends() == {"12-06T09:00": Reason.TOO_LATE}


def test_messages_left_out_by_a_pause_of_the_series_are_not_sent_later(bot: Bot) -> None:
    series = a_series(bot.clinic)
    edit.pause(a_caller(bot.clinic), series, now=NOW)

    edit.resume(a_caller(bot.clinic), series, now=NOW + 10 * DAY)
    back(bot, NOW + 10 * DAY)

    assert ends() == {"12-12T09:00": "pending", "12-13T09:00": "pending"}


@pytest.mark.parametrize("hours", [-30, -5, 5, 30])
def test_a_clock_that_jumped_and_came_back_neither_loses_nor_doubles_what_is_planned(bot: Bot, hours: int) -> None:
    series = a_series(bot.clinic)

    planner.plan_ahead(series.id, now=NOW + hours * HOUR)
    for day in range(4):
        run(bot, since=NOW + day * DAY, until=NOW + (day + 1) * DAY)

    sent = list(Message.objects.filter(status=Status.SENT).order_by("due_at").values_list("occurrence", flat=True))
    assert sent == ["2026-12-02T09:00", "2026-12-03T09:00", "2026-12-04T09:00"][: len(sent)]
    assert len(sent) >= 3


def test_a_clock_that_was_far_ahead_ends_nothing_that_is_still_to_go(bot: Bot) -> None:
    once = a_series(bot.clinic, recurrence=None, starts_at="2026-12-06T09:00")

    planner.plan_ahead(once.id, now=NOW + 30 * DAY)

    once.refresh_from_db()
    assert once.state == State.ACTIVE
    run(bot, since=NOW + 5 * DAY, until=NOW + 6 * DAY)
    assert ends() == {"12-06T09:00": Status.SENT}


def test_a_clock_set_back_does_not_take_the_plan_back(bot: Bot) -> None:
    series = a_series(bot.clinic)
    series.refresh_from_db()
    reached = series.planned_until

    planner.plan_ahead(series.id, now=NOW - 30 * HOUR)

    series.refresh_from_db()
    assert series.planned_until == reached
