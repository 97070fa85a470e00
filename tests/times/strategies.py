"""Strategies of hypothesis: rules, starts, and instants close to where a zone's clock jumps."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import strategies as st

from companion.times.recurrence import Frequency, MonthEnd, Recurrence
from companion.times.walls import zone_names
from tests.times.oracle import NAMES, changes

# Both hemispheres, half hours, jumps at midnight and over a day, negative daylight saving, and many that never jump.
JUMPY = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Fakaofo",
)

minutes_of_day = st.builds(time, st.integers(0, 23), st.integers(0, 59))
starts = st.builds(datetime.combine, st.dates(date(1950, 1, 1), date(2090, 12, 31)), minutes_of_day)
plain_weekdays = st.lists(st.sampled_from(NAMES), unique=True, max_size=7).map(tuple)
numbered_weekdays = st.lists(
    st.builds(
        lambda number, name: f"{number}{name}", st.sampled_from((1, 2, 3, 4, 5, -1, -2, -5)), st.sampled_from(NAMES)
    ),
    unique=True,
    max_size=4,
).map(tuple)
month_days = st.lists(
    st.one_of(st.integers(1, 31), st.integers(-31, -1), st.sampled_from((28, 29, 30, 31, -1))), unique=True, max_size=4
).map(tuple)
intervals = st.one_of(st.integers(1, 5), st.sampled_from((7, 12, 13, 14, 30)))
counts = st.one_of(st.none(), st.integers(1, 60))


@st.composite
def rules(draw: st.DrawFn, starts_at: datetime, *, only: Frequency | None = None) -> Recurrence:
    frequency = only or draw(st.sampled_from(Frequency))
    monthly = frequency is Frequency.MONTHLY
    weekdays = draw(plain_weekdays) + (draw(numbered_weekdays) if monthly else ())
    days = draw(month_days) if monthly else ()
    end = starts_at.date() + timedelta(days=draw(st.integers(-3, 900)))
    return Recurrence(
        frequency=frequency,
        interval=draw(intervals),
        weekdays=weekdays,
        month_days=days,
        month_end=draw(st.sampled_from(MonthEnd)),
        set_position=_position(draw, frequency, weekdays, days),
        times=tuple(draw(st.lists(minutes_of_day, max_size=3))),
        except_=draw(exceptions(starts_at)),
        until=draw(st.sampled_from((None, end))),
        count=draw(counts),
    )


def _position(draw: st.DrawFn, frequency: Frequency, weekdays: tuple[str, ...], days: tuple[int, ...]) -> int | None:
    if frequency is Frequency.DAILY or not (weekdays or days):
        return None
    most = len(weekdays) if frequency is Frequency.WEEKLY else 6
    positions = [position for position in range(-most, most + 1) if position != 0]
    return draw(st.one_of(st.none(), st.sampled_from(positions)))


@st.composite
def exceptions(draw: st.DrawFn, starts_at: datetime) -> tuple[date | datetime, ...]:
    """Whole days and single wall times, soon after the start."""
    numbers = draw(st.lists(st.integers(0, 60), max_size=4))
    walls = [starts_at + timedelta(days=number) for number in numbers]
    return tuple(wall.date() if draw(st.booleans()) else wall for wall in walls)


@st.composite
def zones_and_instants(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and a whole minute (UTC), mostly within hours of a jump of the zone's clock."""
    zone = draw(st.one_of(st.sampled_from(JUMPY), st.sampled_from(zone_names())))
    year = draw(st.integers(1975, 2060))
    jumps = changes(zone, year)
    middle = draw(st.sampled_from(jumps)) if jumps else datetime(year, 1, 1, tzinfo=UTC)
    hours = draw(st.sampled_from((3, 30, 3000)))
    return zone, middle + timedelta(minutes=draw(st.integers(-60 * hours, 60 * hours)))
