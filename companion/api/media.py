"""`GET /media/{id}`: a file that a patient sent. The rules are in listener/media.py."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router

from companion.api.auth import Needs
from companion.api.operations import SECURITY, caller_of, check_parameters
from companion.api.problems import ProblemShape, problem
from companion.clinics.models import Role
from companion.listener import media, readings
from companion.listener.file_types import SUFFIXES
from companion.listener.media import FileUnavailable
from companion.service.clock import database_now

router = Router(tags=["patients"])
_ERRORS: Final = (401, 403, 404, 409, 422, 429, 503)
_BYTES: Final = {mime: {"schema": {"type": "string", "format": "binary"}} for mime in SUFFIXES}
_RANGE: Final = {
    "in": "header",
    "name": "Range",
    "required": False,
    "description": "One range of bytes (RFC 9110, section 14). Any other range gets the whole file.",
    "schema": {"type": "string"},
    "example": "bytes=0-1023",
}


@router.api_operation(
    ["GET", "HEAD"],
    "/media/{id}",
    auth=Needs(Role.VIEWER),
    response=dict.fromkeys(_ERRORS, ProblemShape),
    summary="A file that a patient sent",
    description=(
        "The file itself: a photo, a voice note, a document. Its bytes decide its media type. 409: the file is no "
        "longer available; 503: try again in a moment. A conversation's `media.link` leads here."
    ),
    operation_id="read_media",
    openapi_extra={
        "responses": {
            200: {"description": "The file", "content": _BYTES},
            206: {"description": "The requested part of the file", "content": _BYTES},
            416: {"description": "The range lies outside the file"},
        },
        "parameters": [_RANGE],
        "security": SECURITY,
        "x-role": Role.VIEWER.value,
    },
)
def read_media(request: HttpRequest, id: UUID) -> HttpResponseBase:
    """Read a file that a patient sent. The first call fetches the file from Telegram."""
    check_parameters(request, set())
    try:
        caller, now = caller_of(request), database_now()
        file = media.fetched(media.find(caller.clinic, id), now=now)
        readings.of_file(caller, file, now=now)
    except FileUnavailable as error:
        answer = problem(503 if error.later else 409, str(error))
        if error.later:
            answer["Retry-After"] = "30"
        return answer
    return media.answer(file, range_header=request.headers.get("Range", ""))
