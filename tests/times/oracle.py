"""The oracle of these tests: the same promises by brute force, over every day and every minute, slow and plain.

Not here: anything of companion.times but the Recurrence value; an oracle that borrows proves nothing.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from companion.times.recurrence import Frequency, MonthEnd, Recurrence

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
NAMES = ("mo", "tu", "we", "th", "fr", "sa", "su")


def all_walls(starts_at: datetime, rule: Recurrence, days: int) -> list[datetime]:
    """Return the rule's wall times in this many days from its start on, judged day by day."""
    begin = starts_at.date().replace(day=1) - 7 * DAY  # periods are judged whole, also the period that the start cuts
    every_day = [begin + number * DAY for number in range(days + 80)]
    walls = []
    for _, period in groupby(every_day, key=lambda day: _period(day, rule.frequency)):
        fitting = [day for day in period if _is_in_a_period(day, starts_at, rule) and _fits(day, starts_at, rule)]
        if rule.set_position is not None:
            place = rule.set_position - 1 if rule.set_position > 0 else len(fitting) + rule.set_position
            fitting = [day for index, day in enumerate(fitting) if index == place]
        walls += [datetime.combine(day, hour) for day in fitting for hour in rule.times or [starts_at.time()]]
    given = [wall for wall in sorted(set(walls)) if wall >= starts_at and _not_after(wall.date(), rule.until)]
    counted = given if rule.count is None else given[: rule.count]
    kept = [wall for wall in counted if wall not in rule.except_ and wall.date() not in rule.except_]
    return [wall for wall in kept if wall < starts_at + days * DAY]


def _not_after(day: date, until: date | None) -> bool:
    return day.year <= 2100 and (until is None or day <= until)


def _monday(day: date) -> date:
    while day.weekday() != 0:
        day -= DAY
    return day


def _period(day: date, frequency: Frequency) -> tuple[int, int, int]:
    if frequency is Frequency.MONTHLY:
        return day.year, day.month, 0
    first = _monday(day) if frequency is Frequency.WEEKLY else day
    return first.year, first.month, first.day


def _is_in_a_period(day: date, starts_at: datetime, rule: Recurrence) -> bool:
    start = starts_at.date()
    if rule.frequency is Frequency.DAILY:
        passed = (day - start).days
    elif rule.frequency is Frequency.WEEKLY:
        passed = (_monday(day) - _monday(start)).days // 7
    else:
        passed = (day.year - start.year) * 12 + day.month - start.month
    return passed % rule.interval == 0


def _fits(day: date, starts_at: datetime, rule: Recurrence) -> bool:
    monthly = rule.frequency is Frequency.MONTHLY
    weekdays, month_days = rule.weekdays, rule.month_days
    if rule.frequency is Frequency.WEEKLY and not weekdays:
        weekdays = (NAMES[starts_at.weekday()],)
    if monthly and not weekdays and not month_days:
        month_days = (starts_at.day,)
    on_weekday = not weekdays or any(_is_weekday(day, weekday) for weekday in weekdays)
    on_month_day = not month_days or any(_is_month_day(day, wanted, rule.month_end) for wanted in month_days)
    return on_weekday and on_month_day


def _is_weekday(day: date, weekday: str) -> bool:
    if NAMES[day.weekday()] != weekday[-2:]:
        return False
    if weekday[:-2] == "":
        return True
    number = int(weekday[:-2])
    # The n-th weekday of a month: n weeks earlier lies another month, n - 1 weeks earlier doesn't.
    week = 7 * DAY if number > 0 else -7 * DAY
    n = abs(number)
    return (day - n * week).month != day.month and (day - (n - 1) * week).month == day.month


def _is_month_day(day: date, wanted: int, month_end: MonthEnd) -> bool:
    if wanted < 0:
        after = day - wanted * DAY
        return after.day == 1 and (after - DAY).month == day.month
    is_last = (day + DAY).day == 1
    return day.day == wanted or (month_end is MonthEnd.LAST_DAY and is_last and day.day < wanted)


def clock(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def every_minute(begin: datetime, minutes: int) -> Iterator[datetime]:
    return (begin + number * MINUTE for number in range(minutes))


def first_instant(wall: datetime, zone: str) -> tuple[datetime, datetime]:
    """Watch the zone's clock minute by minute until it first shows `wall`, or a time that is later by the gap."""
    begin = wall.replace(tzinfo=UTC) - timedelta(hours=40)
    shown = [(at, clock(at, zone)) for at in every_minute(begin, 80 * 60)]
    for at, wall_then in shown:
        if wall_then == wall:
            return at, wall
    for (_, before), (at, then) in pairwise(shown):
        if before < wall < then:
            skipped = then - before - MINUTE
            return at + (wall + skipped - then), wall + skipped
    raise AssertionError("The clock neither showed nor skipped it.")


def end_of_quiet(at: datetime, zone: str, start: time, end: time) -> datetime | None:
    """Watch the clock minute by minute, going by the latest wall time that it has shown until then."""
    latest = clock(at - 3 * DAY, zone)
    for minute in every_minute(at - 3 * DAY, 10 * 24 * 60):
        latest = max(latest, clock(minute, zone))
        hour = latest.time()
        quiet = start <= hour < end if start <= end else hour >= start or hour < end
        if minute >= at and not quiet:
            return None if minute == at else minute
    raise AssertionError("They never ended.")


@cache
def changes(zone: str, year: int) -> list[datetime]:
    """The hours of a year in which the zone's offset changes."""
    begin = datetime(year, 1, 1, tzinfo=UTC)
    days = _changed([begin + number * DAY for number in range(367)], zone)
    return [
        hour for day in days for hour in _changed([day - number * 60 * MINUTE for number in range(24, -1, -1)], zone)
    ]


def _changed(instants: list[datetime], zone: str) -> list[datetime]:
    """Return the instants with another offset than the instant before."""
    offsets = [(at, at.astimezone(ZoneInfo(zone)).utcoffset()) for at in instants]
    return [at for (_, before), (at, then) in pairwise(offsets) if before != then]
