"""The API's description (OpenAPI 3.1): ninja's, corrected for problems, security and HEAD."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from companion.api.auth import SECURITY_SCHEMES
from companion.api.problems import MEDIA_TYPE

_JSON = "application/json"


class SchedulerAPI(NinjaAPI):
    """Ninja's API with a corrected description, made once."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, object] | None = None
    ) -> OpenAPISchema:
        """The description, equal for every caller."""
        return self._described

    @cached_property
    def _described(self) -> OpenAPISchema:
        schema = super().get_openapi_schema()
        schema["components"]["securitySchemes"] = SECURITY_SCHEMES
        schema.pop("servers")
        for path in schema["paths"].values():
            # Every GET also answers HEAD (RFC 9110, section 9.3.2), so the description leaves HEAD out.
            path.pop("head", None)
        for told in _operations(schema):
            _put_problems_right(told)
            _put_parameters_right(told)
        return schema


def _operations(schema: OpenAPISchema) -> Iterator[dict[str, Any]]:  # Any: JSON as ninja made it
    for path in schema["paths"].values():
        yield from path.values()


def _put_problems_right(told: dict[str, Any]) -> None:  # Any: as above
    for status, answer in cast(dict[int, dict[str, Any]], told["responses"]).items():
        if int(status) >= 400 and _JSON in answer.get("content", {}):
            answer["content"] = {MEDIA_TYPE: answer["content"].pop(_JSON)}


def _put_parameters_right(told: dict[str, Any]) -> None:  # Any: as above
    """Describe that a query parameter may be left empty but is never null."""
    for parameter in told["parameters"]:
        if parameter["in"] != "query":
            continue
        parameter["allowEmptyValue"] = True
        schema = parameter["schema"]
        choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
        if len(choices) == 1:
            parameter["schema"] = {**{k: v for k, v in schema.items() if k != "anyOf"}, **choices[0]}
