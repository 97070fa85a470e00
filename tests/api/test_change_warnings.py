"""The warnings of a change: its preview and its answer show the same warnings."""

import datetime as dt

import pytest

from companion.planning import drafts, edit
from companion.schedules.models import Message, Schedule, Status
from tests.api.calls import Json, a_program
from tests.builders import a_caller, a_clinic, a_patient
from tests.web.signed_in import a_clinic_by_day, signed_in
from tests.web.test_series_forms import opened

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
TWICE = {"frequency": "daily", "times": ["16:00", "18:00"]}
THRICE = {"frequency": "daily", "times": ["16:00", "18:00", "20:00"]}


def a_series(**values: Json) -> Schedule:
    """A daily series from 16:00 today on, made in the morning; it is noon in the clinic."""
    clinic = a_clinic_by_day()
    now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
    today = (now + dt.timedelta(hours=14 - dt.datetime.now(dt.UTC).hour)).date()
    asked = {
        "text": "Take your tablet.",
        "patients": [str(a_patient(clinic).id)],
        "starts_at": f"{today}T16:00",
        "timezone": clinic.timezone,
        "recurrence": {"frequency": "daily"},
    }
    return edit.create(a_caller(clinic), drafts.read(clinic, asked | values, now=now), now=now).schedule


def day_of(series: Schedule, ahead: int = 0) -> str:
    return f"{dt.date.fromisoformat(series.starts_at[:10]) + ahead * DAY}"


def codes(answer: Json) -> set[str]:
    return {warning["code"] for warning in answer["warnings"]}


@pytest.mark.parametrize("since", [None, 0])
def test_patients_who_get_no_message_today_any_more_are_named_before_and_after(since: int | None) -> None:
    series = a_series()
    api = a_program(series.clinic)
    body: Json = {"starts_at": f"{day_of(series, 1)}T15:00"}
    body |= {} if since is None else {"from": f"{day_of(series)}T16:00"}

    shown = api.post(f"/schedules/{series.id}/preview", body).json
    made = api.patch(f"/schedules/{series.id}", body).json

    assert "none_today" in codes(shown)
    assert shown["warnings"] == made["warnings"]


def test_patients_who_get_another_message_today_are_named_before_and_after() -> None:
    series = a_series(recurrence=TWICE)
    Message.objects.filter(schedule=series, occurrence=f"{day_of(series)}T16:00").update(status=Status.SENT)
    api = a_program(series.clinic)

    shown = api.post(f"/schedules/{series.id}/preview", {"recurrence": THRICE}).json
    made = api.patch(f"/schedules/{series.id}", {"recurrence": THRICE}).json

    assert "again_today" in codes(shown)
    assert shown["warnings"] == made["warnings"]


def test_days_with_a_hand_on_them_are_named_before_and_after() -> None:
    series = a_series()
    api = a_program(series.clinic)
    api.post(f"/schedules/{series.id}/skip", {"occurrence": f"{day_of(series, 3)}T16:00"})
    (made,) = api.post(f"/schedules/{series.id}/occurrences/{day_of(series, 4)}T16:00/detach", {}).json["items"]
    api.patch(f"/messages/{made['id']}", {"text": "Half a tablet."})

    shown = api.post(f"/schedules/{series.id}/preview", {"recurrence": TWICE}).json
    done = api.patch(f"/schedules/{series.id}", {"recurrence": TWICE}).json

    assert codes(shown) >= {"skipped_before", "hand_edited"}
    assert shown["warnings"] == done["warnings"]


def test_the_form_shows_before_saving_what_it_says_after_saving() -> None:
    series = a_series()
    client = signed_in(series.clinic)
    body = opened(client, series) | {"date": day_of(series, 1), "time": "15:00"}

    shown = client.post("/scheduled-messages/new/preview", body).context["preview"].warnings
    saved = client.post(f"/scheduled-messages/series/{series.id}/edit", body, follow=True)

    assert "none_today" in {warning.code for warning in shown}
    said = saved.content.decode()
    assert all(warning.message in said for warning in shown[:3])


def test_a_quiet_hour_and_a_patient_without_a_chat_are_in_the_answer_too() -> None:
    series = a_series()
    series.recipients.update(telegram_id=None)
    api = a_program(series.clinic)

    shown = api.post(f"/schedules/{series.id}/preview", {"starts_at": f"{day_of(series, 1)}T23:00"}).json
    made = api.patch(f"/schedules/{series.id}", {"starts_at": f"{day_of(series, 1)}T23:00"}).json

    assert codes(shown) >= {"in_quiet_hours", "no_telegram_id"}
    assert shown["warnings"] == made["warnings"]


def test_a_plan_warns_of_the_same_before_and_after_it_is_made() -> None:
    clinic = a_clinic()
    api = a_program(clinic)
    body = {
        "text": "Take {{name}}.",
        "patients": [str(a_patient(clinic, telegram_id=None).id)],
        "starts_at": "2035-12-01T23:00",
        "timezone": "patient",
        "recurrence": {"frequency": "weekly", "weekdays": ["mo"]},
    }

    shown, made = api.post("/schedules/preview", body).json, api.post("/schedules", body).json

    assert codes(shown) >= {"literal_braces", "in_quiet_hours", "no_telegram_id", "first_on_another_date"}
    assert shown["warnings"] == made["warnings"]
