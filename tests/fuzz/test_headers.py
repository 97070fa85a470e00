"""Headers, cookies and the names in them: each is read, or refused in a sentence."""

import contextlib
import ipaddress
import logging
import re
from typing import Final

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from ninja.errors import HttpError

from companion.api import idempotency
from companion.api.conditions import wanted_of
from companion.clinics.api_keys import secret_of
from companion.clinics.refusals import Refused
from companion.config.middleware import access_log, plain_cookies
from companion.service.client_address import client_address, neighbourhood, read_networks
from companion.service.fellows import is_fellow
from companion.service.file_answer import file_answer, file_name
from companion.web.account import devices
from tests.fuzz.inputs import fuzzed, parts_of, text_of

PROXIES: Final = read_networks("10.0.0.0/8, 127.0.0.1, fd00::/8")


@fuzzed("cookies", "sessionid=", "csrftoken=", "\\101", "$Path", "__Host-device=", ";", "=")
def test_any_cookies_and_headers_pass_the_first_door(caplog: pytest.LogCaptureFixture, raw: bytes) -> None:
    # pytest would keep a line for each input.
    caplog.set_level(logging.WARNING, logger="companion.access")

    def page(request: HttpRequest) -> HttpResponse:
        assert "\\" not in request.META["HTTP_COOKIE"]
        devices.hash_of_cookie(request)
        return HttpResponse(" ".join(request.COOKIES))

    cookies, other = parts_of(raw, 2)
    request = RequestFactory().get("/", HTTP_COOKIE=cookies, HTTP_X_REQUEST_ID=other, HTTP_X_FORWARDED_FOR=other)
    answer = plain_cookies(access_log(page))(request)

    assert answer.status_code == 200
    assert answer.headers["X-Request-ID"].isascii()


@fuzzed("forwarded", "10.0.0.1", "[fd00::1]:1", "::ffff:10.0.0.1", "%eth0", ":443", ", ")
def test_any_forwarded_address_gives_an_address_for_which_a_proxy_vouched(raw: bytes) -> None:
    peer, forwarded = parts_of(raw, 2)

    found = client_address(peer, forwarded, PROXIES)

    ipaddress.ip_address(found)
    assert client_address(found, "", PROXIES) == found
    assert neighbourhood(neighbourhood(found)) == neighbourhood(found)
    assert client_address(peer, forwarded, ()) == client_address(peer, "", PROXIES)


@fuzzed("authorization", "Bearer ", "BEARER\t", "Basic ")
def test_any_authorization_header_gives_a_secret_that_can_be_hashed(raw: bytes) -> None:
    header = raw.decode("latin-1")

    secret = secret_of(header)

    secret.encode("ascii")
    assert secret == secret_of(f"Bearer {secret}")
    assert not is_fellow(header)


@fuzzed("if_match", '"a"', 'W/"b"', "*", ",")
def test_any_condition_is_read_or_refused(raw: bytes) -> None:
    request = RequestFactory().get("/", HTTP_IF_MATCH=raw.decode("latin-1"))

    with contextlib.suppress(HttpError):
        wanted = wanted_of(request)
        assert wanted is None or all(tag.endswith('"') for tag in wanted)


@fuzzed("idempotency_key", "!", "~" * 255)
def test_any_idempotency_key_is_taken_or_refused(raw: bytes) -> None:
    try:
        key = idempotency.read_key(raw.decode("latin-1"))
    except Refused:
        return

    assert key.isascii()
    assert 1 <= len(key) <= 255


@fuzzed("range", "bytes=", "-", "0", "99", "100")
def test_any_range_is_answered_with_a_part_of_the_file(raw: bytes) -> None:
    content = bytes(range(100))

    answer = file_answer(
        lambda begin, end: iter([content[begin:end]]), 100, "image/png", "a", range_header=raw.decode("latin-1")
    )

    if answer.status_code == 416:
        assert answer["Content-Range"] == "bytes */100"
        return
    sent = b"".join(answer)
    assert len(sent) == int(answer["Content-Length"]) > 0
    assert (answer.status_code == 200) == (sent == content)


@fuzzed("file_name", "..", "/", "\\", ".exe", "\u202e", ".pdf")
def test_any_name_of_a_file_is_written_as_one_header_and_keeps_its_true_ending(raw: bytes) -> None:
    name = file_name(text_of(raw).encode("utf-8", "replace").decode(), "photo", ".pdf")

    answer = file_answer(lambda _begin, _end: iter([b""]), 0, "application/pdf", name)

    assert answer["Content-Disposition"].startswith("attachment; filename")
    assert not re.search(r"[\r\n\0]", answer["Content-Disposition"])
    assert name.lower().endswith(".pdf")
    assert "/" not in name
    assert "\\" not in name


@fuzzed("user_agent", "Firefox/", "Edg/", "iPhone", "Safari/")
def test_any_browser_is_named_in_words_of_ours(raw: bytes) -> None:
    assert devices.words_for(raw.decode("latin-1")).replace(" ", "").isalpha()
