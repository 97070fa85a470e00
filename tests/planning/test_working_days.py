"""Working days in plans: an Occurrence keeps its name, and what is moved is neither lost nor doubled."""

import datetime as dt
import itertools
from dataclasses import replace
from typing import Any

import pytest
from holidays import country_holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.clinics.clinics import change_clinic
from companion.clinics.models import Clinic, Mark, Role
from companion.clinics.refusals import Refused
from companion.planning import drafts, edit, marks, planner
from companion.planning.edit import Planned
from companion.planning.occurrences import ClinicTimes, Coming, coming, next_few
from companion.planning.timing import PATIENT_ZONE, Timing
from companion.schedules.models import Message, Quiet, Status
from companion.times.quiet import QuietHours
from companion.times.rule import Frequency, Recurrence
from companion.times.walls import Moved
from companion.times.workdays import Avoid, Calendar, WhenAvoided, is_avoided
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_patient
from tests.planning.days import deliver, plan
from tests.times.oracle import all_walls

DAY = dt.timedelta(days=1)
DAILY = Recurrence(Frequency.DAILY)
ALL = Avoid(weekends=True, holidays=True, closed_days=True)
YEAR_END = frozenset(dt.date(2026, 12, 21) + day * DAY for day in range(14))
START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


def a_timing(rule: Recurrence | None = DAILY, **changes: Any) -> Timing:
    timing = Timing(
        starts_at=dt.datetime(2026, 12, 1, 9),  # noqa: DTZ001  # a wall time
        timezone=PATIENT_ZONE,
        recurrence=rule,
        quiet_hours=Quiet.IGNORE,
        avoid=ALL,
        when_avoided=WhenAvoided.NEXT,
    )
    return replace(timing, **changes)


def times(country: str = "DE", closed: frozenset[dt.date] = frozenset()) -> ClinicTimes:
    return ClinicTimes(QuietHours(dt.time(21), dt.time(8)), Calendar(country, "", closed))


def found(timing: Timing, days: int = 40, own: ClinicTimes | None = None) -> list[Coming]:
    return list(coming(timing, "Europe/Berlin", own or times(), after=START, until=START + days * DAY))


def test_a_moved_occurrence_keeps_its_name() -> None:
    weekly = Recurrence(Frequency.WEEKLY, weekdays=("sa",))

    first = found(a_timing(weekly))[0]

    assert (first.occurrence, first.local.date(), first.moved) == (
        "2026-12-05T09:00",
        dt.date(2026, 12, 7),
        Moved.WORKING_DAY,
    )


@pytest.mark.parametrize("when", list(WhenAvoided))
def test_nothing_goes_out_on_a_day_to_avoid(when: WhenAvoided) -> None:
    own = times(closed=YEAR_END)

    walls = [due.local for due in found(a_timing(when_avoided=when), 60, own)]

    assert [wall for wall in walls if is_avoided(wall.date(), ALL, own.calendar)] == []


def test_a_daily_series_gives_one_message_on_monday_and_not_three() -> None:
    instants = [due.due_at for due in found(a_timing())]

    assert len(instants) == len(set(instants))


def test_two_days_off_that_move_to_one_working_day_give_one_message() -> None:
    weekend = Recurrence(Frequency.WEEKLY, weekdays=("sa", "su"))

    assert [due.occurrence for due in found(a_timing(weekend), 7)] == ["2026-12-06T09:00"]


def test_each_of_several_times_a_day_is_moved() -> None:
    saturdays = Recurrence(Frequency.WEEKLY, weekdays=("sa",), times=(dt.time(8), dt.time(14)))

    locals_ = [f"{due.local:%a %H:%M}" for due in found(a_timing(saturdays), 7)]

    assert locals_ == ["Mon 08:00", "Mon 14:00"]


def test_a_fortnight_closed_is_moved_over_and_longer_is_skipped() -> None:
    monthly = Recurrence(Frequency.MONTHLY, month_days=(21, 20))

    moved = [due.local.date() for due in found(a_timing(monthly), 45, times(closed=YEAR_END))]

    assert moved == [dt.date(2027, 1, 4)]


