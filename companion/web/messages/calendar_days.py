"""The days of the calendar, each with its messages. A day with too many messages is folded: it shows Schedules.

Not here: which days are shown and the links to other days (calendar.py), the Schedules of folded days
(calendar_groups.py).
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.urls import reverse

from companion.clinics.access import Caller
from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.planning.planned_groups import PlannedGroup, planned_groups
from companion.planning.planned_messages import future_message
from companion.schedules import days as counting
from companion.schedules import queries, wording
from companion.schedules.models import Message, Status
from companion.times.walls import local
from companion.times.workdays import Avoid, Calendar, holiday_name, is_avoided
from companion.web.messages import filters
from companion.web.messages.calendar_groups import DayLoad, FoldedDays, Group, Size, rule_of, series_address
from companion.web.messages.rows import Row, one_line, planned_address, rows

FULL_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """A Message or a planned Occurrence (`planned`), for a single patient or for many."""

    at: dt.datetime
    address: str
    row: Row | None
    """The entry as a row of the list; None for an Occurrence of several patients."""
    planned: bool
    patients: int = 1
    text: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """The number of a folded day's Messages with this status."""

    status: Status
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day with its `entries`. A folded day has `shares` and its largest `groups` instead."""

    date: dt.date
    address: str
    off: str
    """The reason why the clinic is closed: "Weekend", "Closed", a holiday's name."""
    clocks: str
    messages: int
    planned: int
    entries: Sequence[Entry]
    counts: Mapping[Status, int]
    shares: Sequence[Share]
    groups: Sequence[Group]
    others: int
    """The number of Schedules that `groups` leaves out."""
    counted_to: dt.datetime | None
    """The instant up to which Messages were counted; None if all were counted."""

    @property
    def empty(self) -> bool:
        """Return whether the day has no messages."""
        return not (self.messages or self.planned)


@dataclass(frozen=True, slots=True)
class Shown:
    """The shown days. `whole` is False if some planned Occurrences are missing."""

    days: list[Day]
    whole: bool

    def counts(self, first: dt.date, last: dt.date) -> Mapping[Status, int]:
        """Count the Messages of each status that are due from the first to the last of these days."""
        counted = Counter[Status]()
        for day in self.days:
            if first <= day.date <= last:
                counted.update(day.counts)
        return counted

    @property
    def empty(self) -> bool:
        """Return whether none of the days has a message."""
        return all(day.empty for day in self.days)


def shown(caller: Caller, view: filters.View, dates: Sequence[dt.date], size: Size, *, now: dt.datetime) -> Shown:
    """Build these days of the caller's clinic, with the messages that match the filters."""
    clinic, wanted = caller.clinic, filters.message_filter(view, caller, now)
    bounds = [filters.bounds(date, clinic) for date in dates]
    messages = queries.messages(clinic, wanted)
    groups = planned_groups(clinic, wanted, since=bounds[0].begin, until=bounds[-1].end, now=now)
    by_day: dict[dt.date, list[PlannedGroup]] = defaultdict(list)
    for group in groups.items:
        by_day[local(group.coming.due_at, clinic.timezone).date()].append(group)
    counts = counting.counts_of(messages, bounds)
    loads = [DayLoad(date, counted, by_day[date]) for date, counted in zip(dates, counts, strict=True)]
    few = [
        counting.FewOfDay(bound, size.entries)
        for load, bound in zip(loads, bounds, strict=True)
        if not load.folds(size)
    ]
    unfolded = [load for load in loads if not load.folds(size)]
    entries = _entries(clinic, counting.earliest(messages, few), unfolded, now)
    folded = FoldedDays(clinic, [load for load in loads if load.folds(size)], size)
    days_off = calendar_of(clinic)
    return Shown(
        [
            _day(load, view, size, entries[load.date], folded, _off(load.date, days_off), end - begin)
            for load, (begin, end) in zip(loads, bounds, strict=True)
        ],
        groups.whole,
    )


def _day(
    load: DayLoad,
    view: filters.View,
    size: Size,
    entries: Sequence[Entry],
    folded: FoldedDays,
    off: str,
    length: dt.timedelta,
) -> Day:
    date, is_folded = load.date.isoformat(), load.folds(size)
    counts = Counter[Status]()
    for counted in load.counts:
        counts[counted.status] += counted.count
    return Day(
        date=load.date,
        address=view.address(reverse("messages"), day=date),
        off=off,
        clocks="" if length == FULL_DAY else "Clocks go forward" if length < FULL_DAY else "Clocks go back",
        messages=load.messages,
        planned=sum(group.patients for group in load.planned),
        entries=entries,
        counts=counts,
        shares=[
            Share(status, counts[status], view.address(reverse("messages"), day=date, status=status.value))
            for status in Status
            if is_folded and counts[status]
        ],
        groups=folded.groups(load.date, view) if is_folded else [],
        others=folded.others(load.date) if is_folded else 0,
        counted_to=max(counted.last for counted in load.counts) if load.messages >= queries.COUNTED_TO else None,
    )


def _off(date: dt.date, days_off: Calendar) -> str:
    if date in days_off.closed_days:
        return "Closed"
    weekend = "Weekend" if is_avoided(date, Avoid(weekends=True), days_off) else ""
    return holiday_name(date, days_off) or weekend


def _entries(
    clinic: Clinic, messages: Sequence[Message], loads: Iterable[DayLoad], now: dt.datetime
) -> Mapping[dt.date, list[Entry]]:
    """Build the entries of the days that aren't folded, in the order of their instants."""
    planned = [group for load in loads for group in load.planned]
    versions = wording.newest_versions(clinic, {group.schedule.id for group in planned})
    patients = Patient.objects.filter(clinic=clinic).in_bulk([group.patient for group in planned if group.patient])
    as_messages = [
        future_message(group.schedule, group.coming, versions[group.schedule.id], patients[group.patient])
        for group in planned
        if group.patient and group.patient in patients
    ]
    entries = [Entry(row.message.due_at, _message(row), row, planned=False) for row in rows(messages, now=now)]
    entries += [
        Entry(row.message.due_at, planned_address(row.message), row, planned=True) for row in rows(as_messages, now=now)
    ]
    entries += [
        Entry(
            group.coming.due_at, series_address(group.schedule.id), None, True, group.patients,
            one_line(versions[group.schedule.id].text), rule_of(group.schedule),
        )
        for group in planned
        if group.patient not in patients
    ]  # fmt: skip
    by_day: dict[dt.date, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.at):
        by_day[local(entry.at, clinic.timezone).date()].append(entry)
    return by_day


def _message(row: Row) -> str:
    return reverse("message", args=[row.message.id])
