"""The access log: a line for each request, with its id, route and duration; and a filter of dangerous cookies.

`plain_cookies` removes cookies that Python's reader can't handle, and `no_body_for_head` keeps the answers of one
connection apart. The log holds the route instead of the path: paths may hold tokens, and query strings the names that
people search.
"""

import re
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from companion.service import act_origin
from companion.service.client_address import client_address, is_within

if TYPE_CHECKING:
    from companion.clinics.access import Caller

logger = structlog.stdlib.get_logger("companion.access")

_FORWARDED: Final = ("HTTP_X_FORWARDED_", "HTTP_FORWARDED")
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TALKATIVE: Final = ("health", "metrics", "static", "banner", "news", "(?P<method>[^/]+)/?$")
"""Endings of routes that monitors, open pages and our services (in the Sandbox) call all day.

Their requests are logged only at the level debug, unless they fail.
"""

Answer = Callable[[HttpRequest], HttpResponseBase]


def no_body_for_head(get_response: Answer) -> Answer:
    """Answer HEAD only with the headers of GET.

    Our server would send the body, too. The next answer on the same connection, which behind a proxy may be another
    person's, would then begin with this body.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if request.method != "HEAD":
            return response
        bare = HttpResponse(status=response.status_code, headers=response.headers)
        bare.cookies = response.cookies
        if isinstance(response, HttpResponse):
            bare.headers.setdefault("Content-Length", str(len(response.content)))
        # Without a length the server would send the end of a body in pieces.
        bare.headers.setdefault("Content-Length", "0")
        response.close()
        return bare

    return middleware


def plain_cookies(get_response: Answer) -> Answer:
    """Drop cookies with a backslash, which RFC 6265 (section 4.1.1) doesn't allow, and which we never set.

    Before Python 3.11.10 and 3.12.6 one such cookie of 16 KB keeps a thread busy for two seconds (CVE-2024-7592).
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        cookies = request.META.get("HTTP_COOKIE", "")
        if "\\" in cookies:
            request.META["HTTP_COOKIE"] = ";".join(cookie for cookie in cookies.split(";") if "\\" not in cookie)
        return get_response(request)

    return middleware


def access_log(get_response: Answer) -> Answer:
    """Bind `request_id` and `client` to every line logged during the request, and answer the id as X-Request-ID.

    Binds the client's address for the audit trail, too.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request_id = _request_id(request.headers.get("X-Request-ID", ""))
        began = time.monotonic()
        _look_behind_proxies(request)
        client = request.META["REMOTE_ADDR"]
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id, client=client),
            act_origin.acting_from(client),
        ):
            response = get_response(request)
            _log(request, response.status_code, time.monotonic() - began)
        response.headers["X-Request-ID"] = request_id
        return response

    return middleware


def _look_behind_proxies(request: HttpRequest) -> None:
    """Put the browser's address in place of our proxy's address. Drop forwarded headers that no proxy of ours sent."""
    proxies, peer = settings.COMPANION.proxies, str(request.META.get("REMOTE_ADDR") or "")
    if not is_within(peer, proxies):
        for forwarded in [name for name in request.META if name.startswith(_FORWARDED)]:
            del request.META[forwarded]
    forwarded_for = str(request.META.get("HTTP_X_FORWARDED_FOR") or "")
    request.META["REMOTE_ADDR"] = client_address(peer, forwarded_for, proxies)


def _request_id(given: str) -> str:
    return given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)


def _log(request: HttpRequest, status: int, seconds: float) -> None:
    route = _route(request)
    quiet = route.rstrip("/").endswith(_TALKATIVE) and status < 500
    log = logger.debug if quiet else logger.info
    caller: Caller | None = getattr(request, "caller", None)
    who = {"caller": f"{caller.kind} {caller.id}"} if caller else {}
    log("request", method=request.method, route=route, status=status, ms=round(seconds * 1000, 1), **who)


def _route(request: HttpRequest) -> str:
    if request.resolver_match is not None:
        return f"/{request.resolver_match.route}"
    return "static" if request.path_info.startswith(settings.STATIC_URL) else "no route"
