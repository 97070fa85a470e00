"""Days off and the year at a glance, on the pages."""

import datetime as dt

import pytest

from companion.clinics.models import Clinic, Role
from companion.planning import drafts, edit
from companion.schedules.models import Schedule
from tests.builders import a_caller, a_clinic, a_patient
from tests.web.signed_in import signed_in, typed, words

pytestmark = pytest.mark.django_db
HOURS = {"name": "Linden Clinic", "timezone": "Europe/Berlin", "quiet_from": "21:00", "quiet_until": "08:00"}


def a_series(clinic: Clinic, review_on: dt.date) -> Schedule:
    now = dt.datetime.now(dt.UTC)
    values = {
        "patients": [str(a_patient(clinic).id)],
        "text": "Take your tablet.",
        "starts_at": "2030-01-01T09:00",
        "timezone": "patient",
        "recurrence": {"frequency": "daily"},
        "review_on": review_on.isoformat(),
    }
    return edit.create(a_caller(clinic), drafts.read(clinic, values, now=now), now=now).schedule


def test_the_clinics_country_and_closed_days_are_set() -> None:
    clinic = a_clinic()
    client = signed_in(clinic, Role.ADMIN)

    client.post("/settings/clinic", HOURS | {"country": "DE", "region": "", "closed_days": "2026-12-24, 2026-12-31"})
    client.post("/settings/clinic", HOURS | {"country": "DE", "region": "BY"})

    clinic.refresh_from_db()
    assert (clinic.country, clinic.region, clinic.closed_days) == ("DE", "BY", ["2026-12-24", "2026-12-31"])


def test_a_wrong_day_is_refused_beside_its_field() -> None:
    answer = signed_in(a_clinic(), Role.ADMIN).post(
        "/settings/clinic", HOURS | {"country": "", "closed_days": "24.12."}
    )

    assert answer.status_code == 422
    assert "Write each closed day as year, month, day" in words(answer)


def test_changed_hours_say_how_many_messages_moved() -> None:
    clinic = a_clinic()

    answer = signed_in(clinic, Role.ADMIN).post(
        "/settings/clinic", HOURS | {"country": "", "quiet_from": "20:00"}, follow=True
    )

    assert "No pending message moved." in words(answer)


def test_a_schedule_avoids_what_is_ticked() -> None:
    clinic = a_clinic()
    fields = typed(a_patient(clinic), repeat="daily", avoid=["weekends", "closed_days"], when_avoided="next")

    signed_in(clinic).post("/scheduled-messages/new", fields)

    schedule = Schedule.objects.get()
    assert (schedule.avoid_weekends, schedule.avoid_holidays, schedule.avoid_closed_days, schedule.when_avoided) == (
        True,
        False,
        True,
        "next",
    )


def test_editing_keeps_the_days_off() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    client.post("/scheduled-messages/new", typed(a_patient(clinic), repeat="daily", avoid=["weekends"]))

    page = client.get(f"/scheduled-messages/series/{Schedule.objects.get().id}/edit").content.decode()

    assert '<input class="form-check-input" type="checkbox" name="avoid" value="weekends" checked>' in page


def test_holidays_without_a_country_are_refused_with_what_to_do() -> None:
    clinic = a_clinic()

    answer = signed_in(clinic).post("/scheduled-messages/new", typed(a_patient(clinic), avoid=["holidays"]))

    assert answer.status_code == 422
    assert "choose the clinic's country" in words(answer)


def test_a_closed_christmas_eve_moves_past_christmas_and_the_weekend() -> None:
    clinic = a_clinic(country="DE", closed_days=["2037-12-24"])
    fields = typed(a_patient(clinic), date="2037-12-24", avoid=["closed_days"], when_avoided="next")

    page = words(signed_in(clinic).post("/scheduled-messages/new/preview", fields))

    assert "Mon 28 Dec 2037" in page, page


def test_the_next_working_day_is_one_click() -> None:
    clinic = a_clinic()
    fields = typed(a_patient(clinic), do="next_working_day", time="17:30")

    page = signed_in(clinic).post("/scheduled-messages/new", fields).content.decode()

    assert 'name="time" value="08:00"' in page
    assert not Schedule.objects.exists()


def test_the_preview_of_a_series_draws_twelve_months() -> None:
    clinic = a_clinic()

    page = signed_in(clinic).post("/scheduled-messages/new/preview", typed(a_patient(clinic), repeat="daily"))

    assert page.content.count(b"<caption>") == 12
    assert page.content.count(b'class="on"') > 330


def test_a_series_is_listed_for_review_from_its_day_and_goes_on() -> None:
    clinic = a_clinic()
    today = dt.datetime.now(dt.UTC).date()
    a_series(clinic, today + dt.timedelta(days=30))
    due = a_series(clinic, today - dt.timedelta(days=1))
    client = signed_in(clinic)

    page = client.get("/scheduled-messages/series?state=review").content.decode()
    assert page.count('class="open"') == 1

    client.post(f"/scheduled-messages/series/{due.id}/reviewed")
    due.refresh_from_db()
    assert due.state == "active"
    assert due.review_on is not None
    assert due.review_on > today + dt.timedelta(days=180)
