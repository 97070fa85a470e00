"""Bodies and queries of requests: JSON, instants, cursors, filters."""

import contextlib
import datetime as dt
import json
from typing import Final

import pytest
from django.http import QueryDict
from ninja.errors import HttpError
from pydantic import BaseModel, ValidationError

from companion.api.inbox_shapes import InboxParameters
from companion.api.message_shapes import MessageParameters
from companion.api.paging import cursor_of, read_cursor
from companion.api.patient_shapes import PatientParameters
from companion.api.reading import read_json
from companion.api.schedule_shapes import PreviewParameters, ScheduleParameters
from companion.api.values import read_instant, write_instant
from companion.clinics.models import Clinic
from companion.clinics.refusals import Refused, Unknown
from companion.patients import queries as patients
from companion.patients.models import Patient
from companion.planning import listing
from companion.schedules import queries as messages
from companion.schedules.models import Message
from companion.web.messages import filters
from tests.builders import NOW
from tests.fuzz.inputs import fuzzed, json_of, text_of


@fuzzed("json_body", "NaN", "{", "[", '"a":', "\\ud800")
def test_any_body_is_json_or_malformed(raw: bytes) -> None:
    try:
        value = read_json(raw)
    except HttpError:
        return

    try:
        written = json.dumps(value, allow_nan=False)
    except ValueError:
        # A number like 1e999 is JSON; its field refuses it.
        return
    assert read_json(written.encode()) == value


@fuzzed("instant", "T", "Z", "+14:00", "2026-12-01", "08:00:00", ".123456789")
def test_any_instant_is_refused_or_read_back_as_it_was_written(raw: bytes) -> None:
    try:
        at = read_instant(text_of(raw))
    except ValueError:
        return

    assert isinstance(at, dt.datetime)
    assert read_instant(write_instant(at)) == at


@fuzzed("cursor", "AA", "MjAyNi0xMi0wMVQw", "=", "-_")
def test_no_made_up_cursor_is_taken(raw: bytes) -> None:
    with pytest.raises(Refused):
        read_cursor("messages", text_of(raw))


def test_a_cursor_is_taken_by_its_own_list_alone() -> None:
    cursor = cursor_of("messages", "last")

    assert read_cursor("messages", cursor) == "last"
    with pytest.raises(Refused):
        read_cursor("patients", cursor)


@fuzzed("cursor", "AA", "MjAyNi0xMi0wMVQw", "=", "-_")
def test_any_cursor_gives_a_page_or_is_refused(clinic: Clinic, raw: bytes) -> None:
    cursor = text_of(raw) or "x"
    sent, everybody = Message.objects.filter(clinic=clinic), Patient.objects.filter(clinic=clinic)

    with contextlib.suppress(Refused):
        assert messages.page(sent, order="due_at", after=cursor, limit=5).items == []
    with contextlib.suppress(Refused):
        assert patients.page(everybody, cursor, 5).items == []
    with contextlib.suppress(Refused):
        assert listing.page(clinic, messages.MessageFilter(), NOW, after=cursor, limit=5).items == []


@fuzzed("view_filters", "day=", "status=", "standing=due", "&", "2026-12-24", "%ED%A0%80", "cohort=")
def test_any_query_is_a_view_of_the_list_or_is_refused(raw: bytes) -> None:
    clinic = Clinic(name="Linden", timezone="Europe/Berlin")
    try:
        view = filters.view(QueryDict(raw), clinic, NOW)
    except (Refused, Unknown):
        return

    begin, end = filters.bounds(view.day, clinic)
    assert dt.timedelta(hours=20) < end - begin < dt.timedelta(hours=28)
    # The address of the same view is read as the same view.
    query = view.address("", day=view.day.isoformat(), after=view.after).removeprefix("?")
    assert filters.view(QueryDict(query.encode()), clinic, NOW).parameters == view.parameters
    assert view.words.isprintable()


_PARAMETERS: Final[tuple[type[BaseModel], ...]] = (
    *(MessageParameters, PatientParameters, ScheduleParameters, PreviewParameters, InboxParameters),
)


@fuzzed("list_parameters", "due_from", "count", "review", "include", "true", "-1", "unread", "reminder")
def test_any_parameters_of_a_list_are_read_or_refused(raw: bytes) -> None:
    given = json_of(raw)

    for parameters in _PARAMETERS:
        try:
            read = parameters.model_validate(given)
        except ValidationError:
            continue
        assert 1 <= getattr(read, "limit", 1) <= 500
