"""The days of the calendar: each day's messages one by one, or, if there are too many, by Schedule.

Not here: which days are shown and the links to other days (calendar.py).
"""

import datetime as dt
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.urls import reverse

from companion.clinics.access import Caller
from companion.clinics.clinics import calendar_of
from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.planning import series
from companion.planning.planned_groups import PlannedGroup, planned_groups
from companion.planning.planned_messages import future_message
from companion.schedules import days as counting
from companion.schedules import queries, wording
from companion.schedules.days import DayCount
from companion.schedules.models import Message, Schedule, Status
from companion.times.walls import local
from companion.times.workdays import Avoid, Calendar, holiday_name, is_avoided
from companion.web.messages import filters
from companion.web.messages.rows import Row, one_line, planned_address, rows

FULL_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """A Message or a planned Occurrence (`planned`), for a single patient or for many."""

    at: dt.datetime
    address: str
    row: Row | None
    """The words as the list shows them; only for a single patient."""
    planned: bool
    patients: int = 1
    text: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A Schedule's messages on a day with too many messages to show each."""

    address: str
    text: str
    rule: str
    first: dt.datetime
    last: dt.datetime
    count: int
    failed: int
    planned: bool


@dataclass(frozen=True, slots=True)
class Share:
    """The number of a day's Messages with this status."""

    status: Status
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day: `entries`, or, if the day is folded, `shares` and the largest `groups`."""

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
    """The number of Schedules without a place in `groups`."""
    counted_to: dt.datetime | None
    """The instant of the last counted message, if there are more than are counted."""

    @property
    def empty(self) -> bool:
        """Say whether the day has no messages."""
        return not (self.messages or self.planned)


@dataclass(frozen=True, slots=True)
class Size:
    """The most entries of a day or, if the day is folded, the most Schedules."""

    entries: int
    groups: int


@dataclass(frozen=True, slots=True)
class Shown:
    """The days, and whether they hold all planned Occurrences (`whole`)."""

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
        """Say whether none of the days has a message."""
        return all(day.empty for day in self.days)


@dataclass(frozen=True, slots=True)
class _Load:
    """A day's messages and Occurrences, before they become words."""

    date: dt.date
    counts: Sequence[DayCount]
    planned: Sequence[PlannedGroup]

    @property
    def messages(self) -> int:
        return sum(counted.count for counted in self.counts)

    def folds(self, size: Size) -> bool:
        return self.messages + len(self.planned) > size.entries


def shown(caller: Caller, view: filters.View, dates: Sequence[dt.date], size: Size, *, now: dt.datetime) -> Shown:
    """Build these days of the caller's clinic, as the filters ask."""
    clinic, wanted = caller.clinic, filters.message_filter(view, caller, now)
    bounds = [filters.bounds(date, clinic) for date in dates]
    found = queries.messages(clinic, wanted)
    groups = planned_groups(clinic, wanted, since=bounds[0][0], until=bounds[-1][1], now=now)
    by_day: dict[dt.date, list[PlannedGroup]] = defaultdict(list)
    for one in groups.items:
        by_day[local(one.coming.due_at, clinic.timezone).date()].append(one)
    counts = counting.counts_of(found, bounds)
    loads = [_Load(date, counted, by_day[date]) for date, counted in zip(dates, counts, strict=True)]
    single = [(bound, size.entries) for load, bound in zip(loads, bounds, strict=True) if not load.folds(size)]
    entries = _entries(clinic, counting.earliest(found, single), [load for load in loads if not load.folds(size)], now)
    words = _Words(clinic, [load for load in loads if load.folds(size)], size)
    days_off = calendar_of(clinic)
    return Shown(
        [
            _day(load, view, size, entries[load.date], words, _off(load.date, days_off), end - begin)
            for load, (begin, end) in zip(loads, bounds, strict=True)
        ],
        groups.whole,
    )


def _day(
    load: _Load,
    view: filters.View,
    size: Size,
    entries: Sequence[Entry],
    words: "_Words",
    off: str,
    length: dt.timedelta,
) -> Day:
    date, folded = load.date.isoformat(), load.folds(size)
    counts = Counter[Status]()
    for counted in load.counts:
        counts[counted.status] += counted.count
    return Day(
        date=load.date,
        address=view.address(reverse("messages"), day=date),
        off=off,
        clocks="" if length == FULL_DAY else "Clocks go forward" if length < FULL_DAY else "Clocks go back",
        messages=load.messages,
        planned=sum(one.patients for one in load.planned),
        entries=entries,
        counts=counts,
        shares=[
            Share(status, counts[status], view.address(reverse("messages"), day=date, status=status.value))
            for status in Status
            if folded and counts[status]
        ],
        groups=words.groups(load.date, view) if folded else [],
        others=words.others(load.date) if folded else 0,
        counted_to=max(counted.last for counted in load.counts) if load.messages >= queries.COUNTED_TO else None,
    )


