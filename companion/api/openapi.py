"""The API's description (OpenAPI 3.1): ninja's description, corrected for errors, security, parameters and HEAD."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, cast

from ninja.openapi.schema import OpenAPISchema

from companion.api.auth import SECURITY_SCHEMES
from companion.api.findings import BoundedAPI
from companion.api.problems import MEDIA_TYPE

_JSON: Final = "application/json"


class SchedulerAPI(BoundedAPI):
    """The API with a corrected description, which is built once."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, object] | None = None
    ) -> OpenAPISchema:
        """Return the description, which is the same for every caller."""
        return self._described

    @cached_property
    def _described(self) -> OpenAPISchema:
        schema = super().get_openapi_schema()
        schema["components"]["securitySchemes"] = SECURITY_SCHEMES
        schema.pop("servers")
        for path in schema["paths"].values():
            # Every GET also answers HEAD (RFC 9110, section 9.3.2), so the description leaves HEAD out.
            path.pop("head", None)
        for described in _operations(schema):
            _correct_problems(described)
            _correct_parameters(described)
        return schema


def _operations(schema: OpenAPISchema) -> Iterator[dict[str, Any]]:  # Any: JSON as ninja made it
    for path in schema["paths"].values():
        yield from path.values()


def _correct_problems(described: dict[str, Any]) -> None:  # Any: as above
    """Give every error answer the media type of a problem."""
    for status, answer in cast(dict[int, dict[str, Any]], described["responses"]).items():
        if int(status) >= 400 and _JSON in answer.get("content", {}):
            answer["content"] = {MEDIA_TYPE: answer["content"].pop(_JSON)}


def _correct_parameters(described: dict[str, Any]) -> None:  # Any: as above
    """Describe that a query parameter may be empty but is never null."""
    for parameter in described["parameters"]:
        if parameter["in"] != "query":
            continue
        parameter["allowEmptyValue"] = True
        schema = parameter["schema"]
        choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
        if len(choices) == 1:
            parameter["schema"] = {**{k: v for k, v in schema.items() if k != "anyOf"}, **choices[0]}
