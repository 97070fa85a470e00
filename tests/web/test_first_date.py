"""The form plans what it shows: the date leads, and the form names a date that the rule doesn't give before
planning.
"""

import datetime as dt

import pytest
from django.test import Client

from companion.clinics.models import Clinic, Role
from companion.schedules.models import Schedule
from tests.api.calls import a_program
from tests.builders import a_clinic, a_patient
from tests.web.signed_in import signed_in, typed, words

pytestmark = pytest.mark.django_db
FRIDAY = "2037-11-27"


def as_shown(client: Client) -> dict[str, object]:
    """Fill the rule's fields as an untouched empty form sends them."""
    opened = client.get("/scheduled-messages/new").context["typed"]
    return {
        "weekdays": list(opened.weekdays),
        "monthly_on": "day",
        "monthly_shown": opened.monthly_fields,
        "nth": opened.nth,
        "nth_day": opened.nth_day,
        "month_days": opened.month_days,
    }


def preview_of(clinic: Clinic, **fields: object) -> str:
    client = signed_in(clinic)
    return words(client.post("/scheduled-messages/new/preview", typed(a_patient(clinic), **as_shown(client) | fields)))


def planned(clinic: Clinic, **fields: object) -> Schedule:
    client = signed_in(clinic)
    client.post("/scheduled-messages/new", typed(a_patient(clinic), **as_shown(client) | fields))
    return Schedule.objects.get()


def test_every_week_goes_on_the_weekday_of_the_date_until_a_weekday_is_ticked() -> None:
    shown = preview_of(a_clinic(), date=FRIDAY, repeat="weekly")

    assert "Fri 27 Nov 2037" in shown
    assert "Fri 4 Dec 2037" in shown
    assert "is a Friday" not in shown


def test_a_friday_chosen_is_planned_every_friday() -> None:
    schedule = planned(a_clinic(), date=FRIDAY, repeat="weekly")

    assert (schedule.starts_at[:10], (schedule.recurrence or {})["weekdays"]) == (FRIDAY, [])


def test_touching_the_second_tuesday_chooses_it_without_script_too() -> None:
    schedule = planned(a_clinic(), date=FRIDAY, repeat="monthly", nth="2", nth_day="tu")

    assert (schedule.recurrence or {})["weekdays"] == ["2tu"]


def test_touching_the_days_of_the_month_chooses_them() -> None:
    schedule = planned(a_clinic(), date=FRIDAY, repeat="monthly", month_days="1, 15")

    assert (schedule.recurrence or {})["month_days"] == [1, 15]


def test_a_choice_made_after_touching_stays_chosen() -> None:
    # The page shows the second Tuesday as chosen; then a person chooses the day of the month by its button.
    fields = {"monthly_shown": "weekday|2|tu|", "monthly_on": "day", "nth": "2", "nth_day": "tu"}

    schedule = planned(a_clinic(), date=FRIDAY, repeat="monthly", **fields)

    assert (schedule.recurrence or {})["weekdays"] == []


def test_the_page_shows_the_second_tuesday_as_chosen_once_it_was_touched() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    touched = as_shown(client) | {"repeat": "monthly", "nth": "2", "nth_day": "tu", "do": "preview"}

    page = client.post("/scheduled-messages/new", typed(a_patient(clinic), **touched)).content.decode()

    assert 'name="monthly_on" value="weekday" checked' in page


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"repeat": "weekly", "weekdays": ["th"]}, "27 Nov 2037 is a Friday; the first message is Thu 3 Dec 2037."),
        (
            {"repeat": "monthly", "monthly_on": "weekday", "nth": "2", "nth_day": "tu"},
            "27 Nov 2037 is a Friday; the first message is Tue 8 Dec 2037.",
        ),
        (
            {"repeat": "monthly", "monthly_on": "days", "month_days": "15"},
            "27 Nov 2037 is a Friday; the first message is Tue 15 Dec 2037.",
        ),
        (
            {"repeat": "monthly", "monthly_on": "last"},
            "27 Nov 2037 is a Friday; the first message is Mon 30 Nov 2037.",
        ),
        (
            {"date": "2037-11-28", "repeat": "daily", "avoid": ["weekends"], "when_avoided": "skip"},
            "28 Nov 2037 is a Saturday; the first message is Mon 30 Nov 2037.",
        ),
        (
            {"date": "2037-12-25", "avoid": ["holidays"], "when_avoided": "next"},
            "25 Dec 2037 is a public holiday (Christmas Day); the message goes out on Mon 28 Dec 2037.",
        ),
        (
            {"date": "2037-12-23", "avoid": ["closed_days"], "when_avoided": "previous"},
            "23 Dec 2037 is a closed day; the message goes out on Tue 22 Dec 2037.",
        ),
    ],
)
def test_a_date_that_the_rule_does_not_give_is_said_before_planning(fields: dict[str, object], sentence: str) -> None:
    clinic = a_clinic(country="DE", closed_days=["2037-12-23"])

    assert sentence in preview_of(clinic, **{"date": FRIDAY} | fields)


def test_this_year_is_left_out() -> None:
    today = dt.datetime.now(dt.UTC).date()
    day = max(today + dt.timedelta(days=2), dt.date(today.year, 1, 3))
    other = ("mo", "tu", "we", "th", "fr", "sa", "su")[(day.weekday() + 1) % 7]

    shown = preview_of(a_clinic(), date=day.isoformat(), repeat="weekly", weekdays=[other])

    assert f"{day.day} {day:%b} is a {day:%A};" in shown or day.year != today.year


def test_the_api_warns_of_it_before_and_after_planning() -> None:
    clinic = a_clinic()
    body = {
        "patients": [str(a_patient(clinic).id)],
        "text": "Take your tablet.",
        "starts_at": f"{FRIDAY}T09:00",
        "timezone": "Europe/Berlin",
        "recurrence": {"frequency": "weekly", "weekdays": ["th"]},
    }
    api = a_program(clinic, Role.PROVIDER)

    warnings = [api.post(path, body).json["warnings"] for path in ("/schedules/preview", "/schedules")]

    sentence = "27 Nov 2037 is a Friday; the first message is Thu 3 Dec 2037."
    said = {"patient": None, "code": "first_on_another_date", "message": sentence}
    assert warnings == [[said], [said]]
