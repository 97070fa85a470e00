"""Patients' files: fetch and show a file when a member opens it. The rules are in listener/media.py."""

import uuid

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from companion.clinics.refusals import Conflict
from companion.listener import media, readings
from companion.listener.media import FileUnavailable
from companion.service.clock import database_now
from companion.web.access import PageRequest, page


@require_GET
@page()
def show(request: PageRequest, media_id: uuid.UUID) -> HttpResponseBase:
    """Send the file to a member who may read the conversation."""
    try:
        now = database_now()
        found = media.fetched(media.find(request.caller.clinic, media_id), now=now)
        readings.of_file(request.caller, found, now=now)
    except FileUnavailable as refusal:
        raise Conflict(str(refusal)) from None
    return media.answer(found, range_header=request.headers.get("Range", ""))


@require_GET
@page()
def opened(request: PageRequest, media_id: uuid.UUID) -> HttpResponse:
    """Show the file within the conversation, or explain why it can't be shown."""
    found = media.find(request.caller.clinic, media_id)
    refusal: FileUnavailable | None = None
    try:
        found = media.fetched(found, now=database_now())
    except FileUnavailable as unavailable:
        refusal = unavailable
    return render(request, "inbox/media.html", {"media": found, "refusal": refusal})
