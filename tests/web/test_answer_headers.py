"""The headers of every answer, and the pages for addresses and forms that lead nowhere."""

import re
from typing import TYPE_CHECKING

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import get_resolver

from companion.clinics.models import Role
from tests.builders import a_clinic, a_message, a_patient
from tests.web.routes import routes
from tests.web.signed_in import nobody, read, signed_in, soon, words

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = pytest.mark.django_db
STATIC = ("/static/web/app.css", "/static/web/app.js")


def _filled(route: str) -> str:
    """Fill the address with ids that no row has."""
    return re.sub(r"<str:\w+>", "arrived", re.sub(r"<uuid:\w+>", str(nobody()), re.sub(r"<int:\w+>", "1", route)))


def _is_guarded(answer: "Answer") -> bool:
    """Return whether browsers put the answer into no frame, and take it for nothing but its type."""
    headers = answer.headers
    no_frames = "frame-ancestors 'none'" in headers.get("Content-Security-Policy", "")
    return no_frames and (headers.get("X-Frame-Options"), headers.get("X-Content-Type-Options")) == ("DENY", "nosniff")


def test_no_browser_and_no_proxy_may_store_any_answer() -> None:
    client = signed_in(a_clinic(), Role.ADMIN)
    client.raise_request_exception = False

    stored = {}
    for route in routes(get_resolver().url_patterns):
        address = _filled(route)
        answer = read(client.get(address))
        stored[address] = answer["Cache-Control"]

    assert len(stored) > 80
    assert {address: said for address, said in stored.items() if "no-store" not in said} == {}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE"])
def test_every_answer_to_every_method_forbids_frames_and_guessing_of_its_type(method: str) -> None:
    client = signed_in(a_clinic(), Role.ADMIN)
    client.raise_request_exception = False
    addresses = [*map(_filled, routes(get_resolver().url_patterns)), *STATIC, "/no/such/page", "/api/no/such/call"]

    lacking = {}
    for address in addresses:
        answer = read(client.generic(method, address))
        if not _is_guarded(answer) or "Access-Control-Allow-Origin" in answer:
            lacking[address] = answer.status_code

    assert len(addresses) > 80
    assert lacking == {}


def test_refusals_before_any_page_are_guarded_too() -> None:
    client = signed_in(a_clinic())
    stylesheet = STATIC[0]
    answers = [
        client.get(stylesheet, headers={"Range": "bytes=99999999-"}),
        client.get(stylesheet, headers={"If-None-Match": client.get(stylesheet)["ETag"]}),
        client.get("/", headers={"Host": "evil.example"}),
        Client(enforce_csrf_checks=True).post("/accounts/login/"),
    ]

    assert [answer.status_code for answer in answers] == [416, 304, 400, 403]
    assert all(map(_is_guarded, answers))
    assert "no-store" not in client.get(stylesheet)["Cache-Control"]


def test_an_answer_for_programs_loads_nothing_in_a_browser() -> None:
    answer = Client().get("/api/scheduler/health")

    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
@pytest.mark.parametrize(
    "path", ["/scheduled-messages", "/accounts/login/", "/api/scheduler/messages", "/no/such/page"]
)
def test_a_method_that_nobody_needs_is_refused(method: str, path: str) -> None:
    assert signed_in(a_clinic()).generic(method, path).status_code == 405


def test_signing_out_clears_what_the_browser_keeps_and_still_knows_the_device() -> None:
    answer = signed_in(a_clinic()).post("/accounts/logout/")

    assert answer["Clear-Site-Data"] == '"cache", "storage"'


def test_an_address_that_leads_nowhere_is_told_in_our_own_words() -> None:
    answer = Client().get("/no/such/page")

    assert answer.status_code == 404
    assert "There is nothing here" in words(answer)
    assert "/no/such/page" not in answer.content.decode()
    assert answer["Content-Security-Policy"].startswith("default-src 'self'")


def test_a_form_from_before_the_sign_in_is_told_what_to_do() -> None:
    client = Client(enforce_csrf_checks=True)

    answer = client.post("/accounts/login/", {"login": "nurse@clinic.example", "password": "a secret"})

    assert answer.status_code == 403
    assert "This form is out of date" in words(answer)


def test_a_form_that_is_too_large_is_told_so() -> None:
    answer = signed_in(a_clinic()).post("/scheduled-messages/new", {"text": "x" * (2 * 1024 * 1024 + 1)})

    assert answer.status_code == 400
    assert "Nothing was changed." in words(answer)


@pytest.mark.parametrize("address", ["/scheduled-messages/new", "/patients/import", "/accounts/login/", "/nowhere"])
def test_a_strangers_long_form_or_file_is_not_read(address: str) -> None:
    stranger = Client(enforce_csrf_checks=True)
    stranger.get("/accounts/login/")
    long = "x" * (2 * 1024 * 1024 + 1)

    answers = [
        stranger.post(address, {"text": long, "file": SimpleUploadedFile("a.csv", b"name")}),
        stranger.post(address, f"text={long}", content_type="application/x-www-form-urlencoded"),
    ]

    assert [answer["Location"].partition("?")[0] for answer in answers] == ["/accounts/login/"] * 2


def test_a_sentence_for_the_next_page_is_kept_out_of_cookies() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    message = a_message(a_patient(clinic, name="Ana Silva"), due_at=soon())
    client.post(f"/scheduled-messages/{message.id}/cancel")

    answer = client.post(f"/scheduled-messages/{message.id}/cancel")

    assert list(get_messages(answer.wsgi_request)) != []
    assert set(client.cookies) <= {"sessionid", "csrftoken"}


def test_a_finder_of_a_weakness_reads_to_whom_to_write() -> None:
    answer = Client().get("/.well-known/security.txt")

    lines = dict(line.split(": ", 1) for line in answer.content.decode().splitlines())
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert lines["Contact"] == "mailto:security@127.0.0.1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", lines["Expires"])
