"""A change to a zone further west moves planned messages later, and loses none, also beyond the Planner's horizon."""

import datetime as dt

import pytest

from companion.clinics.models import Clinic
from companion.patients import directory
from companion.planning import marks
from companion.schedules.models import Message, Schedule, Status
from companion.times import walls
from tests.builders import a_bot, a_caller, a_clinic, a_patient
from tests.planning.days import run
from tests.planning.plans import DAILY, changed, planned

pytestmark = pytest.mark.django_db
START = dt.datetime(2026, 12, 1, 0, 30, tzinfo=dt.UTC)
STRIDE = dt.timedelta(hours=6)
TIMES = ("03:15", "09:00", "21:40")
WESTWARD = [("UTC", "America/New_York"), ("Europe/Berlin", "Pacific/Honolulu"), ("Asia/Tokyo", "Europe/Lisbon")]


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic(timezone="UTC")


def lived(clinic: Clinic, strides: int, since: dt.datetime) -> dt.datetime:
    """Let the dispatcher work, six hours at a time as on a quiet day. Return the instant reached."""
    bot, now = clinic.bot, since
    for _ in range(strides):
        run(bot, since=now, until=now + STRIDE)
        now += STRIDE
    return now


def unsent(schedule: Schedule, zone: str, time: str, after: dt.datetime, until: dt.datetime) -> list[str]:
    """Return the Occurrences that are due in the zone in this span, and were sent neither then nor before."""
    messages = Message.objects.filter(schedule=schedule, status=Status.SENT)
    sent = set(messages.values_list("occurrence", flat=True))
    days = [START.date() + dt.timedelta(days=number) for number in range(12)]
    names = [f"{day}T{time}" for day in days]
    due = {name: walls.resolve(walls.parse_wall(name), zone).at for name in names}
    return [name for name in names if after < due[name] < until and name not in sent]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("strides", [5, 6])
@pytest.mark.parametrize(("there", "then"), WESTWARD)
def test_a_patient_who_travels_west_misses_no_occurrence(
    clinic: Clinic, there: str, then: str, strides: int, time: str
) -> None:
    a_bot(clinic)
    ana = a_patient(clinic, timezone=there)
    rule = {"starts_at": "2026-12-01T00:00", "recurrence": DAILY | {"times": [time]}}
    made = planned(clinic, ana, now=START, timezone="patient", **rule).schedule

    now = lived(clinic, strides, START)
    directory.change(a_caller(clinic), ana, {"timezone": then}, now=now)
    marks.work_off_of(clinic, ana.id, now=now)
    end = lived(clinic, 12, now)

    assert unsent(made, then, time, now, end) == []


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("strides", [5, 6])
@pytest.mark.parametrize(("there", "then"), WESTWARD)
def test_a_series_whose_zone_goes_west_misses_no_occurrence(
    clinic: Clinic, there: str, then: str, strides: int, time: str
) -> None:
    a_bot(clinic)
    ana = a_patient(clinic)
    rule = {"starts_at": "2026-12-01T00:00", "recurrence": DAILY | {"times": [time]}}
    made = planned(clinic, ana, now=START, timezone=there, **rule).schedule

    now = lived(clinic, strides, START)
    made.refresh_from_db()
    changed(made, now, timezone=then)
    end = lived(clinic, 12, now)

    assert unsent(made, then, time, now, end) == []
