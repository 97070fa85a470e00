"""Webhooks and our own services: addresses, bodies, what the other side answers, and what strangers ask."""

import datetime as dt
import json
import socket
import uuid
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest
from standardwebhooks import Webhook as Receiver
from structlog.testing import capture_logs

from companion.clinics.refusals import Refused
from companion.panel import direct
from companion.service import health_port
from companion.service.health_port import HealthPort
from companion.webhooks import calling, signing, turn
from tests.builders import NOW
from tests.fuzz.inputs import fuzzed, text_of
from tests.fuzz.servers import Answering

_HTTP: Final = (
    "HTTP/1.1 200 OK\r\n",
    "Retry-After: ",
    "Content-Length: ",
    "Transfer-Encoding: chunked\r\n",
    "\r\n",
    "60",
)


@fuzzed("webhook_url", "https://", "http://", "//", "@", ":", "[", "]", "%25", "#", "?", "xn--", ".")
def test_any_address_of_a_webhook_is_refused_or_can_be_called(raw: bytes) -> None:
    url = text_of(raw)
    try:
        calling.check(url)
    except Refused:
        return

    calling.Receiver(url).close()
    assert urlsplit(url).hostname


_KEYS: Final = [signing.new_secret() for _ in range(2)]


@fuzzed("webhook_body", "whsec_", "{", '"')
def test_any_body_of_a_webhook_is_genuine_for_the_librarys_own_verifier(raw: bytes) -> None:
    body = json.dumps(text_of(raw))

    signed = signing.headers(_KEYS, uuid.uuid4(), body, at=dt.datetime.now(dt.UTC))

    for key in _KEYS:
        assert Receiver(key).verify(body, signed) == text_of(raw)


@fuzzed("webhook_http", *_HTTP)
def test_any_answer_of_a_webhook_is_a_code_or_a_reason(answering: Answering, raw: bytes) -> None:
    answering.answer = raw
    line = calling.Receiver(answering.url)

    said = line.post("{}", {})
    line.close()

    assert (said.code is None) != (said.why == "")
    assert isinstance(said.retry_after, str)


@fuzzed("retry_after", "GMT", "Tue, 01 Dec 2026 09:00:00 ", "+0100", "-9999", "Jan", ":")
def test_any_time_to_call_a_webhook_again_is_a_pause_within_bounds(raw: bytes) -> None:
    said = calling.Answer(429, retry_after=raw.decode("latin-1"))

    assert dt.timedelta() <= dt.timedelta(seconds=turn.wanted_pause(said, NOW)) <= dt.timedelta(days=1)


@fuzzed("health_answer", "status", "ok", "down", "alive", "detail", "cause")
def test_any_answer_of_a_service_is_its_health_or_none(answering: Answering, raw: bytes) -> None:
    answering.bodies(b"application/json", raw)

    said = direct.ask(answering.url)

    assert isinstance(said, direct.NoAnswer) or said.status in ("ok", "degraded", "down")


@pytest.fixture(scope="module")
def port() -> Iterator[HealthPort]:
    opened = health_port.serve(lambda: {"status": "ok"}, host="127.0.0.1", port=0)
    yield opened
    opened.close()


@fuzzed(
    "health_request", "GET ", "/health", "/metrics", " HTTP/1.1\r\n", "Authorization: Bearer ", "\r\n\r\n", tenth=True
)
def test_any_request_to_a_health_port_is_answered_or_cut_off_without_an_error(port: HealthPort, raw: bytes) -> None:
    with capture_logs() as logged, socket.create_connection(("127.0.0.1", urlsplit(port.url).port or 0), 5) as line:
        answer = b""
        try:
            line.sendall(raw)
            line.shutdown(socket.SHUT_WR)
            while data := line.recv(65_536):
                answer += data
        except ConnectionError:
            # Ours may end the connection before it has read all that came.
            pass

    assert logged == []
    assert b"Traceback" not in answer
