"""The headers that all our answers carry: the Content-Security-Policy of pages, and no storing.

Static files have passed by then, with headers of their own. Answers of the API get no policy: its reference page has
another one.
"""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

Answer = Callable[[HttpRequest], HttpResponseBase]
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
        answer = get_response(request)
        answer.headers.setdefault("Cache-Control", "no-store")
        if not request.path.startswith("/api/"):
            answer.headers.setdefault("Content-Security-Policy", POLICY)
        return answer

    return add
