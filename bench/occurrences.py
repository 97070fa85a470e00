"""The next occurrence of many rules, by companion.times and by python-dateutil. No database, no Django."""

import datetime as dt
import time

from dateutil.rrule import DAILY, FR, MO, MONTHLY, TH, WEEKLY, rrule

from companion.times.recurrence import Frequency, MonthEnd, Recurrence, occurrences

_AFTER = dt.datetime(2026, 12, 1, 8, 0)  # noqa: DTZ001  (wall times carry no zone)


def ours(rules: int, years: float) -> float:
    """Seconds for all rules, by companion.times."""
    made = [
        (
            Recurrence(Frequency.DAILY, interval=1 + number % 3),
            Recurrence(Frequency.WEEKLY, weekdays=("mo", "th")),
            Recurrence(Frequency.MONTHLY, month_days=(15, 28), month_end=MonthEnd.SKIP),
            Recurrence(Frequency.MONTHLY, weekdays=("-1fr",)),
        )[number % 4]
        for number in range(rules)
    ]
    starts = [_start(number, years) for number in range(rules)]
    began = time.perf_counter()
    for start, rule in zip(starts, made, strict=True):
        next(occurrences(start, rule, after=_AFTER))
    return time.perf_counter() - began


def dateutils(rules: int, years: float) -> float:
    """Seconds for all rules, by python-dateutil."""
    made = []
    for number in range(rules):
        start = _start(number, years)
        made.append(
            (
                rrule(DAILY, dtstart=start, interval=1 + number % 3),
                rrule(WEEKLY, dtstart=start, byweekday=(MO, TH)),
                rrule(MONTHLY, dtstart=start, bymonthday=(15, 28)),
                rrule(MONTHLY, dtstart=start, byweekday=FR(-1)),
            )[number % 4]
        )
    began = time.perf_counter()
    for rule in made:
        rule.after(_AFTER)
    return time.perf_counter() - began


def _start(number: int, years: float) -> dt.datetime:
    return _AFTER - dt.timedelta(days=round(365 * years) + number % 7, minutes=number % 600)
