"""The declaration of an operation: its role, body, answers and examples in one call, for ninja and for OpenAPI.

The routers say what an operation does.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router
from pydantic import BaseModel

from companion.api import conditions, idempotency
from companion.api.auth import Needs
from companion.api.idempotency import StoredAnswer
from companion.api.problems import ProblemShape, StaleShape
from companion.api.reading import read_json
from companion.api.values import Shape
from companion.api.versions import Kind, kind_at, kind_called
from companion.clinics.access import Caller
from companion.clinics.models import Role
from companion.clinics.refusals import Problem, Refused
from companion.service.clock import database_now

P = ParamSpec("P")
Result = BaseModel | HttpResponseBase | Callable[[], BaseModel]
"""A view's result. A function is called after the commit, since it may lock other rows."""
Method = Literal["GET", "POST", "PATCH"]
JSON = "application/json"
MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Operation:
    """The declaration of an operation.

    `role` None: open to everybody. `creates`: takes an Idempotency-Key and answers 201 with a Location. `refuses`:
    error statuses beyond those that follow from the rest. `also`: media types of other forms of the answer.
    `long`: only some of a clinic run at once. `fresh`: a session needs a fresh proof of identity.
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
        """The kind of the object that the address names."""
        return kind_at(self.path)

    @property
    def shows(self) -> Kind[Any] | None:  # Any: as above
        """The kind of the object that the answer shows, with its ETag."""
        return kind_called(self.answer.kind_of_object) if issubclass(self.answer, Shape) else None

    @property
    def takes_if_match(self) -> bool:
        return self.at is not None and self.method != "GET"

    @property
    def parameters(self) -> set[str]:
        """The names of the query parameters."""
        fields = self.query.model_fields if self.query else {}
        return {described.alias or name for name, described in fields.items()}

    @property
    def status(self) -> int:
        return 201 if self.creates else 200

    @property
    def errors(self) -> list[int]:
        """Every error status with which it may answer."""
        found = {422} | self.refuses
        if self.role is not None:
            found |= {401, 403, 429}
        if "{" in self.path:
            found.add(404)
        if self.media_type:
            found |= {400, 413, 415}
        if self.creates:
            found.add(409)
        if self.takes_if_match:
            found |= {400, 412}
        return sorted(found)


def act(
    path: str, answer: type[BaseModel], example: object, *, body_example: object, role: Role, fresh: bool = False
) -> Operation:
    """Declare an action on an existing object. It is refused (409) if the object's state forbids it."""
    refuses = frozenset({409})
    return Operation(
        "POST", path, role, answer, example, body_example=body_example, media_type=JSON, refuses=refuses, fresh=fresh
    )


