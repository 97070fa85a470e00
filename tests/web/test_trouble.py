"""Pages while the database is unreachable and after an unexpected error: each says in words what happened."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import pytest
from django.db import DataError, OperationalError, connection
from django.test import Client

from companion.clinics.models import Role
from companion.patients.models import Patient
from tests.api.calls import PROBLEM, a_program
from tests.builders import a_clinic, a_member
from tests.furnished import furnished
from tests.support.failing import failing_after
from tests.web.signed_in import signed_in, words
from tests.web.test_every_address import ROLES, asked, filled

pytestmark = pytest.mark.django_db


@contextmanager
def no_database(error: Exception) -> Iterator[None]:
    """Make every SQL statement fail with this error."""

    def fail(*_: object) -> NoReturn:
        raise error

    with connection.execute_wrapper(fail):
        yield


@pytest.fixture
def client() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(a_member(a_clinic(), Role.ADMIN).user)
    return client


@pytest.mark.parametrize("address", ["/scheduled-messages", "/patients", "/mcp", "/banner", "/inbox/news"])
def test_while_the_database_is_away_each_page_says_so_and_when_to_try_again(client: Client, address: str) -> None:
    with no_database(OperationalError("the connection is lost")):
        answer = client.get(address)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "The database can't be used just now" in words(answer)
    assert "Messages wait" in words(answer)


def test_an_unforeseen_error_is_shown_with_the_id_that_the_log_has(client: Client) -> None:
    with no_database(DataError("Ana's number")):
        answer = client.get("/patients?q=Ana")

    assert answer.status_code == 500
    assert f"by the id {answer['X-Request-ID']}" in words(answer)
    assert "Sending messages doesn't depend on it." in words(answer)
    assert "Ana's number" not in words(answer)


def test_while_the_database_is_away_a_call_is_told_to_try_again() -> None:
    program = a_program(a_clinic())

    with no_database(OperationalError("the connection is lost")):
        answer = program.get("/patients")

    assert (answer.status, answer.media_type, answer.headers["Retry-After"]) == (503, PROBLEM, "5")
    assert "Try again in a moment" in answer.json["detail"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statements", [1, 3, 6, 10, 15])
def test_a_database_that_fails_in_the_middle_of_any_page_is_said_and_nothing_is_kept(statements: int) -> None:
    rows = furnished()
    Patient.objects.update(name="Zebulon Quist")
    client = signed_in(rows.clinic, Role.ADMIN)
    client.raise_request_exception = False
    pages = [filled(address, rows.ids) for method, address, _ in asked("member", "operator", *ROLES) if method == "GET"]

    wrong = {}
    for page in pages:
        with failing_after(statements), suppress(OperationalError):
            answer = client.get(page)
            body = b"".join(answer) if answer.streaming else answer.content
            is_quiet = answer.status_code != 503 or (
                answer["Retry-After"] == "5" and b"Zebulon" not in body and b"server closed" not in body
            )
            if answer.status_code == 500 or not is_quiet or "no-store" not in answer.get("Cache-Control", ""):
                wrong[page] = (answer.status_code, answer.get("Cache-Control"))

    assert len(pages) > 30
    assert wrong == {}
