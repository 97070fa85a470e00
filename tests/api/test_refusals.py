"""Every kind of refusal: no cache keeps it, no browser runs it, a log can find it, and it names no patient."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient
from companion.schedules.models import Status
from tests.api.calls import NOBODY, PROBLEM, ROOT, Answer, Program, a_program
from tests.builders import a_kept_photo, a_message, a_patient
from tests.web.signed_in import nobody

pytestmark = pytest.mark.django_db
NAME = "Zebulon Quist"
SAFE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _called_too_often(api: Program, patient: Patient, settings: Settings) -> Answer:
    settings.COMPANION = settings.COMPANION.model_copy(update={"calls_per_minute": 1})
    for _ in range(3):
        answer = api.get(f"/patients/{patient.id}")
    return answer


def _repeated_with_another_body(api: Program, patient: Patient, settings: Settings) -> Answer:
    api.post("/cohorts", {"name": NAME}, key="k1")
    return api.post("/cohorts", {"name": f"{NAME} again"}, key="k1")


def _a_part_that_is_not_there(api: Program, patient: Patient, settings: Settings) -> Answer:
    client = Client(headers={"Authorization": f"Bearer {api.key}", "Range": "bytes=99999999-"})
    response = client.get(f"{ROOT}/media/{a_kept_photo(patient).id}")
    return Answer(response.status_code, dict(response.items()), response.getvalue().decode())


REFUSALS: dict[str, Callable[[Program, Patient, Settings], Answer]] = {
    "400": lambda api, patient, _: api.call("PATCH", f"/patients/{patient.id}", raw=f'{{"name": "{NAME}'.encode()),
    "401": lambda _, patient, __: NOBODY.get(f"/patients/{patient.id}"),
    "403": lambda _, patient, __: a_program(patient.clinic, Role.VIEWER).patch(
        f"/patients/{patient.id}", {"name": NAME}
    ),
    "404": lambda api, *_: api.patch(f"/patients/{nobody()}", {"name": NAME}),
    "405": lambda api, patient, _: api.call("PUT", f"/patients/{patient.id}", {"name": NAME}),
    "409": lambda api, patient, _: api.post(f"/messages/{a_message(patient, status=Status.SENT).id}/cancel"),
    "412": lambda api, patient, _: api.patch(f"/patients/{patient.id}", {"name": NAME}, if_match='"x"'),
    "413": lambda api, patient, _: api.call("PATCH", f"/patients/{patient.id}", raw=NAME.encode() * 500_000),
    "415": lambda api, patient, _: api.call(
        "PATCH", f"/patients/{patient.id}", raw=NAME.encode(), media_type="text/csv"
    ),
    "416": _a_part_that_is_not_there,
    "422": lambda api, patient, _: api.patch(f"/patients/{patient.id}", {"name": NAME, "timezone": NAME}),
    "422 of a repeated call": _repeated_with_another_body,
    "429": _called_too_often,
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_as_guarded_as_an_answer(clinic: Clinic, api: Program, settings: Settings, kind: str) -> None:
    patient = a_patient(clinic, name=NAME, external_id="P-1")

    answer = REFUSALS[kind](api, patient, settings)

    headers = {name.title(): value for name, value in answer.headers.items()}
    assert str(answer.status) == kind[:3]
    assert {name: headers.get(name.title()) for name in SAFE} == SAFE
    assert len(headers["X-Request-Id"]) >= 16
    assert "Etag" not in headers
    assert NAME not in answer.text + str(headers)
    if answer.status != 416:
        assert answer.media_type == PROBLEM
        assert answer.json["status"] == answer.status


def test_a_tag_says_nothing_of_what_it_stands_for(clinic: Clinic, api: Program) -> None:
    """A reader of two tags can't tell whether both stand for the same values."""
    ana, other = a_patient(clinic, name=NAME, external_id="P-1"), a_patient(clinic, name=NAME, external_id="P-2")

    tags = [api.get(f"/patients/{patient.id}").headers["ETag"] for patient in (ana, other)]

    assert tags[0] != tags[1]
    assert all(NAME.split()[0] not in tag for tag in tags)
