"""A Schedule in a sentence, and the progress of its planning. Reads only."""

import datetime as dt
from dataclasses import dataclass

from companion.planning import recipients
from companion.planning.timing import timing_of
from companion.schedules.models import Message, Schedule, State
from companion.schedules.queries import COUNTED_TO
from companion.times import summary as sentences
from companion.times import walls


@dataclass(frozen=True, slots=True)
class Progress:
    """The numbers of a series' patients and Messages, counted up to COUNTED_TO."""

    recipients: int
    messages: int
    planning: bool


def summary(schedule: Schedule) -> str:
    """Describe in one sentence when the Schedule goes out."""
    timing = timing_of(schedule)
    return sentences.summary(timing.starts_at, timing.recurrence, timing.timezone, timing.avoid, timing.when_avoided)


def progress(schedule: Schedule, *, now: dt.datetime) -> Progress:
    """Return the progress of the planning."""
    reached = recipients.of_schedule(schedule).order_by()
    made = Message.objects.filter(clinic_id=schedule.clinic_id, schedule=schedule).order_by()
    waiting = schedule.state == State.ACTIVE and schedule.next_plan_at is not None and schedule.next_plan_at <= now
    return Progress(reached.count(), made[:COUNTED_TO].count(), planning=waiting)


def local_start(schedule: Schedule) -> dt.datetime:
    """The wall time at which it starts."""
    return walls.parse_wall(schedule.starts_at)
