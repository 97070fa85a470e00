"""Every error under /api as RFC 9457 `application/problem+json`, whether our code, Django or ninja raised it.

Of an unexpected error only the type and the place are logged: its text may quote a patient.
"""

import http
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Final

from django.core.exceptions import BadRequest, ObjectDoesNotExist, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import Field

from companion.api.validation import problems_of
from companion.api.values import Instant, Shape, write_instant
from companion.clinics.access import NotAllowed
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.clinics.versions import Stale
from companion.patients.former_patients import Merged
from companion.service.error_place import kind_and_place
from companion.service.gone_rows import SENTENCE, is_about_a_gone_row
from companion.service.outages import AGAIN_SECONDS, is_outage
from companion.service.slots import Busy

log = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/problem+json"
_MOST_ERRORS: Final = 100

_DETAILS: Final = {
    400: "The request could not be read.",
    401: "Sign in, or send an API key: Authorization: Bearer KEY.",
    403: "This is not allowed.",
    404: "There is nothing at this address.",
    405: "This address does not accept this method. The Allow header names the methods that it accepts.",
    413: "The body is too large.",
    500: "Something went wrong on our side. Look for the request's id in the service's log.",
    503: "The database can't be used just now. Try again in a moment, with the same Idempotency-Key if you sent a key.",
}


class FieldProblem(Shape):
    """A wrong value."""

    field: str = Field(description="The field's name in the API, like recurrence.weekdays.")
    message: str = Field(description="A sentence for people: what is wrong and what to do.")


class ProblemShape(Shape):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem]


class ChangerShape(Shape):
    """The person, program or service that changed the object."""

    kind: str
    name: str


class StaleShape(ProblemShape):
    """The answer 412: somebody changed the object after the caller had read it."""

    changed_by: ChangerShape | None
    changed_at: Instant | None
    change: Annotated[str | None, Field(description="The change, like schedule paused.")]


def problem(
    status: int, detail: str = "", errors: Iterable[Problem] = (), more: Mapping[str, object] | None = None
) -> HttpResponse:
    """Build the answer for an error. If `detail` is empty, the status has a sentence. `more` holds further members."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": _title(status),
        "status": status,
        "detail": detail or _DETAILS.get(status, _title(status) + "."),
        "errors": [{"field": _sendable(wrong.field), "message": _sendable(wrong.message)} for wrong in errors],
        **(more or {}),
    }
    response = HttpResponse(json.dumps(body), status=status, content_type=MEDIA_TYPE)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="companion"'
    return response


def refused(problems: Sequence[Problem]) -> HttpResponse:
    """Build the answer 422 for wrong values."""
    unique = list(dict.fromkeys(problems))
    detail = "A value is wrong." if len(unique) == 1 else f"{len(unique)} values are wrong."
    return problem(422, detail, unique[:_MOST_ERRORS])


def _stale(error: Stale) -> HttpResponse:
    last = error.last
    more = {
        "changed_by": {"kind": last.kind, "name": last.name} if last else None,
        "changed_at": write_instant(last.at) if last else None,
        "change": last.action if last else None,
    }
    return problem(412, str(error), more=more)


def problem_pages(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware that turns every error page under /api into a problem."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path != "/api" and not request.path.startswith("/api/"):
            return get_response(request)
        response = get_response(request)
        if response.status_code >= 400 and not response.get("Content-Type", "").startswith(
            (MEDIA_TYPE, "application/json")
        ):
            response = _as_problem(response)
        return _without_body(response) if request.method == "HEAD" else response

    return middleware


def add_handlers(api: NinjaAPI) -> None:
    """Register `answer_to` as ninja's handler of every exception."""
    # Ninja has handlers for the last three kinds already, which it would prefer to the handler of Exception.
    for kind in (Exception, ValidationError, HttpError, Http404):
        api.add_exception_handler(kind, lambda _, error: answer_to(error))


def answer_to(error: object) -> HttpResponse:
    """Build the answer for an exception."""
    match error:
        case ValidationError():
            return _invalid(error)
        case Refused():
            return refused(error.problems)
        case AuthenticationError():
            return problem(401)
        case HttpError():
            # Ninja wraps the error of our parser in an error that only says "Cannot parse request body".
            cause = error.__cause__ if isinstance(error.__cause__, HttpError) else error
            return problem(cause.status_code, cause.message)
        case NotAllowed():
            return problem(403, str(error))
        case Merged():
            return problem(404, str(error), more={"merged_into": str(error.into)})
        case Unknown():
            return problem(404, str(error))
        case Http404():
            return problem(404)
        case Conflict():
            return problem(409, str(error))
        case ObjectDoesNotExist() | IntegrityError() if is_about_a_gone_row(error):
            return problem(409, SENTENCE)
        case Stale():
            return _stale(error)
        case Busy():
            busy = problem(429, str(error))
            busy["Retry-After"] = str(error.seconds)
            return busy
        case RequestDataTooBig():
            return problem(413)
        case SuspiciousOperation() | BadRequest() | MultiPartParserError() | UnreadablePostError():
            return problem(400)
        case _:
            return _unexpected(error)


def _invalid(error: ValidationError) -> HttpResponse:
    if any(wrong["loc"][:1] == ("path",) for wrong in error.errors):
        # No object has an id that isn't a UUID.
        return problem(404)
    return refused(problems_of(error.errors))


def _unexpected(error: object) -> HttpResponse:
    if isinstance(error, Exception):
        log.error("unexpected %(error)s at %(place)s", kind_and_place(error))
    if not is_outage(error):
        return problem(500)
    response = problem(503)
    response["Retry-After"] = str(AGAIN_SECONDS)
    return response


def _as_problem(response: HttpResponseBase) -> HttpResponse:
    answer = problem(response.status_code)
    for header in ("Allow", "Retry-After"):
        if header in response:
            answer[header] = response[header]
    answer.cookies = response.cookies
    return answer


def _without_body(response: HttpResponseBase) -> HttpResponseBase:
    # RFC 9110, section 9.3.2: the answer to HEAD is that to GET without the content. It may carry the content's length.
    if isinstance(response, HttpResponse):
        length = len(response.content)
        response.content = b""
        response["Content-Length"] = str(length)
    elif isinstance(response, StreamingHttpResponse):
        response.streaming_content = iter(())
    return response


def _title(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _sendable(text: str) -> str:
    """Return the text without halves of surrogate pairs, which UTF-8 can't carry. A field's name may hold them."""
    return text[:500].encode(errors="replace").decode()
