"""An act can be undone on the next page, and the form says and asks how many patients it reaches."""

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from companion.clinics.models import Clinic, Role
from companion.schedules.models import Message, Schedule, State, Status
from tests.builders import a_clinic, a_cohort, a_message, a_patient
from tests.web.signed_in import signed_in, soon, typed, words

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

UNDO = "/scheduled-messages/undo"
pytestmark = pytest.mark.django_db


def press_undo(client: Client, page: "Answer") -> "Answer":
    """Press the bar's button on this page."""
    bar = page.content.decode().partition('id="undo"')[2].partition("</form>")[0]
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', bar):
        fields.setdefault(name, []).append(value)
    return client.post(UNDO, fields, follow=True)


def pending(clinic: Clinic, count: int = 1) -> list[Message]:
    return [a_message(a_patient(clinic), due_at=soon(30 + number)) for number in range(count)]


def a_series(client: Client, clinic: Clinic) -> Schedule:
    client.post("/scheduled-messages/new", typed(a_patient(clinic), repeat="daily"))
    return Schedule.objects.get()


def test_not_sending_is_taken_back_by_one_click() -> None:
    clinic = a_clinic()
    client, (message,) = signed_in(clinic), pending(clinic)

    page = client.post(f"/scheduled-messages/{message.id}/cancel", follow=True)
    answer = press_undo(client, page)

    message.refresh_from_db()
    assert message.status == Status.PENDING
    assert "Undone: 1 message will be sent after all." in words(answer)
    assert 'id="undo"' not in answer.content.decode()


def test_not_sending_many_is_taken_back_as_a_whole() -> None:
    clinic = a_clinic()
    client, messages = signed_in(clinic), pending(clinic, 3)

    ids = [str(message.id) for message in messages]
    press_undo(client, client.post("/scheduled-messages/many", {"do": "cancel", "id": ids}, follow=True))

    assert set(Message.objects.values_list("status", flat=True)) == {Status.PENDING}


def test_another_clinic_can_not_take_it_back() -> None:
    clinic = a_clinic()
    (message,) = pending(clinic)
    signed_in(clinic).post(f"/scheduled-messages/{message.id}/cancel")

    answer = signed_in(a_clinic()).post(UNDO, {"kind": "messages", "id": str(message.id)})

    message.refresh_from_db()
    assert (answer.status_code, message.status) == (404, Status.CANCELLED)


def test_a_viewer_can_not_take_it_back() -> None:
    clinic = a_clinic()
    (message,) = pending(clinic)
    signed_in(clinic).post(f"/scheduled-messages/{message.id}/cancel")

    answer = signed_in(clinic, Role.VIEWER).post(UNDO, {"kind": "messages", "id": str(message.id)})

    assert answer.status_code == 403


def test_an_undo_that_is_too_late_is_explained() -> None:
    clinic = a_clinic()
    (message,) = pending(clinic)
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    Message.objects.update(status=Status.CANCELLED, reason="by_person", ended_at=long_ago)

    answer = signed_in(clinic).post(UNDO, {"kind": "messages", "id": str(message.id)}, follow=True)

    assert "It is too late to undo this" in words(answer)


def test_ending_a_series_is_taken_back() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    schedule = a_series(client, clinic)

    press_undo(client, client.post(f"/scheduled-messages/series/{schedule.id}/cancel", follow=True))

    schedule.refresh_from_db()
    assert (schedule.state, Message.objects.filter(status=Status.CANCELLED).count()) == (State.ACTIVE, 0)


def test_a_skip_is_taken_back_by_the_bar_and_later_on_the_series_page() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    schedule = a_series(client, clinic)
    page = f"/scheduled-messages/series/{schedule.id}"
    second = f"{(dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).date()}T09:00"

    press_undo(client, client.post(f"{page}/skip", {"occurrence": second}, follow=True))
    schedule.refresh_from_db()
    assert (schedule.recurrence or {})["except"] == []

    client.post(f"{page}/skip", {"occurrence": second})
    shown = client.get(page)
    assert "Skipped Don't skip" in words(shown)
    assert f'name="occurrence" value="{second}"' in shown.content.decode()
    client.post(f"{page}/unskip", {"occurrence": second})
    schedule.refresh_from_db()
    assert (schedule.recurrence or {})["except"] == []


