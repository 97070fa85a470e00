"""Headers for every answer: a content policy, and the bans on frames and on storing. TRACE is refused with 405.

The middleware stands before all others that answer, since a refusal may come from any of them. Static files may be
stored: WhiteNoise says for how long. The API's reference page sets its policy itself.
"""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import reverse

from companion.service import bare_answer

Answer = Callable[[HttpRequest], HttpResponseBase]
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
        policy = bare_answer.POLICY if request.path.startswith("/api/") else POLICY
        answer.headers.setdefault("Content-Security-Policy", policy)
        # For browsers that don't know `frame-ancestors`.
        answer.headers.setdefault("X-Frame-Options", "DENY")
        if request.method == "POST" and request.path == reverse("account_logout"):
            # The cookies stay: one of them identifies a known device.
            answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer

    return add
