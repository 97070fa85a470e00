"""A change after which a patient gets no message on a day, or two messages, causes a warning."""

import datetime as dt

import pytest

from companion.clinics.models import Clinic
from companion.patients import directory
from companion.patients.models import Patient
from companion.planning import marks
from companion.planning.warnings import Warning, of_days
from tests.builders import a_bot, a_caller, a_clinic, a_patient
from tests.planning.days import run
from tests.planning.plans import DAILY, planned

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


def moved(
    clinic: Clinic, there: str, then: str, at: dt.datetime, **rule: object
) -> tuple[Patient, tuple[Warning, ...]]:
    """Return the warnings if a patient, who got all messages due before, is in another zone from this instant on."""
    ana = a_patient(clinic, timezone=there)
    planned(clinic, ana, recurrence=DAILY | rule)
    run(a_bot(clinic), since=at - dt.timedelta(hours=6), until=at)
    directory.change(a_caller(clinic), ana, {"timezone": then}, now=at)
    moves = marks.work_off_of(clinic, ana.id, now=at)
    assert moves is not None
    return ana, of_days(moves.days)


def codes(warnings: tuple[Warning, ...]) -> list[str]:
    return [warning.code for warning in warnings]


def test_a_day_that_is_left_without_a_message_across_the_date_line_is_named(clinic: Clinic) -> None:
    # 09:00 on Wednesday the 2nd in Auckland went out, when it was Tuesday in Honolulu.
    ana, warnings = moved(clinic, "Pacific/Auckland", "Pacific/Honolulu", dt.datetime(2026, 12, 1, 21, tzinfo=dt.UTC))

    sentence = "This patient gets none on Wednesday 2 December: that day's message already went out."
    assert warnings == (Warning(ana.id, "none_on", sentence),)


def test_a_second_message_on_one_day_across_the_date_line_warns(clinic: Clinic) -> None:
    # 09:00 on the 2nd in Honolulu is 08:00 on the 3rd in Auckland, where the 3rd's own follows an hour later.
    ana, warnings = moved(
        clinic, "Pacific/Honolulu", "Pacific/Auckland", dt.datetime(2026, 12, 2, 19, 30, tzinfo=dt.UTC)
    )

    assert [(warning.code, warning.patient) for warning in warnings] == [("again_today", ana.id)]


@pytest.mark.parametrize("then", ["Europe/London", "Europe/Helsinki", "America/New_York"])
def test_a_journey_that_leaves_one_message_a_day_warns_of_nothing(clinic: Clinic, then: str) -> None:
    _, warnings = moved(clinic, "Europe/Berlin", then, dt.datetime(2026, 12, 2, 12, tzinfo=dt.UTC))

    assert codes(warnings) == []


def test_the_second_of_two_times_a_day_is_no_second_message(clinic: Clinic) -> None:
    # 20:00 in New York was tomorrow in Berlin, and is today now: it is that day's own evening message.
    _, warnings = moved(
        clinic,
        "America/New_York",
        "Europe/Berlin",
        dt.datetime(2026, 12, 2, 15, tzinfo=dt.UTC),
        times=["09:00", "20:00"],
    )

    assert codes(warnings) == []
