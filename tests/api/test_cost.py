"""The number of a list's queries does not grow with the rows on its page."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from companion.clinics.models import Clinic
from companion.schedules.models import Status
from tests.api.calls import Program
from tests.builders import NOW, a_cohort, a_conversation, a_message, a_patient, a_schedule

pytestmark = pytest.mark.both_databases


def a_row_of_patients(clinic: Clinic) -> None:
    a_cohort(clinic, "", a_patient(clinic))


def a_row_of_messages(clinic: Clinic) -> None:
    patient = a_patient(clinic)
    a_message(patient, a_schedule(clinic, patient), status=Status.SENT, sent_at=NOW)


def a_row_of_schedules(clinic: Clinic) -> None:
    a_schedule(clinic, a_patient(clinic), timezone="Europe/Berlin", recurrence={"frequency": "daily"})


def a_row_of_conversations(clinic: Clinic) -> None:
    patient = a_patient(clinic)
    a_conversation(patient, unanswered=a_message(patient))


@pytest.mark.parametrize(
    ("path", "a_row"),
    [
        ("/inbox", a_row_of_conversations),
        ("/patients", a_row_of_patients),
        ("/cohorts", a_row_of_patients),
        ("/messages", a_row_of_messages),
        ("/schedules", a_row_of_schedules),
    ],
)
def test_ten_rows_take_as_many_queries_as_a_single_row(
    clinic: Clinic, api: Program, path: str, a_row: Callable[[Clinic], None]
) -> None:
    a_row(clinic)
    api.get(path)  # notes that the key is used
    before = queries_of(api, path)
    for _ in range(9):
        a_row(clinic)

    assert queries_of(api, path) == before


def queries_of(api: Program, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        api.get(path)
    # The limit of calls reserves some now and then (api/limits.py).
    return len([query for query in captured if "api_keyuse" not in query["sql"]])