@pytest.mark.parametrize(
    ("when", "goes_out"),
    [(WhenAvoided.SKIP, []), (WhenAvoided.NEXT, ["Mon 08:00"]), (WhenAvoided.PREVIOUS, ["Fri 08:00"])],
)
def test_a_message_that_waits_for_the_end_of_a_fridays_quiet_hours_does_not_go_out_on_saturday(
    when: WhenAvoided, goes_out: list[str]
) -> None:
    fridays = Recurrence(Frequency.WEEKLY, weekdays=("fr",))
    timing = a_timing(
        fridays,
        starts_at=dt.datetime(2026, 12, 1, 23),  # noqa: DTZ001  # a wall time
        quiet_hours=Quiet.WAIT,
        when_avoided=when,
    )

    assert [f"{due.local:%a %H:%M}" for due in found(timing, 7)] == goes_out


def test_a_last_day_that_is_a_sunday_moves_to_the_first_of_the_next_month() -> None:
    monthly = Recurrence(Frequency.MONTHLY, month_days=(31,))

    moved = {due.occurrence[:10]: due.local.date().isoformat() for due in found(a_timing(monthly), 100)}

    assert (moved["2027-01-31"], moved["2027-02-28"]) == ("2027-02-01", "2027-03-01")


def test_a_message_moved_onto_a_day_whose_clocks_change_keeps_its_wall_time() -> None:
    saturdays = Recurrence(Frequency.WEEKLY, weekdays=("sa",))
    timing = a_timing(saturdays, starts_at=dt.datetime(2027, 3, 27, 2, 30))  # noqa: DTZ001  # a wall time

    # In Egypt the weekend is Friday and Saturday.
    first = next(coming(timing, "Europe/Berlin", times("EG"), after=START))

    assert first.local.isoformat() == "2027-03-28T03:30:00+02:00"


HOLIDAYS = Avoid(holidays=True)
CLOSED = Avoid(closed_days=True)
CHRISTMAS_EVE = frozenset({dt.date(2026, 12, 24)})


@pytest.mark.parametrize(
    ("avoid", "when", "named", "goes_out"),
    [
        (HOLIDAYS, WhenAvoided.NEXT, "2026-12-25", "2026-12-28"),  # a Friday, before a holiday and a Sunday
        (HOLIDAYS, WhenAvoided.PREVIOUS, "2026-12-25", "2026-12-23"),  # the clinic is closed on the 24th
        (CLOSED, WhenAvoided.NEXT, "2026-12-24", "2026-12-28"),
        (Avoid(weekends=True), WhenAvoided.PREVIOUS, "2026-12-27", "2026-12-23"),
        (HOLIDAYS, WhenAvoided.NEXT, "2027-01-01", "2027-01-04"),
        (HOLIDAYS, WhenAvoided.PREVIOUS, "2027-03-29", "2027-03-25"),  # Easter Monday, Good Friday
    ],
)
@pytest.mark.parametrize("rule", [None, Recurrence(Frequency.MONTHLY)])
def test_a_moved_occurrence_comes_to_a_working_day_after_any_kind_of_day_off(
    avoid: Avoid, when: WhenAvoided, named: str, goes_out: str, rule: Recurrence | None
) -> None:
    timing = a_timing(rule, avoid=avoid, when_avoided=when, starts_at=dt.datetime.fromisoformat(f"{named}T09:00"))

    first = found(timing, 140, times(closed=CHRISTMAS_EVE))[0]

    assert (first.occurrence, first.local.date().isoformat()) == (f"{named}T09:00", goes_out)


def test_a_holiday_moved_past_a_sunday_of_the_series_loses_neither() -> None:
    fridays_and_sundays = Recurrence(Frequency.WEEKLY, weekdays=("fr", "su"))

    at_christmas = [
        due for due in found(a_timing(fridays_and_sundays, avoid=HOLIDAYS)) if due.occurrence > "2026-12-21"
    ]

    assert [(due.occurrence[:10], f"{due.local:%a %d}") for due in at_christmas[:3]] == [
        ("2026-12-27", "Sun 27"),
        ("2026-12-25", "Mon 28"),
        ("2027-01-03", "Sun 03"),
    ]


def test_the_next_occurrences_come_in_order_also_if_a_moved_occurrence_is_overtaken() -> None:
    thursday_to_sunday = Recurrence(Frequency.WEEKLY, weekdays=("th", "fr", "sa", "su"))
    timing = a_timing(thursday_to_sunday, avoid=CLOSED, starts_at=dt.datetime(2026, 12, 24, 9))  # noqa: DTZ001

    few = next_few(timing, "Europe/Berlin", times(closed=CHRISTMAS_EVE), after=START, count=2)

    assert [due.local.date().day for due in few] == [25, 26]


