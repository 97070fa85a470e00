"""The pages for requests that no view answers, unexpected errors and an unreachable database.

They need neither a database nor a caller.
"""

import sys

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse

from companion.service.outages import AGAIN_SECONDS, is_outage


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an unexpected error (Django's handler500): 503 if the database can't be used just now, else 500."""
    outage = is_outage(sys.exception())
    context = {
        "outage": outage,
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
        # Opening the page again must not send the form again.
        "again": request.get_full_path() if request.method == "GET" else reverse("messages"),
        "practice": settings.SANDBOX_ON,
    }
    response = HttpResponse(render_to_string("trouble.html", context), status=503 if outage else 500)
    if outage:
        response["Retry-After"] = str(AGAIN_SECONDS)
    return response


def nothing_here(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that no view answers (Django's handler404). `exception` quotes the address and is not shown."""
    return _refused(request, 404, "There is nothing here", "The page was removed, or the address is mistyped.")


def unreadable(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a broken request or a form that is too large (Django's handler400).

    `exception` may quote what was sent and is not shown.
    """
    return _refused(
        request,
        400,
        "This could not be read",
        "The browser sent too much, or an unreadable form. Nothing was changed.",
    )


def stale_form(request: HttpRequest, reason: str) -> HttpResponse:
    """Refuse a form from before a sign-in, from another site, or without cookies (Django's CSRF_FAILURE_VIEW)."""
    return _refused(
        request,
        403,
        "This form is out of date",
        "You signed in or out after the form was opened, or your browser keeps no cookies. Nothing was changed. "
        "Open the page again and repeat what you did.",
    )


def _refused(request: HttpRequest, status: int, title: str, message: str) -> HttpResponse:
    context = {"title": title, "message": message, "practice": settings.SANDBOX_ON}
    return HttpResponse(render_to_string("refused.html", context), status=status)
