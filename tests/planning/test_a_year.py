"""A year of a busy clinic, day by day with the clock passed in: each due message left exactly once, at its wall time.

What is promised is worked out by an oracle of its own: each day of the year asked one by one, zoneinfo only.
"""

import datetime as dt
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest
from holidays import country_holidays

from companion.clinics.models import Bot
from companion.patients import directory, pausing
from companion.patients.models import Patient
from companion.planning import drafts, edit
from companion.schedules.models import Attempt, Message, Status
from companion.schedules.reasons import Reason
from tests.builders import a_bot, a_caller, a_clinic, a_patient
from tests.planning.days import run

DAY = dt.timedelta(days=1)
START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
YEAR = 365
ZONES = (
    "Europe/Berlin",
    "Pacific/Auckland",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
MOVES_ON = dt.datetime(2027, 4, 20, tzinfo=dt.UTC)
OUTAGE = (dt.datetime(2027, 9, 6, tzinfo=dt.UTC), dt.datetime(2027, 9, 11, tzinfo=dt.UTC))
PAUSE = (dt.datetime(2027, 6, 1, 23, tzinfo=dt.UTC), dt.date(2027, 7, 1))
GERMAN = country_holidays("DE")

DAILY: dict[str, object] = {"recurrence": {"frequency": "daily"}}

Promise = tuple[str, str, dt.datetime]
"""The schedule's text, the patient's name, the instant."""


@dataclass(frozen=True)
class Plan:
    """A schedule as it is asked for, and the same said again for the oracle: on which days, and at which times."""

    text: str
    asked: dict[str, object]
    on: Callable[[dt.date], bool]
    times: tuple[dt.time, ...]
    zone: str = ""
    waits: bool = False


def _moved_saturday(day: dt.date) -> bool:
    """The first working day after a Saturday, or a Saturday's own where that is none to avoid (it always is)."""
    for back in range(1, 8):
        before = day - back * DAY
        if before.weekday() == 5:
            return not _off(day) and all(_off(before + n * DAY) for n in range(back))
    return False


def _off(day: dt.date) -> bool:
    return day.weekday() >= 5 or day in GERMAN


def _at(*hours: str) -> tuple[dt.time, ...]:
    return tuple(dt.time.fromisoformat(hour) for hour in hours)


PLANS = (
    Plan("morning", DAILY | {"starts_at": "2026-12-02T09:00"}, lambda _: True, _at("09:00")),
    Plan("night", DAILY | {"starts_at": "2026-12-02T02:30"}, lambda _: True, _at("02:30")),
    Plan(
        "clinic",
        {
            "recurrence": {"frequency": "weekly", "weekdays": ["mo", "th"], "times": ["08:00", "20:00"]},
            "starts_at": "2026-12-02T00:00",
            "timezone": "Europe/Berlin",
        },
        lambda day: day.weekday() in (0, 3),
        _at("08:00", "20:00"),
        zone="Europe/Berlin",
    ),
    Plan(
        "last",
        {"recurrence": {"frequency": "monthly", "month_days": [31]}, "starts_at": "2026-12-02T10:00"},
        lambda day: day.day == monthrange(day.year, day.month)[1],
        _at("10:00"),
    ),
    Plan(
        "saturday",
        {
            "recurrence": {"frequency": "weekly", "weekdays": ["sa"]},
            "starts_at": "2026-12-02T10:30",
            "avoid": {"weekends": True, "holidays": True},
            "when_avoided": "next",
        },
        _moved_saturday,
        _at("10:30"),
    ),
    Plan(
        "late",
        {
            "recurrence": {"frequency": "monthly", "month_days": [1, 15]},
            "starts_at": "2026-12-02T22:30",
            "lane": "broadcast",
        },
        lambda day: day.day in (1, 15),
        _at("22:30"),
        waits=True,
    ),
    Plan(
        "tuesday",
        {"recurrence": {"frequency": "monthly", "weekdays": ["2tu"], "count": 6}, "starts_at": "2026-12-02T11:00"},
        lambda day: day.weekday() == 1 and 8 <= day.day <= 14 and day < dt.date(2027, 6, 1),
        _at("11:00"),
    ),
)


def promised(patient: Patient, zones: Callable[[dt.datetime], str]) -> Iterator[Promise]:
    """List everything that this patient should get in the year; `zones` gives the patient's zone at an instant."""
    for plan in PLANS:
        for zone in {plan.zone} if plan.zone else {zones(START), zones(START + YEAR * DAY)}:
            for number in range(YEAR + 2):
                day = dt.date(2026, 12, 2) + number * DAY
                for hour in plan.times if plan.on(day) else ():
                    at = _instant(plan, day, hour, zone)
                    if at < START + YEAR * DAY and (plan.zone or zones(at) == zone):
                        yield plan.text, patient.name, at


def _instant(plan: Plan, day: dt.date, hour: dt.time, zone: str) -> dt.datetime:
    if plan.waits:
        day, hour = day + DAY, dt.time(8)
    # fold=0 reads a skipped wall time by the offset before the gap, hence later, and a doubled time as the first.
    return dt.datetime.combine(day, hour, tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)


def live_through_the_year(bot: Bot, moving: Patient, in_hospital: Patient) -> None:
    """Day by day: one patient moves, one is in hospital for a month, and for five days nothing runs."""
    caller = a_caller(bot.clinic)
    for number in range(YEAR):
        since = START + number * DAY
        if OUTAGE[0] <= since < OUTAGE[1]:
            continue
        if since == MOVES_ON:
            directory.change(caller, moving, {"timezone": "America/New_York"}, now=since)
        if since.date() == PAUSE[0].date():
            pausing.pause(caller, in_hospital, PAUSE[1], "in hospital", now=since)
        run(bot, since=since, until=since + DAY)


@pytest.mark.one_database
@pytest.mark.django_db
def test_a_year_of_a_busy_clinic() -> None:
    bot = a_bot(a_clinic(country="DE"))
    people = {zone: a_patient(bot.clinic, name=zone, timezone=zone) for zone in ZONES}
    moving, in_hospital = people["Europe/Berlin"], people["Asia/Kathmandu"]
    for plan in PLANS:
        values = {
            "patients": [str(patient.id) for patient in people.values()],
            "text": plan.text,
            "timezone": "patient",
        }
        draft = drafts.read(bot.clinic, values | plan.asked, now=START)
        edit.create(a_caller(bot.clinic), draft, now=START)

    live_through_the_year(bot, moving, in_hospital)

    wanted = Counter(promise for zone, patient in people.items() for promise in promised(patient, _zones_of(zone)))
    pause_ends = dt.datetime.combine(PAUSE[1], dt.time(), tzinfo=ZoneInfo("Asia/Kathmandu"))
    paused = {
        promise
        for promise in wanted
        if promise[1] == in_hospital.name and PAUSE[0].date() <= promise[2].date() and promise[2] < pause_ends
    }
    swallowed = {promise for promise in wanted if OUTAGE[0] <= promise[2] < OUTAGE[1]} - _good_after_the_outage(wanted)
    rows = Message.objects.filter(due_at__lt=START + YEAR * DAY).select_related("version", "patient")
    left = Counter(_promise(message) for message in rows if message.status == Status.SENT)
    assert left == wanted - Counter(paused) - Counter(swallowed)
    failed = {_promise(message): message.reason for message in rows if message.status == Status.FAILED}
    assert set(failed) == swallowed
    assert set(failed.values()) <= {Reason.TOO_LATE, Reason.SUPERSEDED}
    assert Attempt.objects.count() == left.total()
    assert [message for message in rows if message.sent_at and not _on_time(message)] == []


def _on_time(message: Message) -> bool:
    """Never early; later only by what the outage cost, or by a moment where a chat gets two at once."""
    assert message.sent_at
    late = message.sent_at - message.due_at
    kept = OUTAGE[1] if message.due_at < OUTAGE[1] <= message.sent_at else message.due_at
    return late >= dt.timedelta() and message.sent_at - kept < dt.timedelta(seconds=2)


def _good_after_the_outage(wanted: Counter[Promise]) -> set[Promise]:
    """Return the Messages due within `late_after` before the end of the outage: an hour, for broadcasts half a day."""
    return {
        promise
        for promise in wanted
        if OUTAGE[1] - dt.timedelta(hours=12 if promise[0] == "late" else 1) < promise[2] < OUTAGE[1]
    }


def _zones_of(zone: str) -> Callable[[dt.datetime], str]:
    return lambda at: "America/New_York" if zone == "Europe/Berlin" and at >= MOVES_ON else zone


def _promise(message: Message) -> Promise:
    assert message.version
    assert message.patient
    return message.version.text, message.patient.name, message.due_at