def operation(
    router: Router, said: Operation
) -> Callable[[Callable[Concatenate[HttpRequest, P], Result]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]]:
    """Decorate a function that takes the request and returns the answer's shape, and add it to the router."""

    def register(
        view: Callable[Concatenate[HttpRequest, P], Result],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def run(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            check_parameters(request, said.parameters)
            wanted = conditions.wanted_of(request) if said.takes_if_match else None
            id = cast(uuid.UUID | None, kwargs.get("id"))

            def answer() -> StoredAnswer | HttpResponseBase:
                return _answer(request, said, id, wanted, lambda: view(request, *args, **kwargs))

            key = request.headers.get(idempotency.HEADER)
            if said.creates and key is not None:
                return _once(request, key, said, lambda: cast(StoredAnswer, answer()))
            result = answer()
            return result if isinstance(result, HttpResponseBase) else _respond(said, result)

        methods: list[str] = ["GET", "HEAD"] if said.method == "GET" else [said.method]
        answers: dict[int, type[BaseModel]] = {said.status: said.answer, **dict.fromkeys(said.errors, ProblemShape)}
        router.api_operation(
            methods,
            said.path,
            auth=Needs(said.role, said.media_type, long=said.long, fresh=said.fresh) if said.role is not None else None,
            response=answers | ({412: StaleShape} if said.takes_if_match else {}),
            summary=(view.__doc__ or "").splitlines()[0].partition(". ")[0].rstrip("."),
            description=" ".join((view.__doc__ or "").split()),
            operation_id=view.__name__,
            by_alias=True,
            openapi_extra=_documented(said),
        )(run)
        return run

    return register


def caller_of(request: HttpRequest) -> Caller:
    """The caller of an operation that needs a role."""
    return cast(Caller, request.auth)  # type: ignore[attr-defined]  # ninja puts there what Needs returns


def check_parameters(request: HttpRequest, known: set[str]) -> None:
    """Raise Refused for an unknown or repeated parameter: no filter may be ignored."""
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
    said: Operation,
    id: uuid.UUID | None,
    wanted: frozenset[str] | None,
    view: Callable[[], Result],
) -> StoredAnswer | HttpResponseBase:
    """The view's answer with its tag; a change is made only while the object is as the caller read it."""
    if wanted is None and said.shows is None:
        made = conditions.Tagged(view(), "")
    elif said.method == "GET":
        made = conditions.read(said.shows, caller_of(request).clinic, id, view)
    else:
        made = conditions.change(wanted, said.at, said.shows, caller_of(request).clinic, id, view)
    result = made.answer
    if isinstance(result, HttpResponseBase):
        return result
    shape = result if isinstance(result, BaseModel) else result()
    return StoredAnswer(said.status, shape.model_dump_json(by_alias=True), made.tag)


def _once(request: HttpRequest, key: str, said: Operation, create: Callable[[], StoredAnswer]) -> HttpResponse:
    stored = idempotency.once(
        caller_of(request),
        key,
        f"{request.method} {request.path}",
        read_json(request.body) if request.body else None,
        create,
        now=database_now(),
    )
    return _respond(said, stored)


def _respond(said: Operation, stored: StoredAnswer) -> HttpResponse:
    response = HttpResponse(stored.text, status=stored.status, content_type=JSON)
    if stored.tag:
        response["ETag"] = stored.tag
    if said.location:
        response["Location"] = said.location.format(id=cast(dict[str, object], read_json(stored.text.encode()))["id"])
    return response


def _documented(said: Operation) -> dict[str, object]:
    others = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in said.also}
    answer: dict[str, object] = {"content": {JSON: {"example": said.example}, **others}}
    if said.shows:
        answer["headers"] = {"ETag": _ETAG}
    extra: dict[str, object] = {"responses": {said.status: answer}}
    if said.body_example is not None:
        extra["requestBody"] = {"content": {said.media_type: {"example": said.body_example}}}
    if said.role is not None:
        extra["security"] = SECURITY
        extra["x-role"] = said.role.value
    headers = [_IDEMPOTENCY_KEY] * said.creates + [_IF_MATCH] * said.takes_if_match
    if headers:
        extra["parameters"] = headers
    return extra


SECURITY: list[dict[str, list[str]]] = [{"key": []}, {"session": []}]
"""A key or a session."""
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": idempotency.HEADER,
    "required": False,
    "description": "For 24 hours a repeated call with the same key and body gets the first answer and creates nothing.",
    "schema": {"type": "string", "pattern": f"^{idempotency.KEY_PATTERN}$"},
    "example": "0192f0c1-7b7e-7c3a-9d55-2f6d1c0a8e11",
}
_IF_MATCH = {
    "in": "header",
    "name": conditions.HEADER,
    "required": False,
    "description": "The ETag that you read, or several, or *. If somebody changed the object since: 412 with the name.",
    "schema": {"type": "string", "pattern": f"^{conditions.PATTERN}$"},
    "example": '"5f2b1c0e9d8a47360b1c2d3e4f5a6b7c"',
}
_ETAG = {
    "description": "The version of the object, for If-Match. It changes with whatever people or Telegram change in it.",
    "schema": {"type": "string"},
}
