"""Headers for every answer: a Content-Security-Policy, and the ban on storing the answer. TRACE is refused with 405.

Static files are answered earlier, with WhiteNoise's headers. The API's reference page sets its policy itself.
"""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import reverse

Answer = Callable[[HttpRequest], HttpResponseBase]
API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""The policy of the API's answers: a browser that shows such an answer loads nothing for it."""
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
POLICY: Final = "; ".join(
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
    """Add the headers to every answer that doesn't set them itself (middleware).

    Pages and answers hold health data: neither the browser of a shared computer nor a proxy may store them (OWASP ASVS
    5.0, 14.3.2). Some pages show a link or a key only once; the browser's "back" button must not show it again.
    """

    def add(request: HttpRequest) -> HttpResponseBase:
        # Refuse other methods here: some pages would answer them like GET (OWASP ASVS 5.0, 13.4.4).
        answer = get_response(request) if request.method in _METHODS else HttpResponseNotAllowed(_METHODS)
        answer.headers.setdefault("Cache-Control", "no-store")
        policy = API_POLICY if request.path.startswith("/api/") else POLICY
        answer.headers.setdefault("Content-Security-Policy", policy)
        if request.method == "POST" and request.path == reverse("account_logout"):
            # The cookies stay: one of them identifies a known device.
            answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer

    return add
