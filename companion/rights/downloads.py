"""Answers with which a browser saves the export as a file, and never runs it. For the API and the page."""

import datetime as dt
from typing import Final, Literal

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from companion.clinics.access import Caller
from companion.patients.models import Patient
from companion.rights import gathering
from companion.rights.packing import packed
from companion.rights.readable import page_of

HTML: Final = "text/html"
ZIP: Final = "application/zip"


def download(caller: Caller, patient: Patient, form: Literal["html", "zip"], *, now: dt.datetime) -> HttpResponseBase:
    """Answer with the export in this form. Raises NotAllowed for a viewer."""
    if form == "html":
        page = page_of(gathering.everything(caller, patient, now=now), caller.clinic.timezone)
        return saved(page, f"patient-{patient.pk}.html")
    answer = StreamingHttpResponse(packed(caller, patient, now=now), content_type=ZIP)
    answer["Content-Disposition"] = f'attachment; filename="patient-{patient.pk}.zip"'
    return _inert(answer)


def saved(page: str, name: str) -> HttpResponse:
    """Answer with a page of HTML as a file of this name."""
    answer = HttpResponse(page, content_type=f"{HTML}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    _inert(answer)
    return answer


def _inert(answer: HttpResponseBase) -> HttpResponseBase:
    answer["X-Content-Type-Options"] = "nosniff"
    # The page needs its style, and nothing else.
    answer["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return answer
