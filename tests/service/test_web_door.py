"""The web service's own door at an https address: cookies, HSTS, and requests that no page may see."""

import contextlib
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse

import pytest

from tests.support.services import a_free_port, a_service, eventually

HOST = "companion.clinic.example"


@pytest.fixture
def web(product_environment: dict[str, str]) -> Iterator[int]:
    port = a_free_port()
    own = {"COMPANION_PORT": str(port), "COMPANION_BASE_URL": f"https://{HOST}"}
    with a_service("web", product_environment | own):
        eventually(lambda: answers(port), "the web service")
        yield port


def answers(port: int) -> bool:
    with contextlib.suppress(OSError, HTTPException):
        return get(port, "/accounts/login/").status == 200
    return False


def get(port: int, path: str, headers: dict[str, str] | None = None) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Host": HOST, "X-Forwarded-Proto": "https"} | (headers or {}))
    return connection.getresponse()


def status_of(port: int, raw: bytes) -> int:
    """The status with which the server refuses these bytes, in an answer that no browser frames or stores."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(raw)
        answer = b"".join(iter(lambda: line.recv(65_536), b""))
    assert b"X-Frame-Options: DENY" in answer
    assert b"Cache-Control: no-store" in answer
    assert b"X-Content-Type-Options: nosniff" in answer
    return int(answer.split()[1])


UNCLEAR_ENCODINGS = (
    b"xchunked",
    b"chunked, identity",
    b"identity",
    b"chunked\r\nTransfer-Encoding: gzip",
    b"\x0bchunked",
    b"",
    b"\r\n chunked",
    b"chunked, chunked",
    b"chunked\r\nTransfer-Encoding: chunked",
    b"chunked\r\nContent-Length: 5",
    b"chunked\r\nContent-Length: 0",
    b"chunked;q=1",
)
"""Values of Transfer-Encoding, some with the header after it, that leave the length of the body unclear."""


def asked_after_head(port: int, path: str) -> tuple[bytes, bytes]:
    """The status lines of HEAD and of the next request on the same connection."""
    asked = f"HEAD {path} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\n"
    after = f"GET /.well-known/security.txt HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(f"{asked}\r\n{after}".encode())
        answers = b"".join(iter(lambda: line.recv(65_536), b""))
    first, _, second = answers.partition(b"\r\n\r\n")
    return first.split(b"\r\n")[0], second.split(b"\r\n")[0]


def test_the_door_keeps_its_rules(web: int) -> None:
    """A process for all, because its start takes longer than the requests."""
    page = get(web, "/accounts/login/")
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-csrftoken=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert "Domain" not in cookie
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert page.headers["Cache-Control"].count("no-store") == 1

    assert get(web, "/accounts/login/", {"Cookie": "a=" + "x" * 15_000}).status == 200
    too_long = get(web, "/accounts/login/", {"Cookie": "a=" + '"\\' * 60_000})
    assert (too_long.status, too_long.headers["X-Frame-Options"]) == (431, "DENY")

    post = b"POST /accounts/login/ HTTP/1.1\r\nHost: companion.clinic.example\r\n"
    for wrong in UNCLEAR_ENCODINGS:
        assert status_of(web, post + b"Transfer-Encoding: " + wrong + b"\r\n\r\n0\r\n\r\n") in (400, 501), wrong
    for version in (b"1.0", b"1.2"):
        old = post.replace(b"1.1", version)
        assert status_of(web, old + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400, version
    for right in (b"chunked", b"Chunked", b"\tchunked "):
        close = b"Connection: close\r\n\r\n0\r\n\r\n"
        assert status_of(web, post + b"Transfer-Encoding: " + right + b"\r\n" + close) == 403, right
    assert status_of(web, post + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc") == 400
    assert status_of(web, post + b"Content-Length: +3\r\n\r\nabc") == 400

    # A body after HEAD would be the beginning of the next answer on this connection.
    for path in ("/accounts/login/", "/nowhere", "/api/scheduler/health", "/metrics", "/static/web/app.css"):
        head, next_one = asked_after_head(web, path)
        assert head.startswith(b"HTTP/1.1 "), path
        assert next_one == b"HTTP/1.1 200 OK", path
    page = get(web, "/accounts/login/")
    assert int(page.headers["Content-Length"]) == len(page.read()) > 0
