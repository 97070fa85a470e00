"""The Content-Security-Policy of our pages: everything comes from ourselves, nothing is inline.

The API's answers are left alone: its reference page brings its own policy.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data:",  # Tabler's CSS draws small signs with data: images
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: adds the header to every page."""

    def add(request: HttpRequest) -> HttpResponse:
        answer = get_response(request)
        if not request.path.startswith("/api/"):
            answer.headers.setdefault("Content-Security-Policy", POLICY)
        return answer

    return add
