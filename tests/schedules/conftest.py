"""Ten thousand Messages, on which the query plans are asked."""

import datetime as dt
from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.schedules.models import Attempt, AttemptOutcome, Lane, Message, Recipient, Schedule, Status, Version
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_clinic, a_patient, a_schedule

_MESSAGES, _PATIENTS = 10_000, 500
_MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(scope="module", params=["as it is", "analysed"])
def clinic(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Clinic]:
    """Ten thousand Messages. Nobody analyses SQLite, so that its plans must be good without and with statistics;
    PostgreSQL's autovacuum always has."""
    with django_db_blocker.unblock():
        if request.param == "as it is" and connection.vendor == "postgresql":
            pytest.skip("PostgreSQL analyses by itself")
        clinic = _filled()
        with connection.cursor() as cursor:
            if request.param == "analysed":
                # The rows of another file's run are deleted, but still take room and spoil the statistics.
                cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
            yield clinic
            _emptied(clinic)
            if connection.vendor != "postgresql" and request.param == "analysed":
                cursor.execute("DELETE FROM sqlite_stat1")
                cursor.execute("ANALYZE sqlite_schema")


def _filled() -> Clinic:
    clinic = a_clinic()
    schedules = [a_schedule(clinic) for _ in range(20)]
    versions = [schedule.versions.get() for schedule in schedules]
    patients = [a_patient(clinic, f"Ana No{number}") for number in range(20)]
    patients += Patient.objects.bulk_create(
        Patient(
            clinic=clinic, external_id=f"Q-{number}", name=f"Ben No{number}", search=f"ben no{number} q-{number}",
            telegram_id=6_000_000_000 + number, timezone="Europe/Berlin", created_at=NOW,
        )
        for number in range(_PATIENTS - len(patients))
    )  # fmt: skip
    Message.objects.bulk_create(
        _message(number, patients[number % _PATIENTS], schedules[number % 20], versions[number % 20])
        for number in range(_MESSAGES)
    )
    Attempt.objects.bulk_create(_attempt(message) for message in Message.objects.exclude(status=Status.PENDING))
    return clinic


def _attempt(message: Message) -> Attempt:
    return Attempt(
        clinic_id=message.clinic_id, message=message, number=1, began_at=message.due_at, ended_at=message.due_at,
        outcome=AttemptOutcome.SENT, text="Take your tablet.", telegram_id=1,
    )  # fmt: skip


def _message(number: int, patient: Patient, schedule: Schedule, version: Version) -> Message:
    """Most are pending and far ahead; the first few are due."""
    due = NOW + dt.timedelta(seconds=number - 100) if number < 200 else NOW + dt.timedelta(minutes=number)
    status = Status.PENDING if number % 10 < 7 or number < 200 else Status.SENT
    status = Status.FAILED if number > 200 and number % 10 == 9 else status
    return Message(
        clinic_id=patient.clinic_id, patient=patient, schedule=schedule, version=version, lane=Lane.REMINDER,
        occurrence=str(number), status=status, reason=Reason.TOO_LATE if status == Status.FAILED else "",
        due_at=due, ready_at=due, late_at=due + _MINUTE, created_at=NOW,
    )  # fmt: skip


def _emptied(clinic: Clinic) -> None:
    for model in (Attempt, Message, Recipient, Version, Schedule, Patient):
        model._default_manager.filter(clinic=clinic).delete()
    clinic.delete()
