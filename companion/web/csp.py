"""The Content-Security-Policy of our pages: everything comes from this server, nothing is inline.

Answers of the API are left alone: its reference page has another policy.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

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


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add the header to every page (middleware)."""

    def add(request: HttpRequest) -> HttpResponse:
        answer = get_response(request)
        if not request.path.startswith("/api/"):
            answer.headers.setdefault("Content-Security-Policy", POLICY)
        return answer

    return add
