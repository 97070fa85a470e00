"""The headers that all our answers carry: a Content-Security-Policy, and no storing. TRACE is answered by nobody.

Static files have passed by then, with headers of their own, and the API's reference page has a policy of its own.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import reverse

Answer = Callable[[HttpRequest], HttpResponseBase]
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""An answer for programs loads nothing, whatever a browser makes of it."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data:",  # Tabler's CSS draws small icons with data: images
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


def answer_headers(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Add the headers to every answer that does not set its own (middleware).

    Pages and answers hold health data: neither the browser of a shared computer nor a proxy may store them (OWASP ASVS
    5.0, 14.3.2). Some pages show a link or a key once, and the browser's "back" must not bring it back.
    """

    def add(request: HttpRequest) -> HttpResponseBase:
        # Some pages would answer any method as GET (OWASP ASVS 5.0, 13.4.4).
        answer = get_response(request) if request.method in _METHODS else HttpResponseNotAllowed(_METHODS)
        answer.headers.setdefault("Cache-Control", "no-store")
        policy = API_POLICY if request.path.startswith("/api/") else POLICY
        answer.headers.setdefault("Content-Security-Policy", policy)
        if request.method == "POST" and request.path == reverse("account_logout"):
            # Cookies stay: one of them tells a known device.
            answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer

    return add
