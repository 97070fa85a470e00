"""Random acts on a series in random order: each day gets the messages of its rule and of people's hands, once.

And each change does what its preview said.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from django.db.models import QuerySet
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from companion.clinics.models import Bot, Clinic
from companion.clinics.refusals import Conflict, Refused
from companion.planning import acts, detaching, drafts, edit, taking_back
from companion.planning.occurrences import gives
from companion.planning.preview import preview_of_change
from companion.planning.timing import timing_of
from companion.schedules.models import Message, Schedule, State, Status
from companion.schedules.reasons import Reason
from companion.times import walls
from companion.times.retiming import Times
from tests.builders import a_bot, a_caller, a_clinic, a_patient
from tests.planning.days import run
from tests.planning.plans import DAILY, planned

pytestmark = pytest.mark.django_db
T = TypeVar("T")
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
STRIDE = 6 * HOUR
START = dt.datetime(2026, 12, 1, 0, 30, tzinfo=dt.UTC)
FIRST_DAY = START.date()
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
CHANGES = ("retime", "retime from a day on", "times", "times from a day on", "count", "zone")
HANDS = ("skip", "unskip", "cancel", "cancel and back", "reword", "move", "make", "make and reword", "make and cancel")

STEPS = st.lists(
    st.tuples(
        st.sampled_from(CHANGES) | st.sampled_from(HANDS),
        st.lists(st.integers(0, 23), min_size=1, max_size=3, unique=True),
        st.integers(0, 8),
        st.sampled_from([0, 1, 1, 3, 5]),
    ),
    min_size=2,
    max_size=8,
)


@dataclass
class Story:
    """A daily series as a clinic lives it, with what people took out of its days."""

    clinic: Clinic
    bot: Bot
    series: list[Schedule]
    now: dt.datetime = START
    to_check: dt.date = FIRST_DAY
    """The first day that is not over, or not looked at yet."""
    taken_out: Counter[dt.date] = field(default_factory=Counter)
    named: set[dt.date] = field(default_factory=set)
    """Days that a person touched, and whose number of times changed after that."""
    disturbed: set[dt.date] = field(default_factory=set)
    """Days in the middle of which the rule changed: a time may have come too late for them."""
    most: Counter[dt.date] = field(default_factory=Counter)
    """The greatest number of times that each day had."""

    def live(self, strides: int) -> None:
        for _ in range(strides):
            run(self.bot, since=self.now, until=self.now + STRIDE)
            self.now += STRIDE
            # The parts of a split series may be in different zones.
            while self.to_check < min(map(self.today, self.series)):
                self.check(self.to_check)
                self.to_check += DAY

    def act(self, act: str, hours: list[int], ahead: int) -> None:
        schedule = self.series[-1]
        schedule.refresh_from_db()
        times = times_of(schedule).on(self.today(schedule) + ahead * DAY)
        if schedule.state == State.ACTIVE and act in CHANGES:
            self._change(schedule, act, hours, times)
        elif schedule.state == State.ACTIVE and times:
            with suppress(Refused, Conflict):
                self._touch(schedule, act, times[hours[0] % len(times)])

    def _change(self, schedule: Schedule, act: str, hours: list[int], times: tuple[dt.datetime, ...]) -> None:
        name = walls.wall_name(times[0]) if times and act.endswith("from a day on") else ""
        since = name if name and gives(timing_of(schedule), name) else None
        draft = drafts.read(self.clinic, asked(schedule, act, hours), now=self.now)
        days = [self.today(schedule) + number * DAY for number in range(-2, 30)]
        before = {day: self.number(day) for day in days}

        shown = unless_refused(lambda: preview_of_change(schedule, draft, since, now=self.now))
        caller = a_caller(self.clinic)
        made = unless_refused(lambda: edit.change(caller, schedule, draft, from_occurrence=since, now=self.now))

        assert (shown is None) == (made is None)
        if shown is None or made is None:
            return
        assert shown.warnings == made.warnings
        self.series += [made.schedule] if made.schedule.pk != schedule.pk else []
        for due in shown.occurrences:
            for message in Message.objects.filter(
                schedule=made.schedule, occurrence=due.occurrence, time_by_hand=False
            ):
                assert (message.status, message.due_at) == (Status.PENDING, due.due_at)
        today = {self.today(schedule), self.today(made.schedule)}
        beside = (-1, 0, 1) if act == "zone" else (0,)
        self.disturbed |= {day + number * DAY for day in today for number in beside}
        for day in days:
            self.most[day] = max(self.most[day], before[day], self.number(day))
            if before[day] != self.number(day) and self.is_touched(day):
                self.named.add(day)

    def _touch(self, schedule: Schedule, act: str, wall: dt.datetime) -> None:
        nurse, name = a_caller(self.clinic), walls.wall_name(wall)
        message = Message.objects.filter(schedule=schedule, occurrence=name).first()
        gone = not gives(timing_of(schedule), name) or (message and message.reason == Reason.BY_PERSON)
        if walls.resolve(wall, schedule.timezone).at <= self.now or (message and message.status == Status.SENT):
            return
        if act == "skip":
            edit.skip(nurse, schedule, name, now=self.now)
        elif act == "unskip":
            taking_back.unskip(nurse, schedule, name, now=self.now)
        else:
            if act.startswith("make"):
                (message,) = detaching.detach(nurse, schedule, name, now=self.now)
            if message and message.status == Status.PENDING:
                change_one(self.clinic, act, message, now=self.now)
        message = Message.objects.filter(schedule=schedule, occurrence=name).first()
        schedule.refresh_from_db()
        now_gone = not gives(timing_of(schedule), name) or (message and message.reason == Reason.BY_PERSON)
        self.taken_out[wall.date()] += bool(now_gone) - bool(gone)

    def today(self, schedule: Schedule) -> dt.date:
        return walls.local(self.now, schedule.timezone).date()

    def number(self, day: dt.date) -> int:
        """Return how many times the rules give a day, before exceptions."""
        return len({wall for part in self.series for wall in times_of(part).on(day) if self._stands(part, wall)})

    def _stands(self, part: Schedule, wall: dt.datetime) -> bool:
        """Return whether a wall time is this part's own: the day on which a series splits is both parts'."""
        later = Schedule.objects.filter(split_from=part).first()
        return later is None or wall < walls.parse_wall(later.starts_at)

    def wanted(self, day: dt.date) -> set[str]:
        """The names that the rules give a day, but for what was skipped, and what was cancelled by hand."""
        names = {
            walls.wall_name(wall)
            for part in self.series
            for wall in times_of(part).on(day)
            if gives(timing_of(part), walls.wall_name(wall))
        }
        return names - set(self.messages(day).filter(reason=Reason.BY_PERSON).values_list("occurrence", flat=True))

    def messages(self, day: dt.date) -> QuerySet[Message]:
        return Message.objects.filter(schedule__in=self.series, occurrence__startswith=day.isoformat())

    def is_touched(self, day: dt.date) -> bool:
        return self.taken_out[day] > 0 or self.messages(day).filter(by_hand=True).exists()

    def check(self, day: dt.date) -> None:
        """Return whether this day, which is over, got what it should."""
        messages = self.messages(day)
        sent = set(messages.filter(status=Status.SENT).values_list("occurrence", flat=True))
        left_over = set(messages.filter(by_hand=True).values_list("occurrence", flat=True)) - self.wanted(day)
        if day in self.disturbed:
            assert len(sent) <= self.most[day] + len(left_over), day
            return
        assert sent - left_over == self.wanted(day), day
        if day not in self.named:
            assert not left_over & sent, day
            assert len(sent) == self.number(day) - self.taken_out[day], day


def asked(schedule: Schedule, act: str, hours: list[int]) -> dict[str, object]:
    """The body of the change: other times, as many or another number of them, another count, another zone."""
    body = drafts.values_of(drafts.of(schedule))
    rule = dict(schedule.recurrence or {})
    if act == "zone":
        return body | {"timezone": ZONES[hours[0] % len(ZONES)]}
    if act == "count":
        return body | {"recurrence": rule | {"count": 3 + hours[0] % 9}}
    many = len(rule["times"]) if act.startswith("retime") else len(hours)
    return body | {"recurrence": rule | {"times": sorted(f"{(hours[0] + 5 * n) % 24:02}:15" for n in range(many))}}


def change_one(clinic: Clinic, act: str, message: Message, *, now: dt.datetime) -> None:
    nurse = a_caller(clinic)
    if "cancel" in act:
        acts.cancel(nurse, message, now=now)
    if act.endswith("back"):
        taking_back.undo(nurse, message, now=now)
    elif act.endswith("reword"):
        acts.edit(nurse, message, new_text="Take half a tablet.", now=now)
    elif act == "move" and not message.time_by_hand:
        acts.edit(nurse, message, send_at=message.due_at + HOUR, now=now)


def times_of(schedule: Schedule) -> Times:
    schedule.refresh_from_db()
    return Times(walls.parse_wall(schedule.starts_at), drafts.rule_of(schedule))


def unless_refused(act: Callable[[], T]) -> T | None:
    try:
        return act()
    except (Refused, Conflict):
        return None


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[("retime from a day on", [3], 0, 0), ("zone", [5], 3, 5)])
def test_each_day_goes_out_as_the_rule_and_people_say_after_any_acts_on_a_series(
    db: None, steps: list[tuple[str, list[int], int, int]]
) -> None:
    clinic = a_clinic(timezone="UTC")
    rule = DAILY | {"times": ["09:15"]}
    once_a_day = {"starts_at": "2026-12-01T00:00", "timezone": "UTC", "recurrence": rule}
    made = planned(clinic, a_patient(clinic), now=START, **once_a_day).schedule
    story = Story(clinic, a_bot(clinic), series=[made])

    for act, hours, ahead, strides in steps:
        story.live(strides)
        story.act(act, hours, ahead)
    story.live(12)
