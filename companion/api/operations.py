"""The declaration of an operation: its role, body, answers and examples in one value, for ninja and for OpenAPI.

The other modules declare their operations with it and carry them out.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, Final, Literal, ParamSpec, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from ninja import Router
from pydantic import BaseModel

from companion.api import conditions, idempotency
from companion.api.auth import Needs
from companion.api.idempotency import StoredAnswer
from companion.api.problems import ProblemShape, StaleShape
from companion.api.reading import read_json
from companion.api.values import Shape
from companion.api.versions import Kind, kind_at, kind_called
from companion.clinics.access import Caller, CallerRequest
from companion.clinics.models import Role
from companion.clinics.refusals import Problem, Refused
from companion.service.clock import database_now

P = ParamSpec("P")
Result = BaseModel | HttpResponseBase | Callable[[], BaseModel]
"""A view's result. A function is called after the commit, since it may lock other rows."""
Method = Literal["GET", "POST", "PATCH"]
JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Operation:
    """The declaration of an operation.

    `role` None: everybody may call it. `creates`: it takes an Idempotency-Key and answers 201. `location`: the name
    of the operation to which the header Location leads. `refuses`: error statuses besides those that follow from the
    other fields. `also`: media types of other forms of the answer. `long`: it may take long, so a clinic may run only
    a few at once. `fresh`: a member must have confirmed the password a short time ago.
    """

    method: Method
    path: str
    role: Role | None
    answer: type[BaseModel]
    example: object
    body_example: object = None
    media_type: str = ""
    creates: bool = False
    location: str = ""
    refuses: frozenset[int] = field(default_factory=frozenset)
    query: type[BaseModel] | None = None
    also: tuple[str, ...] = ()
    long: bool = False
    fresh: bool = False

    @property
    def at(self) -> Kind[Any] | None:  # Any: each kind is of another model
        """Return the kind of the object that the address names."""
        return kind_at(self.path)

    @property
    def shows(self) -> Kind[Any] | None:  # Any: as above
        """Return the kind of the object that the answer shows, with its ETag."""
        return kind_called(self.answer.kind_of_object) if issubclass(self.answer, Shape) else None

    @property
    def takes_if_match(self) -> bool:
        return self.at is not None and self.method != "GET"

    @property
    def parameters(self) -> set[str]:
        """Return the names of the query parameters."""
        fields = self.query.model_fields if self.query else {}
        return {described.alias or name for name, described in fields.items()}

    @property
    def status(self) -> int:
        return 201 if self.creates else 200

    @property
    def errors(self) -> list[int]:
        """Return every error status with which the operation may answer."""
        statuses = {422} | self.refuses
        if self.role is not None:
            statuses |= {401, 403, 429}
        if "{" in self.path:
            statuses.add(404)
        if self.media_type:
            statuses |= {400, 413, 415}
        if self.creates:
            statuses.add(409)
        if self.takes_if_match:
            statuses |= {400, 412}
        return sorted(statuses)


def act(
    path: str, answer: type[BaseModel], example: object, *, body_example: object, role: Role, fresh: bool = False
) -> Operation:
    """Declare an action on an existing object. It is refused (409) if the object's state forbids it."""
    refuses = frozenset({409})
    return Operation(
        "POST", path, role, answer, example, body_example=body_example, media_type=JSON, refuses=refuses, fresh=fresh
    )


