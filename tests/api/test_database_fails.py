"""A database that fails in the middle of a call: a problem that says so, that no cache keeps, and that names nobody."""

import json
from contextlib import suppress

import pytest
from django.db import OperationalError
from django.test import Client

from companion.clinics.api_keys import make_key
from companion.clinics.models import Role
from companion.patients.models import Patient
from companion.service.clock import database_now
from tests.api.calls import PROBLEM
from tests.api.needed_roles import NEEDED
from tests.api.test_every_call import body_of, filled
from tests.furnished import furnished
from tests.support.failing import failing_after

pytestmark = pytest.mark.django_db(transaction=True)
HEALTH = ("GET", "/api/scheduler/health")
"""The call that answers 503 in a form of its own: it says which witness sees the outage."""
MEMBERS = {"type", "title", "status", "detail", "errors"}


@pytest.mark.parametrize("statements", [0, 1, 2, 4, 7, 11])
def test_a_database_that_fails_in_the_middle_of_any_call_is_a_problem(statements: int) -> None:
    rows = furnished()
    Patient.objects.update(name="Zebulon Quist")
    secret = make_key(rows.clinic, "program", Role.ADMIN, now=database_now())[1]
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})

    failed, wrong = 0, {}
    for method, path in NEEDED.keys() - {HEALTH}:
        with failing_after(statements), suppress(OperationalError):
            body = body_of(method, path, rows.ids)
            answer = client.generic(
                method, filled(method, path, rows.ids), json.dumps(body), content_type="application/json"
            )
            # A stream that nobody reads would keep its slot.
            text = b"".join(answer).decode() if answer.streaming else answer.content.decode()
            if answer.status_code < 500:
                continue
            failed += 1
            told = answer.json() if answer["Content-Type"].startswith(PROBLEM) else {}
            is_right = (
                (answer.status_code, answer.get("Retry-After"), set(told)) == (503, "5", MEMBERS)
                and "no-store" in answer.get("Cache-Control", "")
                and "Zebulon" not in text
                and "server closed" not in text
            )
            if not is_right:
                wrong[f"{method} {path}"] = (answer.status_code, text[:200])

    assert failed > 10
    assert wrong == {}
