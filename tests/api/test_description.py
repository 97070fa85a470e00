"""The description (OpenAPI 3.1) and its reference page, as authors of clients need them."""

import re
from collections.abc import Iterator
from typing import Final, cast

import jsonschema_rs
import pytest
from django.urls import URLPattern, URLResolver

from companion.api.urls import api as described
from companion.api.urls import urlpatterns
from tests.api.calls import NOBODY, PROBLEM, Json

SCHEMA: Final[Json] = described.get_openapi_schema()


def operations() -> Iterator[tuple[str, Json]]:
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


ALL: Final = pytest.mark.parametrize("told", [pytest.param(call, id=name) for name, call in operations()])


def assert_fits(schema: Json, example: Json) -> None:
    whole = {"allOf": [schema], "components": SCHEMA["components"]}
    jsonschema_rs.Draft202012Validator(whole).validate(example)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_the_description_is_open_to_everybody(path: str) -> None:
    assert NOBODY.get(path).status == 200


@pytest.mark.django_db
def test_the_description_is_openapi_3_1() -> None:
    assert NOBODY.get("/openapi.json").json["openapi"].startswith("3.1")


@pytest.mark.django_db
def test_the_reference_page_asks_no_strangers_server() -> None:
    page = NOBODY.get("/docs").text

    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert '"validatorUrl": null' in page


def test_nothing_answers_below_api_that_is_not_described() -> None:
    assert [str(cast(URLPattern | URLResolver, address).pattern) for address in urlpatterns] == [
        "api/",
        "metrics",
        "healthz",
        "readyz",
    ]


@ALL
def test_every_operation_with_a_sign_in_tells_of_the_limit_of_calls(told: Json) -> None:
    assert ("security" in told) <= ("429" in {str(status) for status in told["responses"]})


@ALL
def test_every_operation_has_an_example_answer_that_fits(told: Json) -> None:
    status = min(told["responses"])
    content = told["responses"][status]["content"]

    if told["operationId"] == "read_media":
        assert content["image/jpeg"]["schema"] == {"type": "string", "format": "binary"}
    elif told["operationId"] == "export_evidence":
        assert content["text/html"]["schema"] == {"type": "string"}
    else:
        assert_fits(content["application/json"]["schema"], content["application/json"]["example"])


@ALL
def test_every_json_body_has_an_example_that_fits(told: Json) -> None:
    body = told.get("requestBody", {"content": {}})["content"].get("application/json")

    if body:
        assert_fits(body["schema"], body["example"])


@ALL
def test_every_error_is_described_as_a_problem(told: Json) -> None:
    # Health answers 503 in its own shape; a range outside a file (416) has no body (RFC 9110, section 15.5.17).
    errors = {
        status: answer for status, answer in told["responses"].items() if status >= 400 and status not in (503, 416)
    }

    assert all(list(answer["content"]) == [PROBLEM] for answer in errors.values())


@ALL
def test_every_operation_but_health_and_the_front_door_asks_who_is_calling(told: Json) -> None:
    open_to_all = told["operationId"] in ("read_health", "read_index")

    assert ("security" not in told) == open_to_all
    assert (401 in told["responses"]) != open_to_all