def test_a_moved_message_that_waits_for_the_end_of_quiet_hours_still_gets_a_working_day() -> None:
    # Ascension Day is a Thursday: moved to Friday 23:00, the end of quiet hours would be on Saturday.
    timing = a_timing(
        None,
        avoid=HOLIDAYS,
        quiet_hours=Quiet.WAIT,
        starts_at=dt.datetime(2027, 5, 6, 23),  # noqa: DTZ001  # a wall time
    )

    assert [f"{due.local:%a %H:%M}" for due in found(timing, 200)] == ["Mon 08:00"]


@settings(max_examples=150)
@given(
    avoid=st.builds(Avoid, weekends=st.booleans(), holidays=st.booleans(), closed_days=st.booleans()),
    when=st.sampled_from(list(WhenAvoided)),
    weekdays=st.sets(st.sampled_from(["mo", "tu", "we", "th", "fr", "sa", "su"])),
    closed=st.sets(st.integers(min_value=0, max_value=60), max_size=30),
)
def test_every_day_and_every_move_agree_with_counting_day_by_day(
    avoid: Avoid, when: WhenAvoided, weekdays: set[str], closed: set[int]
) -> None:
    rule = Recurrence(Frequency.WEEKLY, weekdays=tuple(sorted(weekdays)))
    own = times(closed=frozenset(START.date() + day * DAY for day in closed))

    got = found(a_timing(rule, avoid=avoid, when_avoided=when), 60, own)

    days = {wall.date() for wall in all_walls(dt.datetime(2026, 12, 1, 9), rule, 120)}  # noqa: DTZ001
    counted = sorted(moved_by_counting(days, avoid, when, own).items())
    expected = [(on, day) for on, day in counted if START.date() <= on < START.date() + 60 * DAY]
    assert [(due.local.date(), dt.date.fromisoformat(due.occurrence[:10])) for due in got] == expected


def moved_by_counting(days: set[dt.date], avoid: Avoid, when: WhenAvoided, own: ClinicTimes) -> dict[dt.date, dt.date]:
    """Return the rule's nearest day for each day on which a message goes out."""
    public = country_holidays("DE")
    closed = own.calendar.closed_days
    found: dict[dt.date, dt.date] = {}
    for day in sorted(days):
        kinds = (day.weekday() >= 5, day in public, day in closed)
        on: dt.date | None = day
        if (avoid.weekends and kinds[0]) or (avoid.holidays and kinds[1]) or (avoid.closed_days and kinds[2]):
            step = 1 if when is WhenAvoided.NEXT else -1
            ways = [day + DAY * step * far for far in range(1, 15)] if when is not WhenAvoided.SKIP else []
            on = next(
                (
                    candidate
                    for candidate in ways
                    if candidate.weekday() < 5 and candidate not in public and candidate not in closed
                ),
                None,
            )
        if on and (on not in found or abs(on - day) < abs(on - found[on])):
            found[on] = day
    return found


@settings(max_examples=60)
@given(
    cuts=st.lists(st.integers(min_value=0, max_value=70 * 24), max_size=12),
    when=st.sampled_from(list(WhenAvoided)),
    quiet=st.sampled_from(list(Quiet)),
    weekdays=st.sets(st.sampled_from(["mo", "tu", "we", "fr", "sa", "su"])),
    hours=st.sets(st.sampled_from([0, 7, 9, 22, 23]), max_size=3),
    zone=st.sampled_from(["Europe/Berlin", "Pacific/Auckland", "America/St_Johns", "Asia/Kathmandu"]),
    closed=st.sets(st.integers(min_value=0, max_value=60), max_size=25),
)
def test_planning_in_any_windows_gives_the_same_as_planning_at_once(
    cuts: list[int],
    when: WhenAvoided,
    quiet: Quiet,
    weekdays: set[str],
    hours: set[int],
    zone: str,
    closed: set[int],
) -> None:
    rule = Recurrence(
        Frequency.WEEKLY, weekdays=tuple(sorted(weekdays)), times=tuple(dt.time(hour) for hour in sorted(hours))
    )
    timing = a_timing(rule, when_avoided=when, quiet_hours=quiet)
    own = times(closed=frozenset(START.date() + day * DAY for day in closed))
    edges = [START, *sorted(START + dt.timedelta(hours=cut) for cut in cuts), START + 70 * DAY]

    parts = [
        list(coming(timing, zone, own, after=begin, until=end))
        for begin, end in itertools.pairwise(edges)
        if end > begin
    ]

    whole = list(coming(timing, zone, own, after=edges[0], until=edges[-1]))
    assert sorted(due.occurrence for part in parts for due in part) == sorted(due.occurrence for due in whole)
    assert len({due.occurrence for due in whole}) == len(whole)
    assert [due for due in whole if is_avoided(due.local.date(), ALL, own.calendar)] == []


