"""How an operation is declared: its role, its body, its answers and examples in one call, read by ninja and OpenAPI.

What the operation does stands in the routers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, cast

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import BaseModel

from companion.api import idempotency
from companion.api.auth import Needs
from companion.api.idempotency import StoredAnswer
from companion.api.problems import ProblemShape
from companion.api.reading import read_json
from companion.clinics.access import Caller
from companion.clinics.models import Role
from companion.clinics.refusals import Problem, Refused
from companion.service.clock import database_now

P = ParamSpec("P")
Method = Literal["GET", "POST", "PATCH"]
JSON = "application/json"
MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Operation:
    """What is said of an operation beside its code.

    `role` None: open to everybody. `creates`: takes an Idempotency-Key and answers 201 with a Location. `refuses`:
    the error statuses beyond those that follow from the rest.
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

    @property
    def parameters(self) -> set[str]:
        """The names that may stand after the question mark."""
        fields = self.query.model_fields if self.query else {}
        return {described.alias or name for name, described in fields.items()}

    @property
    def status(self) -> int:
        return 201 if self.creates else 200

    @property
    def errors(self) -> list[int]:
        """Every error status that it may answer with."""
        found = {422} | self.refuses
        if self.role is not None:
            found |= {401, 403}
        if "{" in self.path:
            found.add(404)
        if self.media_type:
            found |= {400, 413, 415}
        if self.creates:
            found.add(409)
        return sorted(found)


def act(path: str, answer: type[BaseModel], example: object, *, body_example: object, role: Role) -> Operation:
    """What somebody does to a thing that is there: refused (409) where its state forbids it."""
    refuses = frozenset({409})
    return Operation("POST", path, role, answer, example, body_example=body_example, media_type=JSON, refuses=refuses)


def operation(
    router: Router, said: Operation
) -> Callable[
    [Callable[Concatenate[HttpRequest, P], BaseModel | HttpResponse]],
    Callable[Concatenate[HttpRequest, P], HttpResponse],
]:
    """Adds the decorated function to the router: it takes what was asked and returns the answer's shape."""

    def register(
        view: Callable[Concatenate[HttpRequest, P], BaseModel | HttpResponse],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @wraps(view)
        def run(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            _refuse_unknown_parameters(request, said)

            def answer() -> BaseModel | HttpResponse:
                return view(request, *args, **kwargs)

            key = request.headers.get(idempotency.HEADER)
            if said.creates and key is not None:
                return _once(request, key, said, lambda: cast(BaseModel, answer()))
            result = answer()
            return result if isinstance(result, HttpResponse) else _respond(said, _stored(said, result))

        methods: list[str] = ["GET", "HEAD"] if said.method == "GET" else [said.method]
        router.api_operation(
            methods,
            said.path,
            auth=Needs(said.role, said.media_type) if said.role is not None else None,
            response={said.status: said.answer, **dict.fromkeys(said.errors, ProblemShape)},
            summary=(view.__doc__ or "").strip().splitlines()[0].rstrip("."),
            description=" ".join((view.__doc__ or "").split()),
            operation_id=view.__name__,
            by_alias=True,
            openapi_extra=_documented(said),
        )(run)
        return run

    return register


def caller_of(request: HttpRequest) -> Caller:
    """Who calls an operation that needs a role."""
    return cast(Caller, request.auth)  # type: ignore[attr-defined]  # ninja puts there what Needs returns


def _refuse_unknown_parameters(request: HttpRequest, said: Operation) -> None:
    """A filter that is misspelt must not answer with everything."""
    unknown = sorted(set(request.GET) - said.parameters)
    if unknown:
        raise Refused(*(Problem(name, "There is no such parameter.") for name in unknown))


def _once(request: HttpRequest, key: str, said: Operation, create: Callable[[], BaseModel]) -> HttpResponse:
    stored = idempotency.once(
        caller_of(request),
        key,
        f"{request.method} {request.path}",
        read_json(request.body) if request.body else None,
        lambda: _stored(said, create()),
        now=database_now(),
    )
    return _respond(said, stored)


def _stored(said: Operation, result: BaseModel) -> StoredAnswer:
    return StoredAnswer(said.status, result.model_dump_json(by_alias=True))


def _respond(said: Operation, stored: StoredAnswer) -> HttpResponse:
    response = HttpResponse(stored.text, status=stored.status, content_type=JSON)
    response["Cache-Control"] = "no-store"
    if said.location:
        response["Location"] = said.location.format(id=cast(dict[str, object], read_json(stored.text.encode()))["id"])
    return response


def _documented(said: Operation) -> dict[str, object]:
    extra: dict[str, object] = {"responses": {said.status: {"content": {JSON: {"example": said.example}}}}}
    if said.body_example is not None:
        extra["requestBody"] = {"content": {said.media_type: {"example": said.body_example}}}
    if said.role is not None:
        extra["security"] = [{"key": []}, {"session": []}]
        extra["x-role"] = said.role.value
    if said.creates:
        extra["parameters"] = [_IDEMPOTENCY_KEY]
    return extra


_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": idempotency.HEADER,
    "required": False,
    "description": "The same key with the same body gives the first answer again, for 24 hours, and creates nothing.",
    "schema": {"type": "string", "pattern": f"^{idempotency.KEY_PATTERN}$"},
    "example": "0192f0c1-7b7e-7c3a-9d55-2f6d1c0a8e11",
}
