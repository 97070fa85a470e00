"""Editing a series: nothing is sent twice or lost, and people's earlier changes stay."""

import datetime as dt
from itertools import islice

import pytest

from companion.clinics.models import Bot, Clinic
from companion.patients.models import Patient
from companion.planning import acts, drafts, edit, taking_back
from companion.planning.edit import Planned
from companion.planning.series import summary
from companion.schedules.models import Message, Schedule, State, Status
from companion.schedules.reasons import Reason
from companion.times import recurrence
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_patient
from tests.planning.days import deliver, plan, run
from tests.planning.plans import DAILY, changed, occurrences, planned

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
# Wednesday the 2nd at noon in Berlin: that day's 09:00 has gone out.
NOON = dt.datetime(2026, 12, 2, 11, tzinfo=dt.UTC)


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


@pytest.fixture
def bot(clinic: Clinic) -> Bot:
    return a_bot(clinic)


@pytest.fixture
def ana(clinic: Clinic) -> Patient:
    return a_patient(clinic)


def sent(*schedules: Schedule) -> list[str]:
    found = Message.objects.filter(schedule__in=schedules, status=Status.SENT).order_by("due_at")
    return [f"{message.due_at.astimezone(dt.timezone(HOUR)):%d %H:%M}" for message in found]


def live(bot: Bot, *, until: dt.datetime, since: dt.datetime = NOW) -> None:
    """Each day planned and sent, until then."""
    while since < until:
        run(bot, since=since, until=min(since + DAY, until))
        since += DAY


def message(schedule: Schedule, name: str) -> Message:
    return Message.objects.get(schedule=schedule, occurrence=name)


def split(schedule: Schedule, since: str, now: dt.datetime = NOON, **changes: object) -> tuple[Planned, Schedule]:
    """The split, with the old series as it then is."""
    schedule.refresh_from_db()
    after = changed(schedule, now=now, from_occurrence=since, **changes)
    schedule.refresh_from_db()
    return after, schedule


def test_an_endless_series_changed_from_tomorrow_on_sends_nothing_twice(clinic: Clinic, ana: Patient, bot: Bot) -> None:
    made = planned(clinic, ana).schedule
    live(bot, until=NOON)

    # As the form sends it: the series' old beginning with the new time.
    after, old = split(made, "2026-12-03T09:00", starts_at="2026-12-02T10:00")
    live(bot, since=NOON, until=NOON + 3 * DAY)

    assert after.schedule.starts_at == "2026-12-03T10:00"
    assert sent(old) == ["02 09:00"]
    assert sent(after.schedule) == ["03 10:00", "04 10:00", "05 10:00"]


def test_no_dose_of_a_counted_series_is_lost_when_its_time_changes(clinic: Clinic, ana: Patient, bot: Bot) -> None:
    made = planned(clinic, ana, recurrence=DAILY | {"count": 9}).schedule
    live(bot, until=NOON + 3 * DAY)

    after, old = split(made, "2026-12-06T09:00", NOON + 3 * DAY, starts_at="2026-12-02T10:00")
    live(bot, since=NOON + 3 * DAY, until=NOON + 20 * DAY)

    assert after.schedule.recurrence is not None
    assert after.schedule.recurrence["count"] == 5
    assert (len(sent(old)), len(sent(after.schedule))) == (4, 5)
    assert "4 times" in summary(old)


def test_a_starts_at_of_an_earlier_day_gives_the_time_of_day_only(clinic: Clinic, ana: Patient) -> None:
    made = planned(clinic, ana).schedule

    after, old = split(made, "2026-12-05T09:00", NOW, starts_at="2026-12-02T10:00")
    plan(now=NOW + 3 * DAY)

    assert after.schedule.starts_at == "2026-12-05T10:00"
    assert old.recurrence is not None
    assert old.recurrence["until"] == "2026-12-04"
    assert not Message.objects.filter(schedule=after.schedule, occurrence__lt="2026-12-05").exists()


def test_a_starts_at_of_a_later_day_is_taken(clinic: Clinic, ana: Patient) -> None:
    made = planned(clinic, ana).schedule

    after, _ = split(made, "2026-12-05T09:00", NOW, starts_at="2026-12-08T10:00")

    assert after.schedule.starts_at == "2026-12-08T10:00"


