"""The web's doors: cookies, headers, JSON bodies, and what webhooks answer."""

import base64
import contextlib
import datetime as dt
import ipaddress
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Final

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from ninja.errors import HttpError
from standardwebhooks import Webhook as Receiver

from companion.api.conditions import wanted_of
from companion.api.paging import read_cursor
from companion.api.reading import read_json
from companion.api.values import read_instant, write_instant
from companion.clinics.api_keys import secret_of
from companion.clinics.refusals import Refused
from companion.config.middleware import access_log, plain_cookies
from companion.service.client_address import client_address, neighbourhood, read_networks
from companion.webhooks import calling, signing
from tests.fuzz.inputs import fuzzed, headers, json_with, texts

PROXIES: Final = read_networks("10.0.0.0/8, 127.0.0.1, fd00::/8")
_PIECES: Final = st.sampled_from(
    ["sessionid=", "csrftoken=", ";", "=", '"', "\\", "\\101", ",", " ", "a", "$Path", "__Host-a"]
)


@fuzzed
@given(st.lists(_PIECES | headers, max_size=12).map("".join), headers)
def test_any_cookies_and_headers_pass_the_first_door(cookies: str, other: str) -> None:
    def page(request: HttpRequest) -> HttpResponse:
        assert "\\" not in request.META["HTTP_COOKIE"]
        return HttpResponse(" ".join(request.COOKIES))

    request = RequestFactory().get("/", HTTP_COOKIE=cookies, HTTP_X_REQUEST_ID=other, HTTP_X_FORWARDED_FOR=other)
    answer = plain_cookies(access_log(page))(request)

    assert answer.status_code == 200
    assert answer.headers["X-Request-ID"].isascii()


_ADDRESSES: Final = (
    st.ip_addresses().map(str)
    | st.sampled_from(
        ["10.0.0.1", "10.0.0.2:443", "[fd00::1]:1", "::ffff:10.0.0.1", "fe80::1%eth0", "[", "[]", "1.1:2", "0x7f.1"]
    )
    | headers
)


@fuzzed
@given(_ADDRESSES, st.lists(_ADDRESSES, max_size=5).map(",".join))
def test_any_forwarded_address_gives_an_address_for_which_a_proxy_vouched(peer: str, forwarded: str) -> None:
    found = client_address(peer, forwarded, PROXIES)

    ipaddress.ip_address(found)
    assert client_address(found, "", PROXIES) == found
    assert neighbourhood(neighbourhood(found)) == neighbourhood(found)
    assert client_address(peer, forwarded, ()) == client_address(peer, "", PROXIES)


@fuzzed
@given(st.sampled_from(["Bearer ", "bearer", "BEARER\t", "Basic ", ""]).flatmap(lambda way: headers.map(way.__add__)))
def test_any_authorization_header_gives_a_secret_that_can_be_hashed(header: str) -> None:
    secret = secret_of(header)

    secret.encode("ascii")
    assert secret == secret_of(f"Bearer {secret}")


@fuzzed
@given(
    json_with("a", "b").map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200), st.binary(max_size=3)
)
def test_any_body_is_json_or_malformed(body: bytes, torn: bytes) -> None:
    for raw in (body, body + torn, torn + body):
        try:
            value = read_json(raw)
        except HttpError:
            continue
        assert read_json(json.dumps(value).encode()) == value


@fuzzed
@given(headers | st.lists(st.sampled_from(['"a"', 'W/"b"', ",", " ", "*", '"'])).map("".join), texts)
def test_any_condition_and_any_cursor_is_read_or_refused(condition: str, cursor: str) -> None:
    with contextlib.suppress(HttpError):
        wanted_of(RequestFactory().get("/", HTTP_IF_MATCH=condition))
    with pytest.raises(Refused):
        read_cursor("messages", cursor)
    with pytest.raises(Refused):
        read_cursor("messages", base64.urlsafe_b64encode(cursor.encode("utf-8", "replace")).decode())


_CLOCKS: Final = st.from_regex(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
    r"(\.[0-9]{1,9})?([Zz]|[+ -][0-2][0-9]:[0-5][0-9])",
    fullmatch=True,
)


@fuzzed
@given(_CLOCKS | texts | json_with("a"))
def test_any_instant_is_refused_or_read_back_as_it_was_written(value: object) -> None:
    try:
        at = read_instant(value)
    except ValueError:
        return

    assert isinstance(at, dt.datetime)
    assert read_instant(write_instant(at)) == at


@fuzzed
@given(st.sampled_from(["https://", "http://", "HTTPS://", "//", ""]), texts | st.ip_addresses().map(str) | headers)
def test_any_address_of_a_webhook_is_refused_or_can_be_called(scheme: str, rest: str) -> None:
    try:
        calling.check(scheme + rest)
    except Refused:
        return

    line = calling.Line(scheme + rest)
    line.close()


@fuzzed
@given(texts.filter(lambda text: "\ud800" not in text), st.integers(1, 2))
def test_any_body_of_a_webhook_is_genuine_for_the_librarys_own_verifier(body: str, secrets: int) -> None:
    keys = [signing.new_secret() for _ in range(secrets)]

    signed = signing.headers(keys, uuid.uuid4(), json.dumps(body), at=dt.datetime.now(dt.UTC))

    for key in keys:
        assert Receiver(key).verify(json.dumps(body), signed) == body


class Receiving:
    """A server of raw bytes: whatever comes in, `answer` goes out, and the connection ends."""

    def __init__(self) -> None:
        self.answer = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                with line, contextlib.suppress(OSError):
                    line.settimeout(5)
                    line.recv(65_536)
                    line.sendall(self.answer)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture(scope="module")
def receiving() -> Iterator[Receiving]:
    server = Receiving()
    yield server
    server.close()


_LINES: Final = st.lists(
    st.sampled_from(
        [
            *(b"HTTP/1.1 200 OK", b"HTTP/1.1 99 x", b"HTTP/1.0 204", b"HTTP/9 200", b"Retry-After: 60"),
            *(b"Retry-After: \xb2", b"Content-Length: 3", b"Content-Length: -1", b"Transfer-Encoding: chunked"),
            *(b"", b"5\r\nabc", b"zz", b"\xff: \xff"),
        ]
    )
    | st.binary(max_size=12),
    max_size=8,
).map(b"\r\n".join)


@fuzzed
@given(_LINES | st.binary(max_size=60))
def test_any_answer_of_a_webhook_is_a_code_or_a_reason(receiving: Receiving, answer: bytes) -> None:
    receiving.answer = answer
    line = calling.Line(receiving.url)

    said = line.post("{}", {})
    line.close()

    assert (said.code is None) != (said.why == "")
    assert isinstance(said.retry_after, str)
