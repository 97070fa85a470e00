"""Folded days of the calendar: the messages of a day that has too many to show each, grouped by Schedule.

Not here: days that show each message (calendar_days.py).
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.urls import reverse

from companion.clinics.models import Clinic
from companion.planning import series
from companion.planning.planned_groups import PlannedGroup
from companion.schedules import queries, wording
from companion.schedules.days import DayCount
from companion.schedules.models import Schedule, Status
from companion.web.messages import filters
from companion.web.messages.rows import one_line


@dataclass(frozen=True, slots=True)
class Size:
    """The largest number of entries that a day shows, and of Schedules that a folded day shows."""

    entries: int
    groups: int


@dataclass(frozen=True, slots=True)
class Group:
    """A Schedule's messages on a folded day."""

    address: str
    text: str
    rule: str
    first: dt.datetime
    last: dt.datetime
    count: int
    failed: int
    planned: bool


@dataclass(frozen=True, slots=True)
class DayLoad:
    """A day's Messages, counted by Schedule and status, and its planned Occurrences."""

    date: dt.date
    counts: Sequence[DayCount]
    planned: Sequence[PlannedGroup]

    @property
    def messages(self) -> int:
        """Count the day's Messages."""
        return sum(counted.count for counted in self.counts)

    def folds(self, size: Size) -> bool:
        """Return whether the day has too many messages to show each."""
        return self.messages + len(self.planned) > size.entries


class FoldedDays:
    """The folded days' Schedules. Their texts and rules are read once for all days."""

    def __init__(self, clinic: Clinic, loads: Sequence[DayLoad], size: Size) -> None:
        by_day = {load.date: _by_schedule(load) for load in loads}
        self._largest = {date: list(counts.items())[: size.groups] for date, counts in by_day.items()}
        self._others = {date: max(len(counts) - size.groups, 0) for date, counts in by_day.items()}
        largest = {key for counts in self._largest.values() for key, _ in counts if key}
        self._schedules = {schedule.id: schedule for schedule in queries.schedules(clinic).filter(pk__in=largest)}
        self._versions = wording.newest_versions(clinic, largest)

    def groups(self, date: dt.date, view: filters.View) -> list[Group]:
        """List a day's largest Schedules, in the order of their first messages."""
        groups = [self._group(key, counts, date, view) for key, counts in self._largest[date]]
        return sorted(groups, key=lambda group: group.first)

    def others(self, date: dt.date) -> int:
        """Count a day's Schedules that `groups` leaves out."""
        return self._others[date]

    def _group(self, key: uuid.UUID | None, counts: "_Counts", date: dt.date, view: filters.View) -> Group:
        listed = view.address(reverse("messages"), day=date.isoformat(), schedule=str(key or view.schedule))
        only_planned = key is not None and counts.messages == 0
        schedule = self._schedules.get(key) if key else None
        return Group(
            address=series_address(key) if key and only_planned else listed,
            text=one_line(self._versions[key].text) if key in self._versions else "Single messages and answers",
            rule=rule_of(schedule) if schedule else "",
            first=min(counts.instants),
            last=max(counts.instants),
            count=counts.messages + counts.planned,
            failed=counts.failed,
            planned=only_planned,
        )


@dataclass(slots=True)
class _Counts:
    messages: int = 0
    failed: int = 0
    planned: int = 0
    instants: list[dt.datetime] = field(default_factory=list)


def _by_schedule(load: DayLoad) -> dict[uuid.UUID | None, _Counts]:
    """Count a day's messages by Schedule, the largest first. The key None stands for single messages and answers."""
    by_schedule: dict[uuid.UUID | None, _Counts] = defaultdict(_Counts)
    for counted in load.counts:
        by_schedule[counted.schedule].messages += counted.count
        by_schedule[counted.schedule].failed += counted.count if counted.status == Status.FAILED else 0
        by_schedule[counted.schedule].instants += [counted.first, counted.last]
    for group in load.planned:
        by_schedule[group.schedule.id].planned += group.patients
        by_schedule[group.schedule.id].instants.append(group.coming.due_at)
    return dict(sorted(by_schedule.items(), key=lambda item: -(item[1].messages + item[1].planned)))


def rule_of(schedule: Schedule) -> str:
    """Write the Schedule's rule for people; empty if the Schedule doesn't repeat."""
    return series.summary(schedule) if schedule.recurrence else ""


def series_address(schedule: uuid.UUID | None) -> str:
    """Return the address of the Schedule's page."""
    return reverse("series", args=[schedule])