@pytest.mark.parametrize(
    ("times", "since", "new_times", "begin"),
    [
        (["09:00", "20:00"], "2026-12-04T20:00", ["08:00", "19:00"], "2026-12-04T19:00"),
        (["09:00", "20:00"], "2026-12-04T09:00", ["08:00", "19:00"], "2026-12-04T08:00"),
        (["09:00", "20:00"], "2026-12-04T20:00", ["10:00"], "2026-12-05T10:00"),
        (["09:00", "20:00"], "2026-12-04T20:00", ["09:00", "14:00", "20:00"], "2026-12-04T20:00"),
        (["09:00"], "2026-12-04T09:00", ["07:00", "21:00"], "2026-12-04T07:00"),
    ],
)
def test_a_split_begins_with_the_chosen_time_of_a_day(
    clinic: Clinic, ana: Patient, times: list[str], since: str, new_times: list[str], begin: str
) -> None:
    made = planned(clinic, ana, recurrence=DAILY | {"times": times}).schedule

    after, old = split(made, since, NOW, recurrence=DAILY | {"times": new_times})
    for day in range(5):
        plan(now=NOW + day * DAY)

    given = sorted(Message.objects.filter(schedule=after.schedule).values_list("occurrence", flat=True))
    assert given[0] == begin
    assert max(occurrences(old)) < since


def test_a_skip_before_a_split_adds_no_dose(clinic: Clinic, ana: Patient, bot: Bot) -> None:
    made = planned(clinic, ana, recurrence=DAILY | {"count": 5}).schedule
    edit.skip(a_caller(clinic), made, "2026-12-03T09:00", now=NOW)

    after, old = split(made, "2026-12-05T09:00", NOW, text="New words")
    live(bot, until=NOW + 20 * DAY)

    assert sent(old) == ["02 09:00", "04 09:00"]
    assert sent(after.schedule) == ["05 09:00", "06 09:00"]


def test_a_changed_count_is_the_new_series_own(clinic: Clinic, ana: Patient) -> None:
    made = planned(clinic, ana, recurrence=DAILY | {"count": 12}).schedule

    after, _ = split(made, "2026-12-05T09:00", NOW, recurrence=DAILY | {"count": 3})

    assert after.schedule.recurrence is not None
    assert after.schedule.recurrence["count"] == 3


def test_an_unchanged_count_means_the_whole_also_where_the_rule_changes(clinic: Clinic, ana: Patient) -> None:
    made = planned(clinic, ana, recurrence=DAILY | {"count": 12}).schedule

    weekly = {"frequency": "weekly", "weekdays": ["mo"], "count": 12}
    after, _ = split(made, "2026-12-05T09:00", NOW, recurrence=weekly)

    assert after.schedule.recurrence is not None
    assert after.schedule.recurrence["count"] == 9


def test_a_split_at_the_very_first_occurrence_changes_the_whole_series(clinic: Clinic, ana: Patient) -> None:
    thursdays = {"frequency": "weekly", "weekdays": ["th"], "count": 4}
    made = planned(clinic, ana, recurrence=thursdays).schedule

    after, _ = split(made, "2026-12-03T09:00", NOON, starts_at="2026-12-02T10:00")

    assert after.schedule == made
    assert (after.schedule.starts_at, occurrences(made)) == ("2026-12-03T10:00", ["2026-12-03T10:00"])


@pytest.mark.parametrize(
    ("start", "rule", "since", "then"),
    [
        ("2027-01-31T09:00", {"frequency": "monthly"}, "2027-02-28T09:00", "2027-03-31"),
        ("2028-02-29T09:00", {"frequency": "monthly", "interval": 12}, "2029-02-28T09:00", "2032-02-29"),
        ("2027-01-30T09:00", {"frequency": "monthly"}, "2027-02-28T09:00", "2027-03-30"),
    ],
)
def test_the_last_day_stays_the_last_day_over_a_split(
    clinic: Clinic, ana: Patient, start: str, rule: dict[str, object], since: str, then: str
) -> None:
    made = planned(clinic, ana, starts_at=start, recurrence=rule).schedule

    after, old = split(made, since, NOW, text="New words")

    for part in (after.schedule, old):
        assert part.recurrence is not None
        assert part.recurrence["month_days"] == [int(start[8:10])]
    assert then in {str(wall.date()) for wall in _walls(after.schedule, 4)}


def _walls(schedule: Schedule, count: int) -> list[dt.datetime]:
    draft = drafts.of(schedule)
    return list(islice(recurrence.occurrences(draft.timing.starts_at, draft.timing.recurrence), count))


