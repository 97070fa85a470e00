"""The health port asked over real HTTP, by strangers, by processes of this installation, and by Prometheus."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from typing import NoReturn
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError
from django.db.backends.signals import connection_created
from pytest_django import Settings

from companion.clinics.api_keys import make_key, revoke
from companion.clinics.known_keys import may_read_metrics
from companion.clinics.models import Role
from companion.panel.direct import Answer, NoAnswer, ask
from companion.service.clock import database_now
from companion.service.health_port import HealthPort, PortTaken, serve
from tests.builders import a_caller, a_clinic

EVERYWHERE = "0.0.0.0"


@contextmanager
def a_port(health: dict[str, object], *, host: str = "127.0.0.1") -> Iterator[HealthPort]:
    port = serve(lambda: health, host=host, port=0, may_read_metrics=may_read_metrics)
    try:
        yield port
    finally:
        port.close()


def get(port: HealthPort, path: str, key: str = "") -> tuple[HTTPResponse, bytes]:
    client = HTTPConnection("127.0.0.1", urlsplit(port.url).port, timeout=10)
    try:
        client.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        response = client.getresponse()
        return response, response.read()
    finally:
        client.close()


@contextmanager
def no_database_for_others() -> Iterator[None]:
    """Refuse every new connection, as a database that is away does. This thread keeps its own."""

    def refuse(**_: object) -> NoReturn:
        raise OperationalError("the connection is lost")

    connection_created.connect(refuse)
    try:
        yield
    finally:
        connection_created.disconnect(refuse)


@pytest.mark.parametrize(
    ("status", "code", "word"), [("ok", 200, "alive"), ("degraded", 200, "alive"), ("down", 503, "not alive")]
)
def test_strangers_hear_whether_the_service_lives_and_nothing_else(status: str, code: int, word: str) -> None:
    with a_port({"status": status, "detail": "A sentence.", "on_wire": 2}) as port:
        response, body = get(port, "/health")

    assert (response.status, json.loads(body)) == (code, {"status": word})


def test_a_process_of_this_installation_hears_the_services_own_words() -> None:
    with a_port({"status": "degraded", "detail": "The ledger waits."}) as port:
        assert ask(f"{port.url}/health") == Answer("degraded", "The ledger waits.")


def test_a_process_with_another_secret_key_is_told_so(settings: Settings) -> None:
    def of_another_key() -> dict[str, object]:
        # After the call was made with the key of before.
        settings.SECRET_KEY = "another"
        return {"status": "ok"}

    port = serve(of_another_key, host="127.0.0.1", port=0)
    try:
        said = ask(f"{port.url}/health")
    finally:
        port.close()

    assert isinstance(said, NoAnswer)
    assert "COMPANION_SECRET_KEY" in said.why


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_metrics_that_other_machines_can_ask_for_need_an_api_key() -> None:
    clinic = a_clinic()
    key, secret = make_key(clinic, "prometheus", Role.VIEWER, now=database_now())
    with a_port({}, host=EVERYWHERE) as port:
        stranger, wrong, prometheus = (get(port, "/metrics", header) for header in ("", "ack_wrong", secret))
        revoke(a_caller(clinic, Role.ADMIN), key, now=database_now())
        revoked, _ = get(port, "/metrics", secret)

    assert [answer.status for answer, _ in (stranger, wrong, prometheus)] == [401, 401, 200]
    assert b"companion_" not in stranger[1] + wrong[1]
    assert b"companion_delivery_lag_seconds" in prometheus[1]
    assert revoked.status == HTTPStatus.UNAUTHORIZED


@pytest.mark.django_db(transaction=True)
def test_a_key_that_was_let_in_reads_metrics_on_while_the_database_is_away() -> None:
    _, known = make_key(a_clinic(), "prometheus", Role.VIEWER, now=database_now())
    _, new = make_key(a_clinic(), "another", Role.VIEWER, now=database_now())
    with a_port({}, host=EVERYWHERE) as port:
        get(port, "/metrics", known)
        with no_database_for_others():
            answers = [get(port, "/metrics", key)[0].status for key in (known, new, "")]

    assert answers == [200, 503, 401]


def test_metrics_are_prometheus_own_format() -> None:
    with a_port({}) as port:
        response, body = get(port, "/metrics")

    assert (response.headers["Content-Type"] or "").startswith("text/plain; version=")
    assert b"companion_delivery_lag_seconds" in body


def test_nothing_else_is_there() -> None:
    with a_port({}) as port:
        response, _ = get(port, "/elsewhere")

    assert response.status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(("method", "code"), [("GET", 200), ("HEAD", 200), ("POST", 501), ("TRACE", 501)])
@pytest.mark.parametrize("path", ["/health", "/elsewhere"])
def test_no_answer_names_python_or_may_be_framed_or_stored(method: str, code: int, path: str) -> None:
    with a_port({"status": "ok"}) as port:
        client = HTTPConnection("127.0.0.1", urlsplit(port.url).port, timeout=10)
        client.request(method, path)
        answer = client.getresponse()
        body = answer.read()
        client.close()

    assert answer.status == (404 if path == "/elsewhere" and code == 200 else code)
    assert answer.headers["Server"] == "companion"
    assert (answer.headers["X-Frame-Options"], answer.headers["Cache-Control"]) == ("DENY", "no-store")
    assert b"<" not in body
    assert (body == b"") == (method == "HEAD")


def test_strangers_who_hold_connections_open_keep_no_monitor_out() -> None:
    with ExitStack() as held, a_port({"status": "ok"}) as port:
        at = ("127.0.0.1", urlsplit(port.url).port)
        lines = [held.enter_context(socket.create_connection(at, timeout=10)) for _ in range(100)]
        for line in lines:
            with suppress(OSError):
                line.sendall(b"GET /health HTTP/1.1\r\nX-Slow: ")

        response, _ = get(port, "/health")
        threads = [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]

    assert response.status == 200
    assert len(threads) <= 32


def test_the_port_is_free_once_closed() -> None:
    with a_port({}) as port:
        number = urlsplit(port.url).port

    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", number))


def test_a_taken_port_is_said_when_it_starts() -> None:
    with a_port({}) as port, pytest.raises(PortTaken, match="COMPANION_HEALTH_PORT"):
        serve(dict, host="127.0.0.1", port=urlsplit(port.url).port or 0)


def test_a_service_on_all_addresses_is_named_by_its_host() -> None:
    with a_port({}, host="0.0.0.0") as port:
        assert urlsplit(port.url).hostname == socket.gethostname().lower()
