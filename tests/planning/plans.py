"""Schedules as tests of planning make, change and read them: by the same functions as the pages and the API."""

import datetime as dt
from typing import Any

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.planning import drafts, edit
from companion.planning.edit import Planned
from companion.schedules.models import Message, Schedule, Status
from tests.builders import NOW, a_caller

DAILY = {"frequency": "daily"}


def values(*patients: Patient, **changes: Any) -> dict[str, object]:
    """The body of a POST: daily at nine in each patient's zone, from tomorrow on."""
    body: dict[str, object] = {
        "patients": [str(patient.id) for patient in patients] or None,
        "text": "Take your tablet, {first_name}.",
        "starts_at": "2026-12-02T09:00",
        "timezone": "patient",
        "recurrence": DAILY,
    }
    return body | changes


def planned(clinic: Clinic, *patients: Patient, now: dt.datetime = NOW, **changes: Any) -> Planned:
    draft = drafts.read(clinic, values(*patients, **changes), now=now)
    return edit.create(a_caller(clinic), draft, now=now)


def occurrences(schedule: Schedule, status: str = Status.PENDING) -> list[str]:
    found = Message.objects.filter(schedule=schedule, status=status).order_by("due_at", "id")
    return list(found.values_list("occurrence", flat=True))


def changed(schedule: Schedule, now: dt.datetime = NOW, from_occurrence: str | None = None, **changes: Any) -> Planned:
    body = drafts.values_of(drafts.of(schedule)) | changes
    draft = drafts.read(schedule.clinic, body, now=now)
    return edit.change(a_caller(schedule.clinic), schedule, draft, from_occurrence=from_occurrence, now=now)
