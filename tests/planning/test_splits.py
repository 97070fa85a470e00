"""Changing "this and following": the new series begins at its new time, and nothing is lost or doubled.

The values are those that were seen to send a dose twice, or to lose the last doses.
"""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.clinics.refusals import Refused
from companion.planning import acts, drafts, edit, planner, series
from companion.planning.changing import change_of
from companion.planning.drafts import Draft
from companion.planning.timing import Timing
from companion.schedules.models import IfUnknown, Lane, Message, Schedule, State, Status
from companion.schedules.reasons import Reason
from companion.times import recurrence
from companion.times.rule import Frequency, Recurrence
from companion.times.walls import wall_name
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_patient
from tests.planning.days import plan, run
from tests.planning.plans import DAILY, changed, occurrences, planned
from tests.planning.test_working_days import a_timing
from tests.times.strategies import minutes_of_day

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
TWICE = DAILY | {"times": ["08:00", "20:00"]}


def a_series(recurrence: dict[str, Any], starts_at: str = "2026-12-01T05:00", **changes: Any) -> Schedule:
    clinic = a_clinic()
    begun = dt.datetime.fromisoformat(starts_at).replace(tzinfo=dt.UTC) - DAY
    return planned(
        clinic, a_patient(clinic), now=begun, recurrence=recurrence, starts_at=starts_at, timezone="UTC", **changes
    ).schedule


def walls(schedule: Schedule, most: int = 30) -> list[str]:
    """All wall times that the series has as it now is."""
    schedule.refresh_from_db()
    draft = drafts.of(schedule)
    found = recurrence.occurrences(draft.timing.starts_at, draft.timing.recurrence)
    return [wall_name(wall) for wall, _ in zip(found, range(most), strict=False)]


def split(schedule: Schedule, since: str, now: dt.datetime = NOW, **changes: Any) -> Schedule:
    return changed(schedule, now=now, from_occurrence=since, **changes).schedule


def rule_of(schedule: Schedule) -> dict[str, Any]:
    schedule.refresh_from_db()
    assert schedule.recurrence is not None
    return dict(schedule.recurrence)


def test_a_day_that_splits_a_series_is_sent_once() -> None:
    """Seen: begun three days ago, changed from tomorrow on, sent at the old time and at the new time the same day."""
    old = a_series(DAILY, "2026-11-28T09:00")
    bot = a_bot(old.clinic)
    run(bot, since=NOW, until=NOW + dt.timedelta(hours=3))

    new = split(old, "2026-12-02T09:00", now=NOW + dt.timedelta(hours=3), starts_at="2026-11-28T14:00")
    run(bot, since=NOW + dt.timedelta(hours=3), until=NOW + 2 * DAY)
    run(bot, since=NOW + 2 * DAY, until=NOW + 3 * DAY)

    sent = Message.objects.filter(status=Status.SENT, due_at__gte=NOW).order_by("due_at")
    assert [f"{message.due_at:%d %H:%M}" for message in sent] == ["01 09:00", "02 14:00", "03 14:00"]
    assert walls(old)[-1] == "2026-12-01T09:00"
    assert new.starts_at == "2026-12-02T14:00"


def test_the_last_doses_of_a_series_that_splits_stay() -> None:
    """Seen: of nine, with five left, the new series ended at once."""
    old = a_series(DAILY | {"count": 9}, "2026-11-28T09:00")

    new = split(old, "2026-12-02T09:00", starts_at="2026-11-28T14:00")

    assert walls(new) == [f"2026-12-0{day}T14:00" for day in range(2, 7)]
    assert new.state == State.ACTIVE


def test_two_series_never_run_side_by_side_after_a_split() -> None:
    """Seen: `{from: day 4, starts_at: day 1 T10:00}` made both run on days 1 to 3."""
    old = a_series(DAILY, "2026-12-02T09:00")

    new = split(old, "2026-12-05T09:00", starts_at="2026-12-02T10:00")

    assert walls(old) == ["2026-12-02T09:00", "2026-12-03T09:00", "2026-12-04T09:00"]
    assert walls(new)[0] == "2026-12-05T10:00"


