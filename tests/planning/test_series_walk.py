"""Whatever is done to a series, and in whatever order: each day goes out once, and what a person took out stays out."""

import datetime as dt
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companion.clinics.models import Bot, Clinic
from companion.planning import acts, drafts, edit
from companion.planning.occurrences import gives
from companion.schedules.models import Message, Schedule, State, Status
from tests.builders import a_bot, a_caller, a_clinic, a_patient
from tests.planning.days import run
from tests.planning.plans import DAILY, changed, planned

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
START = dt.datetime(2026, 12, 1, 0, 30, tzinfo=dt.UTC)
DAYS = 7

ACTS = st.sampled_from(["retime", "split", "skip", "cancel", "reword", "nothing"])
STEPS = st.lists(st.tuples(ACTS, st.integers(0, 23), st.integers(0, 2), st.integers(3, 20)), min_size=2, max_size=6)


@dataclass
class Story:
    """A daily series in UTC as a clinic lives it: which days are taken out, and on which a new time came too late."""

    clinic: Clinic
    bot: Bot
    now: dt.datetime = START
    series: list[Schedule] = field(default_factory=list)
    out: set[dt.date] = field(default_factory=set)
    missed: set[dt.date] = field(default_factory=set)

    def live(self, hours: int) -> None:
        for _ in range(hours):
            run(self.bot, since=self.now, until=self.now + HOUR)
            self.now += HOUR

    def act(self, act: str, hour: int, ahead: int) -> None:
        schedule = self.series[-1]
        schedule.refresh_from_db()
        day = (self.now + ahead * dt.timedelta(days=1)).date()
        draft = drafts.of(schedule)
        name = f"{day}T{draft.starts_at:%H:%M}"
        time = f"{hour:02}:15"
        if schedule.state != State.ACTIVE:
            return
        caller = a_caller(self.clinic)
        if act in ("retime", "split"):
            since = name if act == "split" and gives(draft, name) else None
            if since and day <= schedule_day(schedule):
                since = None
            self._note_missed(draft.starts_at.time(), dt.time(hour, 15), since is None or ahead == 0)
            after = changed(schedule, now=self.now, from_occurrence=since, starts_at=f"{draft.starts_at.date()}T{time}")
            if after.schedule.pk != schedule.pk:
                self.series.append(after.schedule)
        elif act == "skip" and gives(draft, name) and self.now < at(day, draft.starts_at.time()):
            edit.skip(caller, schedule, name, now=self.now)
            # A day whose message went out before its time was changed is spent already.
            self.out |= set() if self.sent_on(day) else {day}
        elif act in ("cancel", "reword"):
            message = Message.objects.filter(schedule=schedule, occurrence=name, status=Status.PENDING).first()
            if message and act == "cancel":
                acts.cancel(caller, message, now=self.now)
                self.out.add(day)
            elif message:
                acts.edit(caller, message, new_text="Take half a tablet.", now=self.now)

    def _note_missed(self, old: dt.time, new: dt.time, today_changes: bool) -> None:
        today = self.now.date()
        if today_changes and at(today, old) > self.now >= at(today, new):
            self.missed.add(today)

    def sent_on(self, day: dt.date) -> int:
        sent = Message.objects.filter(schedule__in=self.series, status=Status.SENT)
        return sent.filter(due_at__gte=at(day, dt.time()), due_at__lt=at(day, dt.time()) + 24 * HOUR).count()


def at(day: dt.date, time: dt.time) -> dt.datetime:
    return dt.datetime.combine(day, time, dt.UTC)


def schedule_day(schedule: Schedule) -> dt.date:
    return dt.date.fromisoformat(schedule.starts_at[:10])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_each_day_goes_out_once_whatever_is_done_to_a_series(db: None, steps: list[tuple[str, int, int, int]]) -> None:
    clinic = a_clinic(timezone="UTC")
    made = planned(
        clinic, a_patient(clinic), now=START, starts_at="2026-12-01T09:00", timezone="UTC", recurrence=DAILY
    ).schedule
    story = Story(clinic, a_bot(clinic), series=[made])

    for act, hour, ahead, hours in steps:
        story.live(hours)
        story.act(act, hour, ahead)
    story.live(30)

    day = START.date()
    while at(day, dt.time()) + 24 * HOUR <= story.now:
        expected = 0 if day in story.out else 1
        sent = story.sent_on(day)
        assert sent <= 1, (day, steps)
        assert sent == expected or day in story.missed, (day, steps)
        day += dt.timedelta(days=1)