def test_the_cancelling_of_a_future_occurrence_can_be_undone_on_the_same_page() -> None:
    clinic = a_clinic()
    client, patient = signed_in(clinic), a_patient(clinic)
    client.post("/scheduled-messages/new", typed(patient, repeat="daily"))
    schedule = Schedule.objects.get()
    later = f"{(dt.datetime.now(dt.UTC) + dt.timedelta(days=9)).date()}T09:00"
    list_of_day = f"/scheduled-messages?day={later[:10]}"

    page = client.post(
        f"/scheduled-messages/series/{schedule.id}/{later}/{patient.id}/cancel", {"next": list_of_day}, follow=True
    )
    message = Message.objects.get(occurrence=later)
    was = message.status
    answer = press_undo(client, page)

    message.refresh_from_db()
    assert page.redirect_chain == [(list_of_day, 302)]
    assert (was, message.status) == (Status.CANCELLED, Status.PENDING)
    assert "Undone: 1 message will be sent after all." in words(answer)


def test_a_skip_at_the_side_of_the_list_comes_back_to_the_list_and_can_be_taken_back_there() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    schedule = a_series(client, clinic)
    later = f"{(dt.datetime.now(dt.UTC) + dt.timedelta(days=9)).date()}T09:00"
    list_of_day = f"/scheduled-messages?day={later[:10]}"

    page = client.post(
        f"/scheduled-messages/series/{schedule.id}/skip", {"occurrence": later, "next": list_of_day}, follow=True
    )
    press_undo(client, page)

    schedule.refresh_from_db()
    assert page.redirect_chain == [(list_of_day, 302)]
    assert (schedule.recurrence or {})["except"] == []


@pytest.mark.parametrize("place", ["list", "message", "patient", "calendar", "series", "inbox"])
def test_the_bar_stands_on_the_next_page(place: str) -> None:
    clinic = a_clinic()
    client, (message,) = signed_in(clinic), pending(clinic)
    series = a_series(client, clinic)
    pages = {
        "list": "/scheduled-messages",
        "message": f"/scheduled-messages/{message.id}",
        "patient": f"/patients/{message.patient_id}",
        "calendar": "/scheduled-messages/calendar",
        "series": f"/scheduled-messages/series/{series.id}",
        "inbox": "/inbox",
    }

    page = client.post(f"/scheduled-messages/{message.id}/cancel", {"next": pages[place]}, follow=True)
    press_undo(client, page)

    message.refresh_from_db()
    assert message.status == Status.PENDING


def many(clinic: Clinic, count: int) -> str:
    return str(a_cohort(clinic, "Everybody", *(a_patient(clinic, f"Patient {number}") for number in range(count))).id)


@pytest.mark.parametrize(("count", "button"), [(1, "Plan for 1 patient"), (2, "Plan for 2 patients")])
def test_how_many_it_reaches_is_on_the_button(count: int, button: str) -> None:
    clinic = a_clinic()
    fields = typed(*(a_patient(clinic) for _ in range(count)), do="preview")

    assert button in words(signed_in(clinic).post("/scheduled-messages/new", fields))


def test_the_button_follows_the_recipients() -> None:
    clinic = a_clinic()
    fields = typed(to="cohort", cohort=many(clinic, 3), text="")

    part = signed_in(clinic).post("/scheduled-messages/new/preview", fields).content.decode()

    assert '<span id="go-words" hx-swap-oob="true">Plan for 3 patients</span>' in part


def test_more_than_fifty_are_asked_about_once_more() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    fields = typed(to="cohort", cohort=many(clinic, 51))

    asks = client.post("/scheduled-messages/new", fields)
    assert "This goes to 51 patients" in words(asks)
    assert 'name="confirmed" value="51"' in asks.content.decode()
    assert not Schedule.objects.exists()

    client.post("/scheduled-messages/new", fields | {"confirmed": "51"})
    assert Schedule.objects.count() == 1


@pytest.mark.parametrize("number", ["52", "9" * 5000])
def test_another_number_than_the_one_confirmed_is_asked_about_again(number: str) -> None:
    clinic = a_clinic()

    answer = signed_in(clinic).post(
        "/scheduled-messages/new", typed(to="cohort", cohort=many(clinic, 53), confirmed=number)
    )

    assert "This goes to 53 patients" in words(answer)
    assert not Schedule.objects.exists()


def test_fifty_are_planned_at_once() -> None:
    clinic = a_clinic()

    signed_in(clinic).post("/scheduled-messages/new", typed(to="cohort", cohort=many(clinic, 50)))

    assert Schedule.objects.count() == 1


def test_a_change_says_and_asks_how_many_too() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    fields = typed(to="cohort", cohort=many(clinic, 51), repeat="daily")
    client.post("/scheduled-messages/new", fields | {"confirmed": "51"})
    edit = f"/scheduled-messages/series/{Schedule.objects.get().id}/edit"

    assert "Save for 51 patients" in words(client.get(edit))
    assert "This goes to 51 patients" in words(client.post(edit, fields | {"text": "Another text."}))
    assert client.post(edit, fields | {"text": "Another text.", "confirmed": "51"}).status_code == 302