def test_a_split_to_an_earlier_time_of_day_begins_on_the_chosen_day() -> None:
    new = split(a_series(DAILY, "2026-12-02T09:00"), "2026-12-04T09:00", starts_at="2026-12-04T06:00")

    assert walls(new)[0] == "2026-12-04T06:00"


def test_a_later_day_to_start_is_taken_and_messages_between_go_away() -> None:
    old = a_series(DAILY, "2026-12-02T09:00")

    new = split(old, "2026-12-03T09:00", starts_at="2026-12-08T10:00")

    assert (walls(old), walls(new)[0]) == (["2026-12-02T09:00"], "2026-12-08T10:00")


@pytest.mark.parametrize(
    ("since", "times", "old", "new"),
    [
        ("T20:00", ["09:00", "21:00"], ["08:00"], ["21:00"]),
        ("T20:00", ["07:00", "19:00"], ["08:00"], ["19:00"]),
        ("T20:00", ["08:00", "20:00"], ["08:00"], ["20:00"]),
        ("T20:00", ["20:00", "22:00"], ["08:00"], ["20:00"]),
        ("T20:00", ["08:00", "14:00", "20:00"], ["08:00"], ["20:00"]),
        ("T20:00", ["21:00"], ["08:00"], ["21:00"]),
        ("T20:00", ["09:00"], ["08:00"], []),
        ("T08:00", ["09:00", "21:00"], [], ["09:00", "21:00"]),
        ("T08:00", ["20:00", "22:00"], [], ["20:00", "22:00"]),
        ("T08:00", ["07:00"], [], ["07:00"]),
    ],
)
def test_a_day_with_several_times_is_cut_where_it_was_chosen(
    since: str, times: list[str], old: list[str], new: list[str]
) -> None:
    before = a_series(TWICE, "2026-12-02T08:00")

    after = split(before, f"2026-12-04{since}", recurrence=DAILY | {"times": times}, starts_at=f"2026-12-02T{times[0]}")

    assert [name[11:] for name in walls(before) if name.startswith("2026-12-04")] == old
    assert [name[11:] for name in walls(after) if name.startswith("2026-12-04")] == new
    assert [name[11:] for name in walls(after) if name.startswith("2026-12-05")] == times


def test_a_count_that_comes_back_unchanged_is_that_of_both_parts() -> None:
    old = a_series(TWICE | {"count": 7}, "2026-12-02T08:00")

    new = split(old, "2026-12-03T20:00", recurrence=DAILY | {"times": ["20:00", "22:00"], "count": 7})

    assert walls(old) == ["2026-12-02T08:00", "2026-12-02T20:00", "2026-12-03T08:00"]
    assert walls(new) == ["2026-12-03T20:00", "2026-12-04T20:00", "2026-12-04T22:00", "2026-12-05T20:00"]


def test_a_skip_before_the_split_adds_nothing_after_it() -> None:
    old = a_series(DAILY | {"count": 9}, "2026-12-02T09:00")
    edit.skip(a_caller(old.clinic), old, "2026-12-03T09:00", now=NOW)
    old.refresh_from_db()

    new = split(old, "2026-12-05T09:00", text="Drink water.")

    assert walls(new)[-1] == "2026-12-10T09:00"
    assert rule_of(new)["count"] == 6


def test_an_unchanged_count_means_the_whole_also_where_the_rest_of_the_rule_changes() -> None:
    old = a_series(DAILY | {"count": 12}, "2026-12-02T09:00")

    new = split(old, "2026-12-09T09:00", recurrence={"frequency": "weekly", "weekdays": ["we"], "count": 12})

    assert len(walls(new)) == 5


def test_a_changed_count_is_the_new_series_own() -> None:
    old = a_series(DAILY | {"count": 12}, "2026-12-02T09:00")

    assert len(walls(split(old, "2026-12-09T09:00", recurrence=DAILY | {"count": 3}))) == 3


