"""`GET /api/scheduler/media/{id}`: a file that a patient sent. The rules stand in listener/media.py."""

from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET
from ninja.errors import AuthenticationError, HttpError

from companion.api.auth import caller_of
from companion.api.problems import answer_to, problem
from companion.clinics.refusals import Unknown
from companion.listener import media
from companion.listener.media import NotThere
from companion.service.clock import database_now


@require_GET
def read_media(request: HttpRequest, id: UUID) -> HttpResponseBase:
    """The file itself, for every role. 409 where it can't be had, 503 where it may work in a moment."""
    try:
        found = media.fetched(media.one(caller_of(request).clinic, id), now=database_now())
    except (AuthenticationError, HttpError, Unknown) as no:
        return answer_to(no)
    except NotThere as no:
        answer = problem(503 if no.later else 409, str(no))
        if no.later:
            answer["Retry-After"] = "30"
        return answer
    return media.answer(found, asked=request.headers.get("Range", ""))