def operation(
    router: Router, declared: Operation
) -> Callable[[Callable[Concatenate[HttpRequest, P], Result]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]]:
    """Decorate a function that takes the request and returns the answer's shape, and add it to the router."""

    def register(
        view: Callable[Concatenate[HttpRequest, P], Result],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def run(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            check_parameters(request, declared.parameters)
            wanted = conditions.wanted_of(request) if declared.takes_if_match else None
            id = cast(uuid.UUID | None, kwargs.get("id"))

            def answer() -> StoredAnswer | HttpResponseBase:
                return _answer(request, declared, id, wanted, lambda: view(request, *args, **kwargs))

            key = request.headers.get(idempotency.HEADER)
            if declared.creates and key is not None:
                return _once(request, key, declared, lambda: cast(StoredAnswer, answer()))
            result = answer()
            return result if isinstance(result, HttpResponseBase) else _respond(declared, result)

        methods: list[str] = ["GET", "HEAD"] if declared.method == "GET" else [declared.method]
        router.api_operation(
            methods,
            declared.path,
            auth=_needs(declared),
            response=_answers(declared),
            summary=(view.__doc__ or "").splitlines()[0].partition(". ")[0].rstrip("."),
            description=" ".join((view.__doc__ or "").split()),
            operation_id=view.__name__,
            by_alias=True,
            openapi_extra=_documented(declared),
        )(run)
        return run

    return register


def _needs(declared: Operation) -> Needs | None:
    if declared.role is None:
        return None
    return Needs(declared.role, declared.media_type, long=declared.long, fresh=declared.fresh)


def _answers(declared: Operation) -> dict[int, type[BaseModel]]:
    """The shapes of a call's answers, by status."""
    answers: dict[int, type[BaseModel]] = {declared.status: declared.answer}
    answers |= dict.fromkeys(declared.errors, ProblemShape)
    return answers | ({412: StaleShape} if declared.takes_if_match else {})


def caller_of(request: HttpRequest) -> Caller:
    """Return the caller of an operation that needs a role."""
    return cast("CallerRequest", request).caller


def check_parameters(request: HttpRequest, known: set[str]) -> None:
    """Raise Refused for an unknown or repeated parameter, so that no filter is silently ignored."""
    problems = [Problem(name, "There is no such parameter.") for name in sorted(set(request.GET) - known)]
    problems += [
        Problem(name, "Send this parameter once.")
        for name, values in request.GET.lists()
        if name in known and values[1:]
    ]
    if problems:
        raise Refused(*problems)


def _answer(
    request: HttpRequest,
    declared: Operation,
    id: uuid.UUID | None,
    wanted: frozenset[str] | None,
    view: Callable[[], Result],
) -> StoredAnswer | HttpResponseBase:
    """Run the view, and return its answer with the ETag. Raises Stale if the object no longer has a tag in `wanted`."""
    if wanted is None and declared.shows is None:
        tagged = conditions.Tagged(view(), "")
    elif declared.method == "GET":
        tagged = conditions.read(declared.shows, caller_of(request).clinic, id, view)
    else:
        tagged = conditions.change(wanted, declared.at, declared.shows, caller_of(request).clinic, id, view)
    result = tagged.answer
    if isinstance(result, HttpResponseBase):
        return result
    shape = result if isinstance(result, BaseModel) else result()
    return StoredAnswer(declared.status, shape.model_dump_json(by_alias=True), tagged.tag)


def _once(request: HttpRequest, key: str, declared: Operation, create: Callable[[], StoredAnswer]) -> HttpResponse:
    stored = idempotency.once(
        caller_of(request),
        key,
        f"{request.method} {request.path}",
        read_json(request.body) if request.body else None,
        create,
        now=database_now(),
    )
    return _respond(declared, stored)


def _respond(declared: Operation, stored: StoredAnswer) -> HttpResponse:
    response = HttpResponse(stored.text, status=stored.status, content_type=JSON)
    if stored.tag:
        response["ETag"] = stored.tag
    if declared.location:
        id = cast(dict[str, object], read_json(stored.text.encode()))["id"]
        response["Location"] = reverse(f"api:{declared.location}", args=[id])
    return response


def _documented(declared: Operation) -> dict[str, object]:
    others = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in declared.also}
    answer: dict[str, object] = {"content": {JSON: {"example": declared.example}, **others}}
    if declared.shows:
        answer["headers"] = {"ETag": _ETAG}
    extra: dict[str, object] = {"responses": {declared.status: answer}}
    if declared.body_example is not None:
        extra["requestBody"] = {"content": {declared.media_type: {"example": declared.body_example}}}
    if declared.role is not None:
        extra["security"] = SECURITY
        extra["x-role"] = declared.role.value
    headers = [_IDEMPOTENCY_KEY] * declared.creates + [_IF_MATCH] * declared.takes_if_match
    if headers:
        extra["parameters"] = headers
    return extra


SECURITY: list[dict[str, list[str]]] = [{"key": []}, {"session": []}]
"""A key or a session."""
_IDEMPOTENCY_KEY: Final = {
    "in": "header",
    "name": idempotency.HEADER,
    "required": False,
    "description": "A call that is repeated within 24 hours with this key and body gets the first answer and creates "
    "nothing.",
    "schema": {"type": "string", "pattern": f"^{idempotency.KEY_PATTERN}$"},
    "example": "0192f0c1-7b7e-7c3a-9d55-2f6d1c0a8e11",
}
_IF_MATCH: Final = {
    "in": "header",
    "name": conditions.HEADER,
    "required": False,
    "description": "The ETag that you read, or several ETags, or *. If somebody has changed the object since then, the "
    "answer is 412 and names that person.",
    "schema": {"type": "string", "pattern": f"^{conditions.PATTERN}$"},
    "example": '"5f2b1c0e9d8a47360b1c2d3e4f5a6b7c"',
}
_ETAG: Final = {
    "description": "The version of the object, for If-Match. Each change by people or Telegram gives a new version.",
    "schema": {"type": "string"},
}