def planned(clinic: Clinic, **changes: Any) -> Planned:
    patient = a_patient(clinic)
    body: dict[str, object] = {
        "patients": [str(patient.id)],
        "text": "Come by.",
        "starts_at": "2026-12-02T09:00",
        "timezone": "patient",
        "recurrence": {"frequency": "daily"},
        "avoid": {"weekends": True, "holidays": True, "closed_days": True},
        "when_avoided": "next",
    }
    return edit.create(a_caller(clinic), drafts.read(clinic, body | changes, now=NOW), now=NOW)


def occurrences() -> list[str]:
    return list(Message.objects.filter(status="pending").order_by("due_at").values_list("occurrence", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("when_avoided", "status", "ready_at"),
    [
        ("next", Status.PENDING, dt.datetime(2026, 12, 7, 7, tzinfo=dt.UTC)),
        ("skip", Status.FAILED, None),
        ("previous", Status.FAILED, None),
    ],
)
def test_a_message_delayed_into_a_fridays_quiet_hours_does_not_go_out_on_saturday(
    when_avoided: str, status: Status, ready_at: dt.datetime | None
) -> None:
    clinic = a_clinic(country="DE")
    bot = a_bot(clinic)
    planned(clinic, recurrence=None, starts_at="2026-12-04T20:50", lane="broadcast", when_avoided=when_avoided)
    just_into_them = dt.datetime(2026, 12, 4, 20, 10, tzinfo=dt.UTC)

    plan(now=just_into_them - dt.timedelta(hours=4))

    deliver(bot, now=just_into_them)

    message = Message.objects.get()
    assert message.status == status
    assert ready_at is None or (message.ready_at, message.late_at) == (ready_at, ready_at + dt.timedelta(hours=12))


@pytest.mark.django_db
def test_a_newly_closed_day_moves_what_is_planned_for_it() -> None:
    clinic = a_clinic(country="DE")
    planned(clinic, recurrence=None)

    change_clinic(a_caller(clinic, Role.ADMIN), {"closed_days": ["2026-12-02"]}, now=NOW)
    moves = marks.work_off(list(Mark.objects.all()), now=NOW)

    message = Message.objects.get()
    assert (moves.messages, message.occurrence, message.due_at) == (
        1,
        "2026-12-02T09:00",
        dt.datetime(2026, 12, 3, 8, tzinfo=dt.UTC),
    )


@pytest.mark.django_db
def test_a_day_opened_again_far_ahead_is_planned_when_it_comes() -> None:
    clinic = a_clinic(country="DE", closed_days=["2026-12-09"])
    weekly = {"frequency": "weekly", "weekdays": ["we"]}
    made = planned(clinic, starts_at="2026-12-09T09:00", recurrence=weekly, when_avoided="skip").schedule

    change_clinic(a_caller(clinic, Role.ADMIN), {"closed_days": []}, now=NOW)
    marks.work_off(list(Mark.objects.all()), now=NOW)
    for schedule_id in planner.due_for_planning(now=NOW, limit=10):
        planner.plan_ahead(schedule_id, now=NOW)

    made.refresh_from_db()
    assert made.next_plan_at == dt.datetime(2026, 12, 7, 8, tzinfo=dt.UTC)


@pytest.mark.django_db
def test_a_one_time_message_that_would_never_go_out_is_refused() -> None:
    with pytest.raises(Refused, match="avoid"):
        planned(a_clinic(country="DE"), recurrence=None, starts_at="2026-12-05T09:00", when_avoided="skip")


@pytest.mark.django_db
def test_a_one_time_message_whose_previous_working_day_is_over_is_refused() -> None:
    with pytest.raises(Refused, match="starts_at"):
        planned(
            a_clinic(closed_days=["2026-12-01"]), avoid={"closed_days": True}, recurrence=None,
            timezone="UTC", starts_at="2026-12-01T12:00", when_avoided="previous",
        )  # fmt: skip


@pytest.mark.django_db
def test_holidays_need_the_clinics_country() -> None:
    with pytest.raises(Refused, match=r"avoid\.holidays"):
        planned(a_clinic())


@pytest.mark.django_db
def test_a_region_of_another_country_is_refused() -> None:
    clinic = a_clinic(country="DE")

    with pytest.raises(Refused, match="region"):
        change_clinic(a_caller(clinic, Role.ADMIN), {"region": "TX"}, now=NOW)
