"""The access log: it names a request by its id and its route, never by its path or its query."""

import io
import logging
from collections.abc import Iterator

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path


def secret_page(request: HttpRequest, token: str) -> HttpResponse:
    if request.GET.get("fail"):
        raise RuntimeError("out of order")
    return HttpResponse("ok")


def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", status=int(request.GET.get("status", "200")))


def cookies(request: HttpRequest) -> HttpResponse:
    return HttpResponse(" ".join(f"{name}={value}" for name, value in request.COOKIES.items()))


urlpatterns = [path("cookies", cookies), path("hidden/<token>/page", secret_page), path("health", health)]


@pytest.fixture
def client() -> Iterator[Client]:
    """The access log alone, before the pages above."""
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=["companion.config.middleware.access_log"]):
        yield Client(raise_request_exception=False)


def requests_logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    lines = [record.msg for record in caplog.records if record.name == "companion.access"]
    return [line for line in lines if isinstance(line, dict)]


def test_a_request_is_logged_by_its_route_status_and_time(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/hidden/s3cret/page?q=Ana")

    (line,) = requests_logged(caplog)
    assert (line["method"], line["route"], line["status"]) == ("GET", "/hidden/<token>/page", 200)
    assert isinstance(line["ms"], float)
    assert "s3cret" not in str(line)
    assert "Ana" not in str(line)


def test_a_sane_request_id_is_kept_and_answered(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = client.get("/hidden/x/page", headers={"X-Request-ID": "from-the-proxy-1"})

    assert answer.headers["X-Request-ID"] == "from-the-proxy-1"
    assert requests_logged(caplog)[0]["request_id"] == "from-the-proxy-1"


@pytest.mark.parametrize(
    "given", ["", "short", "x" * 65, "two words here", "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-b"]
)
def test_any_other_request_id_is_replaced(client: Client, given: str) -> None:
    answered = client.get("/health", headers={"X-Request-ID": given}).headers["X-Request-ID"]

    assert answered != given
    assert len(answered) == 16


def test_a_path_that_leads_nowhere_is_not_written(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/bot123456/s3cret")

    assert requests_logged(caplog)[0]["route"] == "no route"


def test_health_asked_all_day_leaves_no_lines_unless_it_fails(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/health")
        client.get("/health?status=503")

    assert [line["status"] for line in requests_logged(caplog)] == [503]


def test_djangos_own_lines_name_the_route_and_not_the_path(client: Client) -> None:
    (handler,) = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
    written = io.StringIO()
    real = handler.setStream(written)
    try:
        client.get("/hidden/s3cret/page?fail=1")
        client.get("/nowhere/s3cret")
    finally:
        handler.setStream(real)

    lines = written.getvalue()
    assert "RuntimeError at test_middleware.py:15" in lines
    assert "Internal Server Error: hidden/<token>/page" in lines
    assert "Not Found: no route" in lines
    assert "s3cret" not in lines
    assert "out of order" not in lines


@pytest.mark.parametrize("hostile", ['c="' + "\\\\" * 7_500 + '"', 'c="\\101\\102"', "c=a\\b", '\\="x"'])
def test_a_cookie_that_old_pythons_cannot_bear_is_dropped_and_the_others_stay(hostile: str) -> None:
    """CVE-2024-7592: one of 16 KB holds a thread for two seconds before Python 3.11.10 and 3.12.6."""
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=["companion.config.middleware.plain_cookies"]):
        answer = Client().get("/cookies", headers={"Cookie": f"a=1; {hostile}; b=2"})

    assert answer.content == b"a=1 b=2"