def _off(date: dt.date, days_off: Calendar) -> str:
    if date in days_off.closed_days:
        return "Closed"
    weekend = "Weekend" if is_avoided(date, Avoid(weekends=True), days_off) else ""
    return holiday_name(date, days_off) or weekend


def _entries(
    clinic: Clinic, messages: Sequence[Message], loads: Iterable[_Load], now: dt.datetime
) -> Mapping[dt.date, list[Entry]]:
    """Sort the entries into days, in the order of their instants."""
    planned = [one for load in loads for one in load.planned]
    versions = wording.newest_versions(clinic, {one.schedule.id for one in planned})
    patients = Patient.objects.filter(clinic=clinic).in_bulk([one.patient for one in planned if one.patient])
    single = [one for one in planned if one.patient in patients]
    as_messages = [
        future_message(one.schedule, one.coming, versions[one.schedule.id], patients[one.patient])
        for one in single
        if one.patient
    ]
    found = [Entry(row.message.due_at, _message(row), row, planned=False) for row in rows(messages, now=now)]
    found += [
        Entry(row.message.due_at, planned_address(row.message), row, planned=True)
        for one, row in zip(single, rows(as_messages, now=now), strict=True)
    ]
    found += [
        Entry(
            one.coming.due_at, _series(one.schedule.id), None, True, one.patients,
            one_line(versions[one.schedule.id].text), _rule(one.schedule),
        )
        for one in planned
        if one.patient not in patients
    ]  # fmt: skip
    by_day: dict[dt.date, list[Entry]] = defaultdict(list)
    for entry in sorted(found, key=lambda entry: entry.at):
        by_day[local(entry.at, clinic.timezone).date()].append(entry)
    return by_day


class _Words:
    """Texts and rules for the Schedules of folded days, read once for all days."""

    def __init__(self, clinic: Clinic, loads: Sequence[_Load], size: Size) -> None:
        by_day = {load.date: _by_schedule(load) for load in loads}
        self._largest = {date: list(found.items())[: size.groups] for date, found in by_day.items()}
        self._others = {date: max(len(found) - size.groups, 0) for date, found in by_day.items()}
        largest = {key for found in self._largest.values() for key, _ in found if key}
        self._schedules = {one.id: one for one in queries.schedules(clinic).filter(pk__in=largest)}
        self._versions = wording.newest_versions(clinic, largest)

    def groups(self, date: dt.date, view: filters.View) -> list[Group]:
        """Name a day's largest Schedules, in the order of their first instants."""
        found = [self._group(key, counts, date, view) for key, counts in self._largest[date]]
        return sorted(found, key=lambda group: group.first)

    def others(self, date: dt.date) -> int:
        """Count a day's Schedules that `groups` leaves out."""
        return self._others[date]

    def _group(self, key: uuid.UUID | None, counts: "_Counts", date: dt.date, view: filters.View) -> Group:
        listed = view.address(reverse("messages"), day=date.isoformat(), schedule=str(key or view.schedule))
        only_planned = key is not None and counts.messages == 0
        schedule = self._schedules.get(key) if key else None
        return Group(
            address=_series(key) if key and only_planned else listed,
            text=one_line(self._versions[key].text) if key in self._versions else "Single messages and answers",
            rule=_rule(schedule) if schedule else "",
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


def _by_schedule(load: _Load) -> dict[uuid.UUID | None, _Counts]:
    """Group a day's messages by Schedule, the largest first."""
    found: dict[uuid.UUID | None, _Counts] = defaultdict(_Counts)
    for counted in load.counts:
        found[counted.schedule].messages += counted.count
        found[counted.schedule].failed += counted.count if counted.status == Status.FAILED else 0
        found[counted.schedule].instants += [counted.first, counted.last]
    for one in load.planned:
        found[one.schedule.id].planned += one.patients
        found[one.schedule.id].instants.append(one.coming.due_at)
    return dict(sorted(found.items(), key=lambda item: -(item[1].messages + item[1].planned)))


def _rule(schedule: Schedule) -> str:
    return series.summary(schedule) if schedule.recurrence else ""


def _message(row: Row) -> str:
    return reverse("message", args=[row.message.id])


def _series(schedule: uuid.UUID | None) -> str:
    return reverse("series", args=[schedule])