@pytest.mark.parametrize("how", ["starts_at", "times"])
def test_a_persons_changes_stay_when_the_time_of_day_changes(clinic: Clinic, ana: Patient, how: str) -> None:
    rule: dict[str, object] = DAILY | ({"times": ["05:00"]} if how == "times" else {})
    made = planned(clinic, ana, starts_at="2026-12-02T05:00", recurrence=rule).schedule
    nurse = a_caller(clinic)
    edit.skip(nurse, made, "2026-12-04T05:00", now=NOW)
    acts.cancel(nurse, message(made, "2026-12-02T05:00"), now=NOW)
    acts.edit(nurse, message(made, "2026-12-03T05:00"), new_text="Take half a tablet.", now=NOW)

    made.refresh_from_db()
    kept = (made.recurrence or {})["except"]
    rule = DAILY | ({"times": ["06:00"]} if how == "times" else {}) | {"except": kept}
    changed(made, starts_at="2026-12-02T06:00", recurrence=rule)
    for day in range(4):
        plan(now=NOW + day * DAY)

    assert occurrences(made, Status.CANCELLED) == ["2026-12-02T06:00"]
    [half] = Message.objects.filter(schedule=made, by_hand=True)
    assert (half.occurrence, half.text) == ("2026-12-03T06:00", "Take half a tablet.")
    assert half.due_at == dt.datetime(2026, 12, 3, 5, tzinfo=dt.UTC)
    assert occurrences(made) == ["2026-12-03T06:00", "2026-12-05T06:00", "2026-12-06T06:00"]


def test_a_message_whose_time_was_edited_stays_at_it(clinic: Clinic, ana: Patient) -> None:
    made = planned(clinic, ana).schedule
    noon = dt.datetime(2026, 12, 3, 11, tzinfo=dt.UTC)
    acts.edit(a_caller(clinic), message(made, "2026-12-03T09:00"), send_at=noon, now=NOW)

    changed(made, starts_at="2026-12-02T07:00")
    plan(now=NOW + DAY)

    of_the_day = Message.objects.filter(schedule=made, occurrence__startswith="2026-12-03")
    assert list(of_the_day.values_list("occurrence", "due_at")) == [("2026-12-03T07:00", noon)]


@pytest.mark.parametrize("time", ["15:00", "12:30", "07:00"])
def test_a_patient_who_had_todays_message_gets_no_second_message_today_by_a_new_time(
    clinic: Clinic, ana: Patient, bot: Bot, time: str
) -> None:
    made = planned(clinic, ana).schedule
    live(bot, until=NOON)

    after = changed(made, now=NOON, starts_at=f"2026-12-02T{time}")
    live(bot, since=NOON, until=NOON + 2 * DAY)

    assert not {warning.code for warning in after.warnings} & {"none_today", "again_today", "none_on"}
    assert sent(made)[:2] == ["02 09:00", f"03 {time}"]


def test_a_patient_who_had_todays_message_gets_no_second_message_today_by_a_split(
    clinic: Clinic, ana: Patient, bot: Bot
) -> None:
    made = planned(clinic, ana).schedule
    live(bot, until=NOON)

    after, old = split(made, "2026-12-02T09:00", starts_at="2026-12-02T15:00")
    live(bot, since=NOON, until=NOON + DAY)

    assert sent(old, after.schedule) == ["02 09:00"]


def test_a_broadcast_that_waited_for_the_morning_comes_no_second_time_on_that_day(
    clinic: Clinic, ana: Patient, bot: Bot
) -> None:
    # A message of 22:00 waits until 08:00; the next message, now at noon, would come four hours later.
    made = planned(clinic, ana, starts_at="2026-12-01T22:00", lane="broadcast").schedule
    morning = dt.datetime(2026, 12, 2, 9, tzinfo=dt.UTC)
    live(bot, until=morning)

    changed(made, now=morning, starts_at="2026-12-01T12:00")
    live(bot, since=morning, until=morning + 2 * DAY)

    assert sent(made) == ["02 08:00", "03 12:00"]


def test_a_failed_message_is_not_planned_again_at_a_new_time(clinic: Clinic, ana: Patient) -> None:
    made = planned(clinic, ana).schedule
    Message.objects.filter(schedule=made, occurrence="2026-12-02T09:00").update(
        status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN
    )

    changed(made, now=NOON, starts_at="2026-12-02T15:00")
    plan(now=NOON)

    assert occurrences(made, Status.FAILED) == ["2026-12-02T15:00"]
    assert "2026-12-02T15:00" not in occurrences(made)


def test_todays_message_moves_to_a_later_time_today_and_is_on_no_record_as_failed(clinic: Clinic, ana: Patient) -> None:
    made = planned(clinic, ana, starts_at="2026-12-01T18:00").schedule

    after, _ = split(made, "2026-12-02T18:00", NOON, starts_at="2026-12-02T20:00")

    assert occurrences(after.schedule)[0] == "2026-12-02T20:00"
    assert not Message.objects.filter(status=Status.FAILED, occurrence__startswith="2026-12-02").exists()
    assert after.warnings == ()


