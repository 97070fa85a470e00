"""The page for unexpected errors and for an unreachable database. The page needs neither a database nor a caller."""

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
        # What was sent is not sent again by looking.
        "again": request.get_full_path() if request.method == "GET" else reverse("messages"),
        "practice": settings.SANDBOX_ON,
    }
    response = HttpResponse(render_to_string("trouble.html", context), status=503 if away else 500)
    response["Cache-Control"] = "no-store"
    if away:
        response["Retry-After"] = str(AGAIN_SECONDS)
    return response
