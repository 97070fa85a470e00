"""A merge by the API, for the tests."""

from companion.patients.models import Patient
from tests.api.calls import Answer, Program


def merged(api: Program, gone: Patient, stays: Patient) -> Answer:
    answer = api.post(f"/patients/{gone.id}/merge", {"into": str(stays.id)})
    assert answer.status == 200, answer.text
    stays.refresh_from_db()
    return answer
