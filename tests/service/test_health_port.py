"""The health port asked over real HTTP."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import pytest

from companion.service.health_port import HealthPort, PortTaken, serve


@contextmanager
def a_port(health: dict[str, object], *, host: str = "127.0.0.1") -> Iterator[HealthPort]:
    port = serve(lambda: health, host=host, port=0)
    try:
        yield port
    finally:
        port.close()


def get(port: HealthPort, path: str) -> tuple[HTTPResponse, bytes]:
    parts = urlsplit(port.url)
    assert parts.hostname is not None
    client = HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        client.request("GET", path)
        response = client.getresponse()
        return response, response.read()
    finally:
        client.close()


@pytest.mark.parametrize(("status", "code"), [("ok", 200), ("degraded", 200), ("down", 503)])
def test_health_answers_what_the_service_says_of_itself(status: str, code: int) -> None:
    with a_port({"status": status, "on_wire": 2}) as port:
        response, body = get(port, "/health")

    assert response.status == code
    assert json.loads(body) == {"status": status, "on_wire": 2}


def test_metrics_are_prometheus_own_format() -> None:
    with a_port({}) as port:
        response, body = get(port, "/metrics")

    assert (response.headers["Content-Type"] or "").startswith("text/plain; version=")
    assert b"companion_delivery_lag_seconds" in body


def test_nothing_else_is_there() -> None:
    with a_port({}) as port:
        response, _ = get(port, "/elsewhere")

    assert response.status == HTTPStatus.NOT_FOUND


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
