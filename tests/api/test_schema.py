"""The whole description, tried with fitting and other values: no 5xx, and only described answers."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, assume, settings

from companion.api.conditions import PATTERN
from companion.api.urls import api
from companion.clinics.models import Clinic, Role
from companion.patients.group_acts import MOST
from companion.patients.models import EnrolmentNote, NoteKind
from companion.patients.sources import configuration
from companion.patients.sources.models import SyncRun
from companion.schedules.models import Status
from companion.schedules.reasons import Reason
from tests.api.calls import Program, a_program
from tests.builders import NOW, a_caller, a_cohort, a_conversation, a_kept_photo, a_message, a_patient, a_schedule
from tests.fuzz.inputs import CALLS

CHECKS = {
    # The rooms below refuse some values of the right shape. Such values are never called malformed (400).
    "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "412", "416", "422"]},
    # A stale If-Match is refused (412) before the body is read.
    "negative_data_rejection": {"expected-statuses": ["400", "401", "403", "404", "405", "412", "415", "422"]},
}
"""Statuses that schemathesis could not guess. All of its checks are on; docs/security.md names those that need more
than one request.
"""

# Read without a request: there is no database yet while tests are collected.
everything = schemathesis.openapi.from_dict(
    json.loads(json.dumps(api.get_openapi_schema())), config=schemathesis.Config.from_dict({"checks": CHECKS})
)
everything.app = get_wsgi_application()


@pytest.fixture
def one_connection(db: None) -> Iterator[None]:
    """Keep the test's own database connection open between requests, as Django's test client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def admin(clinic: Clinic) -> Program:
    return a_program(clinic, Role.ADMIN)


@pytest.fixture
def known(clinic: Clinic) -> dict[str, str]:
    """The ids of existing rows, by the kind that an address names."""
    patient = a_patient(clinic)
    schedule = a_schedule(clinic, patient, starts_at="2035-12-02T09:00", recurrence={"frequency": "daily"})
    return {
        "patients": str(patient.id),
        "schedules": str(schedule.id),
        "messages": str(a_message(patient).id),
        "unknown": str(a_message(patient, status=Status.FAILED, reason=Reason.OUTCOME_UNKNOWN, ended_at=NOW).id),
        "cohort": (cohort := str(a_cohort(clinic).id)),
        "cohorts": cohort,
        "enrolment-notes": str(
            EnrolmentNote.objects.create(clinic=clinic, patient=patient, kind=NoteKind.USED, at=NOW).id
        ),
        "patient-sources": str(
            configuration.set_fhir(a_caller(clinic, Role.ADMIN), "https://a.example", "", now=NOW).id
        ),
        "sync-runs": str(SyncRun.objects.create(clinic=clinic, kind="fhir", whole=True, began_at=NOW, reasons="[]").id),
        "inbox": str(a_conversation(patient).id),
        "media": str(a_kept_photo(patient).id),
    }


@everything.parametrize()
@settings(
    max_examples=CALLS,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_is_answered_outside_the_description(
    case: schemathesis.Case[Any], one_connection: None, admin: Program, known: dict[str, str]
) -> None:
    # An empty parameter counts as absent, as `allowEmptyValue` says; schemathesis calls it wrong.
    # A parameter without a value isn't sent at all.
    assume(not any(value in ("", None) or value == [] for value in case.query.values()))
    _point_to_rows_that_are_there(case, known)
    # schemathesis doesn't keep to the pattern of this header, and thinks that any value fits.
    fits = case.meta is not None and case.meta.generation.mode.is_positive
    for name in [name for name, value in (case.headers or {}).items() if name.lower() == "if-match" and fits]:
        assume(re.fullmatch(PATTERN, str(case.headers[name])))
    # The client's own cookie jar fails on a broken Host, before anything is sent.
    for name in [name for name in case.headers or {} if name.lower() == "host"]:
        del case.headers[name]

    headers = {"Authorization": f"Bearer {admin.key}"}
    answer = case.call(headers=headers)

    case.validate_response(answer, headers=headers, transport_kwargs={"headers": headers})


def _point_to_rows_that_are_there(case: schemathesis.Case[Any], known: dict[str, str]) -> None:
    if "id" in case.path_parameters and _is_id(case.path_parameters["id"]):
        case.path_parameters["id"] = known[case.path.split("/")[3]]
    if not isinstance(case.body, dict):
        return
    if _is_id(case.body.get("patient")):
        case.body["patient"] = known["patients"]
    if _is_id(case.body.get("cohort")):
        case.body["cohort"] = known["cohort"]
    patients = case.body.get("patients")
    # A list that is too long stays too long.
    if isinstance(patients, list) and 0 < len(patients) <= MOST and all(_is_id(patient) for patient in patients):
        case.body["patients"] = [known["patients"]]


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False
