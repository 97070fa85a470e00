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
    """Django's handler500; 503 where trying again later helps."""
    away = is_outage(sys.exception())
    context = {
        "away": away,
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
        # To look at the page again must not send the form again.
        "again": request.get_full_path() if request.method == "GET" else reverse("messages"),
        "practice": settings.SANDBOX_ON,
    }
    response = HttpResponse(render_to_string("trouble.html", context), status=503 if away else 500)
    if away:
        response["Retry-After"] = str(AGAIN_SECONDS)
    return response


def nothing_here(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404. `exception` is not shown: it quotes the address."""
    return _refused(request, 404, "There is nothing here", "The page was removed, or the address is mistyped.")


def unreadable(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400, also for a form that is too large. `exception` is not shown: it may quote what was sent."""
    return _refused(
        request, 400, "This could not be read", "The browser sent too much, or something broken. Nothing was changed."
    )


def stale_form(request: HttpRequest, reason: str) -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: a form from before a sign-in or from another site, or no cookies."""
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