def test_where_a_day_has_another_number_of_times_the_days_that_a_person_touched_are_named(
    clinic: Clinic, ana: Patient
) -> None:
    made = planned(clinic, ana, recurrence=DAILY | {"times": ["09:00", "20:00"]}).schedule
    nurse = a_caller(clinic)
    edit.skip(nurse, made, "2026-12-04T20:00", now=NOW)
    acts.edit(nurse, message(made, "2026-12-02T20:00"), new_text="Take half a tablet.", now=NOW)
    made.refresh_from_db()

    after = changed(made, recurrence=DAILY | {"times": ["10:00"], "except": (made.recurrence or {})["except"]})

    assert [(warning.code, warning.message) for warning in after.warnings] == [
        (
            "skipped_before",
            "Somebody skipped 4 December 2026, and a day now has more or fewer times than before. Check these days.",
        ),
        (
            "hand_edited",
            "Somebody changed messages of 2 December 2026 by hand, "
            "and a day now has more or fewer times than before. Check them.",
        ),
    ]
    assert Message.objects.filter(schedule=made, by_hand=True, status=Status.PENDING).count() == 1


def test_two_changes_in_a_row_keep_what_a_person_did(clinic: Clinic, ana: Patient) -> None:
    made = planned(clinic, ana).schedule
    acts.cancel(a_caller(clinic), message(made, "2026-12-02T09:00"), now=NOW)

    for time in ("10:00", "08:00", "10:00", "09:00"):
        made.refresh_from_db()
        changed(made, starts_at=f"2026-12-02T{time}")

    assert occurrences(made, Status.CANCELLED) == ["2026-12-02T09:00"]
    assert occurrences(made) == ["2026-12-03T09:00"]


def test_a_paused_series_that_is_split_stays_paused(clinic: Clinic, ana: Patient) -> None:
    made = planned(clinic, ana).schedule
    edit.pause(a_caller(clinic), made, now=NOW)

    after, _ = split(made, "2026-12-03T09:00", NOW, text="New words")
    plan(now=NOW + DAY)

    assert (after.schedule.state, occurrences(after.schedule)) == (State.PAUSED, [])


def test_a_message_on_the_wire_is_not_planned_a_second_time_at_the_new_time(
    clinic: Clinic, ana: Patient, bot: Bot
) -> None:
    made = planned(clinic, ana).schedule
    due = dt.datetime(2026, 12, 2, 8, tzinfo=dt.UTC)
    Message.objects.filter(schedule=made, occurrence="2026-12-02T09:00").update(
        open_attempt_id=made.id, lease_until=due + HOUR, tries=1
    )

    changed(made, now=due, starts_at="2026-12-02T15:00")
    deliver(bot, now=due + 6 * HOUR)

    assert Message.objects.filter(schedule=made, occurrence__startswith="2026-12-02").count() == 1


def test_a_skip_takes_out_a_message_that_was_edited_by_hand_and_brings_it_back_as_it_was(
    clinic: Clinic, ana: Patient
) -> None:
    made = planned(clinic, ana).schedule
    nurse = a_caller(clinic)
    acts.edit(nurse, message(made, "2026-12-03T09:00"), new_text="Take half a tablet.", now=NOW)

    edit.skip(nurse, made, "2026-12-03T09:00", now=NOW + HOUR)
    skipped = message(made, "2026-12-03T09:00")
    assert (skipped.status, skipped.reason) == (Status.CANCELLED, Reason.BY_PERSON)

    taking_back.unskip(nurse, made, "2026-12-03T09:00", now=NOW + 2 * HOUR)
    back = message(made, "2026-12-03T09:00")
    assert (back.status, back.text) == (Status.PENDING, "Take half a tablet.")


def test_a_message_cancelled_before_the_skip_stays_cancelled_when_the_skip_is_undone(
    clinic: Clinic, ana: Patient
) -> None:
    made = planned(clinic, ana).schedule
    nurse = a_caller(clinic)
    acts.edit(nurse, message(made, "2026-12-03T09:00"), new_text="Take half a tablet.", now=NOW)
    acts.cancel(nurse, message(made, "2026-12-03T09:00"), now=NOW)

    edit.skip(nurse, made, "2026-12-03T09:00", now=NOW + HOUR)
    taking_back.unskip(nurse, made, "2026-12-03T09:00", now=NOW + 2 * HOUR)

    assert message(made, "2026-12-03T09:00").status == Status.CANCELLED