@pytest.mark.parametrize(
    ("rule", "since", "sentence"),
    [
        (DAILY, "2026-12-04T09:00", "Every day at 09:00, UTC, until 3 December 2026"),
        (DAILY | {"count": 9}, "2026-12-04T09:00", "Every day at 09:00, UTC, 2 times"),
        (DAILY | {"until": "2027-03-01"}, "2026-12-04T09:00", "Every day at 09:00, UTC, until 3 December 2026"),
        (
            DAILY | {"times": ["09:00", "21:00"]},
            "2026-12-03T21:00",
            "Every day at 09:00 and 21:00, UTC, 3 times",
        ),
        (
            DAILY | {"except": ["2026-12-03", "2026-12-24"]},
            "2026-12-05T09:00",
            "Every day at 09:00, UTC, until 4 December 2026, except on 3 December 2026",
        ),
    ],
)
def test_the_old_series_says_what_is_true_after_the_split(rule: dict[str, Any], since: str, sentence: str) -> None:
    old = a_series(rule, "2026-12-02T09:00")

    split(old, since, text="Drink water.")

    old.refresh_from_db()
    assert series.summary(old) == sentence


def test_the_last_day_of_the_month_stays_the_last_day_after_a_split() -> None:
    old = a_series({"frequency": "monthly"}, "2027-01-31T09:00")

    new = split(old, "2027-02-28T09:00", starts_at="2027-02-28T10:00")

    assert walls(new, 3) == ["2027-02-28T10:00", "2027-03-31T10:00", "2027-04-30T10:00"]
    assert (rule_of(old)["month_days"], rule_of(new)["month_days"]) == ([31], [31])


def test_the_twenty_ninth_of_february_stays_so_after_a_split() -> None:
    old = a_series({"frequency": "monthly", "interval": 12}, "2028-02-29T09:00")

    new = split(old, "2029-02-28T09:00", text="Drink water.")

    assert walls(new, 4) == ["2029-02-28T09:00", "2030-02-28T09:00", "2031-02-28T09:00", "2032-02-29T09:00"]
    assert (rule_of(old)["month_days"], rule_of(new)["month_days"]) == ([29], [29])


def test_a_split_that_starts_on_another_day_of_the_month_means_that_day() -> None:
    new = split(
        a_series({"frequency": "monthly"}, "2027-01-31T09:00"), "2027-02-28T09:00", starts_at="2027-03-05T10:00"
    )

    assert walls(new, 2) == ["2027-03-05T10:00", "2027-04-05T10:00"]


def test_a_split_of_a_paused_series_stays_paused() -> None:
    old = a_series(DAILY, "2026-12-02T09:00")
    edit.pause(a_caller(old.clinic), old, now=NOW)

    new = split(old, "2026-12-03T09:00", text="Drink water.")

    assert (new.state, occurrences(new)) == (State.PAUSED, [])


def test_from_the_first_occurrence_on_is_the_whole_series_and_nothing_comes_before_it() -> None:
    old = a_series(DAILY | {"count": 4}, "2026-12-02T09:00")

    whole = split(old, "2026-12-02T09:00", starts_at="2026-12-01T10:00")

    assert whole.id == old.id
    assert walls(whole) == [f"2026-12-0{day}T10:00" for day in range(2, 6)]


def test_nothing_that_would_be_left_is_refused() -> None:
    old = a_series(DAILY, "2026-12-02T09:00")

    with pytest.raises(Refused, match="recurrence"):
        split(old, "2026-12-05T09:00", recurrence=DAILY | {"until": "2026-12-03"})

    assert Schedule.objects.count() == 1


def test_the_split_of_a_series_with_very_many_times_a_day_is_no_mishap() -> None:
    minutes = [f"{number // 60:02}:{number % 60:02}" for number in range(1440)]
    old = a_series(DAILY | {"times": minutes}, "2026-12-05T00:00")

    new = split(old, "2026-12-06T00:02", text="Drink water.")

    assert (walls(old, 3000)[-1], walls(new)[0]) == ("2026-12-06T00:01", "2026-12-06T00:02")


def test_todays_message_goes_over_to_the_new_series_and_is_not_said_to_have_failed() -> None:
    old = a_series(DAILY, "2026-11-30T18:00")
    today = Message.objects.get(schedule=old, occurrence="2026-12-01T18:00")

    after = changed(old, from_occurrence="2026-12-01T18:00", text="Drink water.")

    today.refresh_from_db()
    assert (today.schedule, today.status, after.warnings) == (after.schedule, Status.PENDING, ())
    assert today.version is not None
    assert today.version.text == "Drink water."


