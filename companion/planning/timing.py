"""A Schedule's timing as one value: its start, zone and rule, the days that it avoids, and its quiet hours.

occurrences.py computes the instants of a timing, and drafts.py reads a timing from JSON.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from companion.schedules.models import Quiet, Schedule
from companion.times import rule_json, walls
from companion.times.rule import Recurrence
from companion.times.workdays import ANY_DAY, Avoid, WhenAvoided

PATIENT_ZONE: Final = "patient"
"""The value instead of a zone's name that means: each patient's zone."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The timing of a Schedule. `starts_at` is a naive wall time in `timezone`; no `recurrence` means once."""

    starts_at: dt.datetime
    timezone: str
    recurrence: Recurrence | None
    quiet_hours: Quiet
    avoid: Avoid = ANY_DAY
    when_avoided: WhenAvoided = WhenAvoided.SKIP


def timing_of(schedule: Schedule) -> Timing:
    """The timing in a Schedule's columns."""
    return Timing(
        starts_at=walls.parse_wall(schedule.starts_at),
        timezone=schedule.timezone,
        recurrence=rule_of(schedule),
        quiet_hours=Quiet(schedule.quiet_hours),
        avoid=Avoid(schedule.avoid_weekends, schedule.avoid_holidays, schedule.avoid_closed_days),
        when_avoided=WhenAvoided(schedule.when_avoided),
    )


def rule_of(schedule: Schedule) -> Recurrence | None:
    """The Schedule's rule, None for a one-time Schedule."""
    return rule_json.from_json(schedule.recurrence) if schedule.recurrence else None


def set_timing(schedule: Schedule, timing: Timing) -> None:
    """Write the timing into the Schedule's columns, without saving the row."""
    schedule.starts_at = walls.wall_name(timing.starts_at)
    schedule.timezone = timing.timezone
    schedule.recurrence = rule_json.to_json(timing.recurrence) if timing.recurrence else None
    schedule.quiet_hours = timing.quiet_hours
    schedule.avoid_weekends, schedule.avoid_holidays = timing.avoid.weekends, timing.avoid.holidays
    schedule.avoid_closed_days, schedule.when_avoided = timing.avoid.closed_days, timing.when_avoided
