"""Editing a series by the real form, sent as it was opened with a few fields changed."""

import datetime as dt
from dataclasses import asdict
from typing import Any

import pytest
from django.test import Client

from companion.planning import acts, edit
from companion.schedules.models import Message, Schedule, Status
from tests.builders import a_caller, a_clinic, a_patient
from tests.planning.plans import DAILY, planned
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def a_series(begun_days_ago: int = 3, time: str = "05:00", **fields: Any) -> Schedule:
    """Plan a series, daily at five (UTC), that began some days ago."""
    clinic = a_clinic(timezone="UTC")
    now = dt.datetime.now(dt.UTC)
    starts_at = f"{day(-begun_days_ago)}T{time}"
    values = {"starts_at": starts_at, "timezone": "UTC", "recurrence": DAILY} | fields
    made = planned(clinic, a_patient(clinic), now=now - (begun_days_ago + 1) * DAY, **values).schedule
    edit.pause(a_caller(clinic), made, now=now)
    return edit.resume(a_caller(clinic), made, now=now).schedule


def day(ahead: int) -> str:
    return f"{dt.datetime.now(dt.UTC) + ahead * DAY:%Y-%m-%d}"


def opened(client: Client, series: Schedule) -> dict[str, Any]:
    """Read the edit form's fields as a browser would send them."""
    page = client.get(f"/scheduled-messages/series/{series.id}/edit")
    return asdict(page.context["typed"]) | {"schedule": str(series.id), "draft": str(page.context["draft"])}


def saved(client: Client, series: Schedule, **changes: str) -> str:
    body = opened(client, series) | changes
    return words(client.post(f"/scheduled-messages/series/{series.id}/edit", body, follow=True))


def of(*series: Schedule, status: str = Status.PENDING) -> list[str]:
    found = Message.objects.filter(schedule__in=series, status=status).order_by("due_at")
    return [f"{message.due_at:%Y-%m-%dT%H:%M}" for message in found]


def test_a_series_changed_from_a_day_on_goes_once_on_each_day() -> None:
    old = a_series()

    saved(signed_in(old.clinic), old, from_occurrence=f"{day(2)}T05:00", time="14:00")

    [new] = Schedule.objects.exclude(pk=old.pk)
    assert new.starts_at == f"{day(2)}T14:00"
    assert {instant[:10] for instant in of(old)} <= {day(0), day(1)}
    assert len({instant[:10] for instant in of(old, new)}) == len(of(old, new))


def test_the_form_says_how_many_are_left_and_keeps_them() -> None:
    # Tomorrow at five, seven of twelve days are over, at any time of today.
    old = a_series(begun_days_ago=6, recurrence=DAILY | {"count": 12})
    client = signed_in(old.clinic)
    since = f"{day(1)}T05:00"

    shown = client.post(
        f"/scheduled-messages/series/{old.id}/edit", opened(client, old) | {"from_occurrence": since, "do": "preview"}
    )
    saved(client, old, from_occurrence=since, time="14:00")

    [new] = Schedule.objects.exclude(pk=old.pk)
    assert "5 of 12 are left" in words(shown)
    assert shown.context["typed"].date == day(1)
    assert (new.recurrence or {})["count"] == 5
    assert "7 times" in words(client.get(f"/scheduled-messages/series/{old.id}"))


def test_a_persons_changes_stay_when_the_form_changes_the_time() -> None:
    series = a_series()
    client, nurse = signed_in(series.clinic), a_caller(series.clinic)
    now = dt.datetime.now(dt.UTC)
    first, second = Message.objects.filter(schedule=series, due_at__gt=now).order_by("due_at")[:2]
    acts.cancel(nurse, first, now=now)
    acts.edit(nurse, second, new_text="Take half a tablet.", now=now)
    skipped = f"{day(4)}T05:00"
    client.post(f"/scheduled-messages/series/{series.id}/skip", {"occurrence": skipped})

    saved(client, series, time="06:00")

    series.refresh_from_db()
    assert (series.recurrence or {})["except"] == [f"{day(4)}T06:00"]
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.occurrence[10:]) == (Status.CANCELLED, "T06:00")
    assert (second.text, f"{second.due_at:%H:%M}") == ("Take half a tablet.", "06:00")
    assert Message.objects.filter(schedule=series, occurrence__startswith=first.occurrence[:10]).count() == 1
    assert Message.objects.filter(schedule=series, occurrence__startswith=second.occurrence[:10]).count() == 1


def test_a_time_of_day_that_a_program_named_is_the_forms_own_field() -> None:
    series = a_series(recurrence=DAILY | {"times": ["05:00"]})

    saved(signed_in(series.clinic), series, time="06:00")

    series.refresh_from_db()
    assert {instant[10:] for instant in of(series) if instant > f"{day(1)}"} == {"T06:00"}


def test_the_last_day_of_the_month_stays_the_last_day_when_the_form_splits_the_series() -> None:
    clinic = a_clinic(timezone="UTC")
    old = planned(
        clinic,
        a_patient(clinic),
        now=dt.datetime(2095, 1, 1, tzinfo=dt.UTC),
        starts_at="2095-01-31T09:00",
        timezone="UTC",
        recurrence={"frequency": "monthly"},
    ).schedule

    saved(signed_in(clinic), old, from_occurrence="2095-02-28T09:00", time="10:00")

    [new] = Schedule.objects.exclude(pk=old.pk)
    old.refresh_from_db()
    assert new.starts_at == "2095-02-28T10:00"
    assert [(rule.recurrence or {})["month_days"] for rule in (old, new)] == [[31], [31]]


def test_the_forms_preview_of_a_split_is_what_is_saved() -> None:
    old = a_series()
    client = signed_in(old.clinic)
    body = opened(client, old) | {"from_occurrence": f"{day(3)}T05:00", "time": "14:00"}

    shown = client.post("/scheduled-messages/new/preview", body)
    client.post(f"/scheduled-messages/series/{old.id}/edit", body)

    [new] = Schedule.objects.exclude(pk=old.pk)
    going = [f"{due.due_at:%Y-%m-%dT%H:%M}" for due in shown.context["preview"].occurrences]
    gone = [f"{due.due_at:%Y-%m-%dT%H:%M}" for due in shown.context["preview"].instead_of]
    assert going == [f"{day(ahead)}T14:00" for ahead in range(3, 8)]
    assert gone == [f"{day(ahead)}T05:00" for ahead in range(3, 8)]
    assert new.starts_at == going[0]


def test_a_split_after_which_nothing_would_go_is_refused_beside_its_field() -> None:
    old = a_series()
    client = signed_in(old.clinic)
    body = opened(client, old) | {"from_occurrence": f"{day(3)}T05:00", "ends": "on", "until": day(1)}

    answer = client.post(f"/scheduled-messages/series/{old.id}/edit", body)

    assert (answer.status_code, list(answer.context["errors"])) == (422, ["repeat"])
    assert Schedule.objects.count() == 1