def test_a_message_that_was_sent_goes_over_and_is_not_sent_once_more() -> None:
    old = a_series(DAILY, "2026-11-29T05:00")
    run(a_bot(old.clinic), since=NOW - dt.timedelta(hours=4), until=NOW)

    new = split(old, "2026-12-01T05:00", starts_at="2026-12-01T18:00")

    assert occurrences(new, Status.SENT) == ["2026-12-01T18:00"]
    assert occurrences(new) == ["2026-12-02T18:00"]


def test_a_persons_changes_go_over_to_the_new_series_with_the_new_time() -> None:
    old = a_series(DAILY, "2026-11-30T18:00")
    caller = a_caller(old.clinic)
    plan(now=NOW)
    today, tomorrow = Message.objects.filter(schedule=old, due_at__gte=NOW).order_by("due_at")
    acts.cancel(caller, today, now=NOW)
    acts.edit(caller, tomorrow, now=NOW, new_text="Come fasting.")
    edit.skip(caller, old, "2026-12-03T18:00", now=NOW)
    old.refresh_from_db()

    new = split(old, "2026-12-01T18:00", starts_at="2026-12-01T19:30")
    planner.plan_ahead(new.id, now=NOW + DAY)

    found = {m.occurrence[8:]: (m.status, m.text, f"{m.due_at:%H:%M}") for m in Message.objects.filter(schedule=new)}
    assert found == {
        "01T19:30": (Status.CANCELLED, None, "18:00"),
        "02T19:30": (Status.PENDING, "Come fasting.", "19:30"),
    }
    today.refresh_from_db()
    assert today.reason == Reason.BY_PERSON


@given(
    st.lists(minutes_of_day, min_size=1, max_size=3, unique=True).map(sorted),
    st.lists(minutes_of_day, min_size=1, max_size=3, unique=True).map(sorted),
    st.integers(1, 8),
    st.one_of(st.none(), st.integers(9, 30)),
    st.integers(1, 3),
)
def test_both_parts_of_a_split_together_are_one_series(
    before: list[dt.time], after: list[dt.time], chosen: int, count: int | None, interval: int
) -> None:
    start = dt.datetime.combine(dt.date(2026, 12, 1), before[0])
    old = Recurrence(Frequency.DAILY, interval=interval, times=tuple(before), count=count)
    timing = a_timing(old, starts_at=start)
    wall = _nth(timing, chosen)
    wish = a_timing(
        Recurrence(Frequency.DAILY, interval=interval, times=tuple(after), count=count),
        starts_at=dt.datetime.combine(start, after[0]),
    )

    found = change_of(_draft(timing), _draft(wish), wall_name(wall))

    assert found.ended is not None
    kept = list(recurrence.occurrences(start, found.ended))
    assert kept == [at for at in _some(timing, 60) if at < wall]
    new = _some(found.draft.timing, 60)
    # On the same days, and on no day more than either series has.
    assert {(at.date() - start.date()).days % interval for at in new} == {0}
    assert new[0].date() >= wall.date()
    if len(before) == len(after):
        name = wall_name(wall)
        assert wall_name(new[0]) <= found.new_names([name])[name]
        assert new[0].date() == wall.date()
        assert count is None or len(kept) + len(new) == count
        on_the_day = [at for at in (*kept, *new) if at.date() == wall.date()]
        assert len(on_the_day) == len(before) or count is not None


def _nth(timing: Timing, number: int) -> dt.datetime:
    return _some(timing, number + 1)[number]


def _some(timing: Timing, most: int) -> list[dt.datetime]:
    found = recurrence.occurrences(timing.starts_at, timing.recurrence)
    return [wall for wall, _ in zip(found, range(most), strict=False)]


def _draft(timing: Timing) -> Draft:
    return Draft(
        text="Come by.",
        patients=(),
        cohort=None,
        timing=timing,
        late_after=dt.timedelta(hours=1),
        if_unknown=IfUnknown.HOLD,
        lane=Lane.REMINDER,
        review_on=None,
    )
